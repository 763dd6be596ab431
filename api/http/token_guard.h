// Tokens and who shows them: 256 random bits as "varve_" and 43 characters of base64url; the store has their SHA-256.
// All hashes are compared, each in constant time. The tokens are read again when their file has changed, looked at
// every kLookNs by the requests that come. Without any token everything is allowed if `open_without_tokens`, else nothing.
// Failed logins are counted by address; over the limit, further wrong tokens get 429 for a while. A right one always
// passes: behind a proxy all callers have one address, and 256 bits are not guessed.
// Errors: a file that cannot be read any more leaves the tokens as they were read last, and is logged.
// Threads: any.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/access.h"
#include "storage/base/clock.h"
#include "storage/base/metrics.h"

namespace varve {

std::string new_token();
std::string token_hash(std::string_view token);  // 64 hexadecimal digits

// A token as asked for by people.
struct TokenWish {
  std::string name;
  std::string role;                 // "read" ...
  std::vector<std::string> tables;  // as TableScope::parse
};
struct MadeToken {
  StoredToken stored;
  std::string token;  // shown once, kept nowhere
};
// kInvalidArgument for a name, role or table that cannot be.
Result<MadeToken> create_token(TokenStore& store, const TokenWish& wish, const Clock& clock);

// The token in an Authorization header (Bearer T, Token T, Token USER:T, Basic base64(USER:T)); empty = none.
std::string token_of_header(std::string_view authorization);

class TokenGuard {
 public:
  static constexpr int64_t kLookNs = kNsPerSecond / 2;
  static constexpr uint32_t kFailuresMax = 10;  // of one address within kWindowNs
  static constexpr int64_t kWindowNs = 60 * kNsPerSecond;
  static constexpr size_t kAddressesMax = 10'000;  // the rest share one count

  // `store` null: there are no tokens.
  TokenGuard(TokenStore* store, bool open_without_tokens, const Clock& clock, MetricsRegistry& metrics);

  // Null: a token is needed, and this (perhaps empty) text is none.
  std::optional<Caller> caller(std::string_view token);
  bool open();    // no token is needed
  void reload();  // our own changes do not change the file's version

  // One failed login more; how many seconds further ones of this address's network (client_network.h) get 429, 0 = they
  // do not.
  int64_t count_failure(const std::string& address);

 private:
  using Hash = std::array<unsigned char, 32>;
  struct Known {
    Hash hash;
    Caller caller;
  };
  using Tokens = std::vector<Known>;
  struct Failures {
    int64_t since_ns = 0;
    uint32_t count = 0;
  };

  std::shared_ptr<const Tokens> tokens();
  void read(bool anew);  // mutex_ held

  TokenStore* const store_;
  const bool open_without_tokens_;
  const Clock& clock_;
  Counter& failures_total_;
  std::mutex mutex_;  // guards what follows
  std::shared_ptr<const Tokens> tokens_ = std::make_shared<Tokens>();
  bool readable_ = true;  // false: nothing was read yet, and nobody passes
  int64_t version_ = -1;
  int64_t looked_ns_ = 0;
  std::map<std::string, Failures, std::less<>> failures_;
};

}  // namespace varve

#include "api/http/token_guard.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>

#include "api/http/client_network.h"
#include "api/query/audit.h"
#include "storage/base/check.h"
#include "storage/base/log.h"

namespace varve {
namespace {

constexpr std::string_view kPrefix = "varve_";  // so that scanners for leaked secrets know it
constexpr size_t kTokenBytes = 32;
constexpr size_t kTokenTextMax = 512;  // longer ones are not hashed
constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int base64_value(char c) {
  if (c == '+') return 62;
  if (c == '/') return 63;
  const size_t at = kBase64Url.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

std::string base64_decoded(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = base64_value(c);
    if (value < 0) break;  // padding, or no base64
    bits = (bits << 6) | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>((bits >> count) & 0xff);
  }
  return out;
}

bool starts_with_word(std::string_view text, std::string_view word) {
  return text.size() > word.size() && text[word.size()] == ' ' &&
         std::equal(word.begin(), word.end(), text.begin(),
                    [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); });
}

std::string_view after_colon(std::string_view text) {
  const size_t colon = text.rfind(':');
  return colon == std::string_view::npos ? text : text.substr(colon + 1);
}

template <class Hash>
void hash_of(std::string_view token, Hash& hash) {
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), hash.data());
}

template <class Hash>
bool parse_hash(std::string_view text, Hash& hash) {
  if (text.size() != 2 * hash.size()) return false;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  for (size_t i = 0; i < hash.size(); ++i) {
    const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    hash[i] = static_cast<unsigned char>(high * 16 + low);
  }
  return true;
}

}  // namespace

std::string new_token() {
  std::array<unsigned char, kTokenBytes> bytes;
  VARVE_CHECK(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
  std::string token(kPrefix);
  uint32_t bits = 0;
  int count = 0;
  for (const unsigned char byte : bytes) {
    bits = (bits << 8) | byte;
    for (count += 8; count >= 6; count -= 6) token += kBase64Url[(bits >> (count - 6)) & 0x3f];
  }
  if (count > 0) token += kBase64Url[(bits << (6 - count)) & 0x3f];
  return token;
}

std::string token_hash(std::string_view token) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> hash;
  hash_of(token, hash);
  std::string text;
  for (const unsigned char byte : hash) text += fmt::format("{:02x}", byte);
  return text;
}

Result<MadeToken> create_token(TokenStore& store, const TokenWish& wish, const Clock& clock) {
  MadeToken made;
  made.stored.name = wish.name;
  made.stored.created_ns = clock.wall_ns();
  bool known = false;
  for (const Role role : {Role::kRead, Role::kWrite, Role::kAdmin}) {
    if (role_name(role) != wish.role) continue;
    known = true;
    made.stored.role = role;
  }
  if (!known) return invalid_argument("a token's role is read, write or admin");
  if (made.stored.role == Role::kAdmin && !wish.tables.empty()) {
    return invalid_argument("a token with the role admin is for all tables");
  }
  VARVE_ASSIGN(const TableScope scope, TableScope::parse(wish.tables));
  made.stored.tables = scope.names();
  made.token = new_token();
  made.stored.hash = token_hash(made.token);
  VARVE_TRY(store.add(made.stored));
  return made;
}

std::string token_of_header(std::string_view authorization) {
  for (const std::string_view scheme : {"bearer", "token", "basic"}) {
    if (!starts_with_word(authorization, scheme)) continue;
    std::string_view rest = authorization.substr(scheme.size() + 1);
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    while (rest.ends_with(' ')) rest.remove_suffix(1);
    if (scheme == "basic") return std::string(after_colon(base64_decoded(rest)));
    return std::string(scheme == "token" ? after_colon(rest) : rest);
  }
  return {};
}

TokenGuard::TokenGuard(TokenStore* store, bool open_without_tokens, const Clock& clock,
                       MetricsRegistry& metrics)
    : store_(store),
      open_without_tokens_(open_without_tokens),
      clock_(clock),
      failures_total_(
          metrics.counter("varve_http_failed_logins_total",
                          "Requests without a token, or with a wrong one, where one is needed.")) {
  reload();
}

void TokenGuard::reload() {
  const std::lock_guard lock(mutex_);
  read(true);
}

void TokenGuard::read(bool anew) {
  if (store_ == nullptr) return;
  looked_ns_ = clock_.monotonic_ns();
  const auto version = store_->version();
  if (version && *version == version_ && !anew) return;
  const auto stored = version ? store_->list() : Result<std::vector<StoredToken>>(version.error());
  if (!stored) {
    if (version_ == -1) readable_ = false;
    log_error("http", "the tokens cannot be read: " + stored.error().message);
    return;
  }
  auto tokens = std::make_shared<Tokens>();
  for (const StoredToken& one : *stored) {
    Known known{{}, {one.name, one.role, {}}};
    auto scope = TableScope::parse(one.tables);
    if (!scope || !parse_hash(one.hash, known.hash)) {
      log_error("http", fmt::format("token {} is damaged and opens nothing", one.name));
      known.hash = {};  // of nothing: SHA-256 has no known text for it
      scope = TableScope();
    }
    if (!one.tables.empty()) known.caller.tables = std::make_shared<const TableScope>(std::move(*scope));
    tokens->push_back(std::move(known));
  }
  if (!anew) {
    std::string names;
    for (const StoredToken& one : *stored) {
      names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", one.name, role_name(one.role));
    }
    log_audit({}, {}, "the tokens have changed; now there are: " + (names.empty() ? "none" : names));
  }
  tokens_ = std::move(tokens);
  readable_ = true;
  version_ = *version;
}

std::shared_ptr<const TokenGuard::Tokens> TokenGuard::tokens() {
  const std::lock_guard lock(mutex_);
  if (clock_.monotonic_ns() - looked_ns_ >= kLookNs) read(false);
  return tokens_;
}

bool TokenGuard::open() {
  if (!open_without_tokens_) return false;
  return tokens()->empty() && readable_;
}

std::optional<Caller> TokenGuard::caller(std::string_view token) {
  const auto known = tokens();
  if (token.empty() || token.size() > kTokenTextMax) return std::nullopt;
  Hash hash;
  hash_of(token, hash);
  const Known* found = nullptr;
  for (const Known& one : *known) {
    if (CRYPTO_memcmp(one.hash.data(), hash.data(), hash.size()) == 0) found = &one;
  }
  if (found == nullptr) return std::nullopt;
  return found->caller;
}

int64_t TokenGuard::count_failure(const std::string& from) {
  const std::string address = client_network(from);
  failures_total_.add();
  const int64_t now = clock_.monotonic_ns();
  bool over_now = false;
  int64_t left_ns = 0;
  {
    const std::lock_guard lock(mutex_);
    if (failures_.size() >= kAddressesMax && !failures_.contains(address)) {
      std::erase_if(failures_, [&](const auto& one) { return now - one.second.since_ns >= kWindowNs; });
    }
    Failures& here =
        failures_[failures_.size() >= kAddressesMax && !failures_.contains(address) ? std::string()
                                                                                    : address];
    if (here.count == 0 || now - here.since_ns >= kWindowNs) here = {now, 0};
    ++here.count;
    over_now = here.count == kFailuresMax + 1;
    if (here.count > kFailuresMax) left_ns = here.since_ns + kWindowNs - now;
  }
  if (over_now) {
    log_audit({}, address,
              fmt::format("more than {} failed logins within a minute; further ones get 429", kFailuresMax));
  }
  return left_ns == 0 ? 0 : left_ns / kNsPerSecond + 1;
}

}  // namespace varve

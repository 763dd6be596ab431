// The tokens that may use a store over the network, in tokens.db beside the catalog: it outlives a catalog that is
// rebuilt from segments, and a command may write it while a server reads it. Only hashes of tokens are kept.
// An SQLite database with a rollback journal and synchronous=FULL: a returned call is durable. Rows carry checksums.
// Errors: kCorruption when the file is not ours or is damaged (nobody is let in then), kUnavailable when another program
//         holds it, kInvalidArgument for a name that is taken or no name, kExhausted at kTokensMax, kIo.
// Threads: any; one call at a time inside.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"
#include "storage/base/file.h"

namespace varve {

enum class Role { kRead, kWrite, kAdmin };  // stored: the order must stay
std::string_view role_name(Role role);      // "read"

struct StoredToken {
  std::string name;  // letters, digits and _ - . : it stands in logs and URLs
  std::string hash;  // of the token: 64 hexadecimal digits
  Role role = Role::kRead;
  std::vector<std::string> tables;  // "database.table" or "database.*"; empty = all
  int64_t created_ns = 0;
};

class TokenStore {
 public:
  static constexpr size_t kTokensMax = 1000;  // each request is compared with all of them (guessed)
  static constexpr size_t kNameBytesMax = 64;

  // Of this data folder; made, with no token, when there is none.
  static Result<std::unique_ptr<TokenStore>> open(const std::string& data_directory);
  virtual ~TokenStore() = default;

  virtual Result<std::vector<StoredToken>> list() = 0;  // sorted by name
  virtual Result<void> add(const StoredToken& token) = 0;
  virtual Result<bool> remove(std::string_view name) = 0;  // false: there is no such token
  // Another number than before once something else has changed the file.
  virtual Result<int64_t> version() = 0;
};

// A consistent copy, durable, into a folder that has none; nothing when there are no tokens.
Result<void> copy_tokens(FileSystem& file_system, const std::string& data_directory,
                         const std::string& to_directory);

}  // namespace varve

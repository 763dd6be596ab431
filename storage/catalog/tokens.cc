#include "storage/catalog/tokens.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>

#include "storage/catalog/database.h"

namespace varve {
namespace {

constexpr std::string_view kFileName = "tokens.db";
constexpr int kSchemaVersion = 1;
constexpr int64_t kApplicationId = 0x7661746b;  // "vatk"
constexpr size_t kHashDigits = 64;
constexpr const char* kSchema = R"sql(
  CREATE TABLE meta (name TEXT PRIMARY KEY, value, sum INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE tokens (name TEXT PRIMARY KEY, hash TEXT NOT NULL, role INTEGER NOT NULL, tables TEXT NOT NULL,
                       created_ns INTEGER NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID;
)sql";

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= TokenStore::kNameBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
                  c == '-' || c == '.';
         });
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    lines.emplace_back(line);
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return lines;
}

// SQLite makes files that the group may read.
Result<void> make_private(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return io_error("open " + path, errno);
  ::close(file);
  return {};
}

class SqliteTokens final : public TokenStore {
 public:
  explicit SqliteTokens(std::unique_ptr<Database> database) : db_(std::move(database)) {}

  Result<void> prepare() {
    VARVE_ASSIGN(const int64_t application, number("PRAGMA application_id"));
    VARVE_ASSIGN(const int64_t objects, number("SELECT count(*) FROM sqlite_schema"));
    if (application != kApplicationId && objects != 0) return damaged("it belongs to another program");
    VARVE_TRY(told(db_->execute("PRAGMA synchronous=FULL")));
    VARVE_ASSIGN(const int64_t found, number("PRAGMA user_version"));
    if (found == kSchemaVersion) return {};
    if (found > kSchemaVersion) {
      return unsupported(fmt::format("{} was made by a newer varve (version {}, this one knows {})",
                                     db_->path(), found, kSchemaVersion));
    }
    return told(db_->transaction([&]() -> Result<void> {
      VARVE_ASSIGN(const int64_t meanwhile, db_->number("PRAGMA user_version"));
      if (meanwhile == kSchemaVersion) return {};  // another program was faster
      VARVE_TRY(db_->execute(kSchema));
      VARVE_TRY(db_->count("tokens"));
      VARVE_TRY(db_->execute(fmt::format("PRAGMA application_id={}", kApplicationId)));
      return db_->execute(fmt::format("PRAGMA user_version={}", kSchemaVersion));
    }));
  }

  Result<std::vector<StoredToken>> list() override {
    const std::lock_guard lock(mutex_);
    return read();
  }

  Result<void> add(const StoredToken& token) override {
    if (!is_name(token.name)) {
      return invalid_argument(
          fmt::format("a token's name has 1 to {} letters, digits, \"_\", \"-\" or \".\"", kNameBytesMax));
    }
    const std::lock_guard lock(mutex_);
    std::string tables;
    for (const std::string& table : token.tables) {
      if (table.find('\n') != std::string::npos) return invalid_argument("a table's name is one line");
      tables += table + "\n";
    }
    return told(db_->transaction([&]() -> Result<void> {
      VARVE_ASSIGN(const std::vector<StoredToken> known, read());
      if (known.size() >= kTokensMax)
        return exhausted(fmt::format("there are {} tokens already", kTokensMax));
      const bool taken =
          std::any_of(known.begin(), known.end(), [&](const auto& one) { return one.name == token.name; });
      if (taken) {
        return invalid_argument(
            fmt::format("there is a token {} already; revoke it or choose another name", token.name));
      }
      VARVE_TRY(db_->insert(Database::Insert::kNew, "tokens", std::string_view(token.name),
                            std::string_view(token.hash), static_cast<int64_t>(token.role),
                            std::string_view(tables), token.created_ns));
      return db_->count("tokens");
    }));
  }

  Result<bool> remove(std::string_view name) override {
    const std::lock_guard lock(mutex_);
    bool found = false;
    const Result<void> done = told(db_->transaction([&]() -> Result<void> {
      VARVE_ASSIGN(const std::vector<StoredToken> known, read());
      found = std::any_of(known.begin(), known.end(), [&](const auto& one) { return one.name == name; });
      if (!found) return {};
      VARVE_TRY(db_->run("DELETE FROM tokens WHERE name = ?", name));
      return db_->count("tokens");
    }));
    if (!done) return done.error();
    return found;
  }

  Result<int64_t> version() override {
    const std::lock_guard lock(mutex_);
    return number("PRAGMA data_version");
  }

 private:
  Result<std::vector<StoredToken>> read() {
    std::vector<StoredToken> tokens;
    bool sound = true;
    VARVE_TRY(told(db_->read("tokens", [&](const Statement& row) {
      const int64_t role = row.integer(2);
      sound = sound && role >= 0 && role <= static_cast<int64_t>(Role::kAdmin) &&
              row.text(1).size() == kHashDigits;
      tokens.push_back({std::string(row.text(0)), std::string(row.text(1)), static_cast<Role>(role),
                        split_lines(row.text(3)), row.integer(4)});
    })));
    if (!sound) return damaged("a token has no such role or hash");
    return tokens;
  }

  Result<int64_t> number(const std::string& sql) { return told(db_->number(sql)); }

  // What Database says of damage is about the catalog.
  template <class T>
  Result<T> told(Result<T> result) {
    if (result || result.error().code != ErrorCode::kCorruption) return result;
    return damaged(result.error().message);
  }
  Error damaged(std::string_view found) const {
    return corruption(
        fmt::format("the tokens in {} are damaged ({}); stop varve, remove the file and create them anew",
                    db_->path(), found.substr(0, found.find(';'))));
  }

  const std::unique_ptr<Database> db_;
  std::mutex mutex_;
};

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kRead:
      return "read";
    case Role::kWrite:
      return "write";
    case Role::kAdmin:
      return "admin";
  }
  return "";
}

Result<std::unique_ptr<TokenStore>> TokenStore::open(const std::string& data_directory) {
  const std::string path = join_path(data_directory, kFileName);
  VARVE_TRY(make_private(path));
  VARVE_ASSIGN(auto database, Database::open(path, {}));
  auto tokens = std::make_unique<SqliteTokens>(std::move(database));
  VARVE_TRY(tokens->prepare());
  return std::unique_ptr<TokenStore>(std::move(tokens));
}

Result<void> copy_tokens(FileSystem& file_system, const std::string& data_directory,
                         const std::string& to_directory) {
  const std::string path = join_path(data_directory, kFileName);
  VARVE_ASSIGN(const bool there, file_system.exists(path));
  if (!there) return {};
  return copy_database(file_system, path, join_path(to_directory, kFileName), {});
}

}  // namespace varve

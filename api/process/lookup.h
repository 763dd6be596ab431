// What rows are enriched from: a file or a table of the store, read into memory, by key. It is looked at again every
// `reload`: a file whose time or size changed and a table are read anew; if that fails the old answers stay and the log
// says so. A key that comes twice has the answer of its last line, of a table of its newest row.
// Limits:  kLookupRowsMax keys, files of kLookupBytesMax.
// Errors:  open: the file or table cannot be read, has no such column, or a column of mixed types.
// Threads: one thread at a time; reading takes the caller's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "api/process/rules.h"
#include "storage/model/row_batch.h"

namespace varve {

constexpr size_t kLookupRowsMax = 1'000'000;     // guessed: devices, not readings
constexpr uint64_t kLookupBytesMax = 256 << 20;  // of a file (guessed)

class Lookup {
 public:
  static Result<std::unique_ptr<Lookup>> open(const EnrichRule& rule, const Engine& engine,
                                              const Clock& clock);

  void refresh();  // cheap when it is not time

  // The columns of the rule, one entry per key, as tags and fields of this.
  const RowBatch& columns() const { return columns_; }
  std::optional<uint32_t> find(std::string_view key) const;

 private:
  struct Key {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  Lookup(const EnrichRule& rule, const Engine& engine, const Clock& clock);
  Result<void> load();
  Result<RowBatch> read_file() const;
  Result<RowBatch> read_table() const;
  Result<void> take(RowBatch batch);
  std::string version() const;  // of the file; empty when there is none

  const EnrichRule rule_;
  const Engine& engine_;
  const Clock& clock_;
  int64_t next_look_ns_ = 0;
  std::string version_;
  RowBatch columns_;
  std::unordered_map<std::string, uint32_t, Key, std::equal_to<>> rows_;
};

}  // namespace varve

// A sink's LogCursor over the write-ahead log (see engine.h).
#pragma once

#include <memory>
#include <string>

#include "storage/engine_impl.h"

namespace varve {

class WalCursor : public LogCursor {
 public:
  WalCursor(EngineImpl& engine, std::string name, Lsn saved, std::unique_ptr<WalReader> reader);

  Result<bool> next(LogRecord& record, int64_t timeout_ns) override;
  Result<void> save(Lsn lsn) override;
  Lsn saved() const override { return saved_; }
  uint64_t backlog_bytes() const override;
  uint64_t backlog_records() const override;

 private:
  EngineImpl& engine_;
  const std::string name_;
  std::atomic<Lsn> saved_;
  std::unique_ptr<WalReader> reader_;
  size_t damage_reported_ = 0;
  uint64_t lost_ = 0;  // records, not yet told with one that was found
};

}  // namespace varve

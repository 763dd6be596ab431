#include "tests/support/disk_store.h"

#include <gtest/gtest.h>

namespace varve {

void DiskStore::open() {
  EngineOptions options;
  options.data_directory = name_;
  options.partition_ns = partition_ns_;
  options.compaction = false;
  metrics_ = std::make_unique<MetricsRegistry>();
  options.metrics = metrics_.get();
  auto engine = Engine::open(options);
  ASSERT_TRUE(engine) << engine.error().message;
  engine_ = std::move(*engine);
}

void DiskStore::restart() {
  engine_->close();
  engine_.reset();
  open();
}

void DiskStore::write(RowBatch rows) {
  std::vector<RowBatch> batches;
  batches.push_back(std::move(rows));
  AdmittedWrite admitted = engine_->admit(std::move(batches));
  ASSERT_TRUE(admitted.rejected().empty()) << admitted.rejected()[0].detail;
  const auto lsn = engine_->append_and_wait(std::move(admitted));
  ASSERT_TRUE(lsn) << lsn.error().message;
}

void DiskStore::insert(std::string_view database, std::string_view table, int64_t time, const TagList& tags,
                       const FieldList& fields) {
  RowBatchBuilder builder{std::string(database), std::string(table)};
  builder.begin_row();
  for (const auto& [name, value] : tags) builder.tag(name, value);
  for (const auto& [name, value] : fields) add_field(builder, name, value);
  builder.end_row(time);
  write(builder.finish());
}

void DiskStore::erase(const DeleteRequest& request) {
  const auto erased = engine_->erase(request);
  ASSERT_TRUE(erased) << erased.error().message;
}

void DiskStore::flush() {
  const auto flushed = engine_->flush();
  ASSERT_TRUE(flushed) << flushed.error().message;
}

void DiskStore::compact() {
  const auto compacted = engine_->compact();
  ASSERT_TRUE(compacted) << compacted.error().message;
}

void add_field(RowBatchBuilder& builder, std::string_view name, const Value& value) {
  if (const auto* real = std::get_if<double>(&value)) builder.field_double(name, *real);
  if (const auto* whole = std::get_if<int64_t>(&value)) builder.field_int(name, *whole);
  if (const auto* flag = std::get_if<bool>(&value)) builder.field_bool(name, *flag);
  if (const auto* text = std::get_if<std::string>(&value)) builder.field_string(name, *text);
}

}  // namespace varve

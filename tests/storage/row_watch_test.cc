#include "storage/row_watch.h"

#include <gtest/gtest.h>

#include "storage/engine.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

RowBatch rows_of(const std::string& table, size_t count, size_t text_bytes = 1) {
  RowBatchBuilder builder("varve", table);
  for (size_t i = 0; i < count; ++i) {
    builder.begin_row();
    builder.tag("site", "north");
    builder.field_string("note", std::string(text_bytes, 'x'));
    builder.end_row(static_cast<int64_t>(i));
  }
  return builder.finish();
}

TEST(RowWatch, GetsTheRowsOfItsTableInOrderAndSharesThem) {
  RowWatches watches;
  EXPECT_FALSE(watches.any());
  int woken = 0;
  const auto first = watches.watch("varve", "water", [&] { ++woken; });
  const auto second = watches.watch("varve", "water", [] {});
  EXPECT_TRUE(watches.any());
  watches.publish(1, rows_of("water", 2));
  watches.publish(2, rows_of("air", 5));
  watches.publish(3, rows_of("water", 1));
  const RowWatch::Taken taken = first->take();
  ASSERT_EQ(taken.records.size(), 2U);
  EXPECT_EQ(taken.records[0].lsn, 1U);
  EXPECT_EQ(taken.records[0].batch->rows(), 2U);
  EXPECT_EQ(taken.records[1].lsn, 3U);
  EXPECT_EQ(taken.rows_lost, 0U);
  EXPECT_EQ(woken, 1) << "once, until the rows are taken";
  EXPECT_EQ(second->take().records[0].batch, taken.records[0].batch);
  EXPECT_TRUE(first->take().records.empty());
  watches.publish(4, rows_of("water", 1));
  EXPECT_EQ(woken, 2);
}

TEST(RowWatch, LosesTheNewestRowsOnceItsQueueIsFull) {
  RowWatches watches;
  const auto watch = watches.watch("varve", "water", [] {});
  const size_t half = kWatchedBytesMax / 2;
  watches.publish(1, rows_of("water", 1, half));
  watches.publish(2, rows_of("water", 3, half / 3 + 100));  // over the limit
  watches.publish(3, rows_of("water", 1));                  // would fit, but after the gap
  const RowWatch::Taken taken = watch->take();
  ASSERT_EQ(taken.records.size(), 1U);
  EXPECT_EQ(taken.rows_lost, 4U);
  watches.publish(4, rows_of("water", 1));
  EXPECT_EQ(watch->take().records.size(), 1U);
}

TEST(RowWatch, TakesOneRecordHoweverLarge) {
  RowWatches watches;
  const auto watch = watches.watch("varve", "water", [] {});
  watches.publish(1, rows_of("water", 1, kWatchedBytesMax + 1));
  EXPECT_EQ(watch->take().records.size(), 1U);
}

TEST(RowWatch, StopsBeingServedWhenItGoes) {
  RowWatches watches;
  auto watch = watches.watch("varve", "water", [] {});
  watch.reset();
  EXPECT_FALSE(watches.any());
  watches.publish(1, rows_of("water", 1));
  EXPECT_EQ(watches.watch("varve", "water", [] {})->take().records.size(), 0U);
}

TEST(RowWatch, OfAStoreGetsWhatIsAcknowledgedAndNothingElse) {
  const test::TempDir folder;
  MetricsRegistry metrics;
  EngineOptions options;
  options.data_directory = folder.path() / "data";
  options.metrics = &metrics;
  const auto engine = Engine::open(options);
  ASSERT_TRUE(engine) << engine.error().message;
  const auto write = [&](const std::string& table) {
    std::vector<RowBatch> batches;
    batches.push_back(rows_of(table, 3));
    return (*engine)->append_and_wait((*engine)->admit(std::move(batches)));
  };
  ASSERT_TRUE(write("water"));
  std::atomic<bool> woken{false};
  const auto watch = (*engine)->watch("varve", "water", [&] { woken = true; });
  const auto lsn = write("water");
  ASSERT_TRUE(lsn);
  ASSERT_TRUE(write("air"));  // once it is acknowledged, what came before has been handed over
  EXPECT_TRUE(woken);
  const RowWatch::Taken taken = watch->take();
  ASSERT_EQ(taken.records.size(), 1U);
  EXPECT_EQ(taken.records[0].lsn, *lsn);
  EXPECT_EQ(taken.records[0].batch->rows(), 3U);
  EXPECT_EQ(taken.records[0].batch->tags[0].values[taken.records[0].batch->tags[0].codes[0]], "north");
}

TEST(Engine, ChangesRetentionOfTablesThereAreAndToCome) {
  const test::TempDir folder;
  MetricsRegistry metrics;
  EngineOptions options;
  options.data_directory = folder.path() / "data";
  options.metrics = &metrics;
  const auto engine = Engine::open(options);
  ASSERT_TRUE(engine) << engine.error().message;
  const auto write = [&](const std::string& table) {
    std::vector<RowBatch> batches;
    batches.push_back(rows_of(table, 1));
    return (*engine)->append_and_wait((*engine)->admit(std::move(batches)));
  };
  ASSERT_TRUE(write("water"));
  EXPECT_EQ((*engine)->describe("varve", "water")->retention_ns, 0);
  (*engine)->set_retention(kNsPerDay, {{"air", kNsPerSecond}});
  ASSERT_TRUE(write("air"));
  EXPECT_EQ((*engine)->describe("varve", "water")->retention_ns, kNsPerDay);
  EXPECT_EQ((*engine)->describe("varve", "air")->retention_ns, kNsPerSecond);
}

}  // namespace
}  // namespace varve

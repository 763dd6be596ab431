#include "ingest/mirror/backlog.h"

#include <gtest/gtest.h>

#include "storage/base/clock.h"

namespace varve {
namespace {

TEST(BacklogMeter, TellsRowsAndAgeOfWhatIsNotDone) {
  BacklogMeter meter;
  meter.note(0, 10, 1000);
  meter.note(5 * kNsPerSecond, 10, 1000);
  meter.note(6 * kNsPerSecond, 20, 3000);
  meter.note(16 * kNsPerSecond, 21, 3007);
  EXPECT_EQ(meter.behind(21).rows, 0U);
  EXPECT_EQ(meter.behind(21).seconds, 0);
  EXPECT_EQ(meter.behind(20).rows, 7U);
  EXPECT_EQ(meter.behind(10).rows, 2007U);
  EXPECT_EQ(meter.behind(15).rows, 1007U);  // half of ten records with 2000 rows
  EXPECT_EQ(meter.behind(10).seconds, 11);  // written after the fifth second
}

TEST(BacklogMeter, EstimatesRowsFromBeforeTheStartByThoseSent) {
  BacklogMeter meter;
  meter.note(0, 10, 0);
  EXPECT_EQ(meter.behind(4).rows, 6U);
  meter.note_sent(2, 100);
  EXPECT_EQ(meter.behind(4).rows, 300U);
}

TEST(BacklogMeter, KeepsTheWholeSpanInBoundedMemory) {
  BacklogMeter meter;
  constexpr int64_t kSeconds = 5 * BacklogMeter::kSamplesMax;
  for (int64_t i = 0; i <= kSeconds; ++i)
    meter.note(i * kNsPerSecond, static_cast<Lsn>(i), static_cast<uint64_t>(i));
  EXPECT_EQ(meter.behind(0).rows, static_cast<uint64_t>(kSeconds));
  EXPECT_EQ(meter.behind(0).seconds, static_cast<double>(kSeconds));
}

TEST(Pacer, SpreadsRowsOverTime) {
  Pacer pacer(1000);
  EXPECT_EQ(pacer.take(0, 500), 0);
  EXPECT_EQ(pacer.take(0, 500), kNsPerSecond / 2);
  EXPECT_EQ(pacer.take(kNsPerSecond / 2, 1), kNsPerSecond / 2);
  EXPECT_EQ(pacer.take(100 * kNsPerSecond, 1), 0);
  EXPECT_EQ(Pacer(0).take(0, 1'000'000), 0);
}

TEST(BacklogMeter, RowsCountedAfterTheirRecordWasSeenAreNotMissed) {
  BacklogMeter meter;
  meter.note(0, 0, 0);
  meter.note(kNsPerSecond, 1, 0);
  meter.note(2 * kNsPerSecond, 1, 7);
  EXPECT_EQ(meter.behind(0).rows, 7U);
}

}  // namespace
}  // namespace varve

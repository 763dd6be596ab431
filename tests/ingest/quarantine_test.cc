#include "ingest/quarantine.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

class FixedClock : public Clock {
 public:
  int64_t wall_ns() const override { return now; }
  int64_t monotonic_ns() const override { return now; }
  int64_t now = 1000;
};

std::string payload_kept(std::string_view payload) {
  const FixedClock clock;
  QuarantineBuilder builder(clock);
  builder.add({.source = "http", .reason = "bad_line", .payload = payload});
  return std::string(builder.finish().fields[3].data.strings[0]);
}

TEST(Quarantine, KeepsWhatWasRefusedAndWhere) {
  const FixedClock clock;
  QuarantineBuilder builder(clock);
  builder.add({"kafka.0", "readings", 3, 42, "malformed_json", "ends early", "{\"a\":"});
  EXPECT_EQ(builder.rows(), 1U);
  const RowBatch batch = builder.finish();
  EXPECT_EQ(builder.rows(), 0U);
  EXPECT_EQ(batch.database, "varve");
  EXPECT_EQ(batch.table, "varve_quarantine");
  EXPECT_EQ(batch.times, std::vector<int64_t>{1000});
  ASSERT_EQ(batch.tags.size(), 3U);
  EXPECT_EQ(batch.tags[0].values[batch.tags[0].codes[0]], "kafka.0");
  EXPECT_EQ(batch.tags[1].values[batch.tags[1].codes[0]], "readings");
  EXPECT_EQ(batch.tags[2].values[batch.tags[2].codes[0]], "malformed_json");
  ASSERT_EQ(batch.fields.size(), 4U);
  EXPECT_EQ(batch.fields[0].data.ints[0], 3);
  EXPECT_EQ(batch.fields[1].data.ints[0], 42);
  EXPECT_EQ(batch.fields[2].data.strings[0], "ends early");
  EXPECT_EQ(batch.fields[3].data.strings[0], "{\"a\":");
}

TEST(Quarantine, GivesEveryRowItsOwnTimeEvenWhenTheClockStandsOrGoesBack) {
  FixedClock clock;
  QuarantineBuilder builder(clock);
  builder.add({.source = "http", .reason = "r"});
  builder.add({.source = "http", .reason = "r"});
  clock.now = 500;
  builder.add({.source = "http", .reason = "r"});
  EXPECT_EQ(builder.finish().times, (std::vector<int64_t>{1000, 1001, 1002}));
  builder.add({.source = "http", .reason = "r"});
  EXPECT_EQ(builder.finish().times, (std::vector<int64_t>{1003}));
}

TEST(Quarantine, EscapesBytesThatAreNotUtf8) {
  EXPECT_EQ(payload_kept("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8a"),
            "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8a");
  EXPECT_EQ(payload_kept("a\xff"
                         "b"),
            "a\\xFFb");
  EXPECT_EQ(payload_kept("\xc3"), "\\xC3");
  EXPECT_EQ(payload_kept("\xc0\xaf"), "\\xC0\\xAF");                    // overlong
  EXPECT_EQ(payload_kept("\xed\xa0\x80"), "\\xED\\xA0\\x80");           // surrogate
  EXPECT_EQ(payload_kept("\xf4\x90\x80\x80"), "\\xF4\\x90\\x80\\x80");  // past U+10FFFF
}

TEST(Quarantine, CutsLongPayloadsBetweenCharacters) {
  std::string payload(kQuarantinePayloadBytesMax - 1, 'x');
  payload += "\xc3\xa9 tail";
  EXPECT_EQ(payload_kept(payload), std::string(kQuarantinePayloadBytesMax - 1, 'x'));
}

}  // namespace
}  // namespace varve

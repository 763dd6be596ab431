#include "ingest/quarantine.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace varve {
namespace {

class FixedClock : public Clock {
 public:
  int64_t wall_ns() const override { return now; }
  int64_t monotonic_ns() const override { return now; }
  int64_t now = starts_ += kNsPerSecond;  // times are unique in the process, so no two tests share one

 private:
  static inline int64_t starts_ = 0;
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
  EXPECT_EQ(batch.times, std::vector<int64_t>{clock.now});
  ASSERT_EQ(batch.tags.size(), 3U);
  EXPECT_EQ(batch.tags[0].values[batch.tags[0].codes[0]], "kafka.0");
  EXPECT_EQ(batch.tags[1].values[batch.tags[1].codes[0]], "readings");
  EXPECT_EQ(batch.tags[2].values[batch.tags[2].codes[0]], "malformed_json");
  ASSERT_GE(batch.fields.size(), 4U);
  EXPECT_EQ(batch.fields[0].data.ints[0], 3);
  EXPECT_EQ(batch.fields[1].data.ints[0], 42);
  EXPECT_EQ(batch.fields[2].data.strings[0], "ends early");
  EXPECT_EQ(batch.fields[3].data.strings[0], "{\"a\":");
}

TEST(Quarantine, GivesBackTheBytesThatCame) {
  struct Headers : MessageHeaders {
    std::optional<std::string_view> last(const std::string&) const override { return std::nullopt; }
    void each(const Each& take) const override {
      take("a", "text");
      take("a", "\xff");
      take("b", std::nullopt);
    }
  };
  const FixedClock clock;
  const Headers headers;
  QuarantineBuilder builder(clock);
  const std::string payload("\0\x01\xff{}\\xFF", 9);
  builder.add(
      {.source = "kafka.0", .payload = payload, .key = "\xfe", .headers = &headers, .timestamp_ns = 77});
  builder.add({.source = "kafka.0", .payload = std::string_view()});
  const RowBatch batch = builder.finish();
  const auto kept = read_kept_input(batch, 0);
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->payload, payload);
  EXPECT_EQ(kept->key, "\xfe");
  EXPECT_EQ(kept->timestamp_ns, 77);
  EXPECT_FALSE(kept->truncated);
  ASSERT_EQ(kept->headers.size(), 3U);
  EXPECT_EQ(kept->headers[0].second, "text");
  EXPECT_EQ(kept->headers[1].second, "\xff");
  EXPECT_EQ(kept->headers[2].second, std::nullopt);
  EXPECT_EQ(read_kept_input(batch, 1)->key, std::nullopt);
  EXPECT_FALSE(read_kept_input(mark_retried({&*kept}), 0).has_value());
}

TEST(Quarantine, SaysWhatWasCut) {
  const FixedClock clock;
  QuarantineBuilder builder(clock);
  const std::string payload(kQuarantinePayloadBytesMax + 1, 'x');
  builder.add({.source = "kafka.0", .payload = payload});
  const auto kept = read_kept_input(builder.finish(), 0);
  ASSERT_TRUE(kept.has_value());
  EXPECT_TRUE(kept->truncated);
  EXPECT_EQ(kept->payload_bytes, payload.size());
}

TEST(Quarantine, GivesEveryRowItsOwnTimeEvenWhenTheClockStandsOrGoesBack) {
  FixedClock clock;
  const int64_t start = clock.now;
  QuarantineBuilder builder(clock);
  builder.add({.source = "http", .reason = "r"});
  builder.add({.source = "http", .reason = "r"});
  clock.now -= 500;
  builder.add({.source = "http", .reason = "r"});
  EXPECT_EQ(builder.finish().times, (std::vector<int64_t>{start, start + 1, start + 2}));
  QuarantineBuilder another(clock);
  another.add({.source = "http", .reason = "r"});
  EXPECT_EQ(another.finish().times, (std::vector<int64_t>{start + 3}));
}

TEST(Quarantine, FollowsAClockThatWasSetBack) {
  FixedClock clock;
  QuarantineBuilder builder(clock);
  const int64_t start = clock.now;
  clock.now = start + kNsPerDay;
  builder.add({.source = "http", .reason = "r"});
  clock.now = start;
  builder.add({.source = "http", .reason = "r"});
  EXPECT_EQ(builder.finish().times, (std::vector<int64_t>{start + kNsPerDay, start}));
}

TEST(Quarantine, GivesRowsOfBuildersAtWorkAtOnceTheirOwnTimes) {
  constexpr size_t kThreads = 4, kRows = 2000;
  const FixedClock clock;  // stands: whatever tells times apart is not the clock
  std::vector<std::vector<int64_t>> times(kThreads);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : times) {
      threads.emplace_back([&] {
        QuarantineBuilder builder(clock);
        for (size_t i = 0; i < kRows; ++i) builder.add({.source = "http", .reason = "r"});
        mine = builder.finish().times;
      });
    }
  }
  std::set<int64_t> all;
  for (const auto& mine : times) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), kThreads * kRows);
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

#include "ingest/kafka/start_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace varve {
namespace {

TEST(StartRule, ReadsItsThreeForms) {
  EXPECT_EQ(StartRule::parse("earliest")->kind, StartRule::Kind::kEarliest);
  EXPECT_EQ(StartRule::parse("latest")->kind, StartRule::Kind::kLatest);
  const auto time = StartRule::parse("2025-07-01T00:00:00Z");
  ASSERT_TRUE(time.has_value());
  EXPECT_EQ(time->kind, StartRule::Kind::kTime);
  EXPECT_EQ(time->time_ms, 1'751'328'000'000);
  EXPECT_EQ(StartRule::parse("1960-01-01")->time_ms, 0);  // negative numbers mean something else to a broker
  EXPECT_FALSE(StartRule::parse("").has_value());
  EXPECT_FALSE(StartRule::parse("Earliest ").has_value());
}

TEST(StartRule, OwnPositionRulesUnlessAnotherStoreReadOn) {
  const std::string ours = commit_metadata("a");
  const std::string theirs = commit_metadata("b");
  struct Case {
    const char* name;
    std::optional<int64_t> own;
    int64_t committed;
    std::string metadata;
    std::optional<int64_t> expected;
  };
  const std::vector<Case> cases{
      {"nothing known", {}, -1, "", {}},
      {"broker only, our own commit", {}, 7, ours, 7},
      {"broker only, another store's", {}, 7, theirs, 7},
      {"broker only, another program's", {}, 7, "", 7},
      {"own, no commit", 5, -1, "", 5},
      {"own, our commit ahead (a restored backup)", 5, 7, ours, 5},
      {"own, our commit behind", 5, 3, ours, 5},
      {"own, another store ahead", 5, 7, theirs, 7},
      {"own, another store behind", 5, 3, theirs, 5},
      {"own, another program's commit ahead", 5, 7, "", 5},
      {"own is zero", 0, -1, "", 0},
  };
  for (const auto& test : cases) {
    PartitionOffset committed;
    committed.offset = test.committed;
    committed.metadata = test.metadata;
    EXPECT_EQ(choose_start(test.own, committed, "a"), test.expected) << test.name;
  }
}

}  // namespace
}  // namespace varve

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "api/process/dedupe.h"
#include "tests/api/process/processing.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ProcessRules with_set(std::vector<std::string> set) {
  ProcessRules rules;
  rules.set = std::move(set);
  return rules;
}

std::string condition_error(const std::string& text) {
  const auto checked = check_condition(text);
  EXPECT_FALSE(checked.has_value()) << text;
  return checked ? "" : checked.error().message;
}
std::string assignment_error(const std::string& text) {
  const auto checked = check_assignment(text);
  EXPECT_FALSE(checked.has_value()) << text;
  return checked ? "" : checked.error().message;
}

TEST(ProcessExpressions, SayWhatIsWrongWithACaretBelowThePlace) {
  EXPECT_THAT(assignment_error("temp_f = temp_c * "),
              HasSubstr("\n  temp_f = temp_c * \n                    ^"));
  EXPECT_THAT(assignment_error("temp_f"), HasSubstr("expected = after the column's name"));
  EXPECT_THAT(assignment_error("= 5"), HasSubstr("expected the name of a column"));
  EXPECT_THAT(assignment_error("time = 5"), HasSubstr("the time of a row cannot be set"));
  EXPECT_THAT(assignment_error("x = ruond(a)"), HasSubstr("did you mean `round`?\n  x = ruond(a)\n      ^"));
  EXPECT_THAT(condition_error("a > 1 b"), HasSubstr("expected an operator or the end of the expression"));
  EXPECT_THAT(condition_error("max(a) > 1"), HasSubstr("max() cannot be used in where"));
  EXPECT_THAT(condition_error("now() > time"), HasSubstr("now() is not available here"));
  EXPECT_THAT(condition_error("t.a > 1"), HasSubstr("columns are those of the row"));
  EXPECT_THAT(condition_error("a > $x"), HasSubstr("no value for $x"));
  // A character of several bytes is one column.
  EXPECT_THAT(condition_error("'é' = "), HasSubstr("\n  'é' = \n        ^"));
}

TEST(Process, KeepsTheRowsForWhichWhereIsTrue) {
  ProcessRules rules;
  rules.where = "v > 1.5 AND id <> 'b'";
  Processing processing(rules);
  EXPECT_THAT(
      processing.run({reading(0, R"("v":1.0)"), reading(1, R"("v":2.5)"), reading(2, R"("v":9.0)", "b"),
                      reading(3, R"("w":1.0)"), reading(4, R"("v":3.5)")}),
      ElementsAre("1700000001 #id=a v=2.5", "1700000004 #id=a v=3.5"));
  EXPECT_EQ(processing.counts.filtered, 3U);
  EXPECT_THAT(processing.refused, IsEmpty());
}

TEST(Process, SetsColumnsInOrderAndTagsWhereTheNameIsOne) {
  Processing processing(
      with_set({"f = v * 9 / 5 + 32", "g = f + 1.0", "site = upper(id) || '-1'", "n = gone + 1"}));
  EXPECT_THAT(processing.run({reading(0, R"("v":100.5)")}),
              ElementsAre("1700000000 #id=a #site=A-1 f=212.9 g=213.9 v=100.5"));
}

TEST(Process, ReplacesAColumnThatIsThere) {
  Processing processing(with_set({"v = v / 2", "id = id || '!'"}));
  EXPECT_THAT(processing.run({reading(0, R"("v":3.5)")}), ElementsAre("1700000000 #id=a! v=1.75"));
}

TEST(Process, RefusesOnlyTheRowsThatCannotBeComputed) {
  Processing processing(with_set({"f = CAST(v AS int64) * 9000000000000000000"}));
  EXPECT_THAT(
      processing.run({reading(0, R"("v":1.0)"), reading(1, R"("v":50.0)"), reading(2, R"("v":0.0)")}).size(),
      2U);
  ASSERT_EQ(processing.refused.size(), 1U);
  EXPECT_EQ(processing.refused[0].message, 1U);
  EXPECT_EQ(processing.refused[0].reject.reason, "overflow");
  EXPECT_THAT(processing.refused[0].reject.detail, HasSubstr("f = CAST(v AS int64)"));
}

TEST(Process, RefusesRowsOfTheWrongTypeAndInfinities) {
  Processing processing(with_set({"f = v * 1e308"}));
  EXPECT_THAT(
      processing.run({reading(0, R"("v":"text")"), reading(1, R"("v":1000.5)"), reading(2, R"("v":0.5)")})
          .size(),
      1U);
  ASSERT_EQ(processing.refused.size(), 2U);
  EXPECT_EQ(processing.refused[0].reject.reason, "type_mismatch");
  EXPECT_EQ(processing.refused[1].reject.reason, "overflow");
}

TEST(Process, RefusesATagThatIsTooLong) {
  Processing processing(with_set({"site = text"}));
  const std::string text(kTagValueBytesMax + 1, 'x');
  EXPECT_THAT(processing.run({reading(0, R"("text":")" + text + '"')}), IsEmpty());
  ASSERT_EQ(processing.refused.size(), 1U);
  EXPECT_EQ(processing.refused[0].reject.reason, "value_too_long");
}

TEST(Process, RenamesThenDrops) {
  ProcessRules rules;
  rules.rename = {{"v", "value"}, {"id", "device"}};
  rules.drop = {"noise"};
  Processing processing(rules);
  EXPECT_THAT(processing.run({reading(0, R"("v":1.5,"noise":2.5)")}),
              ElementsAre("1700000000 #device=a value=1.5"));
  EXPECT_THAT(processing.run({reading(0, R"("noise":2.5)")}), IsEmpty());
  ASSERT_EQ(processing.refused.size(), 1U);
  EXPECT_EQ(processing.refused[0].reject.reason, "no_field");
  EXPECT_THAT(processing.run({reading(0, R"("v":1.5,"value":2.5)")}), IsEmpty());
  ASSERT_EQ(processing.refused.size(), 1U);
  EXPECT_EQ(processing.refused[0].reject.reason, "duplicate_key");
}

TEST(Process, DropsARowOfASeriesAndTimeSeenBefore) {
  ProcessRules rules;
  rules.dedupe_window_ns = 1000;
  Processing processing(rules);
  EXPECT_THAT(processing.run(
                  {reading(0, R"("v":1.5)"), reading(0, R"("v":2.5)"), reading(0, R"("v":3.5)", "b")}, 0, 0),
              ElementsAre("1700000000 #id=a v=1.5", "1700000000 #id=b v=3.5"));
  EXPECT_EQ(processing.counts.deduped, 1U);
  EXPECT_THAT(processing.run({reading(0, R"("v":4.5)")}, 100, 1000), IsEmpty());
  EXPECT_EQ(processing.run({reading(0, R"("v":5.5)")}, 200, 1001).size(),
            1U);  // beyond the window of the first
}

TEST(Process, DoesNotTakeAMessageReadAgainForADuplicateOfItself) {
  ProcessRules rules;
  rules.dedupe_window_ns = 1000;
  rules.dedupe_by = {"id"};
  Processing processing(rules);
  const std::vector<std::string> messages{reading(0, R"("v":1.5)"), reading(1, R"("v":2.5)")};
  EXPECT_EQ(processing.run(messages).size(), 1U);
  EXPECT_EQ(processing.run(messages).size(), 1U);
  EXPECT_EQ(processing.counts.deduped, 1U);
  // One message with the same key twice is a duplicate all the same.
  EXPECT_EQ(processing.run({"[" + reading(0, R"("v":1.5)", "b") + "," + reading(1, R"("v":2.5)", "b") + "]"})
                .size(),
            1U);
}

TEST(DedupeMemory, ForgetsTheOldestBeyondItsLimit) {
  DedupeMemory memory(1'000'000, 100);
  memory.begin_write();
  for (uint64_t i = 0; i < 10'000; ++i) {
    EXPECT_FALSE(memory.seen({i, i}, {1, static_cast<int64_t>(i), 0}));
    EXPECT_LE(memory.keys(), 100U);
  }
  EXPECT_TRUE(memory.seen({9'999, 9'999}, {1, 20'000, 0}));
  EXPECT_TRUE(memory.seen({9'960, 9'960}, {1, 20'001, 0}));
  EXPECT_FALSE(memory.seen({0, 0}, {1, 20'002, 0}));
}

class Enriching : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "lookup_" + testing::UnitTest::GetInstance()->current_test_info()->name();
  }
  void TearDown() override { std::filesystem::remove(path_); }
  void write(const std::string& suffix, const std::string& text) {
    path_ += suffix;
    std::ofstream(path_) << text;
  }
  ProcessRules rules() const {
    ProcessRules rules;
    rules.enrich = {{path_, "", "id", "device", {"owner"}, {"gain"}, 1}};
    rules.set = {"v = v * coalesce(gain, 1.0)"};
    return rules;
  }
  std::string path_;
};

TEST_F(Enriching, AddsTagsAndFieldsByKeyAndCountsWhatIsMissing) {
  write(".csv", "device,owner,gain\na,ann,2.5\nb,bob,\n");
  Processing processing(rules());
  EXPECT_THAT(processing.run(
                  {reading(0, R"("v":2.0)"), reading(1, R"("v":2.5)", "b"), reading(2, R"("v":2.5)", "c")}),
              ElementsAre("1700000000 #id=a #owner=ann gain=2.5 v=5", "1700000001 #id=b #owner=bob v=2.5",
                          "1700000002 #id=c v=2.5"));
  EXPECT_EQ(processing.counts.enrich_misses, 1U);
}

TEST_F(Enriching, ReadsTheFileAgainWhenItChanged) {
  write(".json", R"([{"device":"a","owner":"ann","gain":2.5}])");
  Processing processing(rules());
  EXPECT_THAT(processing.run({reading(0, R"("v":2.0)")}),
              ElementsAre("1700000000 #id=a #owner=ann gain=2.5 v=5"));
  std::ofstream(path_) << R"([{"device":"a","owner":"someone else","gain":0.5}])";
  EXPECT_THAT(processing.run({reading(0, R"("v":2.0)")}),
              ElementsAre("1700000000 #id=a #owner=someone else gain=0.5 v=1"));
  std::ofstream(path_) << "no json";
  EXPECT_THAT(processing.run({reading(0, R"("v":2.0)")}),
              ElementsAre("1700000000 #id=a #owner=someone else gain=0.5 v=1"));
}

TEST_F(Enriching, DoesNotBeginWithoutItsColumns) {
  FakeEngine engine;
  EXPECT_THAT(make_row_processor(rules(), engine).error().message, HasSubstr("enrich from"));
  write(".csv", "device,gain\na,2.5\n");
  EXPECT_THAT(make_row_processor(rules(), engine).error().message, HasSubstr("it has no column owner"));
}

}  // namespace
}  // namespace varve

// Enriching rows from a table of the real store: what a source with [[kafka.enrich]] table = "..." does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/process/rules.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

class EnrichFromTable : public ::testing::Test {
 protected:
  EnrichFromTable() {
    EngineOptions options;
    options.data_directory = (folder_ / "data").string();
    options.metrics = &metrics_;
    auto opened = Engine::open(options);
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    engine_ = std::move(*opened);
  }
  void device(const std::string& id, int64_t time, const std::string& owner, double gain) {
    RowBatchBuilder builder("varve", "devices");
    builder.begin_row();
    builder.tag("device", id);
    builder.field_string("owner", owner);
    builder.field_double("gain", gain);
    builder.end_row(time);
    std::vector<RowBatch> batches;
    batches.push_back(builder.finish());
    ASSERT_TRUE(engine_->append_and_wait(engine_->admit(std::move(batches))).has_value());
  }
  ProcessRules rules() const {
    ProcessRules rules;
    EnrichRule rule;
    rule.table = "devices";
    rule.key = "id";
    rule.match = "device";
    rule.tags = {"owner"};
    rule.fields = {"gain"};
    rule.reload_ns = 1;
    rules.enrich = {rule};
    rules.tags = {"id"};
    rules.set = {"v = v * coalesce(gain, 1.0)"};
    return rules;
  }
  // "owner gain v" of one row with this id and v = 2.
  std::string processed(RowProcessor& processor, const std::string& id) {
    RowSet rows;
    rows.set_message(0);
    rows.add_row("varve", "t", 1, [&](RowBatchBuilder& row) {
      row.tag("id", id);
      return row.field_double("v", 2);
    });
    RowSet::Taken taken = rows.take();
    const std::vector<MessageOrigin> origins(1);
    std::vector<RefusedRow> refused;
    counts_ = {};
    processor.process(taken, origins, refused, counts_);
    EXPECT_TRUE(refused.empty());
    std::string text;
    const RowBatch& batch = taken.batches.at(0);
    for (const TagColumn& tag : batch.tags) {
      if (tag.name == "owner" && tag.codes[0] != kAbsentTag) text = tag.values[tag.codes[0]];
    }
    for (const char* name : {"gain", "v"}) {
      for (const FieldColumn& field : batch.fields) {
        if (field.name == name && field.data.is_valid(0)) {
          text += " " + std::to_string(static_cast<int>(field.data.doubles[0] * 10));
        }
      }
    }
    return text;
  }

  test::TempDir folder_;
  MetricsRegistry metrics_;
  std::unique_ptr<Engine> engine_;
  ProcessCounts counts_;
};

TEST_F(EnrichFromTable, TheNewestRowOfAKeyCountsAndChangesAreSeen) {
  device("a", 1, "ann", 1.5);
  device("a", 3, "amy", 2.5);
  device("a", 2, "abe", 9);
  device("b", 1, "bob", 0.5);
  auto made = make_row_processor(rules(), *engine_);
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_EQ(processed(**made, "a"), "amy 25 50");
  EXPECT_EQ(processed(**made, "b"), "bob 5 10");
  EXPECT_EQ(processed(**made, "c"), " 20");
  EXPECT_EQ(counts_.enrich_misses, 1U);
  device("a", 4, "ada", 4);
  device("c", 1, "cy", 3);
  EXPECT_EQ(processed(**made, "a"), "ada 40 80");
  EXPECT_EQ(processed(**made, "c"), "cy 30 60");
  ASSERT_TRUE(engine_->flush());
  device("a", 5, "ava", 5);
  EXPECT_EQ(processed(**made, "a"), "ava 50 100") << "over segments and memory";
}

TEST_F(EnrichFromTable, ATableThatComesLaterIsOneWithoutRowsUntilThen) {
  auto made = make_row_processor(rules(), *engine_);
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_EQ(processed(**made, "a"), " 20");
  EXPECT_EQ(counts_.enrich_misses, 1U);
  device("a", 1, "ann", 1.5);
  EXPECT_EQ(processed(**made, "a"), "ann 15 30");
  EXPECT_EQ(counts_.enrich_misses, 0U);
}

TEST_F(EnrichFromTable, DoesNotBeginWithoutItsColumns) {
  device("a", 1, "ann", 1.5);
  ProcessRules wrong = rules();
  wrong.enrich[0].fields = {"colour"};
  const auto fieldless = make_row_processor(wrong, *engine_);
  ASSERT_FALSE(fieldless.has_value());
  EXPECT_THAT(fieldless.error().message, HasSubstr("enrich from table devices"));
  EXPECT_THAT(fieldless.error().message, HasSubstr("colour"));
  wrong = rules();
  wrong.enrich[0].match = "serial";
  const auto keyless = make_row_processor(wrong, *engine_);
  ASSERT_FALSE(keyless.has_value());
  EXPECT_THAT(keyless.error().message, HasSubstr("serial"));
}

}  // namespace
}  // namespace varve

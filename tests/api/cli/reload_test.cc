#include "api/cli/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ConfigValues values(const std::string& toml, const std::vector<std::string>& overrides = {}) {
  auto result = config_values(toml, "f.toml", overrides);
  EXPECT_TRUE(result) << result.error().message;
  return result.value_or(ConfigValues{});
}

TEST(ConfigValues, NameEachKeyThatIsWritten) {
  const ConfigValues all = values(
      "[server]\nlisten = \"127.0.0.1:1\"\n[storage.tables.water]\nretention = \"1d\"\n[[kafka]]\ntopics = "
      "[\"a\", "
      "\"b\"]\n[[kafka]]\nproperties = {\"a.b\" = \"c\"}\n",
      {"query.max_rows=5"});
  std::vector<std::string> keys;
  for (const auto& [key, value] : all) keys.push_back(key);
  EXPECT_THAT(keys, ElementsAre("kafka.0.topics", "kafka.1.properties.a.b", "query.max_rows", "server.listen",
                                "storage.tables.water.retention"));
  EXPECT_EQ(all.at("query.max_rows"), "5");
}

TEST(Reload, SaysWhatChangesNowAndWhatNeedsARestart) {
  const ConfigValues before = values(
      "[server]\nlisten = \"127.0.0.1:1\"\naccess_log = \"all\"\n[query]\ntimeout = \"1s\"\nthreads = 1\n"
      "[storage]\nretention = \"1d\"\n[storage.tables.water]\nretention = \"2d\"\n");
  const ConfigValues after = values(
      "[server]\nlisten = \"127.0.0.1:2\"\ncors_origins = [\"https://a\"]\n[query]\ntimeout = "
      "\"1s\"\nthreads = 2\n"
      "[storage]\nretention = \"3d\"\n[storage.tables.air]\nretention = \"2d\"\n[[mirror]]\nurl = "
      "\"http://h\"\n");
  const ReloadPlan plan = plan_reload(before, after);
  EXPECT_THAT(plan.applied, ElementsAre("server.access_log", "server.cors_origins", "storage.retention",
                                        "storage.tables.air.retention", "storage.tables.water.retention"));
  EXPECT_THAT(plan.waiting, ElementsAre("mirror.0.url", "query.threads", "server.listen"));
  // What was not applied is named again, what was is not.
  const ReloadPlan again = plan_reload(plan.running, after);
  EXPECT_THAT(again.applied, IsEmpty());
  EXPECT_THAT(again.waiting, ElementsAre("mirror.0.url", "query.threads", "server.listen"));
  EXPECT_THAT(plan_reload(plan.running, plan.running).waiting, IsEmpty());
}

TEST(Reload, LiveKeysAreKeysThereAre) {
  const auto known = known_config_keys("");
  ASSERT_TRUE(known.has_value());
  ConfigValues all;
  for (const auto& [key, value] : *known) all[key] = "1";
  // One of these renamed in the reader alone would never be applied again.
  EXPECT_EQ(plan_reload({}, all).applied.size(), 12U) << "11 keys and storage.tables.NAME.retention";
}

}  // namespace
}  // namespace varve

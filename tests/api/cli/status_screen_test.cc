#include "api/cli/status_screen.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "storage/base/clock.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

const int64_t kNow = *parse_timestamp("2026-01-02T03:04:05Z");

Json well() {
  return Json::parse(R"({
    "version": "0.1.0", "uptime_seconds": 11520, "ready": true, "failed": false, "problems": [],
    "read_only_reason": "", "durability": "group: acknowledged = on disk",
    "disk_free_bytes": 1073741824, "disk_reserve_bytes": 536870912,
    "ingest": {"rejected_total": 3, "sources": [
      {"name": "kafka.0", "state": "running", "messages_per_second": 1999.6, "rows_per_second": 2000,
       "partitions": [{"lag": 1200, "lag_seconds": 3.5}, {"lag": 34, "lag_seconds": 1}, {"lag": null}]}]},
    "wal": {"bytes": 67108864, "files": 2}, "segments": {"count": 42, "bytes": 1048576},
    "memtable": {"rows": 1234, "bytes": 2048},
    "mirrors": [{"name": "mirror.0", "state": "ok", "backlog_rows": 7, "backlog_bytes": 100,
                 "backlog_seconds": 1.2, "rows_sent_total": 1000000, "rows_refused_total": 0}],
    "quarantine": {"rows_total": 12}})");
}

Json tables_of(size_t count) {
  Json list = Json::array();
  for (size_t i = 0; i < count; ++i) {
    list.push_back({{"name", "t" + std::to_string(i)},
                    {"database", i == 0 ? "other" : "varve"},
                    {"rows", 1000 * i},
                    {"bytes", 100 * i},
                    {"series", i},
                    {"time_max", "2026-01-02T03:04:03Z"}});
  }
  return {{"tables", list}};
}

size_t lines(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(StatusScreen, CountsOneAsOneAndTellsWhatIsFarAwayByItsDate) {
  Json status = well();
  status["wal"]["files"] = 1;
  Json tables = tables_of(3);
  tables["tables"][1]["time_max"] = "2017-09-13T00:00:00Z";
  tables["tables"][2]["time_max"] = "2062-09-13T00:00:00Z";
  ScreenOptions options;
  options.now_ns = kNow;
  const std::string text = status_screen(status, tables, options);
  EXPECT_THAT(text, HasSubstr("log 64.0 MiB in 1 file, memory"));
  EXPECT_THAT(text, HasSubstr(" 2017-09-13\n"));
  EXPECT_THAT(text, HasSubstr(" 2062-09-13\n"));
}

TEST(StatusScreen, SaysHowAllPartsAre) {
  ScreenOptions options;
  options.url = "http://h:1";
  options.now_ns = kNow;
  EXPECT_EQ(status_screen(well(), tables_of(3), options),
            "varve 0.1.0  http://h:1  up 3 h 12 min  ready\n"
            "store: 1.0 MiB in 42 segments, log 64.0 MiB in 2 files, memory 2.0 KiB in 1,234 rows\n"
            "disk: 1.0 GiB free, 512.0 MiB kept in reserve; group: acknowledged = on disk\n"
            "\n"
            "table      rows  bytes  series   newest\n"
            "t2        2,000  200 B       2  2 s ago\n"
            "t1        1,000  100 B       1  2 s ago\n"
            "other.t0      0    0 B       0  2 s ago\n"
            "\n"
            "source   state    messages/s  rows/s    lag  behind\n"
            "kafka.0  running       2,000   2,000  1,234     3 s\n"
            "\n"
            "mirror    state  backlog rows  bytes  age       sent  refused\n"
            "mirror.0  ok                7  100 B  1 s  1,000,000        0\n"
            "\n"
            "quarantine: 12 rows; refused since the start: 3\n"
            "problems: none\n");
}

TEST(StatusScreen, ProblemsComeWithTheirRemedies) {
  Json status = well();
  status["read_only_reason"] = "no room";
  status["problems"] = {{{"code", "disk_full"},
                         {"subject", ""},
                         {"since", "2026-01-02T03:00:00Z"},
                         {"reason", "no room"},
                         {"remedy", "free some"}},
                        {{"code", "mirror_held"},
                         {"subject", "mirror.0"},
                         {"since", "2026-01-02T03:00:00Z"},
                         {"reason", "401"},
                         {"remedy", "see the token"}}};
  ScreenOptions options;
  options.now_ns = kNow;
  const std::string text = status_screen(status, tables_of(0), options);
  EXPECT_THAT(text, HasSubstr("read-only\n"));
  EXPECT_THAT(text, HasSubstr("tables: none yet\n"));
  EXPECT_THAT(text, HasSubstr("problems: 2\n"
                              "! disk_full, 4 min ago\n    no room\n    to do: free some\n"
                              "! mirror_held mirror.0, 4 min ago\n    401\n    to do: see the token\n"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  options.colours = true;
  EXPECT_THAT(status_screen(status, tables_of(0), options), HasSubstr("\x1b[1;31m! disk_full"));
}

TEST(StatusScreen, FitsTheTerminalHoweverManyTablesThereAre) {
  ScreenOptions options;
  options.now_ns = kNow;
  options.rows = 40;
  const std::string tall = status_screen(well(), tables_of(500), options);
  EXPECT_LE(lines(tall), 40U);
  EXPECT_GE(lines(tall), 35U);
  EXPECT_THAT(tall, HasSubstr("smaller ones"));
  options.rows = 5;  // too small for anything: the tables give way, the rest stays
  EXPECT_THAT(status_screen(well(), tables_of(500), options), HasSubstr("... and 497 smaller ones"));
  options.rows = 0;
  EXPECT_THAT(status_screen(well(), tables_of(500), options), HasSubstr("... and 480 smaller ones"));
  options.columns = 20;
  std::istringstream narrow(status_screen(well(), tables_of(5), options));
  for (std::string line; std::getline(narrow, line);) EXPECT_LE(line.size(), 20U) << line;
}

// A hostile name, and a server that answers something else.
TEST(StatusScreen, NothingSteersTheTerminalAndNothingMissingIsAnError) {
  Json tables = tables_of(1);
  tables["tables"][0]["name"] = "a\x1b[31m\nb\xff";
  ScreenOptions options;
  options.now_ns = kNow;
  const std::string text = status_screen(well(), tables, options);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, HasSubstr("other.a?[31m?b"));
  for (const char* odd :
       {"{}", R"({"ingest":[],"problems":{},"mirrors":7,"wal":null})",
        R"({"ingest":{"sources":[1,{"partitions":"x"}]},"problems":[7],"mirrors":[null]})"}) {
    const std::string shown = status_screen(Json::parse(odd), Json::parse(odd), options);
    EXPECT_THAT(shown, HasSubstr("varve ?"));
  }
}

}  // namespace
}  // namespace varve

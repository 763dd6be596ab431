// The judge of the comparison: rows that are made again the same, and differences that are found.
#include "bench/peers/query_types.h"

#include <gtest/gtest.h>

#include <cmath>

#include "bench/peers/report.h"
#include "bench/peers/sql_text.h"

namespace varve::bench {
namespace {

TEST(QueryTypes, FindsWhatTwoAnswersDisagreeOn) {
  const Answer answer = {{"b", 2, {1.5, NAN}}, {"a", 1, {0.1 + 0.2}}};
  EXPECT_EQ(difference(answer, {{"a", 1, {0.3}}, {"b", 2, {1.5, NAN}}}, false), "");
  EXPECT_EQ(difference(answer, {{"a", 1, {0.3}}}, false), "2 rows against 1");
  EXPECT_EQ(difference(answer, {{"a", 1, {0.3}}, {"b", 3, {1.5, NAN}}}, false),
            "row 1: (b, 2) against (b, 3)");
  EXPECT_EQ(difference(answer, {{"a", 1, {0.3}}, {"b", 3, {1.5, NAN}}}, true), "");
  EXPECT_EQ(difference(answer, {{"a", 1, {0.301}}, {"b", 2, {1.5, NAN}}}, false),
            "(a, 1) value 0: 0.30000000000000004 against 0.301");
  EXPECT_EQ(difference(answer, {{"a", 1, {0.3}}, {"b", 2, {1.5, 0}}}, false),
            "(b, 2) value 1: nan against 0");
  EXPECT_EQ(difference(answer, {{"a", 1, {0.3}}, {"b", 2, {1.5}}}, false), "row 1: 2 values against 1");
}

TEST(QueryTypes, AsksForWindowsInsideTheData) {
  for (const QueryType& type : query_types()) {
    for (int run = 0; run < 200; ++run) {
      const QueryArguments arguments = arguments_of(type, run, 3, 2);
      const int64_t days = is_water(type.shape) ? 2 : 3;
      EXPECT_GE(arguments.from_ms, kFirstMs) << type.name;
      EXPECT_LT(arguments.from_ms, arguments.to_ms) << type.name;
      EXPECT_LE(arguments.to_ms, kFirstMs + days * kDayMs) << type.name;
      EXPECT_EQ(arguments.hosts.size(), static_cast<size_t>(type.hosts));
      EXPECT_EQ(arguments.hosts, arguments_of(type, run, 3, 2).hosts) << "each system gets the same";
    }
  }
}

TEST(RowSource, MakesTheSameRowsInBothEncodings) {
  for (const Set set : {Set::kCpu, Set::kWater}) {
    RowSource lines(set, Encoding::kLines, 700);
    RowSource csv(set, Encoding::kCsv, 700);
    const auto line_bodies = lines.next_hours(1);
    const auto csv_bodies = csv.next_hours(1);
    const uint64_t rows = set == Set::kCpu ? 360 * kHosts : 60 * kSensors;
    EXPECT_EQ(lines.rows(), rows);
    ASSERT_EQ(line_bodies.size(), csv_bodies.size());
    // The last value of the last row, and its time.
    const std::string& line = line_bodies.back();
    const std::string& row = csv_bodies.back();
    const size_t csv_row = row.rfind('\n', row.size() - 2) + 1;
    const std::string time = row.substr(csv_row, row.find(',', csv_row) - csv_row);
    const std::string value = row.substr(row.rfind(',') + 1, row.size() - row.rfind(',') - 2);
    const std::string tail = "=" + value + (set == Set::kWater ? "i " : " ") + time + "000000\n";
    EXPECT_TRUE(line.ends_with(tail)) << line.substr(line.size() - 80) << tail;
  }
}

TEST(Report, ShowsEveryPeerAndMarksDifferingAnswers) {
  PeerResult own{"varve", "note", {{"cpu", {1000, 1, 2, 12'500}}}, 1, 2, 3, {}, {}, {{1, 100, 5, 0}}};
  own.queries["lastpoint"].ms = {1, 2, 3, 4, 100};
  PeerResult other{"other", "", {}, 0, 0, 0, {}, {{"lastpoint", "3 rows against 2"}}, {}};
  other.queries["lastpoint"].ms = {30};
  EXPECT_EQ(own.queries["lastpoint"].quantile(0.5), 3);
  EXPECT_EQ(own.queries["lastpoint"].quantile(0.95), 100);
  const std::string table = report_table({own, other});
  EXPECT_NE(table.find("3.0 / 100"), std::string::npos) << table;
  EXPECT_NE(table.find("!30.0 / 30.0"), std::string::npos) << table;
  EXPECT_NE(table.find("10.0x"), std::string::npos) << table;
  EXPECT_NE(table.find("lastpoint answers otherwise: 3 rows against 2"), std::string::npos) << table;
  EXPECT_NE(report_json({own, other}).find("\"disk_bytes\": 12500"), std::string::npos);
  EXPECT_NE(report_svg({own, other}).find(">lastpoint</text>"), std::string::npos);
}

}  // namespace
}  // namespace varve::bench

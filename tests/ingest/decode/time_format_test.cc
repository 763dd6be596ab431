#include "ingest/decode/time_format.h"

#include <gtest/gtest.h>

#include "storage/base/timestamp.h"

namespace varve {
namespace {

// The time as RFC 3339, or "error: ...".
std::string read(std::string_view format, std::string_view text, std::string_view zone = "UTC") {
  const auto parser = TimeParser::make(format, zone);
  if (!parser) return "make: " + parser.error().message;
  const auto ns = parser->parse(text);
  return ns ? format_timestamp(*ns) : "error";
}

TEST(TimeFormat, GuessesTheUnitOfANumberByItsSize) {
  EXPECT_EQ(read("auto", "0"), "1970-01-01T00:00:00Z");
  EXPECT_EQ(read("auto", "1751371200"), "2025-07-01T12:00:00Z");
  EXPECT_EQ(read("auto", "1751371200123"), "2025-07-01T12:00:00.123Z");
  EXPECT_EQ(read("auto", "1751371200123456"), "2025-07-01T12:00:00.123456Z");
  EXPECT_EQ(read("auto", "1751371200123456789"), "2025-07-01T12:00:00.123456789Z");
  EXPECT_EQ(read("auto", "4999999999"), "2128-06-11T08:53:19Z");
  EXPECT_EQ(read("auto", "5000000000"), "1970-02-27T20:53:20Z");
  EXPECT_EQ(read("auto", "-1"), "1969-12-31T23:59:59Z");
  EXPECT_EQ(read("auto", "-9223372036854775807"), "1677-09-21T00:12:43.145224193Z");
}

TEST(TimeFormat, KeepsDecimalsExactly) {
  EXPECT_EQ(read("s", "1751371200.123456789"), "2025-07-01T12:00:00.123456789Z");
  EXPECT_EQ(read("s", "1751371200.1234567899"), "2025-07-01T12:00:00.123456789Z");
  EXPECT_EQ(read("s", "-0.5"), "1969-12-31T23:59:59.500Z");
  EXPECT_EQ(read("ms", "1751371200000.25"), "2025-07-01T12:00:00.000250Z");
  EXPECT_EQ(read("ns", "1.9"), "1970-01-01T00:00:00.000000001Z");
  EXPECT_EQ(read("auto", "1.7513712e9"), "2025-07-01T12:00:00Z");
  EXPECT_EQ(read("s", "1.5e0"), "1970-01-01T00:00:01.500Z");
}

TEST(TimeFormat, ReadsRfc3339) {
  EXPECT_EQ(read("auto", "2025-07-01T12:00:00Z"), "2025-07-01T12:00:00Z");
  EXPECT_EQ(read("rfc3339", "2025-07-01T12:00:00.5+02:00"), "2025-07-01T10:00:00.500Z");
  EXPECT_EQ(read("rfc3339", "1751371200"), "error");
}

TEST(TimeFormat, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "-", "+", ".", "x", "12x", "1.", "1.2.3", "nan", "inf", "1e400", "1e", "9223372036854775808",
        "99999999999999999999999", "2025-13-01", "2025-02-29", "2025-07-01T25:00", "0x10"}) {
    EXPECT_EQ(read("auto", text), "error") << text;
  }
  EXPECT_EQ(read("s", "9223372037"), "error");
  EXPECT_EQ(read("s", "1e18"), "error");
  EXPECT_EQ(read("s", "2025-07-01"), "error");
}

TEST(TimeFormat, ReadsPatterns) {
  EXPECT_EQ(read("%m/%d/%Y %I:%M:%S %p", "08/30/2013 08:00:00 AM"), "2013-08-30T08:00:00Z");
  EXPECT_EQ(read("%m/%d/%Y %I:%M %p", "8/30/2013 8:05 PM"), "2013-08-30T20:05:00Z");
  EXPECT_EQ(read("%m/%d/%Y %I:%M %p", "8/30/2013 12:00 am"), "2013-08-30T00:00:00Z");
  EXPECT_EQ(read("%m/%d/%Y %I:%M %p", "8/30/2013 12:00 p.m."), "2013-08-30T12:00:00Z");
  EXPECT_EQ(read("%Y%m%d%H%M%S", "20250701120001"), "2025-07-01T12:00:01Z");
  EXPECT_EQ(read("%F %T.%f", "2025-07-01 12:00:00.000001"), "2025-07-01T12:00:00.000001Z");
  EXPECT_EQ(read("%a, %d %b %Y %T %z", "Tue, 01 Jul 2025 12:00:00 +0200"), "2025-07-01T10:00:00Z");
  EXPECT_EQ(read("%A %e %B %Y", "tuesday  1 july 2025"), "2025-07-01T00:00:00Z");
  EXPECT_EQ(read("%d.%m.%y %R", "1.7.25 9:30"), "2025-07-01T09:30:00Z");
  EXPECT_EQ(read("%y-%m-%d", "69-01-01"), "1969-01-01T00:00:00Z");
  EXPECT_EQ(read("%Y-%j", "2024-366"), "2024-12-31T00:00:00Z");
  EXPECT_EQ(read("%s.%f", "1751371200.25"), "2025-07-01T12:00:00.250Z");
  EXPECT_EQ(read("%Y-%m-%dT%H:%M:%S%z", "2025-07-01T12:00:00Z"), "2025-07-01T12:00:00Z");
  EXPECT_EQ(read("%Y%% %m %d", "2025% 7 1"), "2025-07-01T00:00:00Z");
}

TEST(TimeFormat, RefusesTextThatDoesNotMatchThePattern) {
  EXPECT_EQ(read("%Y-%m-%d", "2025-07-01x"), "error");
  EXPECT_EQ(read("%Y-%m-%d", "2025-07"), "error");
  EXPECT_EQ(read("%Y-%m-%d", "2025-02-30"), "error");
  EXPECT_EQ(read("%Y-%m-%d", "1066-10-14"), "error");
  EXPECT_EQ(read("%Y-%j", "2025-366"), "error");
  EXPECT_EQ(read("%Y-%j", "2025-0"), "error");
  EXPECT_EQ(read("%F %I %p", "2025-07-01 13 PM"), "error");
  EXPECT_EQ(read("%F %I %p", "2025-07-01 1 XM"), "error");
  EXPECT_EQ(read("%F %z", "2025-07-01 +25:00"), "error");
  EXPECT_EQ(read("%d %b %Y", "1 Foo 2025"), "error");
  EXPECT_EQ(read("%s", "999999999999999999"), "error");
}

TEST(TimeFormat, RefusesPatternsThatCannotGiveOneInstant) {
  for (const char* format : {"", "seconds", "%H:%M", "%Y", "%Y-%m", "%m-%d", "%Y-%m-%d %I:%M", "%F %H %p",
                             "%F %H %I %p", "%Q", "%Y-%m-%d %", "%s %Y", "%F %Z"}) {
    EXPECT_EQ(read(format, "x").substr(0, 5), "make:") << format;
  }
}

TEST(TimeFormat, ReadsLocalTimesInAZone) {
  EXPECT_EQ(read("%F %T", "2025-07-01 12:00:00", "America/Chicago"), "2025-07-01T17:00:00Z");
  EXPECT_EQ(read("%F %T", "2025-01-01 12:00:00", "America/Chicago"), "2025-01-01T18:00:00Z");
  EXPECT_EQ(read("auto", "2025-07-01", "Europe/Paris"), "2025-06-30T22:00:00Z");
  // What carries its own offset keeps it.
  EXPECT_EQ(read("auto", "2025-07-01T12:00:00Z", "Europe/Paris"), "2025-07-01T12:00:00Z");
  EXPECT_EQ(read("auto", "2025-07-01T12:00:00-05:00", "Europe/Paris"), "2025-07-01T17:00:00Z");
  EXPECT_EQ(read("auto", "1751371200", "Europe/Paris"), "2025-07-01T12:00:00Z");
  EXPECT_EQ(read("%F %T %z", "2025-07-01 12:00:00 +00:00", "Europe/Paris"), "2025-07-01T12:00:00Z");
}

TEST(TimeFormat, TakesTheEarlierOfTwoAndMovesForwardWhatNeverHappened) {
  // Clocks in Chicago went back at 2025-11-02 02:00 -05:00 and forward at 2025-03-09 02:00 -06:00.
  EXPECT_EQ(read("%F %T", "2025-11-02 01:30:00", "America/Chicago"), "2025-11-02T06:30:00Z");
  EXPECT_EQ(read("%F %T", "2025-11-02 02:30:00", "America/Chicago"), "2025-11-02T08:30:00Z");
  EXPECT_EQ(read("%F %T", "2025-03-09 02:30:00", "America/Chicago"), "2025-03-09T08:30:00Z");
  EXPECT_EQ(read("%F %T", "2025-03-09 03:30:00", "America/Chicago"), "2025-03-09T08:30:00Z");
}

TEST(TimeFormat, NamesAnUnknownZone) {
  const auto parser = TimeParser::make("auto", "Mars/Olympus");
  ASSERT_FALSE(parser);
  EXPECT_NE(parser.error().message.find("Mars/Olympus"), std::string::npos);
}

}  // namespace
}  // namespace varve

#include "ingest/decode/time_pin.h"

#include <gtest/gtest.h>

#include "storage/base/timestamp.h"

namespace varve {
namespace {

class Pinned {
 public:
  explicit Pinned(std::string_view format = "auto") : time_(std::move(*PinnedTime::make(format))) {}
  std::string operator()(std::string_view text) {
    const auto ns = time_.parse(text);
    return ns ? format_timestamp(*ns) : "error";
  }

 private:
  PinnedTime time_;
};

TEST(TimePin, ReadsSmallNumbersInTheUnitTheSourceHasShown) {
  Pinned read;
  EXPECT_EQ(read("0"), "1970-01-01T00:00:00Z");
  EXPECT_EQ(read("12345"), "1970-01-01T03:25:45Z");  // nothing is known yet: seconds
  EXPECT_EQ(read("1751371200123"), "2025-07-01T12:00:00.123Z");
  EXPECT_EQ(read("12345"), "1970-01-01T00:00:12.345Z");
  EXPECT_EQ(read("-12345"), "1969-12-31T23:59:47.655Z");
  EXPECT_EQ(read("0"), "1970-01-01T00:00:00Z");
  EXPECT_EQ(read("12.5"), "1970-01-01T00:00:00.012500Z");
}

TEST(TimePin, ANumberThatTellsItsUnitIsReadInIt) {
  Pinned read;
  EXPECT_EQ(read("1751371200123"), "2025-07-01T12:00:00.123Z");
  EXPECT_EQ(read("1751371200"), "2025-07-01T12:00:00Z");  // another producer
  EXPECT_EQ(read("12345"), "1970-01-01T03:25:45Z");       // the last that told
  EXPECT_EQ(read("1751371200123456"), "2025-07-01T12:00:00.123456Z");
  EXPECT_EQ(read("1751371200123456789"), "2025-07-01T12:00:00.123456789Z");
  EXPECT_EQ(read("1751371200.25"), "2025-07-01T12:00:00.250Z");
  EXPECT_EQ(read("1.7513712e9"), "2025-07-01T12:00:00Z");
  EXPECT_EQ(read("-1751371200"), "1914-07-03T12:00:00Z");
}

TEST(TimePin, NumbersBetweenTheSizesFollowThePin) {
  Pinned read;
  EXPECT_EQ(read("500000000000"), "1985-11-05T00:53:20Z");  // ms by its size
  EXPECT_EQ(read("1751371200123456"), "2025-07-01T12:00:00.123456Z");
  EXPECT_EQ(read("500000000000"), "1970-01-06T18:53:20Z");
}

TEST(TimePin, DigitsAreANumberAlsoAsText) {
  Pinned read;
  EXPECT_EQ(read("20250701"), "1970-08-23T09:11:41Z");
  EXPECT_EQ(read("20250701120000"), "1970-08-23T09:11:41.120Z");
  EXPECT_EQ(Pinned("%Y%m%d%H%M%S")("20250701120000"), "2025-07-01T12:00:00Z");
}

TEST(TimePin, ReadsTheCommonFormsOfDates) {
  for (const char* text :
       {"2025-07-01T12:30:15Z", "2025-07-01 12:30:15", "2025-07-01T14:30:15+02:00", "2025/07/01 12:30:15",
        "01.07.2025 12:30:15", "20250701T123015Z", "20250701T123015", "20250701T143015+0200",
        "Tue, 01 Jul 2025 12:30:15 GMT", "Tue, 01 Jul 2025 14:30:15 +0200", "01 Jul 2025 12:30:15 +0000",
        "Tue Jul  1 12:30:15 2025", "2025-07-01 12:30:15 UTC", "2025-07-01 12:30:15 +0000"}) {
    Pinned read;
    EXPECT_EQ(read(text), "2025-07-01T12:30:15Z") << text;
    EXPECT_EQ(read(text), "2025-07-01T12:30:15Z") << text << " again";
    EXPECT_EQ(read("2024-01-01"), "2024-01-01T00:00:00Z") << "after " << text;
  }
  EXPECT_EQ(Pinned()("2025/07/01 12:30:15.25"), "2025-07-01T12:30:15.250Z");
  EXPECT_EQ(Pinned()("01.07.2025"), "2025-07-01T00:00:00Z");
}

TEST(TimePin, RefusesWhatItWouldHaveToGuess) {
  Pinned read;
  for (const char* text : {"07/01/2025", "01/07/2025 12:00:00", "noon", "", "-", ".", "1.2.3", "1-2", "12:30",
                           "99999999999999999999", "1e400", "31.02.2025", "2025/13/01", "0x10", "12abc"}) {
    EXPECT_EQ(read(text), "error") << text;
  }
  const auto slashes = std::move(*PinnedTime::make("auto")).parse("07/01/2025");
  EXPECT_NE(slashes.error().message.find("time_format"), std::string::npos);
}

TEST(TimePin, OtherFormatsAreAsTheySay) {
  EXPECT_EQ(Pinned("s")("1751371200123"), "error");
  EXPECT_EQ(Pinned("ms")("1751371200"), "1970-01-21T06:29:31.200Z");
  EXPECT_EQ(Pinned("%d.%m.%Y")("01.07.2025"), "2025-07-01T00:00:00Z");
  EXPECT_FALSE(PinnedTime::make("whenever").has_value());
}

}  // namespace
}  // namespace varve

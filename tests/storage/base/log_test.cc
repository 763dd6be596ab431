#include "storage/base/log.h"

#include <gmock/gmock.h>

#include "storage/base/log_repeats.h"
#include "storage/base/utf8.h"

namespace varve {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

constexpr int64_t kSecond = 1'000'000'000;

// What `write` logs, as it would reach a file.
template <class Write>
std::string logged(LogFormat format, Write&& write) {
  set_log_format(format);
  ::testing::internal::CaptureStderr();
  write();
  log_repeats(true);
  std::string text = ::testing::internal::GetCapturedStderr();
  set_log_format(LogFormat::kConsole);
  return text;
}

TEST(Log, ConsoleLinesHaveTimeLevelComponentMessageAndContext) {
  const std::string line = logged(LogFormat::kConsole, [] {
    log_warn("kafka.0", "a partition is held", {{"topic", "readings"}, {"why", "no room"}, {"empty", ""}});
  });
  EXPECT_THAT(line, MatchesRegex("20[0-9-]+T[0-9:.]+Z warning kafka\\.0: a partition is held topic=readings "
                                 "why=\"no room\" empty=\"\"\n"));
}

TEST(Log, JsonLinesAreOneObjectEach) {
  const std::string line = logged(LogFormat::kJson, [] {
    log_error("store", "a \"quoted\" \\ text", {{"table", "w\nx"}});
  });
  EXPECT_THAT(line, MatchesRegex(
                        "\\{\"time\":\"20[0-9-]+T[0-9:.]+Z\",\"level\":\"error\",\"component\":\"store\","
                        "\"message\":\"a \\\\\"quoted\\\\\" \\\\\\\\ text\",\"table\":\"w\\\\u000ax\"\\}\n"));
}

// Reliability: nothing that came over the wire may begin a line of its own or reach a terminal as a command.
TEST(Log, ControlBytesAndBrokenTextNeverReachTheOutput) {
  const std::string evil =
      "a\nb\r\x1b[31mred\x7f\xc2\x9b"
      "31m\xff\xc0\x80 ok \xc3\xa9";
  for (const LogFormat format : {LogFormat::kConsole, LogFormat::kJson}) {
    const std::string line = logged(format, [&] { log_warn(evil, evil, {{"path", evil}}); });
    EXPECT_THAT(line, EndsWith("\n"));
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
    for (const char c : line.substr(0, line.size() - 1)) {
      EXPECT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7f) << line;
    }
    EXPECT_EQ(valid_utf8(line), line) << "every byte is part of a character";
    EXPECT_THAT(line, Not(HasSubstr("\xc2\x9b"))) << "a C1 control begins a terminal command, too";
    EXPECT_THAT(line, HasSubstr("ok \xc3\xa9")) << "text stays readable";
  }
}

TEST(Log, LongMessagesAndFieldsAreCut) {
  const std::string line = logged(LogFormat::kConsole, [] {
    log_warn("c", std::string(1 << 20, 'x'), {{"field", std::string(1 << 20, 'y')}});
  });
  EXPECT_LT(line.size(), kLogMessageBytesMax + kLogFieldBytesMax + 200);
  EXPECT_THAT(line, HasSubstr("x... (1048576 bytes)"));
  // A cut never falls into a character.
  const std::string wide = logged(LogFormat::kConsole, [] {
    std::string text = "a";
    for (int i = 0; i < 5000; ++i) text += "\xe2\x82\xac";
    log_warn("c", text);
  });
  EXPECT_EQ(valid_utf8(wide), wide);
}

TEST(Log, WhatIsBelowTheLevelIsNotWritten) {
  set_log_level(LogLevel::kWarn);
  const std::string text = logged(LogFormat::kConsole, [] {
    log_info("c", "quiet");
    log_record(LogLevel::kInfo, "c", "quiet record");
    log_warn("c", "loud");
  });
  set_log_level(LogLevel::kInfo);
  EXPECT_THAT(text, Not(HasSubstr("quiet")));
  EXPECT_THAT(text, HasSubstr("loud"));
}

TEST(Log, AFloodIsAFewLinesAndACount) {
  const std::string text = logged(LogFormat::kConsole, [] {
    for (int i = 0; i < 1000; ++i) log_warn("flood", "retrying after " + std::to_string(i) + " ms");
  });
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), LogRepeats::kPerWindow + 1);
  EXPECT_THAT(text, HasSubstr("repeated 995 times more in 60 s, the last time: retrying after 999 ms"));
}

TEST(Log, RecordsAreNeverHeldBack) {
  const std::string text = logged(LogFormat::kConsole, [] {
    for (int i = 0; i < 20; ++i) log_record(LogLevel::kInfo, "access", "GET / 200");
  });
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 20);
}

TEST(LogRepeats, AnotherMessageIsNotARepeatButAnotherNumberIs) {
  LogRepeats repeats;
  for (uint32_t i = 0; i < LogRepeats::kPerWindow; ++i) {
    EXPECT_TRUE(repeats.allow({0, "c", "offset " + std::to_string(i)}, i));
  }
  EXPECT_FALSE(repeats.allow({0, "c", "offset 12345"}, 10));
  EXPECT_TRUE(repeats.allow({0, "d", "offset 1"}, 10)) << "another component";
  EXPECT_TRUE(repeats.allow({0, "c", "offset x1"}, 10)) << "another text";
}

TEST(LogRepeats, AWindowThatIsOverIsToldOnceAndANewOneBegins) {
  LogRepeats repeats;
  const LogRepeats::Line line{3, "c", "again"};
  for (int i = 0; i < 12; ++i) repeats.allow(line, i);
  EXPECT_TRUE(repeats.due(59 * kSecond).empty()) << "the window is not over";
  const auto due = repeats.due(61 * kSecond);
  ASSERT_EQ(due.size(), 1U);
  EXPECT_EQ(due[0].held_back, 12 - LogRepeats::kPerWindow);
  EXPECT_EQ(due[0].last.component, "c");
  EXPECT_EQ(due[0].last.level, 3);
  EXPECT_TRUE(repeats.due(200 * kSecond).empty());
  EXPECT_TRUE(repeats.allow(line, 200 * kSecond));
}

TEST(LogRepeats, ManyDifferentMessagesTakeBoundedMemoryAndLoseNoCount) {
  LogRepeats repeats;
  uint64_t held_back = 0, told = 0;
  for (size_t i = 0; i < 20 * LogRepeats::kKeysMax; ++i) {
    std::string name;  // letters, because numbers would be the same message
    for (size_t rest = i + 1; rest > 0; rest /= 26) name += static_cast<char>('a' + rest % 26);
    for (int copy = 0; copy < 7; ++copy) {
      held_back += repeats.allow({0, "c", name}, static_cast<int64_t>(i)) ? 0 : 1;
    }
    for (const auto& summary : repeats.due(static_cast<int64_t>(i))) told += summary.held_back;
  }
  for (const auto& summary : repeats.due(0, true)) told += summary.held_back;
  EXPECT_GT(held_back, 0U);
  EXPECT_EQ(told, held_back);
}

TEST(Utf8, KnowsCharactersFromBrokenBytes) {
  EXPECT_EQ(utf8_character_bytes("a"), 1U);
  EXPECT_EQ(utf8_character_bytes("\xc3\xa9z"), 2U);
  EXPECT_EQ(utf8_character_bytes("\xe2\x82\xac"), 3U);
  EXPECT_EQ(utf8_character_bytes("\xf0\x9f\x8c\x8a"), 4U);
  for (const char* broken :
       {"", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\x80", "\xe2\x82"}) {
    EXPECT_EQ(utf8_character_bytes(broken), 0U);
  }
  EXPECT_EQ(valid_utf8("a\xff\xe2\x82"), "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

}  // namespace
}  // namespace varve

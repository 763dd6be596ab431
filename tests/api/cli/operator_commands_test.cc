// `varve ingest` and `varve mirror backfill` against a running server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "ingest/kafka/embedded_broker.h"
#include "ingest/kafka/producer.h"
#include "tests/support/fake_influx.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace {

using ::testing::HasSubstr;

constexpr seconds kPatience{90};  // a sanitized build on a busy machine

class OperatorCommands : public ::testing::Test {
 protected:
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void serve(const std::string& more) {
    const std::string path = (folder_ / "varve.toml").string();
    std::ofstream(path) << "[server]\nlisten = \"127.0.0.1:" << port_ << "\"\n[storage]\ndata = \""
                        << (folder_ / "data").string() << "\"\n"
                        << more;
    server_ = std::make_unique<Process>(
        std::vector<std::string>{VARVE_BINARY, "serve", "--allow-root", "--config", path});
    ASSERT_TRUE(wait_until([&] { return http_get(url() + "/readyz").status == 200; }, kPatience))
        << server_->log_tail();
  }
  Finished varve(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), VARVE_BINARY);
    arguments.insert(arguments.end(), {"--url", url()});
    return run(arguments, kPatience);
  }
  // One line to stderr, nothing to stdout, exit code 1.
  void expect_failure(const std::vector<std::string>& arguments, const std::string& why) {
    const Finished finished = varve(arguments);
    EXPECT_EQ(finished.exit_code, 1) << finished.out;
    EXPECT_TRUE(finished.err.starts_with("varve: ")) << finished.err;
    EXPECT_THAT(finished.err, HasSubstr(why));
    EXPECT_EQ(finished.out, "");
  }

  TempDir folder_;
  uint16_t port_ = free_port();
  std::unique_ptr<Process> server_;
};

TEST_F(OperatorCommands, IngestShowsAndSteersSources) {
  auto broker = std::move(*EmbeddedBroker::start());
  ASSERT_TRUE(broker->create_topic("readings", 1).has_value());
  {
    KafkaProducerOptions options;
    options.brokers = broker->bootstrap();
    options.topic = "readings";
    auto producer = std::move(*KafkaProducer::open(options));
    for (int i = 0; i < 10; ++i) {
      const std::string value = R"({"ts":)" + std::to_string(1'767'225'600 + i) + R"(,"v":1.5})";
      ASSERT_TRUE(producer->produce("k", value, 0).has_value());
    }
    ASSERT_TRUE(producer->flush(30'000'000'000).has_value());
  }
  serve("[[kafka]]\nbrokers = \"" + broker->bootstrap() + "\"\ntopics = [\"readings\"]\n");
  const auto status = [&] { return varve({"ingest", "status"}); };
  ASSERT_TRUE(wait_until([&] { return status().out.find("running") != std::string::npos; }, kPatience));
  ASSERT_TRUE(wait_until(
      [&] { return http_get(url() + "/api/v1/status").body.find("\"next_offset\":10") != std::string::npos; },
      kPatience));
  const Finished shown = status();
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("kafka.0"));
  EXPECT_THAT(shown.out, HasSubstr("next_offset"));

  const Finished away =
      run({VARVE_BINARY, "ingest", "status", "--url", "http://127.0.0.1:" + std::to_string(free_port())},
          kPatience);
  EXPECT_EQ(away.exit_code, 1);
  EXPECT_TRUE(away.err.starts_with("varve: ")) << away.err;
  expect_failure({"ingest", "rewind", "--to", "soon"}, "time \"soon\" is none; for example");
  expect_failure({"ingest", "rewind", "--to", "2026-01-01T00:00:00Z", "--source", "kafka.9"},
                 "no source kafka.9; this server has kafka.0");
  expect_failure({"ingest", "rewind", "--to", "2026-01-01T00:00:00Z", "--topic", "others"}, "others");
  expect_failure({"ingest", "resume", "--topic", "readings", "--partition", "0", "--skip"}, "is not halted");
  expect_failure({"ingest", "resume", "--topic", "readings", "--partition", "0", "--from", "somewhere"},
                 "from must be");
  expect_failure({"ingest", "resume", "--topic", "readings", "--partition", "9", "--from", "5"}, "readings");
  // No message is as late as that, and a rewind never skips.
  const Finished rewound = varve({"ingest", "rewind", "--to", "2200-01-01T00:00:00Z"});
  EXPECT_EQ(rewound.exit_code, 0) << rewound.err;
  EXPECT_EQ(rewound.out, "\"readings\" partition 0: stays at offset 10\n");
}

TEST_F(OperatorCommands, BadArgumentsEndWithTwoBeforeAnythingIsAsked) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"ingest"},
           {"ingest", "stop"},
           {"ingest", "rewind"},
           {"ingest", "resume", "--topic", "t", "--partition", "0"},
           {"ingest", "resume", "--topic", "t", "--partition", "-1", "--skip"},
           {"ingest", "resume", "--topic", "t", "--partition", "0", "--skip", "--from", "5"},
           {"ingest", "resume", "--partition", "0", "--skip"},
           {"mirror"},
           {"mirror", "backfill"},
           {"mirror", "backfill", "--from", "2026-01-01T00:00:00Z"},
       }) {
    std::vector<std::string> argv = arguments;
    argv.insert(argv.begin(), VARVE_BINARY);
    const Finished finished = run(argv, kPatience);
    EXPECT_EQ(finished.exit_code, 2) << finished.err;
    EXPECT_EQ(finished.err.find('\n'), finished.err.size() - 1) << finished.err;
  }
}

TEST_F(OperatorCommands, BackfillSendsARangeAgainAndSaysHowMuch) {
  FakeInflux influx;
  influx.start();
  serve("[[mirror]]\nurl = \"" + influx.url() + "\"\nversion = \"1\"\ndatabase = \"copy\"\n");
  const std::string from = "2026-01-01T00:00:00Z", to = "2026-01-01T00:01:00Z";
  std::string lines;
  for (int i = 0; i < 120; ++i) lines += "m v=1 " + std::to_string(1'767'225'600 + i) + "000000000\n";
  ASSERT_EQ(http_post(url() + "/write", lines, "text/plain").status, 204);
  ASSERT_TRUE(influx.wait_until([&] { return influx.lines("copy").size() == 120; }));
  const Finished again = varve({"mirror", "backfill", "--from", from, "--to", to});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("60 rows sent again in "));
  EXPECT_EQ(influx.lines("copy").size(), 180U);
  expect_failure({"mirror", "backfill", "--from", "soon", "--to", to}, "from: ");
  expect_failure({"mirror", "backfill", "--from", to, "--to", from}, "from must be before to");
  expect_failure({"mirror", "backfill", "--from", from, "--to", to, "--mirror", "mirror.9"},
                 "there is no mirror 'mirror.9'");
}

}  // namespace
}  // namespace varve::test

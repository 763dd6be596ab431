#include "api/http/live.h"

#include "tests/api/http/http_fixture.h"

namespace varve {
namespace {

// A reader of /api/v1/live on a bare socket.
class Tail {
 public:
  Tail(uint16_t port, const std::string& parameters) : client_(port) {
    client_.send("GET /api/v1/live?" + parameters + " HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  // Everything received once `text` is in it, without the chunks' framing; "" when the connection ends first.
  std::string until(std::string_view text) {
    while (received_.find(text) == std::string::npos) {
      const std::string piece = client_.receive();
      if (piece.empty()) return "";
      received_ += piece;
    }
    return received_;
  }
  bool ended() {  // reads on to the end
    while (true) {
      const std::string piece = client_.receive();
      received_ += piece;
      if (piece.empty()) return true;
      if (received_.ends_with("0\r\n\r\n")) return true;
    }
  }
  const std::string& received() const { return received_; }
  void close() { client_.close(); }

 private:
  RawClient client_;
  std::string received_;
};

class Live : public Http {
 protected:
  void write(const std::string& lines) { ASSERT_EQ(post(port(), "/write", lines).status, 204); }
};

TEST_F(Live, SendsRowsAsTheyAreAcknowledged) {
  write("water,site=north ph=7.0 1000000000");
  Tail tail(port(), "table=water");
  const std::string open = tail.until("event: open\n");
  EXPECT_THAT(open, HasSubstr("HTTP/1.1 200 "));
  EXPECT_THAT(open, HasSubstr("Content-Type: text/event-stream"));
  EXPECT_THAT(tail.until("\"table\":\"water\""), HasSubstr("\"database\":\"varve\""));
  write("water,site=north ph=7.31,note=\"a \\\"b\\\"\" 2000000000\nwater ph=1 3000000000");
  const std::string rows = tail.until("]]}\n\n");
  EXPECT_THAT(rows, HasSubstr("\nid: 2\ndata: {\"columns\":[{\"name\":\"time\",\"type\":\"timestamp\"},"
                              "{\"name\":\"site\",\"type\":\"string\"},{\"name\":\"ph\",\"type\":\"double\"},"
                              "{\"name\":\"note\",\"type\":\"string\"}],\"rows\":["
                              "[\"1970-01-01T00:00:02Z\",\"north\",7.31,\"a \\\"b\\\"\"],"
                              "[\"1970-01-01T00:00:03Z\",null,1.0,null]]}\n\n"));
  EXPECT_THAT(rows, Not(HasSubstr("00:00:01Z"))) << "rows from before";
}

TEST_F(Live, FiltersAndCutsColumns) {
  write("water,site=north ph=7.0,t=1i 1");
  Tail tail(port(),
            "table=water&where=ph%20%3E%207%20AND%20site%20%3D%20%27north%27&fields=t,site&time_format=ms");
  tail.until("event: open");
  write("water,site=north ph=6.9,t=2i 1000000\nwater,site=south ph=9,t=3i 2000000\nwater t=4i 3000000");
  write("water,site=north ph=8 4000000\nwater,site=north ph=8,t=6i 5000000");
  const std::string rows = tail.until("]]}\n\n");
  EXPECT_THAT(
      rows,
      HasSubstr("\"columns\":[{\"name\":\"time\",\"type\":\"timestamp\"},{\"name\":\"t\",\"type\":\"int64\"},"
                "{\"name\":\"site\",\"type\":\"string\"}],\"rows\":[[4,null,\"north\"],[5,6,\"north\"]]}"));
  EXPECT_THAT(rows, Not(HasSubstr("[1,")));
}

TEST_F(Live, RefusesWhatItCannotServe) {
  write("water,site=north ph=7.0 1");
  struct Case {
    const char* parameters;
    int status;
    const char* code;
    const char* text;  // in the body
  };
  const Case cases[] = {
      {"", 400, "bad_request", "which table?"},
      {"table=wader", 404, "unknown_table", "water"},
      {"table=water&wher=1", 400, "bad_request", "did you mean where?"},
      {"table=water&time_format=days", 400, "bad_request", "unknown time_format"},
      {"table=water&fields=hp", 400, "unknown_column", "ph"},
      {"table=water&where=ph%20%3E", 400, "sql_syntax", "\"position\":4"},
      {"table=water&where=hp%20%3E%201", 400, "unknown_column", "\"position\":0"},
      {"table=water&where=ph%20%3E%20now()", 400, "unknown_function", "now()"},
      {"table=water&where=count(*)%20%3E%201", 400, "misplaced_aggregate", "\"position\":0"},
  };
  for (const Case& one : cases) {
    const RawAnswer answer = get(port(), std::string("/api/v1/live?") + one.parameters);
    EXPECT_EQ(answer.status, one.status) << one.parameters;
    EXPECT_EQ(json_of(answer)["error"]["code"], one.code) << one.parameters;
    EXPECT_THAT(answer.body, HasSubstr(one.text)) << one.parameters;
  }
}

TEST_F(Live, ReadersOfTheSameGetTheSameAndOnesThatLeaveAreForgotten) {
  write("water ph=7.0 1");
  std::vector<std::unique_ptr<Tail>> tails;
  for (int i = 0; i < 5; ++i) tails.push_back(std::make_unique<Tail>(port(), "table=water"));
  for (const auto& tail : tails) tail->until("event: open");
  const auto readers = [&] { return metrics_.gauge("varve_live_readers", "").value(); };
  EXPECT_EQ(readers(), 5);
  write("water ph=8.5 2");
  for (const auto& tail : tails) EXPECT_THAT(tail->until("8.5]"), HasSubstr("8.5]"));
  tails[0]->close();
  tails[3]->close();
  EXPECT_TRUE(eventually([&] { return readers() == 3; }));
  write("water ph=9.5 3");
  EXPECT_THAT(tails[4]->until("9.5]"), HasSubstr("9.5]"));
}

TEST_F(Live, DropsTheSlowReaderAndNeverWaitsForIt) {
  write("water note=\"x\" 1");
  Tail slow(port(), "table=water");
  Tail quick(port(), "table=water&fields=time");
  slow.until("event: open");
  quick.until("event: open");
  // Nobody reads from `slow`: the kernel's buffers fill, then the server's queue.
  const std::string note(200'000, 'x');
  Counter& dropped = metrics_.counter("varve_live_readers_dropped_total", "");
  for (int i = 2; dropped.value() == 0 && i < 2000; ++i) {
    write("water note=\"" + note + "\" " + std::to_string(i));
  }
  EXPECT_EQ(dropped.value(), 1U);
  EXPECT_THAT(quick.until("\"rows\":[["), HasSubstr("\"rows\":[["));
  EXPECT_TRUE(slow.ended());
  EXPECT_THAT(slow.received(), HasSubstr("event: end\ndata: {\"reason\":\"slow_reader\""));
  EXPECT_TRUE(slow.received().ends_with("0\r\n\r\n")) << "the last chunk: an end, not a cut";
}

TEST_F(Live, EndsStreamsWhenTheServerStops) {
  write("water ph=7.0 1");
  Tail tail(port(), "table=water");
  tail.until("event: open");
  server_->stop();
  EXPECT_TRUE(tail.ended());
  EXPECT_THAT(tail.received(), HasSubstr("event: end\ndata: {\"reason\":\"stopping\""));
}

TEST_F(Live, ARowTheFilterCannotJudgeEndsTheStreamAndSaysWhy) {
  write("water n=1i 1");
  Tail tail(port(), "table=water&where=n%20%2B%201%20%3E%200");
  tail.until("event: open");
  write("water n=9223372036854775807i 2");
  EXPECT_TRUE(tail.ended());
  EXPECT_THAT(tail.received(), HasSubstr("event: end\ndata: {\"reason\":\"overflow\""));
  Tail again(port(), "table=water&where=n%20%2B%201%20%3E%200");
  again.until("event: open");
  write("water n=5i 3");
  EXPECT_THAT(again.until(",5]"), HasSubstr(",5]"));
}

// ---- the hub without a server ----

class Hub : public ::testing::Test {
 protected:
  void write(size_t rows) {
    RowBatchBuilder builder("varve", "water");
    for (size_t i = 0; i < rows; ++i) {
      builder.begin_row();
      builder.field_int("n", static_cast<int64_t>(i));
      builder.end_row(static_cast<int64_t>(i));
    }
    std::vector<RowBatch> batches;
    batches.push_back(builder.finish());
    ASSERT_TRUE(engine_.append_and_wait(engine_.admit(std::move(batches))));
  }
  // Reads until `text` came.
  static std::string until(BodyStream& stream, std::string_view text) {
    std::string all, piece;
    while (all.find(text) == std::string::npos && stream.next(piece) == BodyStream::Next::kPiece)
      all += piece;
    return all;
  }
  const LiveRequest request_{"varve", "water", {}, {}, TimeFormat::kNs};
  MetricsRegistry metrics_;
  FakeEngine engine_;
};

TEST_F(Hub, NamesItsLimitOfReaders) {
  write(1);
  LiveHub hub(engine_, metrics_, 2);
  auto one = hub.open(request_, [] { return false; });
  auto two = hub.open(request_, [] { return false; });
  ASSERT_TRUE(one && two);
  const auto three = hub.open(request_, [] { return false; });
  ASSERT_FALSE(three);
  EXPECT_EQ(three.error().status, 503);
  EXPECT_EQ(three.error().code, "too_many_live_readers");
  (*one)->close();
  EXPECT_TRUE(hub.open(request_, [] { return false; }));
  hub.end();
  EXPECT_EQ(hub.open(request_, [] { return false; }).error().code, "stopping");
}

TEST_F(Hub, CutsLongRecordsIntoEventsWithIdsOfTheirOwn) {
  write(1);
  LiveHub hub(engine_, metrics_);
  const auto stream = hub.open(request_, [] { return false; });
  ASSERT_TRUE(stream);
  write(2 * kLiveEventRowsMax + 1);
  const std::string text = until(**stream, "id: 2-3\n");
  EXPECT_THAT(text, HasSubstr("\nid: 2\n"));
  EXPECT_THAT(text, HasSubstr("\nid: 2-2\n"));
  EXPECT_THAT(text, HasSubstr("[[2000,2000]]"));
}

TEST_F(Hub, TellsOfRowsItPassedOver) {
  write(1);
  LiveHub hub(engine_, metrics_);
  LiveRequest none = request_;
  none.where = "n < 0";
  const auto stream = hub.open(none, [] { return false; });
  ASSERT_TRUE(stream);
  // Batches that fill most of the queue each, in one record: the hub may take the first at once, but not all.
  std::vector<RowBatch> batches;
  for (int i = 0; i < 6; ++i) {
    RowBatchBuilder builder("varve", "water");
    builder.begin_row();
    builder.field_int("n", 1);
    builder.field_string("note", std::string(kWatchedBytesMax / 4 * 3, 'x'));
    builder.end_row(i);
    batches.push_back(builder.finish());
  }
  ASSERT_TRUE(engine_.append_and_wait(engine_.admit(std::move(batches))));
  Counter& lost = metrics_.counter("varve_live_rows_lost_total", "");
  ASSERT_TRUE(eventually([&] { return lost.value() > 0; }));
  EXPECT_THAT(until(**stream, "event: gap\ndata: {\"rows\":"), HasSubstr("event: gap\ndata: {\"rows\":"));
}

}  // namespace
}  // namespace varve

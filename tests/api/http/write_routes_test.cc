// POST /write, as InfluxDB's clients use it.
#include <zlib.h>

#include "ingest/decode/line_protocol.h"
#include "tests/api/http/http_fixture.h"

namespace varve {
namespace {

std::string gzip(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  std::string in(text);
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string chunked(std::string_view body) {
  std::string out;
  while (!body.empty()) {
    const std::string_view part = body.substr(0, 4000);
    char size[16];
    (void)std::snprintf(size, sizeof size, "%zx\r\n", part.size());
    out += size;
    out += part;
    out += "\r\n";
    body.remove_prefix(part.size());
  }
  return out + "0\r\n\r\n";
}

std::string write_error(const RawAnswer& answer) {
  return json_of(answer)["error"].get<std::string>();
}

TEST_F(Http, WritesLineProtocolAndAnswersWhenDurable) {
  const RawAnswer answer =
      post(port(), "/write?db=plant&precision=s", "m,site=a v=1 1735689600\nm,site=b v=2i 1735689600\n");
  EXPECT_EQ(answer.status, 204);
  EXPECT_TRUE(answer.body.empty());
  EXPECT_TRUE(answer.headers.contains("x-influxdb-version"));
  const auto records = engine_.records();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].batches[0].database, "plant");
  EXPECT_EQ(records[0].batches[0].times[0], 1'735'689'600'000'000'000);
  EXPECT_EQ(engine_.rows("m"), 2u);
}

TEST_F(Http, WritesToTheDefaultDatabaseWithoutOne) {
  EXPECT_EQ(post(port(), "/write", "m v=1 1").status, 204);
  EXPECT_EQ(post(port(), "/write?db=&rp=&precision=", "m v=1 2").status, 204);
  for (const LogRecord& record : engine_.records()) EXPECT_EQ(record.batches[0].database, kDefaultDatabase);
}

TEST_F(Http, AnEmptyWriteIsFine) {
  EXPECT_EQ(post(port(), "/write", "").status, 204);
  EXPECT_EQ(post(port(), "/write", "\n# only a comment\n").status, 204);
  EXPECT_EQ(engine_.appends(), 0u);
}

TEST_F(Http, ReadsGzipChunkedAndFormTypedBodies) {
  std::string lines;
  for (int i = 1; i <= 1000; ++i) lines += "m v=1 " + std::to_string(i) + "\n";
  EXPECT_EQ(post(port(), "/write", gzip(lines), "Content-Encoding: gzip\r\n").status, 204);
  EXPECT_EQ(
      ask(port(), "POST /write HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(lines))
          .status,
      204);
  EXPECT_EQ(ask(port(),
                "POST /write HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                "Content-Encoding: gzip\r\n\r\n" +
                    chunked(gzip(lines)))
                .status,
            204);
  // curl --data-binary says so, and the library would cut such a body at 8 KiB.
  EXPECT_EQ(post(port(), "/write", lines, "Content-Type: application/x-www-form-urlencoded\r\n").status, 204);
  EXPECT_EQ(engine_.rows("m"), 4000u);
}

TEST_F(Http, KeepsGoodLinesAndNamesBadOnes) {
  const RawAnswer answer = post(port(), "/write?db=d", "m v=1 1\nm v= 2\nm v=3 3\nnonsense\n");
  EXPECT_EQ(answer.status, 400);
  const std::string error = write_error(answer);
  EXPECT_THAT(error, HasSubstr("partial write: unable to parse 'm v= 2': "));
  EXPECT_THAT(error, HasSubstr("unable to parse 'nonsense': "));
  EXPECT_THAT(error, HasSubstr("dropped=0 for database: d"));
  EXPECT_EQ(engine_.rows("m"), 2u);
  EXPECT_EQ(engine_.rows("varve_quarantine"), 2u);
  EXPECT_EQ(engine_.records().size(), 1u);  // good and refused lines become durable together
  EXPECT_EQ(json_of(get(port(), "/api/v1/status"))["ingest"]["rejected_total"], 2);
}

TEST_F(Http, NamesRowsTheStoreRefusesAndKeepsTheRest) {
  engine_.refuse_rows([](const RowBatch& batch,
                         size_t row) -> std::optional<std::pair<std::string, std::string>> {
    if (batch.table != "m" || batch.times[row] != 2) return std::nullopt;
    return std::pair<std::string, std::string>("type_conflict", "field v is a double, this row has a string");
  });
  const RawAnswer answer = post(port(), "/write?db=d", "m v=1 1\nm v=2 2\nm v=3 3\n");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(write_error(answer), HasSubstr("partial write: "));
  EXPECT_THAT(write_error(answer), HasSubstr("field v is a double"));
  EXPECT_THAT(write_error(answer), HasSubstr("dropped=1 for database: d"));
  EXPECT_EQ(engine_.rows("m"), 2u);
  bool quarantined = false;
  for (const LogRecord& record : engine_.records()) {
    for (const RowBatch& batch : record.batches) {
      if (batch.table != "varve_quarantine") continue;
      for (const FieldColumn& field : batch.fields) {
        quarantined =
            quarantined || (field.name == "payload" && field.data.value(0) == Value(std::string("m v=2 2")));
      }
    }
  }
  EXPECT_TRUE(quarantined);
}

TEST_F(Http, ManyBadLinesDoNotMakeAnEndlessAnswer) {
  std::string lines;
  for (int i = 0; i < 5000; ++i) lines += "bad\n";
  const RawAnswer answer = post(port(), "/write", lines);
  EXPECT_EQ(answer.status, 400);
  EXPECT_LT(answer.body.size(), 64u << 10);
  EXPECT_THAT(write_error(answer), HasSubstr("more lines"));
  EXPECT_THAT(write_error(answer), HasSubstr("and 4980 more lines"));
  EXPECT_EQ(engine_.rows("varve_quarantine"), kLineRejectsMax);
}

TEST_F(Http, RefusesAnUnknownPrecision) {
  const RawAnswer answer = post(port(), "/write?precision=days", "m v=1 1");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(write_error(answer), HasSubstr("precision"));
  EXPECT_EQ(engine_.appends(), 0u);
}

TEST_F(Http, OverloadIs503WithRetryAfterAndNothingTaken) {
  engine_.fail_next_appends(1, unavailable("the memtable is full"));
  const RawAnswer refused = post(port(), "/write", "m v=1 1\nbad\n");
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.headers.contains("retry-after"));
  // Telegraf drops data when a 5xx says "partial write" or "unable to parse".
  EXPECT_THAT(refused.body, Not(HasSubstr("partial write")));
  EXPECT_THAT(refused.body, Not(HasSubstr("unable to parse")));
  EXPECT_EQ(engine_.records().size(), 0u);
  engine_.fail_next_syncs(1, {ErrorCode::kIo, "fdatasync: Input/output error"});
  EXPECT_EQ(post(port(), "/write", "m v=1 1").status, 500);
}

TEST_F(Http, BodiesOverTheLimitGet413) {
  const std::string big(25'000'001, '#');
  RawClient plain(port());
  plain.send("POST /write HTTP/1.1\r\nHost: h\r\nContent-Length: 25000001\r\n\r\n");
  EXPECT_EQ(plain.answer().status, 413);
  EXPECT_EQ(post(port(), "/write", gzip(big), "Content-Encoding: gzip\r\n").status, 413);
  RawClient chunks(port());
  chunks.send("POST /write HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string piece = chunked(std::string(4000, '#'));
  const std::string chunk = piece.substr(0, piece.size() - 5);  // without the last, empty one
  for (int i = 0; i < 7000 && chunks.send(chunk); ++i) {
  }
  EXPECT_THAT(chunks.answer().status, ::testing::AnyOf(413, 0));  // 0: the close overtook the answer
  EXPECT_EQ(engine_.appends(), 0u);
  EXPECT_EQ(get(port(), "/healthz").status, 200);
}

TEST_F(Http, BrokenBodiesAreRefusedWhole) {
  EXPECT_EQ(post(port(), "/write", "this is no gzip", "Content-Encoding: gzip\r\n").status, 400);
  EXPECT_EQ(post(port(), "/write", "m v=1 1", "Content-Encoding: zstd\r\n").status, 415);
  EXPECT_EQ(post(port(), "/write", "x", "Content-Type: multipart/form-data; boundary=b\r\n").status, 415);
  {
    RawClient early(port());
    early.send("POST /write HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nm v=1 1\n");
  }
  EXPECT_EQ(get(port(), "/healthz").status, 200);
  EXPECT_EQ(engine_.appends(), 0u);
}

// ---- InfluxDB 2.x and 3.x ----

TEST_F(Http, V2WritesToABucketAsADatabase) {
  EXPECT_EQ(post(port(), "/api/v2/write?org=o&bucket=plant&precision=ms", "m v=1 5").status, 204);
  EXPECT_EQ(post(port(), "/api/v2/write?org=&bucket=plant/autogen&precision=&consistency=", "m v=2 6").status,
            204);
  EXPECT_EQ(post(port(), "/api/v2/write?bucket=plant", "\n").status, 204);
  const auto records = engine_.records();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].batches[0].database, "plant");
  EXPECT_EQ(records[0].batches[0].times[0], 5'000'000);
  EXPECT_EQ(records[1].batches[0].database, "plant");
  EXPECT_EQ(records[1].batches[0].times[0], 6);
}

TEST_F(Http, V2ErrorsHaveItsCodesAndLine) {
  const RawAnswer answer = post(port(), "/api/v2/write?bucket=b", "m v=1 1\nm v= 2\n");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.headers.at("x-platform-error-code"), "invalid");
  EXPECT_EQ(json_of(answer)["code"], "invalid");
  EXPECT_EQ(json_of(answer)["line"], 2);
  EXPECT_THAT(json_of(answer)["message"].get<std::string>(), HasSubstr("unable to parse 'm v= 2': "));
  EXPECT_EQ(engine_.rows("m"), 1u);
  EXPECT_EQ(engine_.rows("varve_quarantine"), 1u);
  for (const char* query : {"?bucket=", "?bucket=b&precision=h", "?bucket=b&precision=n", "?bucket=/rp"}) {
    const RawAnswer wrong = post(port(), std::string("/api/v2/write") + query, "m v=1 1");
    EXPECT_EQ(wrong.status, 400) << query;
    EXPECT_EQ(json_of(wrong)["code"], "invalid") << query;
    EXPECT_FALSE(json_of(wrong).contains("line")) << query;
  }
  EXPECT_EQ(engine_.rows("m"), 1u);
}

TEST_F(Http, V2AnswersWhatTheStoreRefusesWith422AndKeepsTheRest) {
  engine_.refuse_rows(
      [](const RowBatch& batch, size_t row) -> std::optional<std::pair<std::string, std::string>> {
        if (batch.table != "m" || batch.times[row] != 2) return std::nullopt;
        return std::pair<std::string, std::string>("type_conflict", "field `v` is a double");
      });
  const RawAnswer answer = post(port(), "/api/v2/write?bucket=b", "m v=1 1\nm v=2 2\n");
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(json_of(answer)["code"], "unprocessable entity");
  EXPECT_EQ(json_of(answer)["line"], 2);
  EXPECT_THAT(json_of(answer)["message"].get<std::string>(),
              HasSubstr("failure writing points to database: partial write: field type conflict: "));
  EXPECT_EQ(engine_.rows("m"), 1u);
}

TEST_F(Http, V2OverloadAndSizeHaveItsCodes) {
  engine_.fail_next_appends(1, unavailable("the memtable is full"));
  const RawAnswer refused = post(port(), "/api/v2/write?bucket=b", "m v=1 1");
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.headers.contains("retry-after"));
  EXPECT_EQ(json_of(refused)["code"], "unavailable");
  RawClient plain(port());
  plain.send("POST /api/v2/write?bucket=b HTTP/1.1\r\nHost: h\r\nContent-Length: 25000001\r\n\r\n");
  const RawAnswer large = plain.answer();
  EXPECT_EQ(large.status, 413);
  EXPECT_EQ(json_of(large)["code"], "request too large");
  EXPECT_EQ(json_of(large)["maxLength"], 25'000'000);
}

TEST_F(Http, V3GuessesTheUnitOfTimesUnlessToldAndTakesTheNamesOfUnits) {
  EXPECT_EQ(
      post(port(), "/api/v3/write_lp?db=d",
           "m v=1 4999999999\nm v=2 5000000000\nm v=3 5000000000000\nm v=4 5000000000000000\nm v=5 -1\n")
          .status,
      204);
  const auto records = engine_.records();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].batches[0].times,
            (std::vector<int64_t>{4'999'999'999'000'000'000, 5'000'000'000'000'000, 5'000'000'000'000'000,
                                  5'000'000'000'000'000, -1'000'000'000}));
  const std::pair<std::string, int64_t> units[] = {{"nanosecond", 1},
                                                   {"ns", 1},
                                                   {"n", 1},
                                                   {"microsecond", 1000},
                                                   {"us", 1000},
                                                   {"u", 1000},
                                                   {"ms", 1'000'000},
                                                   {"millisecond", 1'000'000},
                                                   {"s", 1'000'000'000},
                                                   {"second", 1'000'000'000}};
  for (const auto& [name, unit] : units) {
    ASSERT_EQ(post(port(), "/api/v3/write_lp?db=d&no_sync=true&precision=" + name, "m v=1 7").status, 204)
        << name;
    EXPECT_EQ(engine_.records().back().batches[0].times[0], 7 * unit) << name;
  }
  for (const char* query : {"", "?db=", "?db=d&precision=h", "?db=d&accept_partial=1", "?db=d&no_sync=yes"}) {
    EXPECT_EQ(post(port(), std::string("/api/v3/write_lp") + query, "m v=1 1").status, 400) << query;
  }
  EXPECT_EQ(post(port(), "/api/v3/write_lp?db=d", "").status, 400);  // as InfluxDB 3
}

TEST_F(Http, V3NamesEachBadLineAndKeepsTheRest) {
  const RawAnswer answer = post(port(), "/api/v3/write_lp?db=d", "m v=1 1\nm v= 2\nm v=3 3\nnonsense\n");
  EXPECT_EQ(answer.status, 400);
  const Json body = json_of(answer);
  EXPECT_EQ(body["error"], "partial write of line protocol occurred");
  ASSERT_EQ(body["data"].size(), 2u);
  EXPECT_EQ(body["data"][0]["line_number"], 2);
  EXPECT_EQ(body["data"][0]["original_line"], "m v= 2");
  EXPECT_FALSE(body["data"][0]["error_message"].get<std::string>().empty());
  EXPECT_EQ(body["data"][1]["line_number"], 4);
  EXPECT_EQ(engine_.rows("m"), 2u);
}

TEST_F(Http, V3TakesNothingOfABadBodyWhenPartsAreNotAccepted) {
  const RawAnswer unparsed = post(port(), "/api/v3/write_lp?db=d&accept_partial=false", "m v=1 1\nm v= 2\n");
  EXPECT_EQ(unparsed.status, 400);
  EXPECT_EQ(json_of(unparsed)["error"], "line protocol parsing error");
  EXPECT_EQ(json_of(unparsed)["data"]["line_number"], 2);
  engine_.refuse_rows([](const RowBatch&, size_t row) -> std::optional<std::pair<std::string, std::string>> {
    if (row != 1) return std::nullopt;
    return std::pair<std::string, std::string>("series_limit", "too many");
  });
  const RawAnswer refused = post(port(), "/api/v3/write_lp?db=d&accept_partial=false", "m v=1 1\nm v=2 2\n");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(json_of(refused)["data"]["error_message"], "too many");
  EXPECT_EQ(engine_.appends(), 0u);
}

TEST_F(Http, V1RepeatsItsErrorInAHeader) {
  const RawAnswer answer = post(port(), "/write", "nonsense\n");
  EXPECT_EQ(answer.headers.at("x-influxdb-error"), write_error(answer));
}

TEST_F(Http, OptionsSaysWhatARouteTakes) {
  for (const char* path : {"/write", "/api/v2/write", "/api/v3/write_lp"}) {
    const RawAnswer answer = ask(port(), std::string("OPTIONS ") + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(answer.status, 204) << path;
    EXPECT_EQ(answer.headers.at("allow"), "POST") << path;
  }
  EXPECT_EQ(ask(port(), "OPTIONS /nowhere HTTP/1.1\r\nHost: h\r\n\r\n").status, 404);
}

// What Telegraf's three outputs send (its plugins' http.go): chunked gzip, each with its own authorization.
TEST_F(Http, TakesTelegrafsRequestsAsTheyAre) {
  const std::string lines = "cpu,host=a usage_idle=99.5,n=3i,up=true 1735689600000000000\n";
  const auto telegraf = [&](const std::string& target, const std::string& authorization) {
    return ask(port(), "POST " + target +
                           " HTTP/1.1\r\nHost: 127.0.0.1:8086\r\nUser-Agent: Telegraf/1.30.0 Go/1.22.0\r\n"
                           "Transfer-Encoding: chunked\r\n" +
                           authorization +
                           "Content-Encoding: gzip\r\nContent-Type: text/plain; charset=utf-8\r\n"
                           "Accept-Encoding: gzip\r\n\r\n" +
                           chunked(gzip(lines)))
        .status;
  };
  EXPECT_EQ(post(port(), "/query", "q=CREATE+DATABASE+%22telegraf%22",
                 "Content-Type: application/x-www-form-urlencoded\r\n")
                .status,
            200);
  EXPECT_EQ(telegraf("/write?consistency=any&db=telegraf&rp=", "Authorization: Basic dTpw\r\n"), 204);
  EXPECT_EQ(telegraf("/write?db=telegraf", ""), 204);
  EXPECT_EQ(telegraf("/api/v2/write?bucket=telegraf&org=plant", "Authorization: Token secret\r\n"), 204);
  EXPECT_EQ(telegraf("/api/v3/write_lp?db=telegraf&no_sync=false", "Authorization: Bearer secret\r\n"), 204);
  EXPECT_EQ(engine_.rows("cpu"), 4u);
  for (const LogRecord& record : engine_.records()) EXPECT_EQ(record.batches[0].database, "telegraf");
}

}  // namespace
}  // namespace varve

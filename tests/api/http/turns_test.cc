// Requests that ask take turns: however many come at once, few are served at a time, all are answered, and what does
// not ask goes past them.
#include "api/http/turns.h"

#include <future>

#include "tests/api/http/http_fixture.h"

namespace varve {
namespace {

TEST(Turns, GoToOneClientAfterTheOther) {
  Turns turns(1);
  ASSERT_TRUE(turns.begin());
  EXPECT_FALSE(turns.begin());
  std::map<int, std::pair<std::string, Turns::Place>> line;
  for (const auto& [client, socket] : std::initializer_list<std::pair<const char*, int>>{
           {"hog", 0}, {"hog", 1}, {"hog", 2}, {"other", 10}, {"third", 20}, {"third", 21}}) {
    line[socket] = {client, turns.join(client, socket)};
  }
  EXPECT_EQ(turns.next(), std::nullopt) << "the turn is taken";
  const auto leave = [&](int socket) {
    turns.leave(line.at(socket).first, line.at(socket).second);
    line.erase(socket);
  };
  leave(20);  // tired of waiting
  std::vector<int> served;
  while (!line.empty()) {
    EXPECT_TRUE(turns.end());
    EXPECT_FALSE(turns.begin()) << "nobody goes past the line";
    const auto socket = turns.next();
    ASSERT_TRUE(socket.has_value());
    served.push_back(*socket);
    leave(*socket);
  }
  EXPECT_EQ(served, (std::vector<int>{0, 10, 21, 1, 2}));
  EXPECT_EQ(turns.in_line(), 0U);
  EXPECT_FALSE(turns.end());
  EXPECT_TRUE(turns.begin());
}

TEST(Turns, LentOnesAreTakenBackAndMoreMayBeGiven) {
  Turns turns(1);
  EXPECT_TRUE(turns.begin());
  EXPECT_FALSE(turns.end());
  EXPECT_TRUE(turns.begin());
  turns.take_back();
  EXPECT_FALSE(turns.end());
  EXPECT_FALSE(turns.begin()) << "one is still taken";
  turns.set(2);
  EXPECT_TRUE(turns.begin());
}

const std::string kAsk = "GET /api/v1/query?q=x HTTP/1.1\r\nHost: h\r\n\r\n";

// A server with two turns, whose queries wait until release().
class Line : public Http {
 protected:
  void start(int64_t line_ns) {
    HttpOptions options{"127.0.0.1", 0};
    options.limits.turns = 2;
    options.limits.line_ns = line_ns;
    server_ = std::move(*HttpServer::start(options, metrics_));
    test::query_script().run = [this](const QueryRequest&, ResultSink& sink) -> QueryResult<QueryStats> {
      ++asked_;
      released_.wait();
      test::write_rows(sink, 1);
      return QueryStats{};
    };
    server_->serve({&engine_, &queries_, &metrics_, [this] { return sources_.now(); },
                    [this] { return mirrors_.now(); }});
  }
  ~Line() override {
    if (!let_go_) release();
  }
  void release() {
    let_go_ = true;
    release_.set_value();
  }
  std::unique_ptr<RawClient> asking() const {
    auto client = std::make_unique<RawClient>(port());
    client->send(kAsk);
    return client;
  }

  std::atomic<int> asked_{0};
  bool let_go_ = false;
  std::promise<void> release_;
  const std::shared_future<void> released_ = release_.get_future().share();
};

TEST_F(Line, EverybodyIsAnsweredAndWhatDoesNotAskGoesPast) {
  start(600 * kNsPerSecond);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(asking());
  ASSERT_TRUE(eventually([&] { return server_->in_flight() == 50; }));
  ASSERT_TRUE(eventually([&] { return asked_ == 2; }));
  EXPECT_EQ(post(port(), "/write", "m v=1 1\n").status, 204);
  EXPECT_EQ(get(port(), "/api/v1/tables").status, 200);
  EXPECT_EQ(get(port(), "/healthz").status, 200);
  EXPECT_EQ(asked_, 2) << "only two are served";
  for (int i = 0; i < 10; ++i) clients.pop_back();  // they leave the line
  EXPECT_TRUE(eventually([&] { return server_->in_flight() == 40; }));
  release();
  for (auto& client : clients) EXPECT_EQ(client->answer().status, 200);
  EXPECT_EQ(asked_, 40);
  for (auto& client : clients) {  // the connections are as good as before
    client->send(kAsk);
    EXPECT_EQ(client->answer().status, 200);
  }
}

TEST_F(Line, WhoWaitsTooLongIsToldSo) {
  start(kNsPerSecond / 10);
  const auto first = asking(), second = asking();
  ASSERT_TRUE(eventually([&] { return asked_ == 2; }));
  const RawAnswer refused = asking()->answer();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.at("connection"), "close");
  EXPECT_GT(std::stoi(refused.headers.at("retry-after")), 0);
  EXPECT_EQ(json_of(refused)["error"]["code"], "busy");
  release();
  EXPECT_EQ(first->answer().status, 200);
  EXPECT_EQ(second->answer().status, 200);
  EXPECT_EQ(asking()->answer().status, 200);
}

TEST_F(Line, BodiesThatDripHoldNoTurn) {
  start(600 * kNsPerSecond);
  release();
  std::vector<std::unique_ptr<RawClient>> dripping;
  for (int i = 0; i < 4; ++i) {
    dripping.push_back(std::make_unique<RawClient>(port()));
    dripping.back()->send("POST /api/v1/query HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\nSELE");
  }
  ASSERT_TRUE(eventually([&] { return server_->in_flight() == 4; }));
  EXPECT_EQ(asking()->answer().status, 200);
  for (auto& client : dripping) {
    client->send("CT 1");
    EXPECT_EQ(client->answer().status, 200);
  }
}

TEST_F(Line, IsLeftWhenTheServerStops) {
  start(600 * kNsPerSecond);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(asking());
  ASSERT_TRUE(eventually([&] { return server_->in_flight() == 10; }));
  release();
  server_->stop();
  for (auto& client : clients) {
    const int status = client->answer().status;
    EXPECT_TRUE(status == 0 || status == 200 || status == 503) << status;
  }
  EXPECT_EQ(server_->in_flight(), 0U);
}

}  // namespace
}  // namespace varve

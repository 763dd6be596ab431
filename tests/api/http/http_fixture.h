// A server on a free port with a store in memory and scripted queries, for the tests of its routes.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "api/http/server.h"
#include "tests/api/http/raw_client.h"
#include "tests/api/http/scripted_queries.h"
#include "tests/support/fake_engine.h"

namespace varve {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;
using test::ask;
using test::get;
using test::post;
using test::RawAnswer;
using test::RawClient;

// Waits for a condition other threads bring about.
inline bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 3000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

// What a test says while the server's threads ask.
template <class T>
class Told {
 public:
  Told& operator=(std::vector<T> said) {
    const std::lock_guard lock(mutex_);
    said_ = std::move(said);
    return *this;
  }
  std::vector<T> now() const {
    const std::lock_guard lock(mutex_);
    return said_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<T> said_;
};

class Http : public ::testing::Test {
 protected:
  Http() {
    test::QueryScript& script = test::query_script();
    script.run = nullptr;
    script.cancelled = false;
    script.list.clear();
    auto started = HttpServer::start({"127.0.0.1", 0}, metrics_);
    EXPECT_TRUE(started.has_value());
    server_ = std::move(*started);
    server_->serve({&engine_, &queries_, &metrics_, [this] { return sources_.now(); },
                    [this] { return mirrors_.now(); }});
  }
  uint16_t port() const { return server_->port(); }

  MetricsRegistry metrics_;
  FakeEngine engine_;
  QueryService queries_{engine_, {}, metrics_};
  Told<SourceStatus> sources_;
  Told<MirrorStatus> mirrors_;
  std::unique_ptr<HttpServer> server_;
};

inline Json json_of(const RawAnswer& answer) {
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  return Json::parse(answer.body);
}

}  // namespace varve

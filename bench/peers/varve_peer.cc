// varve itself: line protocol in, SQL out, with the configuration's defaults (but for a shorter flush, so that the rows
// are in segment files before they are asked for).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>

#include "bench/peers/peer.h"
#include "bench/peers/sql_text.h"
#include "storage/base/timestamp.h"

namespace varve::bench {
namespace {

using Json = nlohmann::json;

SqlDialect dialect() {
  return {[](int64_t width_ms, bool) { return fmt::format("time_bucket('{}s', time)", width_ms / 1000); },
          [](int64_t time_ms, bool) {
            std::string text = "'";
            append_timestamp(text, time_ms * 1'000'000);
            return text + "'";
          },
          [](const std::string& expression, bool) { return expression; },  // by time_format
          [](const std::string& table, const std::string& key, const std::vector<std::string>& fields) {
            return fmt::format("SELECT {}, time, {} FROM {} LATEST BY {}", key, fmt::join(fields, ", "),
                               table, key);
          }};
}

class VarvePeer final : public Peer {
 public:
  explicit VarvePeer(const Programs& programs) : program_(programs.varve) {}
  std::string name() const override { return "varve"; }
  std::string note() const override { return "line protocol, durable before each 204; SQL"; }

  void start() override {
    std::ofstream(folder_ / "varve.toml") << fmt::format(
        "[server]\nlisten = \"127.0.0.1:{}\"\n[storage]\ndata = \"{}\"\nflush_age = \"5s\"\n", port_, data());
    run({program_, "serve", "--allow-root", "--config", folder_ / "varve.toml"}, {}, "/readyz");
  }
  Request insert(Set, std::string body) const override { return {"POST", "/write", std::move(body)}; }
  std::optional<Request> question(const QueryType& type, const QueryArguments& arguments) const override {
    return Request{"POST", "/api/v1/query?time_format=ms", sql_text(dialect(), type, arguments)};
  }
  Answer parse(const QueryType& type, const std::string& body) const override {
    return answer_of_rows(type, Json::parse(body).at("rows"));
  }
  uint64_t count(Set set) const override {
    const auto answer =
        ask({"POST", "/api/v1/query", fmt::format("SELECT count(*) FROM {}", table_name(set))});
    return Json::parse(answer.body).at("rows").at(0).at(0).get<uint64_t>();
  }

 private:
  const std::filesystem::path program_;
};

}  // namespace

std::unique_ptr<Peer> make_varve(const Programs& programs) {
  return std::make_unique<VarvePeer>(programs);
}

}  // namespace varve::bench

// `varve mirror backfill`: asks a running server to send stored rows to its mirrors again, and shows how far it is.
#include <fmt/format.h>

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "api/cli/commands.h"
#include "api/cli/terminal.h"
#include "api/http/client.h"
#include "storage/base/clock.h"

namespace varve {
namespace {

using Json = nlohmann::json;

constexpr auto kPollEvery = std::chrono::milliseconds(500);

struct Sum {
  uint64_t rows = 0;
  uint64_t rows_total = 0;
  bool running = false;
  std::string error;  // of one that failed
};

std::string refusal(const HttpPost& post, int status, const std::string& body) {
  const Json json = Json::parse(body, nullptr, false);
  const Json::json_pointer message("/error/message");
  if (json.is_object() && json.contains(message) && json[message].is_string())
    return json[message].get<std::string>();
  return fmt::format("{} answered {}", post.url, status);
}

// `ids`: by mirror. What the status does not tell any more is over.
Sum sum_up(const Json& status, const std::map<std::string, uint64_t>& ids) {
  Sum sum;
  for (const Json& mirror : status.value("mirrors", Json::array())) {
    const auto wanted = ids.find(mirror.value("name", ""));
    if (wanted == ids.end()) continue;
    bool found = false;
    for (const Json& resend : mirror.value("resends", Json::array())) {
      if (resend.value("id", uint64_t{0}) != wanted->second || resend.value("kind", "") != "backfill")
        continue;
      found = true;
      const std::string state = resend.value("state", "");
      sum.rows += resend.value("rows", uint64_t{0});
      sum.rows_total += resend.value("rows_total", uint64_t{0});
      sum.running |= state == "waiting" || state == "running";
      if (state == "failed") sum.error = wanted->first + ": " + resend.value("error", "");
    }
    if (!found) sum.error = wanted->first + ": the backfill is not known any more: was the server restarted?";
  }
  return sum;
}

}  // namespace

int run_mirror_backfill(const MirrorBackfillArguments& arguments) {
  Json body = {{"from", arguments.from}, {"to", arguments.to}};
  if (!arguments.mirror.empty()) body["mirror"] = arguments.mirror;
  if (!arguments.table.empty()) body["table"] = arguments.table;
  const HttpPost post{arguments.url, "/api/v1/mirror/backfill", "application/json",
                      body.dump(-1, ' ', false, Json::error_handler_t::replace), arguments.token};
  std::string text;
  const auto answer = post_http(post, [&](std::string_view piece) {
    text.append(piece);
    return true;
  });
  const auto fail = [](const std::string& message) {
    print_error(message);
    return kExitFailed;
  };
  if (!answer) return fail(answer.error().message);
  text += answer->error_body;
  if (answer->status != 202) return fail(refusal(post, answer->status, text));
  std::map<std::string, uint64_t> ids;
  const Json begun = Json::parse(text, nullptr, false);
  if (!begun.is_object()) return fail("the server's answer is not varve's");
  for (const Json& one : begun.value("backfills", Json::array()))
    ids[one.value("mirror", "")] = one.value("id", 0U);

  const HttpPost ask{arguments.url, "/api/v1/status", "text/plain", {}, arguments.token, "GET"};
  WorkProgress progress("sent again", "rows");
  const int64_t began_ns = real_clock().monotonic_ns();
  while (true) {
    std::string told;
    const auto status = post_http(ask, [&](std::string_view piece) {
      told.append(piece);
      return true;
    });
    const Json json = Json::parse(told, nullptr, false);
    if (!status || status->status != 200 || !json.is_object()) {
      progress.finish();
      return fail(fmt::format(
          "{}; a backfill ends with the server",
          status ? fmt::format("the server answered {}", status->status) : status.error().message));
    }
    const Sum sum = sum_up(json, ids);
    const double seconds = static_cast<double>(real_clock().monotonic_ns() - began_ns) / kNsPerSecond;
    if (!sum.error.empty()) {
      progress.finish();
      return fail(sum.error);
    }
    if (!sum.running) {
      progress.finish();
      fmt::print("{} rows sent again in {:.1f} s\n", grouped(sum.rows), seconds);
      return kExitFine;
    }
    progress.show(sum.rows, sum.rows_total);
    std::this_thread::sleep_for(kPollEvery);
  }
}

}  // namespace varve

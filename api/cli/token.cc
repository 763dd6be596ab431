// `varve token`: in a data folder, beside a running server or without one, or by a server's admin routes.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "api/cli/commands.h"
#include "api/cli/terminal.h"
#include "api/http/client.h"
#include "api/http/token_guard.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

using Json = nlohmann::json;
using Verb = TokenArguments::Verb;

void print_token(std::string_view name, std::string_view role, const std::vector<std::string>& tables,
                 std::string_view created) {
  fmt::print("{:<24} {:<6} {:<24} {}\n", name, role,
             tables.empty() ? "all tables" : fmt::format("{}", fmt::join(tables, ",")), created);
}

// The token alone goes to stdout, where a script takes it.
void print_made(std::string_view name, std::string_view token) {
  fmt::print(stderr, "token {} (it is not shown again):\n", name);
  fmt::print("{}\n", token);
}

// What root makes here must stay readable for the server.
Result<void> give_to_owner(const std::string& folder, const std::string& file) {
  struct stat facts {};
  if (::geteuid() != 0) return {};
  if (::stat(folder.c_str(), &facts) != 0) return io_error("stat " + folder, errno);
  if (::lchown(file.c_str(), facts.st_uid, facts.st_gid) != 0) return io_error("chown " + file, errno);
  return {};
}

Result<void> run_in_folder(const TokenArguments& arguments) {
  VARVE_ASSIGN(const bool there, real_file_system().exists(arguments.data));
  if (!there && arguments.verb != Verb::kCreate) {
    return not_found(fmt::format("there is no folder {}", arguments.data));
  }
  if (!there) {
    VARVE_TRY(real_file_system().create_directories(arguments.data));
    fmt::print(stderr, "made the data folder {}\n", arguments.data);
  }
  VARVE_ASSIGN(const auto store, TokenStore::open(arguments.data));
  VARVE_TRY(give_to_owner(arguments.data, join_path(arguments.data, "tokens.db")));
  switch (arguments.verb) {
    case Verb::kCreate: {
      VARVE_ASSIGN(const MadeToken made,
                   create_token(*store, {arguments.name, arguments.role, arguments.tables}, real_clock()));
      print_made(made.stored.name, made.token);
      break;
    }
    case Verb::kList: {
      VARVE_ASSIGN(const auto tokens, store->list());
      for (const StoredToken& one : tokens) {
        print_token(one.name, role_name(one.role), one.tables, format_timestamp(one.created_ns));
      }
      break;
    }
    case Verb::kRevoke: {
      VARVE_ASSIGN(const bool found, store->remove(arguments.name));
      if (!found) return not_found(fmt::format("there is no token {}", arguments.name));
      fmt::print(stderr, "token {} is revoked\n", arguments.name);
      break;
    }
  }
  return {};
}

Result<Json> ask(const TokenArguments& arguments, const std::string& method, const std::string& path,
                 const std::string& body) {
  std::string text;
  HttpPost request{arguments.url, path, "application/json", body, arguments.token, method};
  VARVE_ASSIGN(const HttpAnswer answer, post_http(request, [&](std::string_view piece) {
                 text += piece;
                 return text.size() <= kErrorBodyBytesMax;
               }));
  const bool fine = answer.status == 200 || answer.status == 201;
  Json json = Json::parse(answer.status == 200 ? text : answer.error_body, nullptr, false);
  if (fine && json.is_object()) return json;
  const Json error = json.is_object() ? json.value("error", Json::object()) : Json::object();
  return unavailable(
      fmt::format("the server answered {}: {}", answer.status,
                  error.is_object() ? error.value("message", "no varve error") : "no varve error"));
}

Result<void> run_at_server(const TokenArguments& arguments) {
  switch (arguments.verb) {
    case Verb::kCreate: {
      const Json wish = {{"name", arguments.name}, {"role", arguments.role}, {"tables", arguments.tables}};
      VARVE_ASSIGN(const Json made, ask(arguments, "POST", "/api/v1/tokens", wish.dump()));
      print_made(arguments.name, made.value("token", ""));
      break;
    }
    case Verb::kList: {
      VARVE_ASSIGN(const Json listed, ask(arguments, "GET", "/api/v1/tokens", ""));
      for (const Json& one : listed.value("tokens", Json::array())) {
        print_token(one.value("name", ""), one.value("role", ""),
                    one.value("tables", std::vector<std::string>()), one.value("created", ""));
      }
      break;
    }
    case Verb::kRevoke: {
      VARVE_TRY(ask(arguments, "DELETE", "/api/v1/tokens/" + arguments.name, ""));
      fmt::print(stderr, "token {} is revoked\n", arguments.name);
      break;
    }
  }
  return {};
}

}  // namespace

int run_token(const TokenArguments& arguments) {
  const auto done = arguments.data.empty() ? run_at_server(arguments) : run_in_folder(arguments);
  if (done) return kExitFine;
  print_error(done.error().message);
  return kExitFailed;
}

}  // namespace varve

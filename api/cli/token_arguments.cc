#include "api/cli/token_arguments.h"

#include <CLI/CLI.hpp>

namespace varve {
namespace {

CLI::App& add_verb(CLI::App& command, TokenArguments& out, const char* name, const char* what,
                   TokenArguments::Verb verb) {
  CLI::App& sub = *command.add_subcommand(name, what);
  sub.callback([&out, verb] { out.verb = verb; });
  CLI::Option* const data =
      sub.add_option("--data", out.data, "The store's data folder (storage.data); the server may be running")
          ->type_name("DIR");
  sub.add_option("--url", out.url, "Instead: the address of a server")->type_name("URL")->excludes(data);
  sub.add_option("--token", out.token, "With --url: a token with the role admin")
      ->type_name("TOKEN")
      ->envname("VARVE_TOKEN");
  return sub;
}

}  // namespace

void add_token(CLI::App& app, TokenArguments& out) {
  using Verb = TokenArguments::Verb;
  CLI::App& command = *app.add_subcommand("token", "Create, list and revoke the tokens that open a server.");
  command.require_subcommand(1);
  CLI::App& create = add_verb(command, out, "create",
                              "Make a token and print it, this once; only its hash is kept.", Verb::kCreate);
  create.add_option("--role", out.role, "read (queries, status), write (rows), admin (everything)")
      ->required()
      ->check(CLI::IsMember({"read", "write", "admin"}))
      ->type_name("ROLE");
  create.add_option("--name", out.name, "What it is called in lists and logs")->required()->type_name("NAME");
  create.add_option("--table", out.tables, "Only for this table: TABLE, DB.TABLE or DB.* (repeatable)")
      ->type_name("TABLE")
      ->allow_extra_args(false);
  create.footer(
      "Examples:\n  varve token create --role admin --name me --data ./data\n"
      "  varve token create --role read --name grafana --table varve.water --data ./data\n"
      "A running server knows it within a second. Clients send Authorization: Bearer TOKEN; InfluxDB clients "
      "may send it as\n"
      "their token or password.");
  add_verb(command, out, "list", "The names, roles and tables.", Verb::kList)
      .footer("Example:\n  varve token list --data ./data");
  CLI::App& revoke = add_verb(command, out, "revoke", "From now on the token opens nothing.", Verb::kRevoke);
  revoke.add_option("--name", out.name, "Which one")->required()->type_name("NAME");
  revoke.footer("Example:\n  varve token revoke --name grafana --data ./data");
}

}  // namespace varve

#include "api/cli/arguments.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "api/cli/completion.h"
#include "api/cli/token_arguments.h"
#include "ingest/kafka/dry_run.h"
#include "storage/base/clock.h"
#include "storage/base/units.h"

namespace varve {
namespace {

// Better in the environment than on the command line, where every user of the machine sees it.
void add_token(CLI::App& command, std::string& token) {
  command.add_option("--token", token, "Sent as Authorization: Bearer TOKEN")
      ->type_name("TOKEN")
      ->envname("VARVE_TOKEN");
}

constexpr uint64_t kRateMax = 100'000'000;  // messages a second; over any broker's reach
constexpr uint32_t kSensorsMax = 1'000'000;
constexpr int64_t kWatchMinNs = 100 * kNsPerMs;  // faster than anyone reads

void add_serve(CLI::App& app, ServeArguments& out) {
  CLI::App& command = *app.add_subcommand("serve", "Run the server: Kafka sources, store, mirrors and HTTP.");
  command
      .add_option("--config", out.config,
                  "TOML file; config/varve.toml in the source shows every key (default: none, so ./data and "
                  "port 8484)")
      ->type_name("FILE");
  command
      .add_option("--set", out.overrides, "Override one key, e.g. kafka.0.brokers=kafka:9092 (repeatable)")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_flag("--allow-root", out.allow_root, "Serve although this is root");
  command
      .add_option(
          "--dry-run", out.dry_run,
          "Do not serve: decode N messages of each Kafka source and print the tables, types, refusals "
          "and line protocol they give; writes nothing, commits nothing")
      ->check(CLI::Range(uint64_t{1}, kDryRunMessagesMax))
      ->type_name("N");
  command.footer(
      "Examples:\n  varve serve\n  varve serve --config varve.toml --set server.listen=127.0.0.1:9000\n"
      "  varve serve --config varve.toml --dry-run 100\n"
      "A dry run reads from where start says, and ends when no message came for 10 s.");
}

void add_demo(CLI::App& app, DemoArguments& out) {
  CLI::App& command = *app.add_subcommand(
      "demo", "Run everything in one process on simulated water sensors; leaves nothing behind.");
  command.add_option("--port", out.port, "Port of the page and the API on 127.0.0.1 (0 = any)")
      ->capture_default_str();
  command.add_option("--sensors", out.sensors, "Simulated sensors")
      ->check(CLI::Range(uint32_t{1}, kSensorsMax))
      ->capture_default_str();
  command.add_option("--rate", out.rate, "Readings a second")
      ->check(CLI::Range(uint64_t{1}, kRateMax))
      ->capture_default_str();
  command.footer("Example:\n  varve demo --port 8484 --rate 20000");
}

void add_produce(CLI::App& app, ProduceArguments& out, std::string& rate) {
  CLI::App& command =
      *app.add_subcommand("produce", "Send a CSV file or simulated readings to a Kafka topic.");
  command.add_option("--brokers", out.brokers, "Kafka's bootstrap servers")
      ->required()
      ->type_name("HOST:PORT");
  command.add_option("--topic", out.topic, "Kafka topic")->required()->type_name("TOPIC");
  CLI::Option* const csv =
      command.add_option("--csv", out.csv, "CSV file with a header line")->type_name("FILE");
  command.add_option("--simulate", out.simulate, "water, clickstream or machines")
      ->check(CLI::IsMember({"water", "clickstream", "machines"}))
      ->type_name("KIND")
      ->excludes(csv);
  CLI::Option* const time =
      command.add_option("--time-column", out.time_column, "CSV column that holds the time")
          ->type_name("COLUMN")
          ->needs(csv);
  command.add_option("--time-format", out.time_format, "strptime pattern, or auto")
      ->type_name("FORMAT")
      ->needs(time)
      ->capture_default_str();
  command.add_option("--time-zone", out.time_zone, "Zone of times without an offset, e.g. America/Chicago")
      ->type_name("ZONE")
      ->needs(time)
      ->capture_default_str();
  command
      .add_option("--key-column", out.key_column,
                  "CSV column whose value is the message key (default: the first)")
      ->type_name("COLUMN")
      ->needs(csv);
  command.add_option("--rate", rate, "Messages a second, or max")->type_name("N|max")->capture_default_str();
  command.add_option("--count", out.count, "Stop after N messages")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command.add_option("--sensors", out.sensors, "Simulated sensors")
      ->check(CLI::Range(uint32_t{1}, kSensorsMax))
      ->type_name("N")
      ->capture_default_str();
  command.footer(
      "Examples:\n"
      "  varve produce --brokers 127.0.0.1:9092 --topic beach --csv beach.csv --time-column \"Measurement "
      "Timestamp\" \\\n"
      "      --time-format \"%m/%d/%Y %I:%M:%S %p\" --time-zone America/Chicago --key-column \"Beach Name\"\n"
      "  varve produce --brokers 127.0.0.1:9092 --topic readings --simulate water --rate 5000 --count "
      "100000");
}

void add_import(CLI::App& app, ImportArguments& out) {
  CLI::App& command =
      *app.add_subcommand("import", "Store the rows of a CSV file in a table of a running server.");
  command.add_option("--csv", out.csv, "CSV file with a header line")->required()->type_name("FILE");
  command.add_option("--table", out.table, "The table; made when absent")->required()->type_name("TABLE");
  command.add_option("--time-column", out.time_column, "The column that holds the time")
      ->required()
      ->type_name("COLUMN");
  command.add_option("--time-format", out.time_format, "strptime pattern, or auto")
      ->type_name("FORMAT")
      ->capture_default_str();
  command.add_option("--time-zone", out.time_zone, "Zone of times without an offset, e.g. America/Chicago")
      ->type_name("ZONE")
      ->capture_default_str();
  command
      .add_option("--tags", out.tags,
                  "Columns that tell series apart, named as the table names them (default: those of text "
                  "with at most "
                  "200 different values in the first 1000 rows)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAME[,NAME]");
  command.add_option("--database", out.database, "Its database")->type_name("NAME")->capture_default_str();
  command.add_option("--url", out.url, "Address of the server")->type_name("URL")->capture_default_str();
  add_token(command, out.token);
  command.footer(
      "Example:\n  varve import --csv beach.csv --table beaches --time-column \"Measurement Timestamp\" \\\n"
      "      --time-format \"%m/%d/%Y %I:%M:%S %p\" --time-zone America/Chicago\n"
      "Names become lower-case with underscores; numbers become doubles, other text a tag or a field of\n"
      "text. A row with the tags and time of one that is there replaces it, so the command may be given\n"
      "again.");
}

void add_completion(CLI::App& app, std::string& shell) {
  CLI::App& command = *app.add_subcommand("completion", "Print the completion file for a shell.");
  command.add_option("shell", shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->type_name("SHELL");
  command.footer(
      "Examples:\n  varve completion bash > varve.bash\n  varve completion zsh > _varve\n"
      "  varve completion fish > varve.fish\nTo use it at once: source <(varve completion bash)");
}

void add_query(CLI::App& app, QueryArguments& out) {
  CLI::App& command = *app.add_subcommand(
      "query",
      "Run SQL on a server: the statement given, those of a file or a pipe, or a shell on a terminal.");
  CLI::Option* const sql =
      command.add_option("sql", out.sql, "The statement (default: standard input)")->type_name("SQL");
  command.add_option("-f,--file", out.file, "Run the statements of this file; the first error ends it")
      ->excludes(sql)
      ->type_name("FILE");
  command.add_option("--url", out.url, "Address of the server")->type_name("URL")->capture_default_str();
  command.add_option("--format", out.format, "table, csv, json or ndjson")
      ->check(CLI::IsMember({"table", "csv", "json", "ndjson"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  command.add_flag("-x,--expanded", out.expanded, "One value a line instead of tables");
  command.add_flag("--spark", out.spark, "A line of blocks over time for each series instead of its rows");
  command
      .add_option_function<std::string>(
          "--watch",
          [&out](const std::string& text) {
            const auto every = parse_duration(text);
            if (!every) throw CLI::ValidationError("--watch", every.error().message);
            if (*every < kWatchMinNs) throw CLI::ValidationError("--watch", "100ms is the shortest");
            out.watch_ns = *every;
          },
          "Run the statement again every so often, until Ctrl-C; e.g. 2s")
      ->needs(sql)
      ->type_name("DURATION");
  add_token(command, out.token);
  command.footer(
      "Examples:\n  varve query \"SELECT site, avg(temperature_c) FROM readings WHERE time > now() - "
      "INTERVAL "
      "'1 hour' GROUP BY site\"\n"
      "  varve query --watch 2s \"SELECT count(*) FROM readings\"\n"
      "  varve query --spark \"SELECT time, site, temperature_c FROM readings WHERE time > now() - '1h'\"\n"
      "  varve query \"DELETE FROM readings WHERE time < '2026-01-01' AND site = 'pier'\"\n"
      "  varve query -f report.sql --format csv > report.csv\n"
      "  varve query\n"
      "DELETE takes a range of time and conditions on tags, joined by AND; it answers the series matched and "
      "the "
      "range.\nIn the shell, \\? lists its commands.");
}

void add_server(CLI::App& command, IngestArguments& out) {
  command.add_option("--source", out.source, "The source, e.g. kafka.0 (default: the only one)")
      ->type_name("NAME");
  command.add_option("--url", out.url, "Address of the server")->type_name("URL")->capture_default_str();
  add_token(command, out.token);
}

void add_ingest(CLI::App& app, IngestArguments& out) {
  CLI::App& command = *app.add_subcommand("ingest", "See and steer what a running server reads from Kafka.");
  command.require_subcommand(1);
  CLI::App& status = *command.add_subcommand("status", "The partitions, how far they are and what is wrong.");
  status.callback([&out] { out.verb = IngestArguments::Verb::kStatus; });
  add_server(status, out);
  status.footer("Example:\n  varve ingest status");

  CLI::App& resume = *command.add_subcommand(
      "resume", "Let a halted partition go on; varve_quarantine keeps a row with reason gap about it.");
  resume.callback([&out] { out.verb = IngestArguments::Verb::kResume; });
  add_server(resume, out);
  resume.add_option("--topic", out.topic, "Its topic")->required()->type_name("TOPIC");
  resume.add_option("--partition", out.partition, "Its number")
      ->required()
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  CLI::Option* const from =
      resume.add_option("--from", out.from, "Go on here: an offset, earliest or latest")->type_name("PLACE");
  resume
      .add_flag_callback(
          "--skip", [&out] { out.from = "skip"; }, "Go on at the nearest offset the broker still has")
      ->excludes(from);
  resume.footer(
      "Examples:\n  varve ingest resume --topic readings --partition 3 --skip\n"
      "  varve ingest resume --topic readings --partition 3 --from earliest");

  CLI::App& rewind = *command.add_subcommand(
      "rewind", "Read again from a time on; rows read again overwrite themselves and count once.");
  rewind.callback([&out] { out.verb = IngestArguments::Verb::kRewind; });
  add_server(rewind, out);
  rewind.add_option("--to", out.time, "The broker's time of the first message, e.g. 2025-07-01T00:00:00Z")
      ->required()
      ->type_name("TIME");
  rewind.add_option("--topic", out.topic, "Only this topic")->type_name("TOPIC");
  rewind.footer("Example:\n  varve ingest rewind --to 2025-07-01T00:00:00Z --topic readings");
}

void add_check(CLI::App& app, CheckArguments& out) {
  CLI::App& command = *app.add_subcommand(
      "check",
      "Verify every byte of a stopped store; changes nothing without --repair. Exits 1 on problems.");
  command.add_option("--data", out.data, "The store's data folder (storage.data)")
      ->required()
      ->type_name("DIR");
  command.add_flag("--repair", out.repair,
                   "Move what is damaged to DIR/quarantine, save what is intact, rebuild a lost catalog; say "
                   "what is lost");
  command.footer("Examples:\n  varve check --data ./data\n  varve check --data ./data --repair");
}

void add_backup(CLI::App& app, BackupArguments& out) {
  CLI::App& command = *app.add_subcommand(
      "backup",
      "Copy a store, running or stopped, into a new folder; segments are linked where the disk allows.");
  command.add_option("--data", out.data, "The store's data folder (storage.data)")
      ->required()
      ->type_name("DIR");
  command.add_option("--to", out.to, "The copy: a folder that does not exist, or is empty")
      ->required()
      ->type_name("DIR2");
  command.footer(
      "Example:\n  varve backup --data ./data --to /backup/monday\n"
      "To restore, copy it back: cp -r /backup/monday ./data");
}

void add_replay(CLI::App& app, ReplayArguments& out) {
  CLI::App& command = *app.add_subcommand(
      "replay",
      "Decode archived Kafka messages again into a stopped store; rows there already are written over.");
  command.add_option("--archive", out.archive, "The folder of kafka.N.archive")->required()->type_name("DIR");
  command.add_option("--config", out.config, "TOML file: the store, and the sources that say how to decode")
      ->required()
      ->type_name("FILE");
  command.add_option("--set", out.overrides, "Override one key of the configuration (repeatable)")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_option("--topic", out.topic, "Only messages of this topic")->type_name("TOPIC");
  command.add_option("--source", out.source, "Decode all as this source does (default: by topic)")
      ->type_name("kafka.N");
  command.add_option("--from", out.from, "Only messages with a Kafka timestamp from here on")
      ->type_name("TIME");
  command.add_option("--to", out.to, "and up to here")->type_name("TIME");
  command
      .add_option("--speed", out.speed,
                  "1 = as fast as they were sent, 10 = ten times that (default: no limit)")
      ->type_name("FACTOR")
      ->check(CLI::PositiveNumber);
  command.footer(
      "Example:\n  varve replay --archive ./raw --config varve.toml --topic readings --from 2026-01-01\n"
      "Damage is named and passed over; the exit code is then 1. What is decoded is as the configuration "
      "says now.");
}

void add_quarantine(CLI::App& app, QuarantineArguments& out) {
  CLI::App& command =
      *app.add_subcommand("quarantine", "List, export or decode again what a server refused.");
  command.require_subcommand(1);
  using Verb = QuarantineArguments::Verb;
  const auto add = [&](const char* name, const char* what, Verb verb) {
    CLI::App& sub = *command.add_subcommand(name, what);
    sub.callback([&out, verb] { out.verb = verb; });
    sub.add_option("--where", out.where, "Condition on the columns of varve_quarantine")->type_name("SQL");
    sub.add_option("--url", out.url, "Address of the server")->type_name("URL")->capture_default_str();
    add_token(sub, out.token);
    return &sub;
  };
  add("list", "Counts by source, topic and reason, with the newest example.", Verb::kList);
  add("retry", "Decode again, as the server is configured now; what comes out right is stored.",
      Verb::kRetry);
  add("export", "All columns to stdout.", Verb::kExport)
      ->add_option("--format", out.format, "ndjson or csv")
      ->check(CLI::IsMember({"ndjson", "csv"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  command.footer(
      "Examples:\n  varve quarantine list\n"
      "  varve quarantine retry --where \"topic = 'beaches' AND reason = 'no_time'\"\n"
      "  varve quarantine export --format csv > refused.csv\n"
      "Rows that were stored by a retry stay, with retried = true; payloads cut at 64 KiB cannot be "
      "retried.");
}

void add_mirror(CLI::App& app, MirrorBackfillArguments& out) {
  CLI::App& mirror = *app.add_subcommand("mirror", "What concerns the mirrors of a running server.");
  mirror.require_subcommand(1);
  CLI::App& command = *mirror.add_subcommand(
      "backfill", "Send stored rows of a range of time to the mirrors again, and wait until that is done.");
  command.add_option("--from", out.from, "The first time, RFC 3339")->required()->type_name("TIME");
  command.add_option("--to", out.to, "The end, not included")->required()->type_name("TIME");
  command.add_option("--mirror", out.mirror, "One mirror, e.g. mirror.0 (default: all)")->type_name("NAME");
  command.add_option("--table", out.table, "One table (default: all that the mirror sends)")->type_name("T");
  command.add_option("--url", out.url, "Address of the server")->type_name("URL")->capture_default_str();
  add_token(command, out.token);
  command.footer(
      "Example:\n  varve mirror backfill --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z --table "
      "water\n"
      "New rows go on being mirrored meanwhile. A backfill ends with the server: give the command again\n"
      "after a restart. Rows sent twice do no harm.");
}

void add_status(CLI::App& app, StatusArguments& out) {
  CLI::App& command = *app.add_subcommand("status", "One screen on how a running server is.");
  command.add_option("--url", out.url, "Address of the server")->type_name("URL")->capture_default_str();
  add_token(command, out.token);
  CLI::Option* const watch =
      command.add_option("--watch", out.watch, "Draw it again each so often, until Ctrl-C")
          ->type_name("DURATION");
  command.add_option("--format", out.format, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  command
      .add_flag("--ready", out.ready,
                "Only whether it takes requests (/readyz): exit code 0 or 1, for health checks")
      ->excludes(watch);
  command.footer("Examples:\n  varve status --watch 2s\n  varve status --ready --url http://127.0.0.1:8484");
}

ExitNow bad_arguments(std::string text) {
  for (char& c : text) {
    if (c == '\n') c = ' ';  // errors are one line
  }
  fmt::print(stderr, "varve: {}; see varve --help\n", text);
  return {kExitBadArguments};
}

// "max" is no rate limit.
bool parse_rate(const std::string& text, std::optional<uint64_t>& rate) {
  if (text == "max") return true;
  uint64_t value = 0;
  if (!CLI::detail::lexical_cast(text, value) || value == 0 || value > kRateMax) return false;
  rate = value;
  return true;
}

}  // namespace

Command parse_arguments(int argc, const char* const* argv) {
  CLI::App app("varve: a stream of readings from Kafka as a time-series database.", "varve");
  ServeArguments serve;
  DemoArguments demo;
  ProduceArguments produce;
  ImportArguments csv_import;
  QueryArguments query;
  IngestArguments ingest;
  CheckArguments check;
  BackupArguments backup;
  ReplayArguments replay;
  QuarantineArguments quarantine;
  MirrorBackfillArguments backfill;
  StatusArguments status;
  std::string rate = "max", shell;
  app.set_version_flag("--version", "varve " VARVE_VERSION);
  app.require_subcommand(1);
  app.footer("Every command has --help with an example. Exit codes: 0 fine, 1 it failed, 2 bad arguments.");
  add_serve(app, serve);
  add_demo(app, demo);
  add_produce(app, produce, rate);
  add_import(app, csv_import);
  add_query(app, query);
  add_ingest(app, ingest);
  add_check(app, check);
  add_backup(app, backup);
  add_replay(app, replay);
  add_quarantine(app, quarantine);
  add_mirror(app, backfill);
  TokenArguments token;
  add_token(app, token);
  add_status(app, status);
  add_completion(app, shell);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return ExitNow{app.exit(error)};  // help or version
    return bad_arguments(error.what());
  }
  if (app.got_subcommand("completion")) {
    fmt::print("{}", completion_script(app, shell));
    return ExitNow{kExitFine};
  }
  if (app.got_subcommand("serve")) return serve;
  if (app.got_subcommand("demo")) return demo;
  if (app.got_subcommand("import")) return csv_import;
  if (app.got_subcommand("query")) return query;
  if (app.got_subcommand("ingest")) {
    if (ingest.verb == IngestArguments::Verb::kResume && ingest.from.empty()) {
      return bad_arguments("ingest resume needs --skip, or --from OFFSET, earliest or latest");
    }
    return ingest;
  }
  if (app.got_subcommand("check")) return check;
  if (app.got_subcommand("backup")) return backup;
  if (app.got_subcommand("replay")) return replay;
  if (app.got_subcommand("quarantine")) return quarantine;
  if (app.got_subcommand("mirror")) return backfill;
  if (app.got_subcommand("status")) return status;
  if (app.got_subcommand("token")) {
    if (token.data.empty() && token.url.empty()) return bad_arguments("token needs --data DIR or --url URL");
    return token;
  }
  if (produce.csv.empty() == produce.simulate.empty())
    return bad_arguments("produce needs --csv FILE or --simulate KIND");
  if (!parse_rate(rate, produce.rate))
    return bad_arguments("--rate must be a number of messages a second, or max");
  return produce;
}

}  // namespace varve

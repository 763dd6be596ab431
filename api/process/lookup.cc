#include "api/process/lookup.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "api/query/executor.h"
#include "api/query/planner.h"
#include "api/sql/parser.h"
#include "storage/base/log.h"
#include "storage/base/nearest.h"

namespace varve {
namespace {

constexpr int64_t kReadTimeoutNs = 30 * kNsPerSecond;  // of a table; guessed

std::string as_name(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

// Rows of an answer as one batch: tags as text, fields as they are.
class BatchSink : public ResultSink {
 public:
  BatchSink(RowBatch& out, size_t tags) : out_(out), tags_(tags) {}

  bool begin(const std::vector<ResultColumn>& columns) override {
    for (size_t i = 0; i < columns.size(); ++i) {
      if (i < tags_) out_.tags.push_back({columns[i].name, {}, {}});
    }
    return true;
  }
  bool rows(const ResultBatch& batch) override {
    for (size_t i = 0; i < batch.columns.size(); ++i) {
      const ColumnVector& column = batch.columns[i];
      if (i >= tags_) {
        if (out_.fields.size() + tags_ < batch.columns.size()) {
          out_.fields.push_back({{}, ColumnVector(column.type)});
        }
        out_.fields[i - tags_].data.push_range(column, 0, batch.rows);
        continue;
      }
      TagColumn& tag = out_.tags[i];
      for (size_t row = 0; row < batch.rows; ++row) {
        if (!column.is_valid(row)) {
          tag.codes.push_back(kAbsentTag);
          continue;
        }
        tag.codes.push_back(static_cast<uint32_t>(tag.values.size()));
        tag.values.push_back(std::get<std::string>(column.value(row)));
      }
    }
    out_.times.resize(out_.times.size() + batch.rows);
    return true;
  }

 private:
  RowBatch& out_;
  const size_t tags_;
};

template <class Columns>
auto* column_of(Columns& columns, std::string_view name) {
  const auto at = std::find_if(columns.begin(), columns.end(), [&](const auto& c) { return c.name == name; });
  return at == columns.end() ? nullptr : &*at;
}

}  // namespace

Lookup::Lookup(const EnrichRule& rule, const Engine& engine, const Clock& clock)
    : rule_(rule), engine_(engine), clock_(clock) {}

Result<std::unique_ptr<Lookup>> Lookup::open(const EnrichRule& rule, const Engine& engine,
                                             const Clock& clock) {
  std::unique_ptr<Lookup> lookup(new Lookup(rule, engine, clock));
  lookup->version_ = lookup->version();
  VARVE_TRY(lookup->load());
  lookup->next_look_ns_ = clock.monotonic_ns() + rule.reload_ns;
  return lookup;
}

std::string Lookup::version() const {
  std::error_code failed;
  const auto time = std::filesystem::last_write_time(rule_.file, failed);
  if (failed) return {};
  const auto size = std::filesystem::file_size(rule_.file, failed);
  if (failed) return {};
  return fmt::format("{} {}", time.time_since_epoch().count(), size);
}

void Lookup::refresh() {
  const int64_t now = clock_.monotonic_ns();
  if (now < next_look_ns_) return;
  next_look_ns_ = now + rule_.reload_ns;
  const std::string fresh = rule_.file.empty() ? std::string() : version();
  if (!rule_.file.empty() && fresh == version_) return;
  version_ = fresh;
  if (const auto loaded = load(); !loaded) {
    log_warn("enrich", fmt::format("keeping what was read before: {}", loaded.error().message));
  } else if (!rule_.file.empty()) {
    log_info("enrich", fmt::format("read {} again: {} keys", rule_.file, rows_.size()));
  }
}

Result<void> Lookup::load() {
  const std::string name = rule_.file.empty() ? "table " + rule_.table : rule_.file;
  auto batch = rule_.file.empty() ? read_table() : read_file();
  if (!batch) return with_context(std::move(batch.error()), "enrich from " + name);
  return with_context(take(std::move(*batch)), "enrich from " + name);
}

Result<RowBatch> Lookup::read_file() const {
  std::error_code failed;
  const auto size = std::filesystem::file_size(rule_.file, failed);
  if (failed) return invalid_argument(failed.message());
  if (size > kLookupBytesMax) {
    return invalid_argument(fmt::format("the file has {} bytes, more than {}", size, kLookupBytesMax));
  }
  std::ifstream in(rule_.file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) return invalid_argument("the file cannot be read");
  const bool is_json = rule_.file.ends_with(".json") || rule_.file.ends_with(".ndjson");
  DecodeMapping mapping;
  mapping.format = is_json ? InputFormat::kJson : InputFormat::kCsv;
  mapping.csv_header = !is_json;
  mapping.table = "lookup";
  mapping.time = "$timestamp";
  mapping.tags = rule_.tags;
  mapping.tags.push_back(rule_.match);
  mapping.needs_field = false;
  VARVE_ASSIGN(const auto decoder, make_decoder(mapping));
  RowSet rows;
  std::vector<DecodeReject> rejects;
  MessageContext context;
  context.topic = "lookup";
  context.timestamp_ns = 1;
  decoder->decode(text, context, rows, rejects);
  if (!rejects.empty()) {
    return invalid_argument(rejects[0].line == 0
                                ? rejects[0].detail
                                : fmt::format("line {}: {}", rejects[0].line, rejects[0].detail));
  }
  RowSet::Taken taken = rows.take();
  if (taken.batches.empty()) return invalid_argument("it holds no rows");
  if (taken.batches.size() > 1) {
    return invalid_argument("a column holds values of contradicting types, such as numbers and texts");
  }
  return std::move(taken.batches[0]);
}

Result<RowBatch> Lookup::read_table() const {
  const size_t dot = rule_.table.find('.');
  std::string from = as_name(rule_.table);
  if (dot != std::string::npos) {
    from = as_name(rule_.table.substr(0, dot)) + "." + as_name(rule_.table.substr(dot + 1));
  }
  std::string sql = "SELECT ";
  std::vector<std::string> tags = rule_.tags;
  tags.push_back(rule_.match);
  for (const std::string& tag : tags) sql += fmt::format("CAST({0} AS string) AS {0}, ", as_name(tag));
  for (const std::string& field : rule_.fields) sql += as_name(field) + ", ";
  sql += fmt::format("time FROM {} ORDER BY time", from);

  RowBatch batch;
  QueryOptions options;
  options.timeout_ns = kReadTimeoutNs;
  options.max_rows = kLookupRowsMax;
  const auto run = [&]() -> QueryResult<void> {
    VARVE_QUERY_ASSIGN(const Statement statement, parse_sql(sql));
    const auto& select = std::get<SelectStatement>(statement);
    QueryBudget budget(options, real_clock());
    for (int attempt = 0; attempt < 3; ++attempt) {
      VARVE_QUERY_ASSIGN(const TableInfo table, find_table(engine_, *select.from));
      VARVE_QUERY_ASSIGN(const SelectPlan plan, plan_select(select, &table, {}, 0));
      batch = {};
      BatchSink sink(batch, tags.size());
      QueryStats stats;
      VARVE_QUERY_ASSIGN(const bool done, execute_plan(engine_, plan, budget, sink, stats));
      if (done) return {};
    }
    return tl::make_unexpected(limit_error("schema_changing", "the table's columns keep changing"));
  };
  if (const auto done = run(); !done) {
    // A table that comes later is a table without rows now.
    if (done.error().code != "unknown_table") return invalid_argument(done.error().message);
    for (const std::string& tag : tags) batch.tags.push_back({tag, {}, {}});
    batch.fields.clear();
    return batch;
  }
  if (!batch.fields.empty()) batch.fields.pop_back();  // time
  for (size_t i = 0; i < batch.fields.size(); ++i) batch.fields[i].name = rule_.fields[i];
  return batch;
}

Result<void> Lookup::take(RowBatch batch) {
  if (batch.rows() > kLookupRowsMax) {
    return invalid_argument(fmt::format("it has {} rows, more than {}", batch.rows(), kLookupRowsMax));
  }
  const TagColumn* const match = column_of(batch.tags, rule_.match);
  if (match == nullptr) return invalid_argument(fmt::format("it has no column {}", rule_.match));
  decltype(rows_) rows;
  for (size_t row = 0; row < batch.rows(); ++row) {
    const uint32_t code = match->codes[row];
    if (code != kAbsentTag) rows[match->values[code]] = static_cast<uint32_t>(row);
  }
  RowBatch kept;
  kept.times = std::move(batch.times);
  for (const std::string& name : rule_.tags) {
    TagColumn* const tag = column_of(batch.tags, name);
    if (tag == nullptr) return invalid_argument(fmt::format("it has no column {}", name));
    kept.tags.push_back(*tag);
  }
  for (const std::string& name : rule_.fields) {
    FieldColumn* const field = column_of(batch.fields, name);
    if (field == nullptr) {
      if (rule_.file.empty()) continue;  // the table is not there yet
      return invalid_argument(fmt::format("it has no column {}", name));
    }
    kept.fields.push_back(std::move(*field));
  }
  rows_ = std::move(rows);
  columns_ = std::move(kept);
  return {};
}

std::optional<uint32_t> Lookup::find(std::string_view key) const {
  const auto at = rows_.find(key);
  return at == rows_.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace varve

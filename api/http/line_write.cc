#include "api/http/line_write.h"

#include "api/http/routes.h"
#include "ingest/decode/line_protocol.h"
#include "ingest/decode/row_set.h"
#include "ingest/quarantine.h"

namespace varve {
namespace {

RowBatch quarantine_rows(const std::vector<RefusedLine>& refused, BodyLines& lines, const Clock& clock,
                         const LineWriteOptions& options) {
  const std::string precision = std::to_string(options.precision_ns);
  QuarantineBuilder builder(clock);
  for (const RefusedLine& one : refused) {
    RefusedInput input;
    input.source = kHttpSource;
    input.offset = one.line;
    input.reason = one.reason;
    input.detail = one.detail;
    input.payload = lines[one.line];
    input.timestamp_ns = clock.wall_ns();
    input.database = options.database;
    input.precision = precision;
    builder.add(input);
  }
  return builder.finish();
}

}  // namespace

std::string_view BodyLines::operator[](uint32_t number) {
  if (starts_.empty()) {
    starts_.push_back(0);
    for (size_t at = body_.find('\n'); at != std::string_view::npos; at = body_.find('\n', at + 1)) {
      starts_.push_back(at + 1);
    }
  }
  if (number == 0 || number > starts_.size()) return {};
  std::string_view line = body_.substr(starts_[number - 1]);
  line = line.substr(0, line.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

LineWriter::LineWriter(const HttpServices& services)
    : engine_(*services.engine),
      clock_(*services.clock),
      rows_(services.metrics->counter("varve_http_rows_total", "Rows taken by /write.")),
      rejected_(http_rows_rejected(*services.metrics)) {}

Result<LineWriteOutcome> LineWriter::write(std::string_view body, const LineWriteOptions& options) const {
  RowSet rows;
  std::vector<LineReject> rejects;
  size_t bad_lines = 0;
  parse_line_protocol(body, {options.database, options.precision_ns, clock_.wall_ns()}, rows, rejects,
                      &bad_lines);
  LineWriteOutcome outcome;
  outcome.unnamed = bad_lines - rejects.size();
  for (LineReject& reject : rejects) {
    outcome.refused.push_back({reject.line, false, std::move(reject.reason), std::move(reject.detail)});
  }
  // Not admitted, the rows leave no trace: no series, no column.
  if (options.all_or_nothing && !outcome.refused.empty()) {
    outcome.taken = false;
    return outcome;
  }
  RowSet::Taken taken = rows.take();
  for (const RowBatch& batch : taken.batches) {
    if (!options.tables || options.tables->allows(batch.database, batch.table)) continue;
    outcome.forbidden = batch.database + "." + batch.table;
    outcome.taken = false;
    return outcome;
  }
  AdmittedWrite write = engine_.admit(std::move(taken.batches));
  for (const RejectedRow& row : write.rejected()) {
    outcome.refused.push_back({taken.messages[row.batch][row.row], true, row.reason, row.detail});
  }
  outcome.accepted = write.rows();
  if (outcome.accepted == 0 && outcome.refused.empty()) return outcome;
  if (!outcome.refused.empty()) {
    if (options.all_or_nothing) {
      outcome.accepted = 0;
      outcome.taken = false;
      return outcome;
    }
    BodyLines lines(body);
    std::vector<RowBatch> quarantine;
    quarantine.push_back(quarantine_rows(outcome.refused, lines, clock_, options));
    write.merge(engine_.admit(std::move(quarantine)));
  }
  VARVE_TRY(engine_.append_and_wait(std::move(write)));
  rows_.add(outcome.accepted);
  rejected_.add(outcome.refused.size() + outcome.unnamed);
  return outcome;
}

Counter& http_rows_rejected(MetricsRegistry& metrics) {
  return metrics.counter("varve_http_rows_rejected_total", "Lines and rows of /write sent to quarantine.");
}

}  // namespace varve

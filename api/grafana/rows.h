// Results that keep their columns: a table, written row by row, and a plain data frame, written column by column.
//   {"type":"table","refId":"A","columns":[{"text":"Time","type":"time"},...],"rows":[[...],...]}
//   {"refId":"A","fields":[{"name":"time","type":"time","values":[...]},...]}
// Errors:  answer_too_large (frames, which wait in memory).
// Threads: one thread.
#pragma once

#include <optional>

#include "api/grafana/output.h"
#include "api/query/query.h"

namespace varve::grafana {

class TableRows : public ResultSink {
 public:
  TableRows(Output& out, std::string ref_id) : out_(out), ref_id_(std::move(ref_id)) {}
  bool begin(const std::vector<ResultColumn>& columns) override;
  bool rows(const ResultBatch& batch) override;
  bool finish();

 private:
  Output& out_;
  const std::string ref_id_;
  std::vector<ResultColumn> columns_;
  bool first_row_ = true;
};

class FrameRows : public ResultSink {
 public:
  bool begin(const std::vector<ResultColumn>& columns) override;
  bool rows(const ResultBatch& batch) override;
  const std::optional<QueryError>& error() const { return error_; }
  bool write(Output& out, std::string_view ref_id) const;

 private:
  std::vector<ResultColumn> columns_;
  std::vector<ColumnVector> values_;
  size_t cells_ = 0;
  size_t text_bytes_ = 0;
  std::optional<QueryError> error_;
};

}  // namespace varve::grafana

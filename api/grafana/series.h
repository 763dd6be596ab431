// Rows of a result as series: one for every combination of labels and every column of values.
//   datapoints: {"target":"ph {site=a}","refId":"A","datapoints":[[7.1,1700000000000],...]}
//   frames:     {"refId":"A","name":"ph {site=a}","fields":[{"name":"time","type":"time","values":[...]},
//               {"name":"ph","type":"number","labels":{"site":"a"},"config":{"displayNameFromDS":"ph {site=a}"},"values":[...]}]}
// Series come sorted by their labels, then in the order of the columns; their points by time.
// Errors:  series_limit, answer_too_large.
// Threads: one thread.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/grafana/output.h"
#include "api/query/query.h"

namespace varve::grafana {

constexpr size_t kSeriesMax = 1000;                  // of one query; more than a screen can tell apart
constexpr size_t kPointsMax = 2'000'000;             // of one query, in memory until they are written: 32 MB
constexpr size_t kCollectedTextBytesMax = 64 << 20;  // strings among them

enum class Role { kTime, kLabel, kValue };
// The first time column is the time, text is labels, the rest values; nothing when there is no time or no value.
std::optional<std::vector<Role>> roles_by_type(const std::vector<ResultColumn>& columns);

// How series are named. Empty alias: "ph {site=a}"; else its text with {{table}}, {{field}}, {{aggregate}} and {{TAG}}
// replaced.
struct Naming {
  std::string alias;
  std::string table;
  std::string aggregate;
  std::vector<std::string> fields;  // one for each column of values; empty = the column's name
};

class SeriesRows : public ResultSink {
 public:
  SeriesRows(std::vector<Role> roles, Naming naming) : roles_(std::move(roles)), naming_(std::move(naming)) {}

  bool begin(const std::vector<ResultColumn>& columns) override;
  bool rows(const ResultBatch& batch) override;
  const std::optional<QueryError>& error() const { return error_; }

  // Writes the series, each after `separator`, which becomes "," with the first. False: the reader is gone.
  bool write_datapoints(Output& out, std::string_view ref_id, std::string& separator);
  bool write_frames(Output& out, std::string_view ref_id, std::string& separator);

 private:
  struct Group {
    std::vector<std::string> labels;  // empty = the rows lack it
    std::vector<int64_t> times_ms;
    std::vector<ColumnVector> values;
    std::vector<size_t> order;  // of rows, by time; empty = as they are
  };
  Group* group_of(const ResultBatch& batch, size_t row);
  bool fail(QueryError error);
  void sort();
  std::string name_of(const Group& group, size_t value) const;
  void append_labels(std::string& out, const Group& group) const;

  const std::vector<Role> roles_;
  const Naming naming_;
  std::vector<ResultColumn> columns_;
  size_t time_column_ = 0;
  std::vector<size_t> label_columns_;
  std::vector<size_t> value_columns_;
  std::vector<Group> groups_;
  std::unordered_map<std::string, size_t> by_labels_;
  std::string last_key_;
  size_t last_group_ = SIZE_MAX;
  size_t points_ = 0;
  size_t text_bytes_ = 0;
  std::optional<QueryError> error_;
};

}  // namespace varve::grafana

// Rows of a result as annotations.
//   /annotations: {"annotation":{as asked},"time":ms,"timeEnd":ms,"title":"","tags":["a"],"text":""}
//   /query:       a frame with the fields time, timeEnd, title, text, tags ("a,b"), which Grafana turns into annotations
// Columns are told by their names: time, time_end, title, text, tags (separated by commas). Else the first time is the
// time, the first text the text, and every other text a tag.
// Errors:  bad_request: no time column; too_many_annotations.
// Threads: one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/grafana/output.h"
#include "api/query/query.h"

namespace varve::grafana {

constexpr size_t kAnnotationsMax = 10'000;      // guessed: far more than a panel can show
constexpr uint64_t kAnnotationsDefault = 1000;  // the newest, where no SQL says otherwise

class EventRows : public ResultSink {
 public:
  bool begin(const std::vector<ResultColumn>& columns) override;
  bool rows(const ResultBatch& batch) override;
  const std::optional<QueryError>& error() const { return error_; }

  bool write_events(Output& out, std::string_view annotation_json);  // a whole array
  bool write_frame(Output& out, std::string_view ref_id);

 private:
  struct Event {
    int64_t time_ms = 0;
    std::optional<int64_t> time_end_ms;
    std::string title;
    std::string text;
    std::vector<std::string> tags;
  };
  enum class Part { kNone, kTime, kTimeEnd, kTitle, kText, kTags, kTag };
  static Part part_named(const ResultColumn& column);
  void put_cell(Event& event, size_t column, const ResultBatch& batch, size_t row) const;
  void sort();

  std::vector<ResultColumn> columns_;
  std::vector<Part> parts_;
  std::vector<Event> events_;
  std::optional<QueryError> error_;
};

}  // namespace varve::grafana

// What was asked of a store and what it promised, and the rows that must follow: the model the fault tests compare with.
// Every write record carries a position of its own partition, so positions() says exactly which records a store has;
// its rows must then be those records in the order of the log, field by field, the later write winning.
// Threads: values; nothing shared.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/engine.h"

namespace varve::test {

struct Row {
  std::string table;
  std::string site;  // its one tag
  int64_t time = 0;
  std::map<std::string, Value> fields;
};
using Record = std::vector<Row>;  // one append

struct Deletion {
  std::string table;
  TimeRange time;
  std::set<std::string> sites;  // empty = all
};

struct RowKey {
  std::string table;
  std::string site;
  int64_t time = 0;
  auto operator<=>(const RowKey&) const = default;
};
// Values as text that is equal when they are equal bit for bit.
using Rows = std::map<RowKey, std::map<std::string, std::string>>;

std::string value_text(const Value& value);
const std::vector<std::string>& field_names();  // every field a test row may have

struct Event {
  enum class State {
    kUnknown,  // handed over; no answer, or an error after which it may be there
    kAcknowledged,
    kRefused,  // not taken: it must not be there
  };
  int32_t number = 0;  // its partition
  int life = 0;        // between two openings of the store
  State state = State::kUnknown;
  Lsn lsn = 0;  // when acknowledged
  Record record;
  std::optional<Deletion> deletion;  // instead of a record
};

constexpr std::string_view kStream = "test";

class History {
 public:
  Event& add(Record record);
  Event& add(Deletion deletion);
  Event& event(int32_t number) { return events_[static_cast<size_t>(number)]; }
  const std::vector<Event>& events() const { return events_; }
  void next_life() { ++life_; }

  // What is wrong with a store that says it has the records of `positions` and shows `rows`; nothing = all is well.
  // A delete has no position: one without an answer may have happened or not, whichever fits.
  // `in_order`: of one life's records, a later one may be there only when every earlier one is.
  std::optional<std::string> check(const std::vector<StreamPosition>& positions, const Rows& rows,
                                   bool in_order);
  // After a restart and a check, the records a store has count as acknowledged and the others as refused: none may
  // change its mind.
  void settle(const std::vector<StreamPosition>& positions);
  // The records it has; an error for a position nobody gave.
  Result<std::set<int32_t>> records_there(const std::vector<StreamPosition>& positions) const;

  Rows rows_of(const std::set<int32_t>& numbers) const;

 private:
  std::optional<std::string> compare(std::set<int32_t> there, const Rows& rows);

  std::vector<Event> events_;
  std::set<int32_t> unknown_deletes_done_;  // of those without an answer, what the last check took for done
  int life_ = 0;
};

std::optional<std::string> difference(const Rows& expected, const Rows& found);

// Everything a store shows, by scans of each table. Errors are the scan's, or kCorruption when rows come out of order
// or twice.
Result<Rows> read_rows(const Engine& engine);
// Counts and sums by statistics against the same over rows; nothing = they agree.
std::optional<std::string> check_statistics(const Engine& engine);

std::vector<RowBatch> to_batches(const Record& record);

}  // namespace varve::test

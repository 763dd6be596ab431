#include "tests/storage/fault/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace varve::test {
namespace {

std::string describe(const RowKey& key) {
  return fmt::format("{} {} {}", key.table, key.site, key.time);
}

std::string describe(const std::map<std::string, std::string>& fields) {
  std::string text;
  for (const auto& [name, value] : fields) text += fmt::format(" {}={}", name, value);
  return text.empty() ? " no fields" : text;
}

Result<void> add_block(const ScanBlock& block, const std::string& table, const std::string& site,
                       Rows& rows) {
  for (size_t row = 0; row < block.rows; ++row) {
    const RowKey key{table, site, block.times[row]};
    const auto [at, added] = rows.try_emplace(key);
    if (!added) return corruption("row " + describe(key) + " came twice");
    const auto next = std::next(at);
    if (next != rows.end() && next->first.table == table && next->first.site == site)
      return corruption("row " + describe(key) + " came after a later one");
    for (size_t c = 0; c < block.columns.size(); ++c) {
      const Value value = block.columns[c].value(row);
      if (!std::holds_alternative<std::monostate>(value)) at->second[field_names()[c]] = value_text(value);
    }
  }
  return {};
}

bool hides(const Deletion& deletion, const RowKey& key) {
  return key.table == deletion.table && deletion.time.contains(key.time) &&
         (deletion.sites.empty() || deletion.sites.contains(key.site));
}

constexpr size_t kUnknownDeletesMax = 8;  // each doubles the work; a store has stopped long before

}  // namespace

const std::vector<std::string>& field_names() {
  static const std::vector<std::string> names = {"level", "raw", "count", "serial", "open", "note"};
  return names;
}

std::string value_text(const Value& value) {
  struct Text {
    std::string operator()(std::monostate) const { return "nothing"; }
    std::string operator()(double v) const { return fmt::format("{}({:x})", v, std::bit_cast<uint64_t>(v)); }
    std::string operator()(int64_t v) const { return fmt::format("{}i", v); }
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(const std::string& v) const { return '"' + v + '"'; }
  };
  return std::visit(Text{}, value);
}

Event& History::add(Record record) {
  Event event;
  event.number = static_cast<int32_t>(events_.size());
  event.life = life_;
  event.record = std::move(record);
  events_.push_back(std::move(event));
  return events_.back();
}

Event& History::add(Deletion deletion) {
  Event& event = add(Record());
  event.deletion = std::move(deletion);
  return event;
}

Rows History::rows_of(const std::set<int32_t>& numbers) const {
  Rows rows;
  for (const int32_t number : numbers) {  // ascending: the order of the log
    const Event& event = events_[static_cast<size_t>(number)];
    if (event.deletion) {
      std::erase_if(rows, [&](const auto& entry) { return hides(*event.deletion, entry.first); });
    }
    for (const Row& row : event.record) {
      auto& fields = rows[{row.table, row.site, row.time}];
      for (const auto& [name, value] : row.fields) fields[name] = value_text(value);
    }
  }
  return rows;
}

Result<std::set<int32_t>> History::records_there(const std::vector<StreamPosition>& positions) const {
  std::set<int32_t> there;
  for (const StreamPosition& position : positions) {
    if (position.stream != kStream) continue;
    if (position.partition < 0 || static_cast<size_t>(position.partition) >= events_.size() ||
        position.next_offset != position.partition + 1) {
      return corruption(
          fmt::format("an invented position: partition {} at {}", position.partition, position.next_offset));
    }
    there.insert(position.partition);
  }
  return there;
}

std::optional<std::string> History::check(const std::vector<StreamPosition>& positions, const Rows& rows,
                                          bool in_order) {
  const auto there = records_there(positions);
  if (!there) return there.error().message;
  int broken_life = -1;
  for (const Event& event : events_) {
    if (event.deletion) continue;
    const bool has = there->contains(event.number);
    if (!has && event.state == Event::State::kAcknowledged)
      return fmt::format("record {} (lsn {}) was acknowledged and is lost", event.number, event.lsn);
    if (has && event.state == Event::State::kRefused)
      return fmt::format("record {} was refused and is there", event.number);
    if (event.state != Event::State::kUnknown) continue;
    if (!has) broken_life = event.life;
    if (has && in_order && broken_life == event.life)
      return fmt::format("record {} is there, one before it is not", event.number);
  }
  return compare(*there, rows);
}

std::optional<std::string> History::compare(std::set<int32_t> there, const Rows& rows) {
  std::vector<int32_t> unknown;
  for (const Event& event : events_) {
    if (!event.deletion) continue;
    if (event.state == Event::State::kAcknowledged) there.insert(event.number);
    if (event.state == Event::State::kUnknown) unknown.push_back(event.number);
  }
  if (unknown.size() > kUnknownDeletesMax) return "too many deletes without an answer to check";
  std::optional<std::string> wrong;
  for (uint64_t choice = 0; choice < uint64_t{1} << unknown.size(); ++choice) {
    unknown_deletes_done_.clear();
    for (size_t i = 0; i < unknown.size(); ++i) {
      if ((choice >> i & 1) != 0) unknown_deletes_done_.insert(unknown[i]);
    }
    auto all = there;
    all.insert(unknown_deletes_done_.begin(), unknown_deletes_done_.end());
    auto found = difference(rows_of(all), rows);
    if (!found) return std::nullopt;
    if (!wrong) wrong = std::move(found);
  }
  return wrong;
}

void History::settle(const std::vector<StreamPosition>& positions) {
  const auto there = records_there(positions);
  for (Event& event : events_) {
    if (event.deletion && event.state != Event::State::kUnknown) continue;
    const bool done = event.deletion ? unknown_deletes_done_.contains(event.number)
                                     : there && there->contains(event.number);
    event.state = done ? Event::State::kAcknowledged : Event::State::kRefused;
  }
}

std::optional<std::string> difference(const Rows& expected, const Rows& found) {
  for (const auto& [key, fields] : expected) {
    const auto other = found.find(key);
    if (other == found.end()) return fmt::format("row {} is lost:{}", describe(key), describe(fields));
    if (other->second != fields) {
      return fmt::format("row {} is wrong:{} instead of{}", describe(key), describe(other->second),
                         describe(fields));
    }
  }
  for (const auto& [key, fields] : found) {
    if (!expected.contains(key)) return fmt::format("row {} is invented:{}", describe(key), describe(fields));
  }
  return std::nullopt;
}

Result<Rows> read_rows(const Engine& engine) {
  Rows rows;
  for (const TableInfo& table : engine.tables()) {
    ScanRequest request;
    request.database = table.database;
    request.table = table.name;
    request.fields = field_names();
    VARVE_ASSIGN(const auto scan, engine.scan(std::move(request)));
    ScanBlock block;
    while (true) {
      VARVE_ASSIGN(const bool more, scan->next(block));
      if (!more) break;
      VARVE_TRY(add_block(block, table.name, std::string(scan->tags(block.series).value("site")), rows));
    }
  }
  return rows;
}

std::vector<RowBatch> to_batches(const Record& record) {
  std::map<std::string, RowBatchBuilder> builders;
  for (const Row& row : record) {
    auto& builder = builders.try_emplace(row.table, std::string(kDefaultDatabase), row.table).first->second;
    builder.begin_row();
    builder.tag("site", row.site);
    for (const auto& [name, value] : row.fields) {
      if (const auto* d = std::get_if<double>(&value)) builder.field_double(name, *d);
      if (const auto* i = std::get_if<int64_t>(&value)) builder.field_int(name, *i);
      if (const auto* b = std::get_if<bool>(&value)) builder.field_bool(name, *b);
      if (const auto* s = std::get_if<std::string>(&value)) builder.field_string(name, *s);
    }
    builder.end_row(row.time);
  }
  std::vector<RowBatch> batches;
  for (auto& [table, builder] : builders) batches.push_back(builder.finish());
  return batches;
}

}  // namespace varve::test

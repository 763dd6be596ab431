#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "api/process/dedupe.h"
#include "api/process/expression.h"
#include "api/process/lookup.h"
#include "api/process/rules.h"

namespace varve {
namespace {

template <class Columns>
auto* column_of(Columns& columns, std::string_view name) {
  const auto at = std::find_if(columns.begin(), columns.end(), [&](const auto& c) { return c.name == name; });
  return at == columns.end() ? nullptr : &*at;
}

template <class Columns>
void erase_column(Columns& columns, std::string_view name) {
  std::erase_if(columns, [&](const auto& column) { return column.name == name; });
}

bool has_column(const RowBatch& batch, std::string_view name) {
  return column_of(batch.tags, name) != nullptr || column_of(batch.fields, name) != nullptr;
}

void push_tag(TagColumn& tag, std::unordered_map<std::string, uint32_t>& dictionary, std::string_view value) {
  if (value.empty()) return tag.codes.push_back(kAbsentTag);
  const auto [entry, added] =
      dictionary.try_emplace(std::string(value), static_cast<uint32_t>(tag.values.size()));
  if (added) tag.values.emplace_back(value);
  tag.codes.push_back(entry->second);
}

// The value of a column as text, into `scratch` or borrowed; null = none.
class TextColumn {
 public:
  TextColumn(const RowBatch& batch, std::string_view name)
      : tag_(column_of(batch.tags, name)), field_(column_of(batch.fields, name)) {}

  std::optional<std::string_view> at(size_t row) {
    if (tag_ != nullptr) {
      if (tag_->codes[row] == kAbsentTag) return std::nullopt;
      return tag_->values[tag_->codes[row]];
    }
    if (field_ == nullptr || !field_->data.is_valid(row)) return std::nullopt;
    const ColumnVector& data = field_->data;
    switch (data.type) {
      case FieldType::kString:
        return data.strings[row];
      case FieldType::kInt64:
        scratch_ = std::to_string(data.ints[row]);
        break;
      case FieldType::kBool:
        scratch_ = data.bools[row] != 0 ? "true" : "false";
        break;
      case FieldType::kDouble:
        scratch_ = fmt::format("{}", data.doubles[row]);
        break;
    }
    return scratch_;
  }

 private:
  const TagColumn* tag_;
  const FieldColumn* field_;
  std::string scratch_;
};

// The rows of one batch on their way: which stay, and what was refused.
struct Work {
  RowBatch& batch;
  std::vector<uint32_t>& messages;
  std::span<const MessageOrigin> origins;
  std::vector<RefusedRow>& refused;
  ProcessCounts& counts;
  std::vector<uint8_t> keep = {};
  size_t lost = 0;

  void begin() {
    keep.assign(batch.rows(), 1);
    lost = 0;
  }
  void lose(size_t row) {
    lost += keep[row];
    keep[row] = 0;
  }
  void refuse(size_t row, DecodeReject reject) {
    if (keep[row] == 0) return;
    refused.push_back({messages[row], std::move(reject)});
    lose(row);
  }
  void finish() {
    if (lost == 0) return;
    size_t to = 0;
    for (size_t row = 0; row < keep.size(); ++row) {
      if (keep[row] != 0) messages[to++] = messages[row];
    }
    messages.resize(to);
    batch.filter(keep);
  }
};

class SqlProcessor : public RowProcessor {
 public:
  explicit SqlProcessor(const ProcessRules& rules)
      : rules_(rules), dedupe_(rules.dedupe_window_ns, rules.dedupe_keys) {}

  Result<void> prepare(const Engine& engine, const Clock& clock) {
    if (!rules_.where.empty()) {
      VARVE_ASSIGN(auto parsed, RowExpression::parse(rules_.where, RowExpression::Form::kCondition));
      where_.push_back(std::move(parsed));
    }
    for (const std::string& text : rules_.set) {
      VARVE_ASSIGN(auto parsed, RowExpression::parse(text, RowExpression::Form::kAssignment));
      set_.push_back(std::move(parsed));
    }
    for (const EnrichRule& rule : rules_.enrich) {
      EnrichRule complete = rule;
      if (complete.match.empty()) complete.match = complete.key;
      VARVE_ASSIGN(auto lookup, Lookup::open(complete, engine, clock));
      lookups_.push_back(std::move(lookup));
    }
    return {};
  }

  void process(RowSet::Taken& taken, std::span<const MessageOrigin> origins, std::vector<RefusedRow>& refused,
               ProcessCounts& counts) override {
    for (const auto& lookup : lookups_) lookup->refresh();
    dedupe_.begin_write();
    size_t kept = 0;
    for (size_t i = 0; i < taken.batches.size(); ++i) {
      Work work{taken.batches[i], taken.messages[i], origins, refused, counts};
      run(work);
      if (work.batch.rows() == 0) continue;
      if (kept != i) {
        taken.batches[kept] = std::move(taken.batches[i]);
        taken.messages[kept] = std::move(taken.messages[i]);
      }
      ++kept;
    }
    taken.batches.resize(kept);
    taken.messages.resize(kept);
  }

 private:
  void run(Work& work) {
    for (RowExpression& where : where_) {
      if (work.batch.rows() > 0) filter(where, work);
    }
    for (size_t i = 0; i < lookups_.size() && work.batch.rows() > 0; ++i) {
      enrich(rules_.enrich[i], *lookups_[i], work);
    }
    for (RowExpression& set : set_) {
      if (work.batch.rows() > 0) assign(set, work);
    }
    if (work.batch.rows() > 0 && (!rules_.rename.empty() || !rules_.drop.empty())) reshape(work);
    if (work.batch.rows() > 0 && rules_.dedupe_window_ns > 0) dedupe(work);
  }

  static void filter(RowExpression& where, Work& work) {
    const RowExpression::Answer answer = where.evaluate(work.batch, false);
    work.begin();
    for (const RowExpression::Fault& fault : answer.faults) work.refuse(fault.row, fault.reject);
    if (answer.values.type == FieldType::kBool) {
      for (size_t row = 0; row < work.keep.size(); ++row) {
        if (work.keep[row] == 0 || (answer.values.is_valid(row) && answer.values.bools[row] != 0)) continue;
        work.lose(row);
        ++work.counts.filtered;
      }
    }
    work.finish();
  }

  void assign(RowExpression& set, Work& work) {
    RowBatch& batch = work.batch;
    const std::string& name = set.target();
    const bool is_tag = column_of(batch.tags, name) != nullptr ||
                        std::find(rules_.tags.begin(), rules_.tags.end(), name) != rules_.tags.end();
    RowExpression::Answer answer = set.evaluate(batch, is_tag);
    work.begin();
    for (const RowExpression::Fault& fault : answer.faults) work.refuse(fault.row, fault.reject);
    check_values(name, answer.values, is_tag, work);
    if (is_tag) {
      TagColumn tag{name, {}, {}};
      std::unordered_map<std::string, uint32_t> dictionary;
      for (size_t row = 0; row < batch.rows(); ++row) {
        push_tag(tag, dictionary, answer.values.is_valid(row) ? answer.values.strings[row] : "");
      }
      put(batch, std::move(tag));
    } else if (answer.type == SqlType::kNull) {
      erase_column(batch.fields, name);  // NULL in every row
    } else {
      put(batch, FieldColumn{name, std::move(answer.values)});
    }
    work.finish();
  }

  static void check_values(const std::string& name, const ColumnVector& values, bool is_tag, Work& work) {
    for (size_t row = 0; row < values.doubles.size(); ++row) {
      if (values.is_valid(row) && std::isinf(values.doubles[row])) {
        work.refuse(row, {"overflow", fmt::format("{} is beyond what a double holds", name), 0});
      }
    }
    const size_t bytes_max = is_tag ? kTagValueBytesMax : kStringValueBytesMax;
    for (size_t row = 0; row < values.strings.size(); ++row) {
      if (values.strings[row].size() <= bytes_max) continue;
      work.refuse(
          row,
          {"value_too_long",
           fmt::format("{} has {} bytes, more than {}", name, values.strings[row].size(), bytes_max), 0});
    }
  }

  // In the place of a column of the same name, of either kind, or behind the others.
  static void put(RowBatch& batch, TagColumn tag) {
    erase_column(batch.fields, tag.name);
    if (TagColumn* const there = column_of(batch.tags, tag.name)) {
      *there = std::move(tag);
    } else {
      batch.tags.push_back(std::move(tag));
    }
  }
  static void put(RowBatch& batch, FieldColumn field) {
    erase_column(batch.tags, field.name);
    if (FieldColumn* const there = column_of(batch.fields, field.name)) {
      *there = std::move(field);
    } else {
      batch.fields.push_back(std::move(field));
    }
  }

  static void enrich(const EnrichRule& rule, const Lookup& lookup, Work& work) {
    RowBatch& batch = work.batch;
    constexpr uint32_t kMiss = UINT32_MAX;
    std::vector<uint32_t> found(batch.rows(), kMiss);
    TextColumn key(batch, rule.key);
    for (size_t row = 0; row < batch.rows(); ++row) {
      const auto text = key.at(row);
      found[row] = text ? lookup.find(*text).value_or(kMiss) : kMiss;
      if (found[row] == kMiss) ++work.counts.enrich_misses;
    }
    for (const TagColumn& from : lookup.columns().tags) {
      TagColumn tag{from.name, from.values, {}};
      tag.codes.reserve(found.size());
      for (const uint32_t row : found) tag.codes.push_back(row == kMiss ? kAbsentTag : from.codes[row]);
      compact(tag);
      put(batch, std::move(tag));
    }
    for (const FieldColumn& from : lookup.columns().fields) {
      FieldColumn field{from.name, ColumnVector(from.data.type)};
      for (const uint32_t row : found) {
        if (row == kMiss) {
          field.data.push_null();
        } else {
          field.data.push_from(from.data, row);
        }
      }
      put(batch, std::move(field));
    }
  }

  // A lookup has many values, a batch uses few of them.
  static void compact(TagColumn& tag) {
    std::vector<std::string> values;
    std::unordered_map<std::string, uint32_t> codes;  // two entries of a lookup may hold one value
    std::unordered_map<uint32_t, uint32_t> renumbered;
    for (uint32_t& code : tag.codes) {
      if (code == kAbsentTag) continue;
      const auto [entry, added] = renumbered.try_emplace(code, 0);
      if (added) {
        const auto [known, fresh] = codes.try_emplace(tag.values[code], static_cast<uint32_t>(values.size()));
        if (fresh) values.push_back(tag.values[code]);
        entry->second = known->second;
      }
      code = entry->second;
    }
    tag.values = std::move(values);
  }

  void reshape(Work& work) {
    RowBatch& batch = work.batch;
    work.begin();
    for (const auto& [from, to] : rules_.rename) {
      if (!has_column(batch, from)) continue;
      if (has_column(batch, to)) {
        for (size_t row = 0; row < batch.rows(); ++row) {
          work.refuse(row, {"duplicate_key",
                            fmt::format("{} cannot be renamed: there is a {} already", from, to), 0});
        }
        return work.finish();
      }
      if (TagColumn* const tag = column_of(batch.tags, from)) tag->name = to;
      if (FieldColumn* const field = column_of(batch.fields, from)) field->name = to;
    }
    for (const std::string& name : rules_.drop) {
      erase_column(batch.tags, name);
      erase_column(batch.fields, name);
    }
    for (size_t row = 0; row < batch.rows(); ++row) {
      const bool any = std::any_of(batch.fields.begin(), batch.fields.end(),
                                   [&](const FieldColumn& field) { return field.data.is_valid(row); });
      if (!any) work.refuse(row, {"no_field", "no field is left after drop", 0});
    }
    work.finish();
  }

  void dedupe(Work& work) {
    const RowBatch& batch = work.batch;
    work.begin();
    std::vector<std::string> names = rules_.dedupe_by;
    const bool by_time = names.empty();
    if (by_time) {
      for (const TagColumn& tag : batch.tags) names.push_back(tag.name);
      std::sort(names.begin(), names.end());  // columns come in the order of the first row
    }
    std::vector<TextColumn> columns;
    for (const std::string& name : names) columns.emplace_back(batch, name);
    std::string key;
    const auto add = [&key](std::string_view text) {
      key.append(std::to_string(text.size())).push_back(':');
      key.append(text);
    };
    for (size_t row = 0; row < batch.rows(); ++row) {
      key.clear();
      add(batch.database);
      add(batch.table);
      if (by_time) add(std::to_string(batch.times[row]));
      for (size_t i = 0; i < columns.size(); ++i) {
        const auto text = columns[i].at(row);
        if (!text && by_time) continue;  // an absent tag is no part of the series
        if (by_time) add(names[i]);
        if (text) add(*text);
        if (!text) key.push_back('-');
      }
      if (!dedupe_.seen(hash128(key), work.origins[work.messages[row]])) continue;
      work.lose(row);
      ++work.counts.deduped;
    }
    work.finish();
  }

  const ProcessRules rules_;
  std::vector<RowExpression> where_;  // none or one
  std::vector<RowExpression> set_;
  std::vector<std::unique_ptr<Lookup>> lookups_;
  DedupeMemory dedupe_;
};

}  // namespace

Result<std::unique_ptr<RowProcessor>> make_row_processor(const ProcessRules& rules, const Engine& engine,
                                                         const Clock& clock) {
  auto processor = std::make_unique<SqlProcessor>(rules);
  VARVE_TRY(processor->prepare(engine, clock));
  return std::unique_ptr<RowProcessor>(std::move(processor));
}

}  // namespace varve

#include "api/cli/config_process.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/process/rules.h"

namespace varve {
namespace {

constexpr uint64_t kDedupeKeysMax = 100'000'000;  // each takes some 100 bytes of memory (guessed)
constexpr size_t kEnrichMax = 16;                 // lookups of a source (guessed)
constexpr size_t kSetMax = 256;                   // assignments of a source (guessed)

void check_name(ConfigReader& reader, std::string_view key, std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax) {
    reader.fail(key, fmt::format("a column's name has 1 to {} bytes", kNameBytesMax));
  } else if (name == kTimeColumn) {
    reader.fail(key, "the time of a row cannot be changed or taken away");
  }
}

Result<EnrichRule> read_enrich(const toml::table& table, const std::string& path, const std::string& file,
                               KnownKeys* known) {
  ConfigReader reader(table, path, file, known);
  EnrichRule rule;
  reader.text("file", rule.file);
  reader.text("table", rule.table);
  reader.text("key", rule.key);
  reader.text("match", rule.match);
  reader.texts("tags", rule.tags);
  reader.texts("fields", rule.fields);
  reader.duration("reload", false, rule.reload_ns);
  if (known != nullptr) return rule;
  if (rule.file.empty() == rule.table.empty()) {
    reader.fail("file", "name one of file and table: where the columns come from");
  }
  if (rule.key.empty()) reader.fail("key", "must name the column of the row that is looked up");
  if (rule.tags.empty() && rule.fields.empty()) {
    reader.fail("fields", "tags or fields must name at least one column to add");
  }
  for (const std::string& name : rule.tags) check_name(reader, "tags", name);
  for (const std::string& name : rule.fields) {
    check_name(reader, "fields", name);
    if (std::find(rule.tags.begin(), rule.tags.end(), name) != rule.tags.end()) {
      reader.fail("fields", fmt::format("{} is in tags, too", name));
    }
  }
  VARVE_TRY(reader.finish());
  return rule;
}

void read_expressions(ConfigReader& reader, ProcessRules& rules) {
  reader.text("where", rules.where);
  reader.texts("set", rules.set);
  if (!rules.where.empty()) {
    if (const auto checked = check_condition(rules.where); !checked) {
      reader.fail("where", checked.error().message);
    }
  }
  if (rules.set.size() > kSetMax) reader.fail("set", fmt::format("more than {} assignments", kSetMax));
  for (size_t i = 0; i < rules.set.size(); ++i) {
    if (const auto checked = check_assignment(rules.set[i]); !checked) {
      reader.fail_element("set", i, checked.error().message);
    }
  }
}

void read_dedupe(ConfigReader& reader, ProcessRules& rules) {
  reader.duration("dedupe", true, rules.dedupe_window_ns);
  reader.texts("dedupe_by", rules.dedupe_by);
  reader.count("dedupe_keys", 2, kDedupeKeysMax, rules.dedupe_keys);
  if (rules.dedupe_window_ns > 0) return;
  for (const char* key : {"dedupe_by", "dedupe_keys"}) {
    if (reader.has(key) && (key != std::string_view("dedupe_by") || !rules.dedupe_by.empty()) &&
        (key != std::string_view("dedupe_keys") || rules.dedupe_keys != kDedupeKeys)) {
      reader.fail(key, "needs dedupe, the window in which a row seen again is dropped");
    }
  }
}

}  // namespace

Result<void> read_process(ConfigReader& reader, const std::string& path, const std::string& file,
                          KnownKeys* known, KafkaSourceOptions& out) {
  ProcessRules rules;
  rules.tags = out.mapping.tags;
  read_expressions(reader, rules);
  reader.text_map("rename", rules.rename);
  reader.texts("drop", rules.drop);
  for (const auto& [from, to] : rules.rename) {
    check_name(reader, "rename", from);
    check_name(reader, "rename", to);
  }
  for (const std::string& name : rules.drop) check_name(reader, "drop", name);
  read_dedupe(reader, rules);
  const std::vector<const toml::table*> sections = reader.tables("enrich");
  if (sections.size() > kEnrichMax) reader.fail("enrich", fmt::format("more than {} lookups", kEnrichMax));
  for (size_t i = 0; i < sections.size(); ++i) {
    VARVE_ASSIGN(auto rule, read_enrich(*sections[i], fmt::format("{}enrich.{}.", path, i), file, nullptr));
    rules.enrich.push_back(std::move(rule));
  }
  if (known != nullptr) {
    static const toml::table kNothing;
    VARVE_TRY(read_enrich(sections.empty() ? kNothing : *sections[0], path + "enrich.", file, known));
    known->erase(path + "enrich");
  }
  if (!rules.empty()) {
    out.make_processor = [rules](const Engine& engine) { return make_row_processor(rules, engine); };
  }
  return {};
}

}  // namespace varve

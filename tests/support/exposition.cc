#include "tests/support/exposition.h"

#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <set>

namespace varve::test {
namespace {

using Labels = std::map<std::string, std::string>;

bool is_name(std::string_view text, bool colon) {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  for (const char c : text) {
    const bool letter =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!letter && !(colon && c == ':')) return false;
  }
  return true;
}

std::string take_until(std::string_view& text, std::string_view ends) {
  const size_t end = std::min(text.find_first_of(ends), text.size());
  std::string taken(text.substr(0, end));
  text.remove_prefix(end);
  return taken;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

// {a="b",c="d"}, the brace already taken.
bool read_labels(std::string_view& text, Labels& labels) {
  while (!take(text, '}')) {
    const std::string name = take_until(text, "=");
    if (!is_name(name, false) || name.starts_with("__") || !take(text, '=') || !take(text, '"')) return false;
    std::string value;
    while (!take(text, '"')) {
      if (text.empty()) return false;
      char c = text[0];
      text.remove_prefix(1);
      if (c == '\\') {
        if (text.empty() || (text[0] != 'n' && text[0] != '"' && text[0] != '\\')) return false;
        c = text[0] == 'n' ? '\n' : text[0];
        text.remove_prefix(1);
      }
      value += c;
    }
    if (!labels.emplace(name, value).second) return false;
    if (!take(text, ',') && (text.empty() || text[0] != '}')) return false;
  }
  return true;
}

bool read_value(std::string_view text, double& value) {
  if (text == "NaN") value = std::numeric_limits<double>::quiet_NaN();
  if (text == "+Inf") value = std::numeric_limits<double>::infinity();
  if (text == "-Inf") value = -std::numeric_limits<double>::infinity();
  if (text == "NaN" || text == "+Inf" || text == "-Inf") return true;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && end == text.data() + text.size() && std::isfinite(value);
}

// The family a sample belongs to, while that of `name` is being read.
bool belongs(const std::string& sample, const std::string& name, const std::string& type) {
  if (type != "histogram") return sample == name;
  return sample == name + "_bucket" || sample == name + "_sum" || sample == name + "_count";
}

std::string histogram_fault(const std::string& name, const MetricFamily& family) {
  struct Series {
    double last_bound = -std::numeric_limits<double>::infinity();
    double last = 0;
    bool ended = false;
    int sums = 0, counts = 0;
  };
  std::map<Labels, Series> all;
  for (const Sample& sample : family.samples) {
    Labels labels = sample.labels;
    const auto bound = labels.extract("le");
    Series& series = all[labels];
    if (sample.name == name + "_bucket") {
      double le = 0;
      if (bound.empty() || !read_value(bound.mapped(), le)) return "a bucket without a bound";
      if (le <= series.last_bound) return "bounds do not ascend at le=" + bound.mapped();
      if (sample.value < series.last) return "buckets are not cumulative at le=" + bound.mapped();
      series.last_bound = le;
      series.last = sample.value;
      series.ended = std::isinf(le);
    } else if (!bound.empty()) {
      return "a bound outside of buckets";
    } else if (sample.name == name + "_sum") {
      ++series.sums;
    } else {
      ++series.counts;
      if (!series.ended || sample.value != series.last) return "+Inf is not the count";
    }
  }
  for (const auto& [labels, series] : all) {
    if (!series.ended || series.sums != 1 || series.counts != 1)
      return "a series without +Inf, _sum or _count";
  }
  return {};
}

class Reader {
 public:
  void read(std::string_view text) {
    if (text.empty() || text.back() != '\n') return fail("the last line does not end");
    while (!text.empty() && out_.fault.empty()) {
      const size_t end = text.find('\n');
      ++line_;
      read_line(text.substr(0, end));
      text.remove_prefix(end + 1);
    }
    if (out_.fault.empty()) end_family();
  }
  Exposition take() { return std::move(out_); }

 private:
  void fail(const std::string& what) {
    if (out_.fault.empty()) out_.fault = "line " + std::to_string(line_) + ": " + what;
  }

  void read_line(std::string_view line) {
    if (line.starts_with("# HELP ")) return read_help(line.substr(7));
    if (line.starts_with("# TYPE ")) return read_type(line.substr(7));
    if (line.empty() || line[0] == '#') return fail("neither HELP, TYPE nor a sample");
    Sample sample;
    sample.name = take_until(line, "{ ");
    if (!is_name(sample.name, true)) return fail("bad name " + sample.name);
    if (test::take(line, '{') && !read_labels(line, sample.labels))
      return fail("bad labels of " + sample.name);
    if (!test::take(line, ' ') || !read_value(line, sample.value)) return fail("bad value of " + sample.name);
    if (name_.empty() || !belongs(sample.name, name_, out_.families[name_].type)) {
      return fail("sample " + sample.name + " outside of its family");
    }
    if (!seen_.emplace(sample.name, sample.labels).second) return fail("series twice: " + sample.name);
    out_.families[name_].samples.push_back(std::move(sample));
  }

  void read_help(std::string_view rest) {
    end_family();
    const std::string name = take_until(rest, " ");
    if (!is_name(name, true)) return fail("bad name in HELP");
    if (!test::take(rest, ' ') || rest.empty()) return fail("no help for " + name);
    if (out_.families.contains(name))
      return fail("HELP of " + name + " twice, or its family is in two pieces");
    name_ = name;
    out_.families[name].help = rest;
  }

  void read_type(std::string_view rest) {
    const std::string name = take_until(rest, " ");
    if (name != name_ || !out_.families[name].type.empty() || !out_.families[name].samples.empty()) {
      return fail("TYPE of " + name + " out of place");
    }
    const std::string type(rest.empty() ? rest : rest.substr(1));
    if (type != "counter" && type != "gauge" && type != "histogram") return fail("bad type " + type);
    if ((type == "counter") != name.ends_with("_total"))
      return fail(name + ": counters, and only they, end in _total");
    out_.families[name].type = type;
  }

  void end_family() {
    if (name_.empty()) return;
    const MetricFamily& family = out_.families[name_];
    if (family.type.empty()) return fail("no TYPE for " + name_);
    if (family.samples.empty()) return fail("no samples of " + name_);
    if (family.type != "histogram") return;
    if (const std::string fault = histogram_fault(name_, family); !fault.empty()) fail(name_ + ": " + fault);
  }

  Exposition out_;
  std::string name_;
  std::set<std::pair<std::string, Labels>> seen_;
  size_t line_ = 0;
};

const Sample* find(const Exposition& from, const std::string& name, const Labels& labels) {
  for (const auto& [family, of] : from.families) {
    for (const Sample& sample : of.samples) {
      if (sample.name != name) continue;
      bool all = true;
      for (const auto& [key, value] : labels) {
        const auto found = sample.labels.find(key);
        all = all && found != sample.labels.end() && found->second == value;
      }
      if (all) return &sample;
    }
  }
  return nullptr;
}

}  // namespace

double Exposition::value(const std::string& name, const Labels& labels) const {
  const Sample* const sample = find(*this, name, labels);
  if (sample != nullptr) return sample->value;
  ADD_FAILURE() << "there is no " << name << " with these labels";
  return std::numeric_limits<double>::quiet_NaN();
}

bool Exposition::has(const std::string& name, const Labels& labels) const {
  return find(*this, name, labels) != nullptr;
}

Exposition read_exposition(std::string_view text) {
  Reader reader;
  reader.read(text);
  return reader.take();
}

}  // namespace varve::test

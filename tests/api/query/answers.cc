#include "tests/api/query/answers.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

namespace varve {
namespace {

// Bools count as 0 and 1, whole doubles as themselves, so that both sides compare as numbers.
Value normal(const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return static_cast<double>(*flag ? 1 : 0);
  if (const auto* whole = std::get_if<int64_t>(&value)) {
    constexpr int64_t kExact = int64_t{1} << 53;
    if (*whole > -kExact && *whole < kExact) return static_cast<double>(*whole);
  }
  return value;
}

bool alike(const Value& a, const Value& b) {
  if (a.index() != b.index()) return false;
  if (const auto* x = std::get_if<double>(&a)) {
    const double y = std::get<double>(b);
    return *x == y || std::fabs(*x - y) <= 1e-9 * std::max(std::fabs(*x), std::fabs(y));
  }
  return a == b;
}

}  // namespace

uint64_t run_seed() {
  if (const char* text = std::getenv("VARVE_SEED")) return std::strtoull(text, nullptr, 10);
  return std::random_device()();
}

Rows normal_rows(Rows rows, bool ordered) {
  for (auto& row : rows) {
    for (Value& value : row) value = normal(value);
  }
  if (!ordered) std::sort(rows.begin(), rows.end());
  return rows;
}

bool alike(const Rows& a, const Rows& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
           return x.size() == y.size() &&
                  std::equal(x.begin(), x.end(), y.begin(),
                             [](const Value& v, const Value& w) { return alike(v, w); });
         });
}

std::string shown(const Rows& rows) {
  std::string text;
  for (const auto& row : rows) {
    for (const Value& value : row) {
      std::visit(
          [&](const auto& v) {
            using T = std::decay_t<decltype(v)>;
            if constexpr (std::is_same_v<T, std::monostate>) {
              text += "NULL";
            } else if constexpr (std::is_same_v<T, std::string>) {
              text += "'" + v + "'";
            } else {
              text += std::to_string(v);
            }
          },
          value);
      text += " | ";
    }
    text += "\n";
  }
  return text;
}

}  // namespace varve

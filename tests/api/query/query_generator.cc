#include "tests/api/query/query_generator.h"

#include <fmt/format.h>

#include "storage/base/clock.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

TwoSpellings same(const std::string& text) {
  return {text, text};
}

// "({} + {})" with both operands filled in, in both spellings.
template <class... Parts>
TwoSpellings join(const char* pattern, const Parts&... parts) {
  return {fmt::format(fmt::runtime(pattern), parts.varve...),
          fmt::format(fmt::runtime(pattern), parts.sqlite...)};
}

}  // namespace

std::string QueryGenerator::timestamp(int64_t seconds) {
  return format_timestamp(seconds * kNsPerSecond);
}

std::string QueryGenerator::text_literal() {
  return "'" + pick({"", "a", "b", "A", "aa", "ab", "Ba", "c d", "%", "x_y"}) + "'";
}

TwoSpellings QueryGenerator::ints(int depth) {
  if (depth <= 0 || chance(30)) {
    return same(chance(60) ? pick({"i", "j"}) : pick({"0", "1", "2", "-3", "7", "100", "-1"}));
  }
  switch (below(9)) {
    case 0:
      return join("({} + {})", ints(depth - 1), ints(depth - 1));
    case 1:
      return join("({} - {})", ints(depth - 1), ints(depth - 1));
    case 2:
      return join("({} * {})", ints(depth - 1), ints(0));
    case 3:
      return join("({} / {})", ints(depth - 1), ints(depth - 1));
    case 4:
      return join("({} % {})", ints(depth - 1), ints(depth - 1));
    case 5:
      return join("abs({})", ints(depth - 1));
    case 6:
      return join("coalesce({}, {})", ints(depth - 1), ints(depth - 1));
    case 7:
      return join("(- {})", ints(depth - 1));
    default:
      return join("CASE WHEN {} THEN {} ELSE {} END", condition(depth - 1), ints(depth - 1), ints(depth - 1));
  }
}

TwoSpellings QueryGenerator::doubles(int depth) {
  if (depth <= 0 || chance(30)) {
    return same(chance(70) ? pick({"x", "y"}) : pick({"0.5", "2.0", "-1.25", "0.0", "10.75"}));
  }
  switch (below(9)) {
    case 0:
      return join("({} + {})", doubles(depth - 1), number(depth - 1));
    case 1:
      return join("({} - {})", number(depth - 1), doubles(depth - 1));
    case 2:
      return join("({} * {})", doubles(depth - 1), number(0));
    case 3:
      return join("({} % {})", doubles(depth - 1), doubles(0));
    case 4:
      return join("abs({})", doubles(depth - 1));
    case 5:
      return join("round({})", number(depth - 1));
    case 6:
      return join("floor({})", doubles(depth - 1));
    case 7:
      return join("coalesce({}, {})", doubles(depth - 1), doubles(depth - 1));
    default:
      return join("CASE WHEN {} THEN {} END", condition(depth - 1), doubles(depth - 1));
  }
}

TwoSpellings QueryGenerator::number(int depth) {
  return chance(50) ? ints(depth) : doubles(depth);
}

TwoSpellings QueryGenerator::strings(int depth) {
  if (depth <= 0 || chance(40)) return same(chance(75) ? pick({"a", "b", "s"}) : text_literal());
  switch (below(5)) {
    case 0:
      return join("upper({})", strings(depth - 1));
    case 1:
      return join("lower({})", strings(depth - 1));
    case 2:
      return join("({} || {})", strings(depth - 1), strings(depth - 1));
    case 3:
      return join("coalesce({}, {})", strings(depth - 1), strings(depth - 1));
    default:
      return join("CASE {} WHEN {} THEN {} ELSE {} END", ints(0), ints(0), strings(depth - 1), strings(0));
  }
}

TwoSpellings QueryGenerator::time_value() {
  const int64_t ns = chance(40) ? grid_time() + below(12) * kSeriesStepNs
                                : (kSecondsMin + below(kSecondsMax - kSecondsMin)) * kNsPerSecond;
  return {"'" + format_timestamp(ns) + "'", std::to_string(ns)};
}

int64_t QueryGenerator::grid_time() {
  constexpr int64_t kGridSeconds = 600;
  return (kSecondsMin + below((kSecondsMax - kSecondsMin) / kGridSeconds) * kGridSeconds) * kNsPerSecond;
}

TwoSpellings QueryGenerator::bucket() {
  const int64_t minutes = 1 + below(30);
  const int64_t width = minutes * 60 * kNsPerSecond;
  const int64_t origin = chance(30) ? below(600) * kNsPerSecond : 0;
  TwoSpellings spellings;
  spellings.varve = origin == 0 ? fmt::format("time_bucket('{}m', time)", minutes)
                                : fmt::format("time_bucket(INTERVAL '{} minutes', time, '{}s')", minutes,
                                              origin / kNsPerSecond);
  spellings.sqlite = fmt::format("(time - (((time - {1}) % {0} + {0}) % {0}))", width, origin);
  return spellings;
}

TwoSpellings QueryGenerator::in_list(const TwoSpellings& needle, bool text) {
  TwoSpellings list = join(chance(30) ? "({} NOT IN (" : "({} IN (", needle);
  const int64_t count = below(5);
  for (int64_t k = 0; k < count; ++k) {
    const std::string item = chance(10) ? "NULL" : text ? text_literal() : chance(70) ? ints(0).varve : "2.5";
    const bool column = item == "i" || item == "j";
    list = {list.varve + (k > 0 ? ", " : "") + (column ? "3" : item),
            list.sqlite + (k > 0 ? ", " : "") + (column ? "3" : item)};
  }
  return join("{}))", list);
}

TwoSpellings QueryGenerator::condition(int depth) {
  if (depth > 0 && chance(45)) {
    switch (below(3)) {
      case 0:
        return join("({} AND {})", condition(depth - 1), condition(depth - 1));
      case 1:
        return join("({} OR {})", condition(depth - 1), condition(depth - 1));
      default:
        return join("(NOT {})", condition(depth - 1));
    }
  }
  const auto compare = [&](const TwoSpellings& left, const TwoSpellings& right) {
    const TwoSpellings op = same(pick({"=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT"}));
    return join("({} {} {})", left, op, right);
  };
  switch (below(12)) {
    case 0:
    case 1:
      return compare(number(depth), number(depth));
    case 2:
      return compare(strings(depth), strings(depth));
    case 3:
      return compare(same("time"), time_value());
    case 4:
      return join("(time BETWEEN {} AND {})", time_value(), time_value());
    case 5:
      return join(chance(30) ? "({} NOT BETWEEN {} AND {})" : "({} BETWEEN {} AND {})", number(depth),
                  number(0), number(0));
    case 6:
      return in_list(number(0), false);
    case 7:
      return in_list(strings(0), true);
    case 8:
      return join(chance(30) ? "({} IS NOT NULL)" : "({} IS NULL)", any(depth));
    case 9:
      return join(chance(30) ? "({} NOT LIKE {})" : "({} LIKE {})", strings(depth),
                  same("'" + pick({"a%", "%b", "_a", "%", "", "A_", "%a%b%", "x_y"}) + "'"));
    case 10:
      return same(pick({"f", "(f = TRUE)", "(f IS NULL)", "(f <> (i > 2))", "(f IN (TRUE))"}));
    default:
      return compare(same(pick({"a", "b"})), same(text_literal()));
  }
}

TwoSpellings QueryGenerator::any(int depth) {
  switch (below(5)) {
    case 0:
      return ints(depth);
    case 1:
      return doubles(depth);
    case 2:
      return strings(depth);
    case 3:
      return same(pick({"f", "time"}));
    default:
      return condition(depth - 1);
  }
}

// Division makes sums depend on their order, so it stays out of sum and avg of doubles (the generator has none there).
TwoSpellings QueryGenerator::aggregate() {
  switch (below(10)) {
    case 0:
      return same("count(*)");
    case 1:
      return join("count({})", any(1));
    case 2:
      return join("sum({})", number(1));
    case 3:
      return join("avg({})", number(1));
    case 4:
      return join(chance(50) ? "min({})" : "max({})", chance(50) ? number(1) : strings(1));
    case 5:
      return join("count(DISTINCT {})", chance(50) ? ints(0) : strings(0));
    case 6:
      return same(pick({"sum(x)", "avg(y)", "min(x)", "max(y)", "sum(i)", "avg(j)", "min(i)", "max(j)"}));
    case 7:
      return same(
          pick({"count(x)", "count(a)", "count(s)", "count(time)", "min(time)", "max(time)", "count(f)"}));
    default: {
      const std::string column = pick({"x", "y", "i", "j", "x + i"});
      const std::string name = pick({"first", "last"});
      return {fmt::format("{}({})", name, column), fmt::format("{}({}, time)", name, column)};
    }
  }
}

TwoSpellings QueryGenerator::group_key() {
  switch (below(8)) {
    case 0:
    case 1:
    case 2:
      return same(pick({"a", "b"}));
    case 3:
    case 4:
      return bucket();
    case 5:
      return strings(1);
    case 6:
      return ints(1);
    default:
      return condition(0);
  }
}

GeneratedQuery QueryGenerator::select() {
  const bool grouped = chance(55);
  const bool distinct = chance(10);
  TwoSpellings list;
  TwoSpellings tail;
  int64_t outputs = 0;
  const auto add_output = [&](const TwoSpellings& expr) {
    if (outputs > 0) list = join("{}, ", list);
    list = join("{}{}", list, expr);
    ++outputs;
  };
  if (chance(70)) tail = join(" WHERE {}", condition(2));
  if (grouped) {
    const int64_t keys = below(4);
    for (int64_t k = 0; k < keys; ++k) {
      const TwoSpellings key = group_key();
      add_output(key);
      tail = join(k == 0 ? "{} GROUP BY {}" : "{}, {}", tail, same(std::to_string(k + 1)));
    }
    const int64_t aggregates = 1 + below(4);
    for (int64_t k = 0; k < aggregates; ++k) add_output(aggregate());
    if (keys > 0 && chance(25)) {
      tail = join("{} HAVING {} {}", tail, same(pick({"count(*)", "sum(x)", "max(i)", "avg(y)", "count(s)"})),
                  same(pick({"> 2", "<= 3.5", "IS NULL", "IS NOT NULL", "<> 1"})));
    }
  } else {
    const int64_t columns = 1 + below(4);
    for (int64_t k = 0; k < columns; ++k) add_output(chance(10) ? bucket() : any(2));
  }
  GeneratedQuery query;
  query.ordered = chance(50);
  if (query.ordered) {
    // Random keys first, then every output, so that the order is given.
    std::string order;
    const int64_t first = below(outputs);
    for (int64_t k = 0; k < outputs; ++k) {
      order += fmt::format("{}{}{}{}", k > 0 ? ", " : "", (first + k) % outputs + 1,
                           chance(40) ? " DESC" : "", chance(20) ? " NULLS LAST" : "");
    }
    tail = join("{} ORDER BY {}", tail, same(order));
    if (chance(50)) tail = join("{} LIMIT {}", tail, same(std::to_string(below(20))));
    if (tail.varve.find(" LIMIT ") != std::string::npos && chance(40)) {
      tail = join("{} OFFSET {}", tail, same(std::to_string(below(10))));
    }
  }
  query.sql = join(distinct ? "SELECT DISTINCT {} FROM t{}" : "SELECT {} FROM t{}", list, tail);
  return query;
}

TwoSpellings QueryGenerator::side_condition(const std::string& side) {
  const std::string op = pick({"=", "<>", "<", "<=", ">", ">="});
  switch (below(8)) {
    case 0:
      return join("({}.time {} {})", same(side), same(op), time_value());
    case 1:
      return same(fmt::format("({}.{} {} {})", side, pick({"i", "j", "x"}), op, pick({"0", "2", "-3", "1.5"})));
    case 2:
      return same(fmt::format("({}.{} IN ({}, {}))", side, pick({"a", "b", "s"}), text_literal(), text_literal()));
    case 3:
      return same(fmt::format("({}.{} {} NULL)", side, pick({"a", "b", "x", "s", "i"}), pick({"IS", "IS NOT"})));
    case 4:
      return same(fmt::format("({}.{} = {})", side, pick({"a", "b", "s"}), text_literal()));
    case 5:
      return join("({}.time BETWEEN {} AND {})", same(side), time_value(), time_value());
    case 6:
      return same(fmt::format("({}.{} IN (1, 2.5, -3, NULL))", side, pick({"i", "x", "j"})));
    default:
      return join("({} OR {})", side_condition(side), side_condition(side));
  }
}

TwoSpellings QueryGenerator::join_query() {
  const TwoSpellings outer = side_condition("l");
  const TwoSpellings inner = side_condition("r");
  const TwoSpellings equal = same(fmt::format("l.{0} = r.{0}", pick({"a", "b", "s", "i", "x", "time", "f"})));
  const TwoSpellings crossed = same(pick({"l.i = r.x", "l.x = r.j", "l.time <= r.time", "l.time = r.time", "l.a = r.s",
                                          "l.i + 1 = r.i", "l.x > r.y", "l.b = r.a"}));
  const TwoSpellings both = join("{} AND {}", equal, crossed);
  switch (below(4)) {
    case 0:
      return join("SELECT count(*), sum(l.i), max(r.time), min(r.s) FROM t l {} JOIN t r ON {} WHERE {} AND {}",
                         same(chance(50) ? "LEFT" : ""), both, outer, inner);
    case 1:
      return join("SELECT l.time, l.a, count(r.i), max(r.x) FROM t l LEFT JOIN t r ON {} AND {} WHERE {} GROUP BY 1, 2",
                         both, inner, outer);
    case 2:
      return join(
          "SELECT l.time, l.b, (SELECT r.i FROM t r WHERE {} AND r.time <= l.time ORDER BY r.time DESC, r.a, r.b LIMIT 1) "
          "FROM t l WHERE {}",
          equal, outer);
    default:
      return join("SELECT l.i, l.s FROM t l WHERE {} AND {} (SELECT 1 FROM t r WHERE {} AND {})", outer,
                         same(chance(50) ? "EXISTS" : "NOT EXISTS"), both, inner);
  }
}

}  // namespace varve

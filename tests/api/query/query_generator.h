// Random SELECT statements over one table, each in two spellings: varve's and SQLite's, which must answer alike.
//   table t: time (int64 ns), tags a and b, fields x y (double), i j (int64), s (string), f (bool)
// The spellings differ only where SQLite lacks the word: times are integers, time_bucket is arithmetic.
// Threads: one thread.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace varve {

struct TwoSpellings {
  std::string varve;
  std::string sqlite;
};

struct GeneratedQuery {
  TwoSpellings sql;
  bool ordered = false;  // the rows' order is given, up to rows that are equal
};

class QueryGenerator {
 public:
  explicit QueryGenerator(uint64_t seed) : random_(seed) {}

  GeneratedQuery select();
  TwoSpellings join_query();  // of t with itself, or a sub-query about each row; without an order
  TwoSpellings condition(int depth);
  int64_t below(int64_t bound) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(bound)); }
  bool chance(int percent) { return below(100) < percent; }
  std::string timestamp(int64_t seconds);  // RFC 3339 of seconds since the epoch; may be negative
  // One of a few times; a statement asks for just these and steps of a series after them, so that bounds are met.
  int64_t grid_time();
  static constexpr int64_t kSeriesStepNs = 1000;  // by which the times of series differ

  // Where the generated times and those of the rows lie, in seconds.
  static constexpr int64_t kSecondsMin = -3600;
  static constexpr int64_t kSecondsMax = 3600;

 private:
  TwoSpellings side_condition(const std::string& side);
  TwoSpellings ints(int depth);
  TwoSpellings doubles(int depth);
  TwoSpellings strings(int depth);
  TwoSpellings number(int depth);
  TwoSpellings time_value();
  TwoSpellings bucket();
  TwoSpellings any(int depth);
  TwoSpellings aggregate();
  TwoSpellings group_key();
  TwoSpellings in_list(const TwoSpellings& needle, bool text);
  template <size_t N>
  std::string pick(const char* const (&choices)[N]) {
    return choices[below(N)];
  }
  std::string text_literal();

  std::mt19937_64 random_;
};

}  // namespace varve

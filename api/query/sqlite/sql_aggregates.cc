// The aggregates SQLite lacks. Their memory is SQLite's, so it is counted with the query's (memory_count.h).
#include <sqlite3.h>

#include <algorithm>
#include <cmath>

#include "api/query/sqlite/sql_functions.h"

namespace varve {
namespace {

bool is_null(sqlite3_value* value) {
  return sqlite3_value_type(value) == SQLITE_NULL;
}

template <class State>
State* state_of(sqlite3_context* context) {
  return static_cast<State*>(sqlite3_aggregate_context(context, sizeof(State)));  // zeros at first
}
template <class State>
State* finished(sqlite3_context* context) {
  return static_cast<State*>(sqlite3_aggregate_context(context, 0));
}

struct Edge {
  sqlite3_value* value;
  int64_t time;
};

// first(x, time): of equal times the first met; last(x, time): the last met. Rows without a value take no part.
template <bool is_last>
void edge_step(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0]) || is_null(values[1])) return;
  auto* edge = state_of<Edge>(context);
  if (edge == nullptr) return sqlite3_result_error_nomem(context);
  const int64_t time = sqlite3_value_int64(values[1]);
  if (edge->value != nullptr && (is_last ? time < edge->time : time >= edge->time)) return;
  sqlite3_value_free(edge->value);
  edge->value = sqlite3_value_dup(values[0]);
  edge->time = time;
  if (edge->value == nullptr) sqlite3_result_error_nomem(context);
}

void edge_final(sqlite3_context* context) {
  auto* edge = finished<Edge>(context);
  if (edge == nullptr || edge->value == nullptr) return;
  sqlite3_result_value(context, edge->value);
  sqlite3_value_free(edge->value);
}

// Welford's: one pass, without the cancellation of sums of squares.
struct Variance {
  int64_t count;
  double mean;
  double squares;
};

void variance_step(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0])) return;
  auto* state = state_of<Variance>(context);
  if (state == nullptr) return sqlite3_result_error_nomem(context);
  const double value = sqlite3_value_double(values[0]);
  const double distance = value - state->mean;
  ++state->count;
  state->mean += distance / static_cast<double>(state->count);
  state->squares += distance * (value - state->mean);
}

template <bool root>
void variance_final(sqlite3_context* context) {
  const auto* state = finished<Variance>(context);
  if (state == nullptr || state->count < 2) return;
  const double variance = state->squares / static_cast<double>(state->count - 1);
  sqlite3_result_double(context, root ? std::sqrt(variance) : variance);
}

struct Spread {
  bool any;
  bool any_double;
  int64_t min_int, max_int;
  double min, max;
};

void spread_step(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0])) return;
  auto* state = state_of<Spread>(context);
  if (state == nullptr) return sqlite3_result_error_nomem(context);
  const double real = sqlite3_value_double(values[0]);
  const int64_t whole = sqlite3_value_int64(values[0]);
  state->any_double = state->any_double || sqlite3_value_numeric_type(values[0]) != SQLITE_INTEGER;
  state->min = state->any ? std::min(state->min, real) : real;
  state->max = state->any ? std::max(state->max, real) : real;
  state->min_int = state->any ? std::min(state->min_int, whole) : whole;
  state->max_int = state->any ? std::max(state->max_int, whole) : whole;
  state->any = true;
}

void spread_final(sqlite3_context* context) {
  const auto* state = finished<Spread>(context);
  if (state == nullptr || !state->any) return;
  int64_t spread = 0;
  if (state->any_double) return sqlite3_result_double(context, state->max - state->min);
  if (__builtin_sub_overflow(state->max_int, state->min_int, &spread)) {
    return sqlite3_result_error(context, "integer overflow", -1);
  }
  sqlite3_result_int64(context, spread);
}

struct Values {
  double* data;
  int64_t count;
  int64_t capacity;
  double percentile;
};

// percentile(x, p), or median(x).
void values_step(sqlite3_context* context, int count, sqlite3_value** values) {
  constexpr int64_t kFirstCapacity = 64;
  auto* state = state_of<Values>(context);
  if (state == nullptr) return sqlite3_result_error_nomem(context);
  state->percentile = count == 2 ? sqlite3_value_double(values[1]) : 50;
  if (!(state->percentile >= 0 && state->percentile <= 100)) {
    return sqlite3_result_error(context, "the rank of percentile is from 0 to 100", -1);
  }
  if (is_null(values[0])) return;
  if (state->count == state->capacity) {
    const int64_t capacity = state->capacity == 0 ? kFirstCapacity : state->capacity * 2;
    auto* grown = static_cast<double*>(
        sqlite3_realloc64(state->data, static_cast<sqlite3_uint64>(capacity) * sizeof(double)));
    if (grown == nullptr) return sqlite3_result_error_nomem(context);
    state->data = grown;
    state->capacity = capacity;
  }
  state->data[state->count++] = sqlite3_value_double(values[0]);
}

// Between neighbours in proportion, as the native engine.
void values_final(sqlite3_context* context) {
  auto* state = finished<Values>(context);
  if (state == nullptr || state->data == nullptr) return;
  const double place = state->percentile / 100 * static_cast<double>(state->count - 1);
  const auto below = static_cast<int64_t>(place);
  std::nth_element(state->data, state->data + below, state->data + state->count);
  double value = state->data[below];
  if (below + 1 < state->count) {
    const double next = *std::min_element(state->data + below + 1, state->data + state->count);
    const double share = place - static_cast<double>(below);
    if (share > 0) value += share * (next - value);
  }
  sqlite3_result_double(context, value);
  sqlite3_free(state->data);
}

}  // namespace

bool register_aggregates(sqlite3* database) {
  struct Aggregate {
    const char* name;
    int arguments;
    void (*step)(sqlite3_context*, int, sqlite3_value**);
    void (*final)(sqlite3_context*);
  };
  constexpr Aggregate kAggregates[] = {
      {"first", 2, edge_step<false>, edge_final},        {"last", 2, edge_step<true>, edge_final},
      {"variance", 1, variance_step, variance_final<false>}, {"stddev", 1, variance_step, variance_final<true>},
      {"spread", 1, spread_step, spread_final},          {"median", 1, values_step, values_final},
      {"percentile", 2, values_step, values_final},
  };
  for (const Aggregate& aggregate : kAggregates) {
    if (sqlite3_create_function(database, aggregate.name, aggregate.arguments, SQLITE_UTF8 | SQLITE_INNOCUOUS, nullptr,
                                nullptr, aggregate.step, aggregate.final) != SQLITE_OK) {
      return false;
    }
  }
  return true;
}

}  // namespace varve

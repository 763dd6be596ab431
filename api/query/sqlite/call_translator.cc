// Calls of functions, aggregates and windows. See expression_translator.h.
#include <fmt/format.h>

#include <algorithm>

#include "api/query/functions.h"
#include "api/query/plan.h"
#include "api/query/sqlite/expression_translator.h"
#include "api/sql/text.h"
#include "storage/base/check.h"

namespace varve {

QueryResult<Operand> ExpressionTranslator::call() {
  Call call;
  call.token = next_;
  call.name = ascii_lower(current().text);
  call.columns_from = met_items_.size();
  const SqliteFunction* function = find_sqlite_function(call.name);
  if (function == nullptr) {
    return failure("unknown_function", fmt::format("no such function: {}", call.name), next_,
                   nearest_hint(call.name, sqlite_function_names()));
  }
  next_ += 2;
  if (skip_symbol("*")) {
    call.star = true;
  } else {
    skip_word("DISTINCT");
    while (!symbol(")")) {
      VARVE_QUERY_ASSIGN(Operand argument, expression());
      call.arguments.push_back(std::move(argument));
      if (!skip_symbol(",")) break;
    }
  }
  call.close = next_;
  VARVE_QUERY_TRY(expect_symbol(")", ", or ) in the arguments"));
  Operand operand;
  operand.from = call.token;
  VARVE_QUERY_ASSIGN(operand.type, call_type(call, *function));
  if (word("FILTER") && ahead(1).is_operator("(")) {
    next_ += 2;
    VARVE_QUERY_TRY(expect_word("WHERE", "WHERE in FILTER"));
    VARVE_QUERY_TRY(expression());
    VARVE_QUERY_TRY(expect_symbol(")", "a closing ) after FILTER"));
  }
  if (word("OVER")) VARVE_QUERY_TRY(over());
  return operand;
}

QueryResult<void> ExpressionTranslator::number_argument(const Call& call, const Operand& argument) const {
  const KnownType type = argument.type;
  if (type != SqlType::kString && type != SqlType::kTimestamp) return {};
  return failure("type_mismatch",
                 fmt::format("{}() needs numbers, found a {}", call.name, sql_type_name(*type)),
                 argument.from);
}

QueryResult<KnownType> ExpressionTranslator::call_type(Call& call, const SqliteFunction& function) {
  std::vector<Operand>& arguments = call.arguments;
  const auto type_of = [&](size_t index) {
    return index < arguments.size() ? arguments[index].type : std::nullopt;
  };
  for (Operand& argument : arguments) {
    if (function.arguments == FunctionArguments::kText) as_text(argument, call.name == "concat");
    if (function.arguments == FunctionArguments::kDate && argument.type == SqlType::kTimestamp)
      as_text(argument, false);
  }
  switch (function.result) {
    case FunctionResult::kInt:
      return SqlType::kInt64;
    case FunctionResult::kDouble:
      return SqlType::kDouble;
    case FunctionResult::kString:
      return SqlType::kString;
    case FunctionResult::kBool:
      return SqlType::kBool;
    case FunctionResult::kTimestamp:
      return SqlType::kTimestamp;
    case FunctionResult::kFirst:
      return type_of(0);
    case FunctionResult::kThird: {
      if (arguments.size() < 3) return type_of(0);
      return unify({&arguments[0], &arguments[2]});
    }
    case FunctionResult::kCommon:
    case FunctionResult::kRest: {
      std::vector<Operand*> same;
      const size_t first = function.result == FunctionResult::kRest ? 1 : 0;
      for (size_t i = first; i < arguments.size(); ++i) same.push_back(&arguments[i]);
      return unify(same);
    }
    case FunctionResult::kWhole:
      if (type_of(0) == SqlType::kInt64 || type_of(0) == SqlType::kBool) return SqlType::kInt64;
      return type_of(0) == SqlType::kDouble ? type_of(0) : std::nullopt;
    case FunctionResult::kSum:
    case FunctionResult::kAverage:
    case FunctionResult::kSpread: {
      const bool time_spread =
          function.result == FunctionResult::kSpread && type_of(0) == SqlType::kTimestamp;
      if (time_spread) return SqlType::kInterval;
      if (!arguments.empty()) VARVE_QUERY_TRY(number_argument(call, arguments[0]));
      if (call.name == "mean") text_.replace(call.token, "avg");
      if (function.result == FunctionResult::kAverage) return SqlType::kDouble;
      if (type_of(0) == SqlType::kBool || type_of(0) == SqlType::kNull) return SqlType::kInt64;
      return type_of(0);
    }
    case FunctionResult::kUnknown:
      return KnownType();
    case FunctionResult::kNow:
      if (!arguments.empty() || call.star)
        return failure("wrong_arguments", "now() takes no arguments", call.token);
      text_.replace(call.token, int_literal(now_ns_));
      text_.replace(call.token + 1, "");
      text_.replace(call.close, "");
      return SqlType::kTimestamp;
    case FunctionResult::kBucket:
      return bucket_call(call);
    case FunctionResult::kEdge:
      VARVE_QUERY_TRY(edge_call(call));
      return type_of(0);
    case FunctionResult::kOfOneTable:
      break;
  }
  return failure(
      "unsupported",
      fmt::format("{}() works in a SELECT from one table, without joins or sub-queries", call.name),
      call.token);
}

// The native engine's functions of time grids, in their words: the grid is made here, and SQLite calls
// varve_bucket(its number, time).
QueryResult<KnownType> ExpressionTranslator::bucket_call(Call& call) {
  std::vector<Operand>& arguments = call.arguments;
  FunctionCall native{call.name, {}, text_.at(call.token).position, now_ns_};
  for (size_t i = 0; i < arguments.size(); ++i) {
    Operand& argument = arguments[i];
    const size_t position = text_.at(argument.from).position;
    if (i == 1) VARVE_QUERY_TRY(as_time(argument));
    ScalarPtr scalar;
    if (i == 1) {
      scalar = std::make_unique<SlotScalar>(SqlType::kTimestamp, position, kTimeSlot);
    } else if (argument.literal) {
      scalar = std::make_unique<ConstantScalar>(SqlType::kString, position, argument.text);
    } else if (argument.constant) {
      scalar = std::make_unique<ConstantScalar>(*argument.type, position, *argument.constant);
    } else {  // which is refused: no constant
      scalar = std::make_unique<SlotScalar>(argument.type.value_or(SqlType::kNull), position, kTimeSlot);
    }
    native.arguments.push_back(std::move(scalar));
  }
  VARVE_QUERY_ASSIGN(const ScalarPtr bound, bind_function(std::move(native)));
  const auto* bucket = dynamic_cast<const BucketScalar*>(bound.get());
  VARVE_CHECK(bucket != nullptr);
  text_.replace(call.token, "varve_bucket");
  for (size_t token = call.token + 2; token < call.close; ++token) {
    const bool is_time = token >= arguments[1].from && token < arguments[1].to;
    if (!is_time) text_.replace(token, "");
  }
  text_.replace(call.token + 2, fmt::format("{},", buckets_.size()));
  buckets_.push_back(bucket->rule);
  return SqlType::kTimestamp;
}

// first(x) means: at the smallest time of the table x is of.
QueryResult<void> ExpressionTranslator::edge_call(Call& call) {
  if (call.arguments.size() == 2) return as_time(call.arguments[1]);
  if (call.arguments.size() != 1) {
    return failure("wrong_arguments", fmt::format("{0}() is written {0}(x) or {0}(x, time)", call.name),
                   call.token);
  }
  ScopeItem* item = nullptr;
  bool one = true;
  for (size_t i = call.columns_from; i < met_items_.size(); ++i) {
    one = one && (item == nullptr || item == met_items_[i]);
    item = met_items_[i];
  }
  if (item == nullptr && !scopes_.empty() && scopes_.back()->items.size() == 1)
    item = &scopes_.back()->items[0];
  ScopeColumn* time = item != nullptr && one ? item->find(kTimeColumn) : nullptr;
  if (time == nullptr || time->type != SqlType::kTimestamp || item->name.empty()) {
    return failure("wrong_arguments",
                   fmt::format("{}() needs to know the time of its values here", call.name), call.token,
                   fmt::format("write {}(x, time)", call.name));
  }
  const std::string& inside = time->source != nullptr ? time->source->sqlite_name : time->name;
  if (time->source != nullptr) time->source->referenced = true;
  text_.append(call.close - 1, fmt::format(", {}.{}", quoted_name(item->name), quoted_name(inside)));
  return {};
}

QueryResult<void> ExpressionTranslator::over() {
  ++next_;
  if (!symbol("(")) {
    VARVE_QUERY_TRY(name("a window after OVER"));
    return {};
  }
  return window_definition();
}

// ( [name] [PARTITION BY ...] [ORDER BY ...] [frame] )
QueryResult<void> ExpressionTranslator::window_definition() {
  VARVE_QUERY_TRY(expect_symbol("(", "( of a window"));
  const auto frame = [&] { return word("ROWS") || word("RANGE") || word("GROUPS"); };
  const bool has_base = is_name() && !frame() && !(word("PARTITION") && ahead(1).is_word("BY"));
  if (has_base) VARVE_QUERY_TRY(name("a window"));
  if (skip_word("PARTITION")) {
    VARVE_QUERY_TRY(expect_word("BY", "BY after PARTITION"));
    VARVE_QUERY_TRY(expression_list("PARTITION BY"));
  }
  if (skip_word("ORDER")) {
    VARVE_QUERY_TRY(expect_word("BY", "BY after ORDER"));
    VARVE_QUERY_TRY(order_terms());
  }
  if (frame()) {
    ++next_;
    const bool between = skip_word("BETWEEN");
    VARVE_QUERY_TRY(frame_bound());
    if (between) {
      VARVE_QUERY_TRY(expect_word("AND", "AND between the bounds of the window"));
      VARVE_QUERY_TRY(frame_bound());
    }
    if (skip_word("EXCLUDE")) {
      if (skip_word("NO")) {
        VARVE_QUERY_TRY(expect_word("OTHERS", "OTHERS after NO"));
      } else if (skip_word("CURRENT")) {
        VARVE_QUERY_TRY(expect_word("ROW", "ROW after CURRENT"));
      } else if (!skip_word("GROUP") && !skip_word("TIES")) {
        return expected("NO OTHERS, CURRENT ROW, GROUP or TIES after EXCLUDE");
      }
    }
  }
  return expect_symbol(")", "a closing ) after the window");
}

QueryResult<void> ExpressionTranslator::frame_bound() {
  if (skip_word("CURRENT")) return expect_word("ROW", "ROW after CURRENT");
  if (!skip_word("UNBOUNDED")) {
    VARVE_QUERY_ASSIGN(Operand distance, expression());
    VARVE_QUERY_TRY(as_interval(distance));
  }
  if (!skip_word("PRECEDING") && !skip_word("FOLLOWING")) return expected("PRECEDING or FOLLOWING");
  return {};
}

}  // namespace varve

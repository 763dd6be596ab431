// One target to one statement: free SQL with its macros replaced, or options turned into SQL.
//   time series, frames: SELECT time_bucket(w, time), tags, avg(field)... in the panel's range, by the automatic bucket
//                        unless `interval` says another; aggregate "none" gives the stored rows, by all tags
//   tables:              without aggregate, interval and group_by the newest stored rows; without interval one row a
//                        group for the whole range; with one ("auto", "5m") as above
//   annotations:         the newest rows: time, text, title, time_end, and the values of `tags` (all tags by default)
// `limit` always keeps the newest rows. Without fields: all that are numbers.
// Errors:  bad_request and those of finding tables.
// Threads: pure functions.
#pragma once

#include "api/grafana/request.h"
#include "api/grafana/series.h"
#include "api/grafana/sql_builder.h"
#include "storage/engine.h"

namespace varve::grafana {

constexpr uint64_t kTableRowsDefault =
    1000;  // stored rows in a table, where no limit is given; guessed: nobody reads more
constexpr size_t kFieldsDefaultMax = 50;  // without fields named; more must be chosen

struct Built {
  Statement statement;
  std::optional<Format>
      format;  // none: SQL that does not say; series if it has a time and numbers, else a table
  std::optional<std::vector<Role>> roles;  // of the columns; none: by type
  Naming naming;
};

QueryResult<Built> build(const Engine& engine, const Target& target, const QueryBody& context);

struct Aggregate {
  std::string_view name;
  std::string_view label;
};
// As options name them, "none" included.
const std::vector<Aggregate>& aggregates();

}  // namespace varve::grafana

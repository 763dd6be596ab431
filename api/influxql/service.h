// Runs the statements of a /query request, one after the other, as one of the QueryService's queries: one place, one
// deadline, one row limit and one cancellation for all of them.
//   - A statement that fails has its error in its result; those after it are "not executed".
//   - CREATE DATABASE makes a name known (databases.h). DROP and DELETE need may_change, as do the statements that are
//     understood but do nothing here.
// Errors:  run(): no place became free, memory is out; what statements fail with is in the answer.
// Threads: any.
#pragma once

#include <string>
#include <vector>

#include "api/influxql/answer_writer.h"
#include "api/influxql/ast.h"
#include "api/influxql/databases.h"
#include "api/query/query.h"

namespace varve::influxql {

struct Request {
  QueryRequest query;  // sql: the text, as it is listed; may_change: sent by POST
  std::string database;
  int64_t epoch_ns = 0;  // unit of times; 0 = RFC 3339
  AnswerOptions answer;
  bool is_writer = false;  // may make databases it may write to, and nothing else
};

class Service {
 public:
  Service(Engine& engine, QueryService& queries, const Clock& clock)
      : engine_(engine), queries_(queries), clock_(clock), databases_(engine) {}

  // False = `put` wanted no more.
  QueryResult<bool> run(const Request& request, std::vector<Statement> statements, AnswerWriter::Put put);

 private:
  class Run;
  Engine& engine_;
  QueryService& queries_;
  const Clock& clock_;
  Databases databases_;
};

}  // namespace varve::influxql

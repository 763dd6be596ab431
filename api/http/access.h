// Who may call what: the role each route asks for, and who a request is from.
// Threads: values.
#pragma once

#include <string>

#include "api/query/query.h"
#include "api/query/table_scope.h"
#include "storage/catalog/tokens.h"

namespace varve {

enum class Access {
  kUndeclared,  // asks for admin; tests refuse such a route
  kOpen,        // for everyone: liveness, the page's files
  kProbe,       // for everyone its status, for readers what it says
  kRead,        // read; the route keeps to the caller's tables
  kAsk,         // read; write, too, for statements that make a database, which the route sees to
  kReadAll,     // read, of all tables: what it tells is not of one table
  kWrite,       // write; the route keeps to the caller's tables
  kAdmin,
};

struct Caller {
  std::string name;  // of its token; empty = none was asked for
  Role role = Role::kAdmin;
  TableScopePtr tables = {};  // null = all
};

// One of the server's routes; a path that ends in "/" has a name behind it.
struct RouteFacts {
  std::string method;
  std::string path;
  Access access = Access::kUndeclared;
};

struct HttpRequest;

// Who asks, and what there is for them.
void set_caller(QueryRequest& query, const HttpRequest& request);

}  // namespace varve

#include "api/http/access.h"

#include "api/http/exchange.h"

namespace varve {

void set_caller(QueryRequest& query, const HttpRequest& request) {
  query.client = request.client;
  query.request_id = request.request_id;
  query.user = request.caller.name;
  query.is_admin = request.caller.role == Role::kAdmin;
  query.tables = request.caller.tables;
}

}  // namespace varve

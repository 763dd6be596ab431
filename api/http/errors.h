// What went wrong, as HTTP says it: the only map from our errors to status numbers.
//   {"error":{"code":"sql_syntax","message":"expected a table name after FROM","position":14,"hint":"..."}}
// position and hint are left out when there are none. The Influx family (/write) answers {"error":"message"}
// instead. Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/http/exchange.h"
#include "api/query/query.h"
#include "storage/base/error.h"

namespace varve {

struct HttpError {
  int status = 500;
  std::string code;
  std::string message;
  std::optional<size_t> position;  // byte offset in the SQL, from 0
  std::string hint;
};

// What a client that went away would have got; nobody reads it, logs and metrics do.
constexpr int kStatusClientGone = 499;
// Seconds. Overload here is a full queue or memtable, which drains in seconds.
constexpr std::string_view kRetryAfterSeconds = "2";

HttpError http_error(const QueryError& error);
HttpError http_error(const Error& error);
HttpError http_error(BodyRead failure);

HttpResponse error_response(const HttpError& error);         // Retry-After on 503
HttpResponse influx_error_response(const HttpError& error);  // likewise

// The text between quotes of a JSON string; invalid UTF-8 becomes U+FFFD.
void append_json_escaped(std::string& out, std::string_view text);

}  // namespace varve

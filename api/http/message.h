// Requests and answers between cpp-httplib's terms and ours (exchange.h).
// Threads: pure functions; the budget from any.
#pragma once

#include <httplib.h>

#include <atomic>
#include <cstddef>

#include "api/http/errors.h"
#include "api/http/exchange.h"

namespace varve {

// Bytes of request bodies held by all workers together.
class BodyBudget {
 public:
  bool take(size_t bytes) {
    if (in_flight_.fetch_add(bytes) + bytes <= kBodyBytesInFlightMax) return true;
    in_flight_.fetch_sub(bytes);
    return false;
  }
  void give_back(size_t bytes) { in_flight_.fetch_sub(bytes); }

 private:
  std::atomic<size_t> in_flight_{0};
};

HttpRequest to_request(const httplib::Request& request);
void to_response(HttpResponse&& from, httplib::Response& to);
// For what the library refuses by itself.
HttpError library_error(int status);

}  // namespace varve

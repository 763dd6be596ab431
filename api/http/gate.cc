#include "api/http/gate.h"

namespace varve {

HttpError refusal(const httplib::Request& request, bool origin_allowed) {
  if (request.get_header_value_count("Content-Length") > 1 ||
      request.get_header_value_count("Transfer-Encoding") > 1) {
    return {400, "bad_request", "repeated Content-Length or Transfer-Encoding", std::nullopt, {}};
  }
  if (request.has_header("Range")) {
    return {416, "range_not_supported", "this server does not serve ranges", std::nullopt,
            "leave out the Range header"};
  }
  // A page of another site must not write or delete with the reader's own access to this address.
  if (request.method != "GET" && request.method != "HEAD" && request.has_header("Origin") &&
      !origin_allowed) {
    const std::string origin = request.get_header_value("Origin");
    const size_t scheme_end = origin.find("://");
    const std::string authority = scheme_end == std::string::npos ? origin : origin.substr(scheme_end + 3);
    if (authority != request.get_header_value("Host")) {
      return {403, "cross_origin", "requests from pages of another origin are refused", std::nullopt, {}};
    }
  }
  return {};
}

}  // namespace varve

#include "api/http/message.h"

#include <fmt/format.h>

#include <algorithm>

namespace varve {

namespace {

constexpr std::string_view kGrafana = "/grafana/";

// Clients put a path of theirs behind the address they were given, whether or not that ends with a slash: //query,
// /grafana//search, /grafana/. Only there: behind /api/v1/tables/ is a name, which may have slashes.
std::string without_doubled_slashes(std::string_view path) {
  while (path.starts_with("//")) path.remove_prefix(1);
  std::string result(path);
  if (!result.starts_with(kGrafana)) return result;
  result.erase(std::unique(result.begin(), result.end(), [](char a, char b) { return a == '/' && b == '/'; }),
               result.end());
  if (result.ends_with('/')) result.pop_back();
  return result;
}

}  // namespace

HttpRequest to_request(const httplib::Request& request) {
  HttpRequest result;
  result.method = request.method == "HEAD" ? "GET" : request.method;
  result.path = without_doubled_slashes(request.path);
  result.client = request.remote_addr;
  for (const auto& [name, value] : request.params) result.parameters.emplace(name, value);
  result.content_type = request.get_header_value("Content-Type");
  result.accept = request.get_header_value("Accept");
  result.request_id = request.get_header_value("X-Request-Id");
  result.origin = request.get_header_value("Origin");
  result.preflight_method = request.get_header_value("Access-Control-Request-Method");
  result.accept_encoding = request.get_header_value("Accept-Encoding");
  result.if_none_match = request.get_header_value("If-None-Match");
  return result;
}

namespace {

void send_stream(std::shared_ptr<BodyStream> stream, const std::string& type, httplib::Response& to) {
  to.set_chunked_content_provider(
      type,
      [stream](size_t, httplib::DataSink& sink) {
        std::string piece;
        switch (stream->next(piece)) {
          case BodyStream::Next::kPiece:
            return sink.write(piece.data(), piece.size());
          case BodyStream::Next::kEnd:
            sink.done();
            return true;
          case BodyStream::Next::kBroken:
            break;
        }
        return false;  // the connection closes without the last chunk: the client sees an unfinished answer
      },
      [stream](bool) { stream->close(); });
}

}  // namespace

void to_response(HttpResponse&& from, httplib::Response& to) {
  to.status = from.status;
  for (const auto& [name, value] : from.headers) to.set_header(name, value);
  if (from.stream) {
    send_stream(std::move(from.stream), from.content_type, to);
  } else if (!from.fixed_body.empty()) {
    to.set_content_provider(from.fixed_body.size(), from.content_type,
                            [bytes = from.fixed_body](size_t offset, size_t length, httplib::DataSink& sink) {
                              return sink.write(bytes.data() + offset, length);
                            });
  } else if (!from.body.empty()) {
    to.set_header("Content-Type", from.content_type);
    to.body = std::move(from.body);
  }
}

HttpError library_error(int status) {
  switch (status) {
    case 413:
      return http_error(BodyRead::kTooLarge);
    case 414:
      return {414, "url_too_long", "the URL is too long", std::nullopt, "POST the SQL as the body"};
    case 415:
      return http_error(BodyRead::kUnsupported);
    case 416:
      return {416, "range_not_supported", "this server does not serve ranges", std::nullopt, {}};
    case 400:
      return {400, "bad_request", "this is not HTTP/1.1 as the server reads it", std::nullopt, {}};
    default:
      return {status, "http_error", fmt::format("the request was refused with {}", status), std::nullopt, {}};
  }
}

}  // namespace varve

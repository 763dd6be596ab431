#include "api/http/errors.h"

#include <fmt/format.h>

#include "api/influxql/go_text.h"

namespace varve {
namespace {

int status_of(QueryErrorKind kind) {
  switch (kind) {
    case QueryErrorKind::kInvalid:
      return 400;
    case QueryErrorKind::kForbidden:
      return 403;
    case QueryErrorKind::kNotFound:
      return 404;
    case QueryErrorKind::kLimit:
      return 422;
    case QueryErrorKind::kTimeout:
      return 408;
    case QueryErrorKind::kCancelled:
      return kStatusClientGone;
    case QueryErrorKind::kBusy:
      return 503;
    case QueryErrorKind::kInternal:
      return 500;
  }
  return 500;
}

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kCorruption:
      return 500;
    case ErrorCode::kIo:
      return 500;
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kExhausted:
      return 422;
    case ErrorCode::kUnsupported:
      return 501;
  }
  return 500;
}

HttpResponse json_response(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.content_type = "application/json";
  response.body = std::move(body);
  if (status == 503) response.headers.emplace_back("Retry-After", kRetryAfterSeconds);
  return response;
}

// Length of the UTF-8 sequence at the start of `text`, 0 when it is none (overlong and surrogates included).
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto follows = [&](size_t count) {
    if (text.size() <= count) return false;
    for (size_t i = 1; i <= count; ++i) {
      if ((byte(i) & 0xc0) != 0x80) return false;
    }
    return true;
  };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return follows(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if (!follows(2)) return 0;
    const bool overlong = lead == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = lead == 0xed && byte(1) >= 0xa0;
    return overlong || surrogate ? 0 : 3;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if (!follows(3)) return 0;
    const bool overlong = lead == 0xf0 && byte(1) < 0x90;
    const bool beyond = lead == 0xf4 && byte(1) >= 0x90;
    return overlong || beyond ? 0 : 4;
  }
  return 0;
}

}  // namespace

HttpError http_error(const QueryError& error) {
  return {status_of(error.kind), error.code, error.message, error.position, error.hint};
}

HttpError http_error(const Error& error) {
  return {status_of(error.code), std::string(error_code_name(error.code)), error.message, std::nullopt, {}};
}

HttpError http_error(BodyRead failure) {
  switch (failure) {
    case BodyRead::kTooLarge:
      return {413,
              "body_too_large",
              fmt::format("the request body is over {} bytes (counted decompressed); send it in parts",
                          kBodyBytesMax),
              std::nullopt,
              {}};
    case BodyRead::kNoMemory:
      return {503,
              "busy",
              "too many request bodies are being read at once; send this one again later",
              std::nullopt,
              {}};
    case BodyRead::kUnsupported:
      return {415,
              "unsupported_encoding",
              "the body must be plain or gzip, and no multipart form",
              std::nullopt,
              {}};
    case BodyRead::kOk:
    case BodyRead::kBroken:
      break;
  }
  return {400, "broken_body", "the request body ended early or its compression is damaged", std::nullopt, {}};
}

void append_json_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const char c = text.front();
    const size_t length = utf8_length(text);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<uint8_t>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else if (length == 0) {
      out += "\xef\xbf\xbd";
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
}

HttpResponse error_response(const HttpError& error) {
  std::string body = R"({"error":{"code":")";
  append_json_escaped(body, error.code);
  body += R"(","message":")";
  append_json_escaped(body, error.message);
  body += '"';
  if (error.position) body += fmt::format(R"(,"position":{})", *error.position);
  if (!error.hint.empty()) {
    body += R"(,"hint":")";
    append_json_escaped(body, error.hint);
    body += '"';
  }
  body += "}}\n";
  return json_response(error.status, std::move(body));
}

HttpResponse influx_error_response(const HttpError& error) {
  std::string body = R"({"error":)";
  influxql::append_json_string(body, error.message);
  body += "}\n";
  return json_response(error.status, std::move(body));
}

}  // namespace varve

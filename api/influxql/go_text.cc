#include "api/influxql/go_text.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

#include "api/query/json_text.h"
#include "storage/base/clock.h"
#include "storage/base/timestamp.h"

namespace varve::influxql {
namespace {

// The shortest digits of a finite value: 0.d1d2d3... times ten to the power of `point`.
struct Digits {
  bool negative = false;
  std::array<char, 20> text{};
  int count = 0;
  int point = 0;
};

Digits shortest_digits(double value) {
  Digits digits;
  digits.negative = std::signbit(value);
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::fabs(value),
                                 std::chars_format::scientific)
                       .ptr;
  const char* at = buffer.data();
  for (; at != end && *at != 'e'; ++at) {
    if (*at != '.') digits.text[static_cast<size_t>(digits.count++)] = *at;
  }
  int exponent = 0;
  ++at;
  if (at != end && *at == '+') ++at;
  std::from_chars(at, end, exponent);
  digits.point = exponent + 1;
  return digits;
}

void append_fixed(std::string& out, const Digits& digits) {
  if (digits.negative) out += '-';
  const std::string_view text(digits.text.data(), static_cast<size_t>(digits.count));
  if (digits.point <= 0) {
    out += "0";
    if (text == "0") return;
    out += '.';
    out.append(static_cast<size_t>(-digits.point), '0');
    out += text;
    return;
  }
  const auto whole = static_cast<size_t>(digits.point);
  if (whole >= text.size()) {
    out += text;
    out.append(whole - text.size(), '0');
    return;
  }
  out += text.substr(0, whole);
  out += '.';
  out += text.substr(whole);
}

}  // namespace

void append_plain_number(std::string& out, double value) {
  if (!std::isfinite(value)) return;
  append_fixed(out, shortest_digits(value));
}

void append_json_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  const double size = std::fabs(value);
  const Digits digits = shortest_digits(value);
  if (size == 0 || (size >= 1e-6 && size < 1e21)) return append_fixed(out, digits);
  if (digits.negative) out += '-';
  out += digits.text[0];
  if (digits.count > 1) {
    out += '.';
    out.append(digits.text.data() + 1, static_cast<size_t>(digits.count - 1));
  }
  const int exponent = digits.point - 1;
  out += fmt::format("e{}{}", exponent < 0 ? '-' : '+', std::abs(exponent));
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) {
      const Utf8Character character = decode_utf8(text, at);
      if (character.bytes == 0) {
        out += "\\ufffd";
        ++at;
      } else if (character.code_point == 0x2028 || character.code_point == 0x2029) {
        out += character.code_point == 0x2028 ? "\\u2028" : "\\u2029";
        at += character.bytes;
      } else {
        out.append(text.substr(at, character.bytes));
        at += character.bytes;
      }
      continue;
    }
    ++at;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || c == '<' || c == '>' || c == '&') {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(byte));
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_csv_field(std::string& out, std::string_view text) {
  const bool quoted = text == "\\." || text.find_first_of(",\"\r\n") != std::string_view::npos ||
                      text.starts_with(' ') || text.starts_with('\t');
  if (!quoted) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void append_rfc3339(std::string& out, int64_t ns, int64_t offset_ns) {
  int64_t local = 0;
  if (__builtin_add_overflow(ns, offset_ns, &local)) {  // at the ends of time: UTC
    local = ns;
    offset_ns = 0;
  }
  const CivilTime civil = to_civil(local);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", civil.year, civil.month,
                 civil.day, civil.hour, civil.minute, civil.second);
  if (civil.nanosecond != 0) {
    std::string fraction = fmt::format("{:09}", civil.nanosecond);
    fraction.resize(fraction.find_last_not_of('0') + 1);
    out += '.';
    out += fraction;
  }
  const int64_t minutes = offset_ns / (60 * kNsPerSecond);
  if (minutes == 0) {
    out += 'Z';
    return;
  }
  fmt::format_to(std::back_inserter(out), "{}{:02}:{:02}", minutes < 0 ? '-' : '+', std::abs(minutes) / 60,
                 std::abs(minutes) % 60);
}

std::string duration_text(int64_t ns) {
  const auto with_unit = [](double value, std::string_view unit) {
    std::string text;
    append_plain_number(text, value);
    return text.append(unit);
  };
  const auto size = static_cast<double>(ns);
  if (ns < kNsPerUs) return ns == 0 ? "0s" : fmt::format("{}ns", ns);
  if (ns < kNsPerMs) return with_unit(size / kNsPerUs, "\xc2\xb5s");
  if (ns < kNsPerSecond) return with_unit(size / kNsPerMs, "ms");
  const int64_t minutes = ns / (60 * kNsPerSecond);
  const std::string seconds = with_unit(static_cast<double>(ns % (60 * kNsPerSecond)) / kNsPerSecond, "s");
  if (minutes == 0) return seconds;
  if (minutes < 60) return fmt::format("{}m{}", minutes, seconds);
  return fmt::format("{}h{}m{}", minutes / 60, minutes % 60, seconds);
}

}  // namespace varve::influxql

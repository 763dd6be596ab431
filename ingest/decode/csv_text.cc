#include "ingest/decode/csv_text.h"

namespace varve {

void CsvText::start(std::string_view text, char delimiter) {
  at_ = text.data();
  end_ = text.data() + text.size();
  delimiter_ = delimiter;
  next_line_ = 1;
}

bool CsvText::next() {
  while (at_ != end_ && (*at_ == '\n' || (*at_ == '\r' && (at_ + 1 == end_ || at_[1] == '\n')))) {
    if (*at_ == '\n') ++next_line_;
    ++at_;
  }
  if (at_ == end_) return false;
  cells_.clear();
  unquoted_used_ = 0;
  complete_ = true;
  line_ = next_line_;
  const char* const start = at_;
  while (true) {
    read_cell();
    if (at_ == end_ || *at_ != delimiter_) break;
    ++at_;
  }
  raw_ = {start, static_cast<size_t>(at_ - start)};
  if (raw_.ends_with('\r')) raw_.remove_suffix(1);
  if (at_ != end_) {  // LF
    ++at_;
    ++next_line_;
  }
  return true;
}

// Leaves at_ at the delimiter, the LF or the end.
void CsvText::read_cell() {
  if (at_ != end_ && *at_ == '"') {
    cells_.push_back(read_quoted());
    return;
  }
  const char* const start = at_;
  while (at_ != end_ && *at_ != delimiter_ && *at_ != '\n') ++at_;
  std::string_view cell(start, static_cast<size_t>(at_ - start));
  if ((at_ == end_ || *at_ == '\n') && cell.ends_with('\r')) cell.remove_suffix(1);
  cells_.push_back(cell);
}

std::string_view CsvText::read_quoted() {
  const char* start = ++at_;
  while (at_ != end_ && *at_ != '"') next_line_ += *at_++ == '\n' ? 1 : 0;
  const std::string_view plain(start, static_cast<size_t>(at_ - start));
  if (at_ == end_) {
    complete_ = false;
    return plain;
  }
  const auto ends_cell = [&](const char* p) {
    return p == end_ || *p == delimiter_ || *p == '\n' || (*p == '\r' && (p + 1 == end_ || p[1] == '\n'));
  };
  const auto skip_return = [&] {
    if (at_ != end_ && *at_ == '\r') ++at_;
  };
  if (ends_cell(at_ + 1)) {
    ++at_;
    skip_return();
    return plain;
  }
  // Doubled quotes, or text behind the closing one.
  if (unquoted_used_ == unquoted_.size()) unquoted_.emplace_back();
  std::string& cell = unquoted_[unquoted_used_++];
  cell.assign(plain);
  bool in_quotes = false;
  bool after_quote = true;
  for (++at_; at_ != end_; ++at_) {
    const char c = *at_;
    if (in_quotes) {
      if (c == '"') {
        in_quotes = false;
        after_quote = true;
        continue;
      }
      next_line_ += c == '\n' ? 1 : 0;
    } else if (c == '"' && after_quote) {  // doubled: one quote, and back inside
      in_quotes = true;
    } else if (ends_cell(at_)) {
      skip_return();
      return cell;
    }
    after_quote = false;
    cell.push_back(c);
  }
  complete_ = !in_quotes;
  return cell;
}

}  // namespace varve

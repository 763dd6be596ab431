// Records of CSV text in memory (RFC 4180), one at a time: cells in quotes may hold separators, line ends and doubled
// quotes; lines end with LF or CRLF; empty lines are skipped; the last line end is optional. Text after a closing quote
// belongs to its cell, and a quote inside an unquoted cell is a plain character (as replay/csv_reader.h, for files).
// Threads: a value; one thread. The views live until the next call, and no longer than the text.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace varve {

class CsvText {
 public:
  void start(std::string_view text, char delimiter);
  bool next();  // false at the end

  const std::vector<std::string_view>& cells() const { return cells_; }
  std::string_view raw() const { return raw_; }  // without the line end
  uint32_t line() const { return line_; }        // where the record begins, from 1
  bool complete() const { return complete_; }    // false: the text ended inside quotes

 private:
  void read_cell();
  std::string_view read_quoted();

  const char* at_ = nullptr;
  const char* end_ = nullptr;
  char delimiter_ = ',';
  uint32_t next_line_ = 1;
  uint32_t line_ = 0;
  bool complete_ = true;
  std::string_view raw_;
  std::vector<std::string_view> cells_;
  std::deque<std::string>
      unquoted_;  // cells that are not as in the text; the first unquoted_used_ are this record's
  size_t unquoted_used_ = 0;
};

}  // namespace varve

// Records of a CSV file (RFC 4180), one at a time, in bounded memory: cells in quotes may hold separators,
// line ends and doubled quotes; lines end with LF or CRLF; a byte order mark and empty lines are skipped; the
// last line end is optional. Text after a closing quote belongs to its cell, and a quote inside an unquoted
// cell is a plain character. Errors: the file's; kInvalidArgument naming file and line for a record over
// kRecordBytesMax. Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"
#include "storage/base/file.h"

namespace varve {

class CsvReader {
 public:
  static constexpr size_t kRecordBytesMax =
      1 << 20;  // as the longest string of the store; beyond it, a quote is open

  // kNotFound naming the file.
  static Result<std::unique_ptr<CsvReader>> open(const std::string& path,
                                                 FileSystem& files = real_file_system());

  // False at the end.
  Result<bool> next();
  // Of the record last read; the views live until the next call.
  const std::vector<std::string>& cells() const { return cells_; }
  std::string_view raw() const { return raw_; }  // as in the file, without the line end
  uint64_t line() const { return line_; }        // where it begins, from 1
  bool complete() const { return complete_; }    // false: the file ended inside quotes
  uint64_t file_bytes() const { return file_bytes_; }

 private:
  CsvReader(std::string path, std::unique_ptr<RandomAccessFile> file, uint64_t bytes)
      : path_(std::move(path)), file_(std::move(file)), file_bytes_(bytes) {}
  Result<bool> fill();  // false at the end of the file
  // The end of the record that begins at begin_, line end included, or npos when more of the file is needed.
  size_t find_record_end();
  void split(std::string_view record);

  std::string path_;
  std::unique_ptr<RandomAccessFile> file_;
  uint64_t file_bytes_ = 0;
  uint64_t file_offset_ = 0;  // of the first byte not in buffer_
  std::string buffer_;
  size_t begin_ = 0;    // of the record being read
  size_t scanned_ = 0;  // how far find_record_end got
  enum class In { kCellStart, kPlain, kQuotes, kAfterQuote } in_ = In::kCellStart;
  uint64_t next_line_ = 1;
  uint64_t line_ = 0;
  bool complete_ = true;
  std::string_view raw_;
  std::vector<std::string> cells_;
};

}  // namespace varve

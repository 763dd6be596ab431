#include "ingest/replay/csv_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace varve {
namespace {

constexpr size_t kReadBytes =
    256 << 10;  // amortises the system call; two of them are the usual memory (guessed)
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

Result<std::unique_ptr<CsvReader>> CsvReader::open(const std::string& path, FileSystem& files) {
  VARVE_ASSIGN(auto file, files.open_read(path));
  VARVE_ASSIGN(const uint64_t bytes, file->size());
  std::unique_ptr<CsvReader> reader(new CsvReader(path, std::move(file), bytes));
  VARVE_TRY(reader->fill());
  if (reader->buffer_.starts_with(kByteOrderMark)) reader->begin_ = reader->scanned_ = kByteOrderMark.size();
  return reader;
}

Result<bool> CsvReader::fill() {
  buffer_.erase(0, begin_);
  scanned_ -= begin_;
  begin_ = 0;
  const size_t had = buffer_.size();
  buffer_.resize(had + kReadBytes);
  VARVE_ASSIGN(const size_t got,
               file_->read(file_offset_, {reinterpret_cast<uint8_t*>(buffer_.data()) + had, kReadBytes}));
  buffer_.resize(had + got);
  file_offset_ += got;
  return got > 0;
}

size_t CsvReader::find_record_end() {
  for (; scanned_ < buffer_.size(); ++scanned_) {
    const char c = buffer_[scanned_];
    if (in_ == In::kQuotes) {
      if (c == '"') in_ = In::kAfterQuote;
      continue;
    }
    if (c == '\n') {
      in_ = In::kCellStart;
      return ++scanned_;
    }
    if (c == '"') {
      in_ = in_ == In::kPlain ? In::kPlain : In::kQuotes;  // at a cell's start, or doubled
    } else {
      in_ = c == ',' ? In::kCellStart : In::kPlain;
    }
  }
  return std::string::npos;
}

Result<bool> CsvReader::next() {
  while (true) {
    size_t end = find_record_end();
    complete_ = true;
    while (end == std::string::npos) {
      if (buffer_.size() - begin_ > kRecordBytesMax) {
        return invalid_argument(fmt::format("{}:{}: a record of more than {} bytes; is a quote not closed?",
                                            path_, next_line_, kRecordBytesMax));
      }
      VARVE_ASSIGN(const bool more, fill());
      if (more) {
        end = find_record_end();
        continue;
      }
      if (begin_ == buffer_.size()) return false;
      complete_ = in_ != In::kQuotes;
      in_ = In::kCellStart;
      end = buffer_.size();
    }
    std::string_view record = std::string_view(buffer_).substr(begin_, end - begin_);
    line_ = next_line_;
    next_line_ += static_cast<uint64_t>(std::count(record.begin(), record.end(), '\n'));
    begin_ = end;
    if (record.ends_with('\n')) record.remove_suffix(1);
    if (record.ends_with('\r')) record.remove_suffix(1);
    if (record.empty()) continue;
    raw_ = record;
    split(record);
    return true;
  }
}

void CsvReader::split(std::string_view record) {
  size_t count = 0;
  const auto next_cell = [&]() -> std::string& {
    if (count == cells_.size()) cells_.emplace_back();
    cells_[count].clear();
    return cells_[count++];
  };
  std::string* cell = &next_cell();
  In in = In::kCellStart;
  for (const char c : record) {
    if (in == In::kQuotes) {
      if (c == '"') {
        in = In::kAfterQuote;
      } else {
        cell->push_back(c);
      }
    } else if (c == ',') {
      cell = &next_cell();
      in = In::kCellStart;
    } else if (c == '"' && in != In::kPlain) {
      if (in == In::kAfterQuote) cell->push_back('"');
      in = In::kQuotes;
    } else {
      cell->push_back(c);
      in = In::kPlain;
    }
  }
  cells_.resize(count);
}

}  // namespace varve

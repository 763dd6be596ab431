// A delete as the log and tombstone files hold it: rows of one table, by range of time and by series, resolved to
// explicit series so that it means the same whenever it is read.
//   string database | string table | i64 time min | i64 time max | u8 all series | varint n
//   n * string series key (series_key.h), ascending; none when all series
// Errors:  decode: kCorruption on anything that encode does not write.
// Threads: values; nothing shared.
#pragma once

#include <string>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/base/error.h"
#include "storage/model/types.h"

namespace varve {

// One delete's series keys. They stand in one log record and in memory (guessed: 300,000 series of usual tags).
constexpr size_t kDeleteSeriesBytesMax = size_t{16} << 20;

struct RowDelete {
  std::string database;
  std::string table;
  TimeRange time;           // not empty
  bool all_series = false;  // every series the table had at the delete's place in the log
  std::vector<std::string> series;
};

void encode_row_delete(const RowDelete& rows, ByteWriter& out);
Result<RowDelete> decode_row_delete(ByteReader& in);

}  // namespace varve

// CSV messages (csv_text.h) to rows, a record each; names come from the message's first line or the configuration.
//   cells of `tags`   become tags as they are written; "" is an absent tag
//   other cells       become fields: JSON's numbers (also .5 and 5.) int64 or double, true and false (any case) bool,
//                     the rest strings; empty, and NaN, nan, NULL or null where no strings are, is absent
// The type of a column is pinned by its first cell, or by the table there is: integers become doubles when a decimal
// comes, and a column of strings stays one whatever is in it. Text in a column of numbers is for the store to refuse
// (type_conflict). 007 is a string: numbers do not begin with 0.
// Refused rows, besides those of row_mapper.h:
//   column_count   another number of cells than of names   malformed_csv  quotes that are never closed
//   out_of_range   a number beyond int64 or double          invalid_utf8
// Refused messages: bad_header (a name twice, empty, too long, or "time" as a field), empty_message,
//   message_too_large. A message of nothing but its header has no rows and is not refused.
// Threads: a decoder keeps scratch memory; one thread at a time.
#pragma once

#include <memory>

#include "ingest/decode/decoder.h"

namespace varve {

Result<std::unique_ptr<Decoder>> make_csv_decoder(const DecodeMapping& mapping,
                                                  const StoredTypes& stored_types);

}  // namespace varve

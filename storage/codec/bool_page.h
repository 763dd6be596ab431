// One page of 1..1024 booleans, and the presence bitmap of a column with nulls.
//
//   page      integer page of 0 and 1 (int_page.h): constant pages cost 3 bytes, runs are found, else 1 bit a
//   value
//
// Values are uint8_t, 0 or 1. The same page says which rows of a block have a value; a block without nulls,
// or with nothing but nulls, stores no presence page at all: the null count in the index tells.
//
// Errors, bounds, threads: as int_page.h; a value that is neither 0 nor 1 is kCorruption.
#pragma once

#include <span>
#include <string>

#include "storage/codec/int_page.h"

namespace varve {

void encode_bool_page(std::span<const uint8_t> values, Effort effort, std::string& out);
Result<void> decode_bool_page(std::span<const uint8_t> page, size_t n, uint8_t* out);
// For pages that start with a presence page: decode at the reader; false on corruption.
bool decode_bool_page(ByteReader& reader, size_t n, uint8_t* out);

}  // namespace varve

// One page of 1..1024 strings of any bytes.
//
//   u8 kind          bit 0: indexed (else every row has its own entry, in row order), bit 1: zstd
//   varint entries   when indexed: 1..n, entries in order of first appearance
//   integer page     entry lengths
//   varint packed bytes (only zstd) | entry bytes, one after the other, or one zstd frame of them
//   integer page     when indexed: entry of each row
//
// Low-cardinality columns cost a fraction of a bit a row; when most rows differ the index is left out. Entry
// bytes go through zstd from 4 KB on: below, its frame and its 10 us cost more than they save.
//
// Limits:  all entries of a page together at most kStringPageBytesMax, checked before anything is allocated.
// Errors, threads: as int_page.h; encode: the caller cuts blocks so that the limit holds.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/codec/int_page.h"

namespace varve {

// Bytes of all entries of one page. Guessed: far above 1024 labels, four times the largest string there may
// be.
constexpr size_t kStringPageBytesMax = size_t{4} << 20;

// Decoded strings: a dictionary and each row's place in it.
struct StringPage {
  std::string bytes;
  std::vector<uint32_t> ends;   // of entries in `bytes`
  std::vector<uint16_t> index;  // one a row

  std::string_view entry(size_t i) const {
    const size_t begin = i == 0 ? 0 : ends[i - 1];
    return std::string_view(bytes).substr(begin, ends[i] - begin);
  }
  std::string_view operator[](size_t row) const { return entry(index[row]); }
  size_t size() const { return index.size(); }
};

void encode_string_page(std::span<const std::string_view> values, Effort effort, std::string& out);
Result<void> decode_string_page(std::span<const uint8_t> page, size_t n, StringPage& out);
// The same at the reader, which stops behind the page; false on corruption.
bool decode_string_page(ByteReader& reader, size_t n, StringPage& out);

}  // namespace varve

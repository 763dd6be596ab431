// Fuzz targets: each takes any bytes and aborts on a bug; a page that decodes must survive encoding and decoding, JSON
// taken without complaint must be JSON for another parser, and rows of line protocol must survive writing and reading.
// Page targets: bytes 0-1 of the input give the number of values, the rest is the page.
// Each is a libFuzzer program (option VARVE_FUZZ, clang) and is replayed over damaged input by replay_test.cc
// and decode_replay_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>

namespace varve::fuzz {

void int_page(const uint8_t* data, size_t size);
void double_page(const uint8_t* data, size_t size);
void bool_page(const uint8_t* data, size_t size);
void string_page(const uint8_t* data, size_t size);
void segment(const uint8_t* data, size_t size);
void tombstone(const uint8_t* data, size_t size);
void json(const uint8_t* data, size_t size);
void line_protocol(const uint8_t* data, size_t size);
void csv(const uint8_t* data, size_t size);
void archive(const uint8_t* data,
             size_t size);  // a container file; with a bare block, behind the header of one
void avro(const uint8_t* data,
          size_t size);  // 2 bytes: the length of the schema, which follows; then the record
void connect(const uint8_t* data, size_t size);   // a line with the schema, then the payload
void sql(const uint8_t* data, size_t size);       // a statement
void influxql(const uint8_t* data, size_t size);  // the statements of a request
void grafana(const uint8_t* data, size_t size);   // a byte that chooses the route, then the body

}  // namespace varve::fuzz

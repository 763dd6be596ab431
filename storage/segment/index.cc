#include "storage/segment/index.h"

#include <algorithm>

#include "storage/base/check.h"
#include "storage/codec/string_page.h"

namespace varve {
namespace {

constexpr uint64_t kNamesMax =
    1 << 16;  // tags or fields of one segment: bounds allocation, far above the limits
constexpr uint64_t kReplacedMax = 1 << 20;  // segments merged into one

void append_strings(const StringColumn& values, std::string& out) {
  std::vector<std::string_view> page;
  for (size_t at = 0; at < values.size(); at += kVectorValues) {
    page.clear();
    for (size_t i = at; i < std::min(values.size(), at + kVectorValues); ++i) page.push_back(values[i]);
    encode_string_page(page, Effort::kExhaustive, out);
  }
}

StringColumn read_strings(ByteReader& reader, size_t n) {
  StringColumn values;
  StringPage page;
  for (size_t at = 0; at < n && reader.ok(); at += kVectorValues) {
    if (!decode_string_page(reader, std::min(kVectorValues, n - at), page)) {
      reader.fail();
      break;
    }
    for (size_t i = 0; i < page.size(); ++i) values.push_back(page[i]);
    if (values.bytes.size() > kTagBytesMax) reader.fail();
  }
  return values;
}

// Lengths to begins: [0, a, a + b ...]. Fails unless each is 1..max and they add up to `total`.
std::vector<uint32_t> begins(const std::vector<int64_t>& lengths, uint64_t min, uint64_t max, uint64_t total,
                             ByteReader& reader) {
  std::vector<uint32_t> out(lengths.size() + 1);
  uint64_t sum = 0;
  for (size_t i = 0; i < lengths.size(); ++i) {
    const uint64_t length = static_cast<uint64_t>(lengths[i]);
    if (length < min || length > max || length > total - sum) {
      reader.fail();
      break;
    }
    out[i + 1] = static_cast<uint32_t>(sum += length);
  }
  if (sum != total) reader.fail();
  return out;
}

template <class T>
std::vector<int64_t> differences(const std::vector<T>& begins) {
  std::vector<int64_t> out(begins.size() - 1);
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<int64_t>(begins[i + 1]) - static_cast<int64_t>(begins[i]);
  return out;
}

std::vector<int64_t> widened(auto const& values) {
  return {values.begin(), values.end()};
}

}  // namespace

// ---- summary ----

void SegmentSummary::encode(std::string& out) const {
  ByteWriter writer(out);
  writer.string(schema.database);
  writer.string(schema.table);
  writer.varint(schema.tags.size());
  for (const std::string& tag : schema.tags) writer.string(tag);
  writer.varint(schema.fields.size());
  for (const SegmentField& field : schema.fields) {
    writer.string(field.name);
    writer.u8(static_cast<uint8_t>(field.type));
  }
  writer.varint(schema.positions.size());
  for (const uint32_t position : schema.positions) writer.varint(position);
  writer.varint(identity.first_lsn);
  writer.varint(identity.last_lsn);
  writer.varint(identity.applied_lsn);
  writer.u8(effort == Effort::kExhaustive ? 1 : 0);
  for (const auto* ids : {&identity.replaces, &identity.parts}) {
    writer.varint(ids->size());
    for (const uint64_t id : *ids) writer.fixed(id);
  }
  writer.varint(series);
  writer.varint(blocks);
  for (const uint64_t bytes : region_bytes) writer.varint(bytes);
}

Result<SegmentSummary> SegmentSummary::decode(ByteReader& reader) {
  SegmentSummary summary;
  summary.schema.database = reader.string();
  summary.schema.table = reader.string();
  const uint64_t tags = reader.varint();
  if (tags > kNamesMax) return corruption("index summary: too many tags");
  for (uint64_t i = 0; i < tags && reader.ok(); ++i) summary.schema.tags.emplace_back(reader.string());
  const uint64_t fields = reader.varint();
  if (fields > kNamesMax) return corruption("index summary: too many fields");
  for (uint64_t i = 0; i < fields && reader.ok(); ++i) {
    SegmentField field;
    field.name = reader.string();
    const auto type = field_type_from_byte(reader.u8());
    if (!type) return corruption("index summary: unknown field type");
    field.type = *type;
    summary.schema.fields.push_back(std::move(field));
  }
  const uint64_t positions = reader.varint();
  if (positions != 0 && positions != tags + fields)
    return corruption("index summary: wrong count of positions");
  for (uint64_t i = 0; i < positions && reader.ok(); ++i) {
    const uint64_t position = reader.varint();
    if (position > UINT32_MAX) return corruption("index summary: impossible position of a column");
    summary.schema.positions.push_back(static_cast<uint32_t>(position));
  }
  summary.identity.first_lsn = reader.varint();
  summary.identity.last_lsn = reader.varint();
  summary.identity.applied_lsn = reader.varint();
  const uint8_t effort = reader.u8();
  if (effort > 1) return corruption("index summary: unknown effort");
  summary.effort = effort == 1 ? Effort::kExhaustive : Effort::kFast;
  for (auto* ids : {&summary.identity.replaces, &summary.identity.parts}) {
    const uint64_t count = reader.varint();
    if (count > kReplacedMax) return corruption("index summary: too many replaced segments");
    for (uint64_t i = 0; i < count && reader.ok(); ++i) ids->push_back(reader.fixed<uint64_t>());
  }
  summary.series = reader.varint();
  summary.blocks = reader.varint();
  for (uint64_t c = 0; c <= fields && reader.ok(); ++c) summary.region_bytes.push_back(reader.varint());
  if (!reader.at_end()) return corruption("index summary is malformed");
  return summary;
}

// ---- directory ----

std::string_view SegmentDirectory::tag_value(size_t series, size_t tag) const {
  const uint32_t code = tags[tag].codes[series];
  return code == 0 ? std::string_view{} : tags[tag].values[code - 1];
}

std::vector<TagPair> SegmentDirectory::series_tags(size_t series) const {
  std::vector<TagPair> pairs;
  for (size_t tag = 0; tag < tags.size(); ++tag) {
    if (tags[tag].codes[series] != 0) pairs.emplace_back(tag_names[tag], tag_value(series, tag));
  }
  return pairs;
}

void SegmentDirectory::append_key(size_t series, std::string& out) const {
  for (size_t tag = 0; tag < tags.size(); ++tag) {
    if (tags[tag].codes[series] != 0) append_series_key(out, tag_names[tag], tag_value(series, tag));
  }
}

size_t SegmentDirectory::find_series(std::string_view key) const {
  size_t low = 0, high = series();
  std::string probe;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    probe.clear();
    append_key(middle, probe);
    const int order = std::string_view(probe).compare(key);
    if (order == 0) return middle;
    order < 0 ? low = middle + 1 : high = middle;
  }
  return series();
}

SegmentDirectory::BlockRange SegmentDirectory::series_blocks(size_t series) const {
  const auto block_of = [this](uint32_t row) {
    return static_cast<size_t>(std::upper_bound(block_begin.begin(), block_begin.end(), row) -
                               block_begin.begin()) -
           1;
  };
  return {block_of(series_begin[series]), block_of(series_begin[series + 1] - 1)};
}

BlockSlice SegmentDirectory::slice(size_t series, size_t block) const {
  const uint32_t begin = std::max(series_begin[series], block_begin[block]);
  const uint32_t end = std::min(series_begin[series + 1], block_begin[block + 1]);
  VARVE_DCHECK(begin < end);
  return {block, begin - block_begin[block], end - block_begin[block]};
}

size_t SegmentDirectory::first_series_of(size_t block) const {
  const auto after = std::upper_bound(series_begin.begin(), series_begin.end(), block_begin[block]);
  return static_cast<size_t>(after - series_begin.begin()) - 1;
}

void SegmentDirectory::encode_series(std::string& out) const {
  for (const Tag& tag : tags) {
    ByteWriter(out).varint(tag.values.size());
    append_strings(tag.values, out);
    append_ints(widened(tag.codes), out);
  }
}

void SegmentDirectory::encode_blocks(std::string& out) const {
  append_ints(differences(series_begin), out);
  append_ints(differences(block_begin), out);
  append_ints(time_min, out);
  append_ints(time_max, out);
}

Result<SegmentDirectory> SegmentDirectory::decode(std::string_view series_bytes, std::string_view block_bytes,
                                                  const SegmentSummary& summary,
                                                  const SegmentFooter& footer) {
  const uint64_t series = summary.series, blocks = summary.blocks;
  if (series == 0 || series > footer.rows || blocks == 0 || blocks > footer.rows) {
    return corruption("series directory: impossible counts");
  }
  SegmentDirectory directory;
  directory.tag_names = summary.schema.tags;
  ByteReader series_reader(series_bytes);
  for (size_t t = 0; t < directory.tag_names.size() && series_reader.ok(); ++t) {
    Tag tag;
    const uint64_t values = series_reader.varint();
    if (values > series) return corruption("series directory: more tag values than series");
    tag.values = read_strings(series_reader, values);
    const std::vector<int64_t> codes = read_ints(series_reader, series);
    tag.codes.resize(series);
    for (size_t i = 0; i < series; ++i) {
      if (static_cast<uint64_t>(codes[i]) > values) series_reader.fail();
      tag.codes[i] = static_cast<uint32_t>(codes[i]);
    }
    directory.tags.push_back(std::move(tag));
  }
  if (!series_reader.at_end()) return corruption("series directory is malformed");
  ByteReader reader(block_bytes);
  directory.series_begin = begins(read_ints(reader, series), 1, footer.rows, footer.rows, reader);
  directory.block_begin = begins(read_ints(reader, blocks), 1, kBlockRowsMax, footer.rows, reader);
  directory.time_min = read_ints(reader, blocks);
  directory.time_max = read_ints(reader, blocks);
  if (!reader.at_end()) return corruption("series directory is malformed");
  for (size_t b = 0; b < blocks; ++b) {
    if (directory.time_min[b] > directory.time_max[b])
      return corruption("series directory: times out of order");
  }
  if (*std::min_element(directory.time_min.begin(), directory.time_min.end()) != footer.time_min ||
      *std::max_element(directory.time_max.begin(), directory.time_max.end()) != footer.time_max) {
    return corruption("series directory: block times do not match the footer");
  }
  return directory;
}

// ---- columns ----

void ColumnIndex::encode(bool is_time, std::string& out) const {
  append_ints(differences(page_begin), out);
  append_ints(widened(checksum), out);
  if (is_time) return;
  append_ints(widened(nulls), out);
  statistics.encode(out);
}

Result<ColumnIndex> ColumnIndex::decode(std::string_view bytes, const SegmentField* field,
                                        const SegmentDirectory& directory, uint64_t region_bytes) {
  const size_t blocks = directory.blocks();
  ByteReader reader(bytes);
  ColumnIndex column;
  const std::vector<int64_t> page_bytes = read_ints(reader, blocks);
  column.page_begin = begins(page_bytes, 0, UINT32_MAX, region_bytes, reader);
  const std::vector<int64_t> checksums = read_ints(reader, blocks);
  column.checksum.resize(blocks);
  for (size_t b = 0; b < blocks; ++b) column.checksum[b] = static_cast<uint32_t>(checksums[b]);
  if (field != nullptr) {
    const std::vector<int64_t> nulls = read_ints(reader, blocks);
    column.nulls.resize(blocks);
    for (size_t b = 0; b < blocks; ++b) {
      if (static_cast<uint64_t>(nulls[b]) > directory.block_rows(b))
        return corruption("more nulls than rows");
      column.nulls[b] = static_cast<uint16_t>(nulls[b]);
    }
    column.statistics.type = field->type;
    column.statistics.decode(reader, blocks);
  }
  if (!reader.at_end()) return corruption("column index is malformed");
  return column;
}

Result<std::vector<std::string_view>> index_sections(std::string_view index) {
  ByteReader reader(index);
  const uint64_t count = reader.varint();
  if (count < 4 || count > kNamesMax + 4) return corruption("index: impossible number of sections");
  std::vector<uint64_t> lengths;
  for (uint64_t i = 0; i < count && reader.ok(); ++i) lengths.push_back(reader.varint());
  std::vector<std::string_view> sections;
  for (const uint64_t length : lengths) sections.push_back(reader.bytes(length));
  if (!reader.at_end()) return corruption("index sections do not fill the index");
  return sections;
}

}  // namespace varve

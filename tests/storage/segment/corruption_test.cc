// Damaged segments: every flipped bit and every truncation is found, named, and never returns wrong rows.
#include <gtest/gtest.h>

#include "storage/base/bytes.h"
#include "storage/base/checksum.h"
#include "tests/storage/segment/table.h"

namespace varve {
namespace {

using testing::Random;
using testing::TestTable;

struct Image {
  TestTable table;
  std::string bytes;
};

Image small_image(uint64_t seed, testing::TableShape shape) {
  Random random(seed);
  Image image{testing::random_table(random, shape), {}};
  image.bytes = *testing::write_table(image.table, {42, 1, 2, 0, {7}, {}});
  return image;
}

// The error of open or verify, or none. Copies the image: the sanitizer sees every byte read beyond it.
Result<void> check(const std::string& bytes) {
  VARVE_ASSIGN(const auto segment,
               SegmentReader::open(memory_source(std::string(bytes.data(), bytes.size())), "segment 42"));
  return segment->verify();
}

TEST(SegmentCorruption, EveryFlippedBitIsFoundAndNamed) {
  for (const testing::TableShape shape :
       {testing::TableShape{.series = 9, .rows_min = 1, .rows_max = 12},
        testing::TableShape{.series = 2, .rows_min = 130, .rows_max = 200}}) {
    const Image image = small_image(1, shape);
    ASSERT_TRUE(check(image.bytes));
    for (size_t bit = 0; bit < image.bytes.size() * 8; ++bit) {
      std::string damaged = image.bytes;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
      const auto result = check(damaged);
      ASSERT_FALSE(result) << "bit " << bit << " of " << image.bytes.size() * 8;
      ASSERT_EQ(result.error().code, ErrorCode::kCorruption) << result.error().message;
      ASSERT_EQ(result.error().message.find("segment 42"), 0u) << result.error().message;
    }
  }
}

TEST(SegmentCorruption, EveryTruncationAndEveryAppendedByteIsFound) {
  const Image image = small_image(2, {.series = 5, .rows_min = 1, .rows_max = 40});
  for (size_t size = 0; size < image.bytes.size(); ++size) {
    const auto result = check(image.bytes.substr(0, size));
    ASSERT_FALSE(result) << size;
    ASSERT_EQ(result.error().code, ErrorCode::kCorruption);
  }
  EXPECT_FALSE(check(image.bytes + '\0'));
  EXPECT_FALSE(check('\0' + image.bytes));
  EXPECT_FALSE(check(image.bytes + image.bytes));
}

TEST(SegmentCorruption, ADamagedPageStopsOnlyItsBlock) {
  const Image image = small_image(3, {.series = 1, .rows_min = 3000, .rows_max = 3000});
  std::string damaged = image.bytes;
  damaged[kSegmentHeaderBytes + 10] ^= 1;  // in the first time page
  const auto segment = *SegmentReader::open(memory_source(damaged), "segment 42");
  BlockReader reader(segment);
  std::vector<int64_t> times;
  const auto result = reader.read_times(0, times);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "segment 42: column time: block 0: checksum mismatch");
  EXPECT_FALSE(reader.read_times(0, times)) << "and again";
  EXPECT_TRUE(reader.read_times(1, times));
  ColumnVector column;
  EXPECT_TRUE(reader.read_field(0, 0, column));
}

TEST(SegmentCorruption, APageOfAnotherBlockOrSegmentDoesNotVerify) {
  const std::string page = "the same bytes";
  EXPECT_NE(page_checksum(page, 1, 0, 0), page_checksum(page, 1, 0, 1));
  EXPECT_NE(page_checksum(page, 1, 0, 0), page_checksum(page, 1, 1, 0));
  EXPECT_NE(page_checksum(page, 1, 0, 0), page_checksum(page, 2, 0, 0));
}

// What a program with a bug, or an attacker, could write: checksums that hold over an index that does not.
TEST(SegmentCorruption, AForgedIndexWithGoodChecksumsNeverCrashes) {
  const Image image = small_image(4, {.series = 12, .rows_min = 1, .rows_max = 200});
  const auto footer =
      *parse_segment_footer(image.bytes.substr(image.bytes.size() - kSegmentFooterBytes), image.bytes.size());
  const std::string good = image.bytes.substr(footer.index_offset, footer.index_bytes);
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    std::string index = good;
    for (size_t edits = 1 + testing::below(random, 3); edits > 0; --edits) {
      const size_t at = testing::below(random, index.size());
      switch (random() % 3) {
        case 0:
          index[at] = static_cast<char>(random());
          break;
        case 1:
          index.erase(at, 1);
          break;
        default:
          index.insert(at, 1, static_cast<char>(random()));
          break;
      }
    }
    std::string forged = image.bytes.substr(0, footer.index_offset) + index;
    SegmentFooter resealed = footer;
    resealed.index_bytes = index.size();
    resealed.index_checksum = index_checksum(index, footer.segment_id);
    append_segment_footer(resealed, forged);
    const auto result = check(forged);
    if (!result) {
      EXPECT_EQ(result.error().code, ErrorCode::kCorruption) << result.error().message;
    }
  }
}

TEST(SegmentCorruption, AnotherFileAndANewerVersionAreNamedAsSuch) {
  std::string header;
  append_segment_header(1, header);
  EXPECT_EQ(*parse_segment_header(header), 1u);
  std::string other = header;
  other[0] = 'X';
  EXPECT_EQ(parse_segment_header(other).error().message, "not a segment: wrong magic at offset 0");

  std::string newer = header.substr(0, 8);
  ByteWriter(newer).fixed(uint32_t{2});
  newer += header.substr(12, 12);
  ByteWriter(newer).fixed(checksum64(newer, kSegmentHeaderSeed));
  const auto result = parse_segment_header(newer);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUnsupported);
}

TEST(SegmentCorruption, AnIndexThatChangesAfterItWasVerifiedIsFound) {
  class ChangingSource : public ByteSource {
   public:
    explicit ChangingSource(std::string bytes) : bytes_(std::move(bytes)) {}
    uint64_t size() const override { return bytes_.size(); }
    Result<void> read(uint64_t offset, std::span<uint8_t> out) const override {
      return memory_source(bytes_)->read(offset, out);
    }
    std::string bytes_;
  };
  const Image image = small_image(6, {.series = 3, .rows_min = 10, .rows_max = 10});
  const auto footer =
      *parse_segment_footer(image.bytes.substr(image.bytes.size() - kSegmentFooterBytes), image.bytes.size());
  size_t found = 0;
  for (uint64_t at = footer.index_offset; at < footer.index_offset + footer.index_bytes; ++at) {
    const auto source = std::make_shared<ChangingSource>(image.bytes);
    const auto segment = *SegmentReader::open(source, "segment 42");
    source->bytes_[at] = static_cast<char>(source->bytes_[at] ^ 4);
    const auto result = segment->verify();
    if (result) continue;  // the summary was taken at open
    ++found;
    EXPECT_EQ(result.error().code, ErrorCode::kCorruption);
    EXPECT_EQ(result.error().message, "segment 42: the index changed since it was opened");
  }
  EXPECT_GE(found, footer.index_bytes / 2);
}

TEST(SegmentCorruption, AReadErrorOfTheFileComesThrough) {
  class FailingSource : public ByteSource {
   public:
    explicit FailingSource(std::string bytes) : inner_(memory_source(std::move(bytes))) {}
    uint64_t size() const override { return inner_->size(); }
    Result<void> read(uint64_t offset, std::span<uint8_t> out) const override {
      if (reads_left-- <= 0) return io_error("read 1.seg", EIO);
      return inner_->read(offset, out);
    }
    mutable int reads_left = 3;

   private:
    std::shared_ptr<const ByteSource> inner_;
  };
  const Image image = small_image(5, {.series = 1, .rows_min = 10, .rows_max = 10});
  for (int reads = 0; reads < 3; ++reads) {
    auto source = std::make_shared<FailingSource>(image.bytes);
    source->reads_left = reads;
    const auto segment = SegmentReader::open(source, "segment 42");
    ASSERT_FALSE(segment);
    EXPECT_EQ(segment.error().code, ErrorCode::kIo);
  }
  // The first read of rows reads the series, the blocks and the column's part of the index, then the page; each may
  // fail, and a failure is not remembered.
  auto source = std::make_shared<FailingSource>(image.bytes);
  const auto segment = *SegmentReader::open(source, "segment 42");
  BlockReader reader(segment);
  std::vector<int64_t> times;
  for (const int reads : {0, 1, 2, 0}) {  // the directory needs two at once, and stays
    source->reads_left = reads;
    const auto failed = reader.read_times(0, times);
    ASSERT_FALSE(failed) << reads;
    EXPECT_EQ(failed.error().code, ErrorCode::kIo);
  }
  source->reads_left = 1;
  EXPECT_FALSE(reader.read_times(0, times)) << "the column's index only";
  source->reads_left = 1;
  EXPECT_TRUE(reader.read_times(0, times)) << "the page";
}

}  // namespace
}  // namespace varve

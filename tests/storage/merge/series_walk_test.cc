#include "storage/merge/series_walk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace varve {
namespace {

// Has one piece a series, whose block is the position.
class ListSource : public RowSource {
 public:
  explicit ListSource(std::vector<SeriesId> series) : series_(std::move(series)) {}
  std::span<const SeriesId> series() const override { return series_; }
  void add_pieces(size_t position, const TimeRange&, uint32_t source,
                  std::vector<Piece>& out) const override {
    Piece piece;
    piece.source = source;
    piece.block = static_cast<uint32_t>(position);
    out.push_back(piece);
  }
  Result<void> load(const Piece&, LoadedPiece&) override { return {}; }
  bool statistics(const Piece&, std::span<ColumnStatistics>) const override { return false; }

 private:
  std::vector<SeriesId> series_;
};

// An order of `count` series, by keys that have nothing to do with the ids.
std::shared_ptr<const SeriesOrder> shuffled_order(size_t count, std::mt19937& random) {
  std::vector<size_t> names(count);
  for (size_t i = 0; i < count; ++i) names[i] = i;
  std::shuffle(names.begin(), names.end(), random);
  RowBatchBuilder builder("db", "t");
  for (const size_t name : names) {
    builder.begin_row();
    builder.tag("host", std::to_string(name));
    builder.field_double("v", 1);
    builder.end_row(0);
  }
  SeriesIndex index(count);
  std::string widest;
  index.resolve(builder.finish(), true, widest);
  return index.order();
}

struct Sources {
  std::vector<ListSource> sources;
  std::vector<RowSource*> pointers;
  std::map<uint32_t, std::vector<std::pair<uint32_t, uint32_t>>> expected;  // rank -> source, position

  Sources(const SeriesOrder& order, size_t count, std::mt19937& random) {
    for (uint32_t source = 0; source < count; ++source) {
      std::vector<SeriesId> series;
      const unsigned chance = random() % 4;
      for (uint32_t rank = 0; rank < order.size(); ++rank) {
        if (random() % 4 < chance) continue;
        expected[rank].emplace_back(source, static_cast<uint32_t>(series.size()));
        series.push_back(order.series()[rank]);
      }
      sources.emplace_back(std::move(series));
    }
    for (ListSource& source : sources) pointers.push_back(&source);
  }
};

std::vector<std::pair<uint32_t, uint32_t>> places(const std::vector<Piece>& pieces) {
  std::vector<std::pair<uint32_t, uint32_t>> all;
  for (const Piece& piece : pieces) all.emplace_back(piece.source, piece.block);
  return all;
}

TEST(SeriesWalk, VisitsEverySeriesOfAnySourceInTheOrderOfKeys) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const auto order = shuffled_order(300, random);
  Sources given(*order, 7, random);
  SeriesWalk walk(given.pointers, order);
  for (const auto& [rank, expected] : given.expected) {
    ASSERT_EQ(walk.rank(), rank);
    std::vector<Piece> pieces;
    walk.take(rank, TimeRange{}, pieces);
    EXPECT_EQ(places(pieces), expected);
  }
  EXPECT_EQ(walk.rank(), std::nullopt);
}

TEST(SeriesWalk, SeeksToTheFirstSeriesAtOrAfterARank) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const auto order = shuffled_order(1000, random);
  for (int round = 0; round < 20; ++round) {
    Sources given(*order, 5, random);
    SeriesWalk walk(given.pointers, order);
    uint32_t wanted = 0;
    while (true) {
      wanted += random() % (round % 2 == 0 ? 5 : 200);
      walk.seek(wanted);
      const auto next = given.expected.lower_bound(wanted);
      if (next == given.expected.end()) break;
      ASSERT_EQ(walk.rank(), next->first);
      std::vector<Piece> pieces;
      walk.take(next->first, TimeRange{}, pieces);
      ASSERT_EQ(places(pieces), next->second);
      wanted = next->first + 1;
    }
    EXPECT_EQ(walk.rank(), std::nullopt);
  }
}

TEST(SeriesWalk, OfNoSourcesIsAtItsEnd) {
  SeriesWalk walk({}, std::make_shared<SeriesOrder>());
  walk.seek(7);
  EXPECT_EQ(walk.rank(), std::nullopt);
}

}  // namespace
}  // namespace varve

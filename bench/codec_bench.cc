// Size and speed of the page codecs on the sets of data_sets.h, beside zstd-3 over 64Ki raw values and Gorilla, and a
// table of the ratios at the end. bench_codec uses what the machine has; bench_codec_avx2 and bench_codec_portable are
// built for less.
//   bench_codec [--benchmark_filter=cpu_2dec]
// bytes_per_second counts decoded values (8 bytes each); bits = stored bits a value, page headers included.
// On a shared machine trust ratios within one run, not absolute speeds: runs are interleaved, the table has the best.
#include <benchmark/benchmark.h>
#include <zstd.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <map>

#include "bench/data_sets.h"
#include "storage/codec/double_page.h"

namespace varve::bench {
namespace {

constexpr size_t kZstdValues = 64 * 1024;

struct Encoded {
  std::string bytes;
  std::vector<size_t> ends;
  std::vector<size_t> counts;
};

// Calls f(first, count) for every block; none crosses a series.
template <class F>
void for_each_block(const DataSet& set, size_t block, F f) {
  for (size_t at = 0; at < set.size();) {
    const size_t series_end = (at / kSeriesValues + 1) * kSeriesValues;
    const size_t count = std::min(block, series_end - at);
    f(at, count);
    at += count;
  }
}

void encode_varve(const DataSet& set, Effort effort, Encoded& out) {
  out = {};
  for_each_block(set, kVectorValues, [&](size_t at, size_t n) {
    if (set.is_double) {
      encode_double_page({set.doubles.data() + at, n}, effort, out.bytes);
    } else {
      encode_int_page({set.ints.data() + at, n}, effort, out.bytes);
    }
    out.ends.push_back(out.bytes.size());
    out.counts.push_back(n);
  });
}

bool decode_varve(const DataSet& set, const Encoded& in, void* out) {
  bool ok = true;
  size_t begin = 0;
  for (size_t i = 0; i < in.ends.size(); ++i) {
    const std::span page(reinterpret_cast<const uint8_t*>(in.bytes.data()) + begin, in.ends[i] - begin);
    const Result<void> result = set.is_double
                                    ? decode_double_page(page, in.counts[i], static_cast<double*>(out))
                                    : decode_int_page(page, in.counts[i], static_cast<int64_t*>(out));
    ok &= result.has_value();
    benchmark::DoNotOptimize(out);
    benchmark::ClobberMemory();
    begin = in.ends[i];
  }
  return ok;
}

const char* raw(const DataSet& set, size_t at) {
  return set.is_double ? reinterpret_cast<const char*>(set.doubles.data() + at)
                       : reinterpret_cast<const char*>(set.ints.data() + at);
}

void encode_zstd(const DataSet& set, Encoded& out) {
  out = {};
  for (size_t at = 0; at < set.size(); at += kZstdValues) {
    const size_t n = std::min(kZstdValues, set.size() - at), begin = out.bytes.size();
    out.bytes.resize(begin + ZSTD_compressBound(n * 8));
    out.bytes.resize(
        begin + ZSTD_compress(out.bytes.data() + begin, out.bytes.size() - begin, raw(set, at), n * 8, 3));
    out.ends.push_back(out.bytes.size());
    out.counts.push_back(n);
  }
}

// Gorilla's XOR code for doubles and its delta-of-delta code for integers, as in the 2015 paper.
class BitWriter {
 public:
  explicit BitWriter(std::string& out) : out_(out) {}
  void put(uint64_t value, unsigned width) {
    if (width > 32) {
      put(value >> 32, width - 32);
      value &= 0xffffffff;
      width = 32;
    }
    held_ = held_ << width | (value & ((uint64_t{1} << width) - 1));
    for (fill_ += width; fill_ >= 8; fill_ -= 8) out_.push_back(static_cast<char>(held_ >> (fill_ - 8)));
  }
  void flush() {
    if (fill_) out_.push_back(static_cast<char>(held_ << (8 - fill_)));
    fill_ = 0;
  }

 private:
  std::string& out_;
  uint64_t held_ = 0;
  unsigned fill_ = 0;
};
class BitReader {
 public:
  explicit BitReader(const char* in) : in_(in) {}
  uint64_t get(unsigned width) {
    if (width == 0) return 0;
    if (width > 32) {
      const uint64_t high = get(width - 32);
      return high << 32 | get(32);
    }
    if (fill_ <= 32) {
      uint32_t next;
      std::memcpy(&next, in_, 4);
      held_ |= static_cast<uint64_t>(__builtin_bswap32(next)) << (32 - fill_);
      in_ += 4;
      fill_ += 32;
    }
    const uint64_t value = held_ >> (64 - width);
    held_ <<= width;
    fill_ -= width;
    return value;
  }

 private:
  const char* in_;
  uint64_t held_ = 0;
  unsigned fill_ = 0;
};

void gorilla_encode(const uint64_t* v, size_t n, bool is_double, std::string& out) {
  BitWriter bits(out);
  bits.put(v[0], 64);
  unsigned leading = 65, trailing = 0;
  int64_t previous_delta = 0;
  for (size_t i = 1; i < n; ++i) {
    if (is_double) {
      const uint64_t x = v[i] ^ v[i - 1];
      if (x == 0) {
        bits.put(0, 1);
        continue;
      }
      const unsigned l = std::min(31, std::countl_zero(x)), t = static_cast<unsigned>(std::countr_zero(x));
      if (leading < 65 && l >= leading && t >= trailing) {
        bits.put(2, 2);
        bits.put(x >> trailing, 64 - leading - trailing);
      } else {
        leading = l;
        trailing = t;
        bits.put(3, 2);
        bits.put(l, 5);
        bits.put((64 - l - t) & 63, 6);
        bits.put(x >> t, 64 - l - t);
      }
    } else {
      const int64_t delta = static_cast<int64_t>(v[i] - v[i - 1]), x = delta - previous_delta;
      previous_delta = delta;
      if (x == 0)
        bits.put(0, 1);
      else if (x >= -63 && x <= 64)
        bits.put(2, 2), bits.put(static_cast<uint64_t>(x + 63), 7);
      else if (x >= -255 && x <= 256)
        bits.put(6, 3), bits.put(static_cast<uint64_t>(x + 255), 9);
      else if (x >= -2047 && x <= 2048)
        bits.put(14, 4), bits.put(static_cast<uint64_t>(x + 2047), 12);
      else
        bits.put(15, 4), bits.put(static_cast<uint64_t>(x), 64);
    }
  }
  bits.flush();
}
void gorilla_decode(const char* in, size_t n, bool is_double, uint64_t* out) {
  BitReader bits(in);
  out[0] = bits.get(64);
  unsigned leading = 0, trailing = 0;
  uint64_t delta = 0;
  for (size_t i = 1; i < n; ++i) {
    uint64_t x = 0;
    if (is_double) {
      if (bits.get(1)) {
        if (bits.get(1)) {
          leading = static_cast<unsigned>(bits.get(5));
          const unsigned width = static_cast<unsigned>(bits.get(6));
          trailing = 64 - leading - (width ? width : 64);
        }
        x = bits.get(64 - leading - trailing) << trailing;
      }
      out[i] = out[i - 1] ^ x;
    } else {
      if (bits.get(1)) {
        if (!bits.get(1))
          x = bits.get(7) - 63;
        else if (!bits.get(1))
          x = bits.get(9) - 255;
        else if (!bits.get(1))
          x = bits.get(12) - 2047;
        else
          x = bits.get(64);
      }
      delta += x;
      out[i] = out[i - 1] + delta;
    }
  }
}
void encode_gorilla(const DataSet& set, Encoded& out) {
  out = {};
  std::vector<uint64_t> values(kVectorValues);
  for_each_block(set, kVectorValues, [&](size_t at, size_t n) {
    std::memcpy(values.data(), raw(set, at), n * 8);
    gorilla_encode(values.data(), n, set.is_double, out.bytes);
    out.ends.push_back(out.bytes.size());
    out.counts.push_back(n);
  });
  out.bytes.append(16, '\0');  // the bit reader loads ahead
}

void report(benchmark::State& state, const DataSet& set, size_t bytes) {
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * set.size() * 8));
  state.counters["bits"] = static_cast<double>(bytes) * 8 / static_cast<double>(set.size());
}

void register_set(const DataSet& set) {
  const auto add = [&set](const char* what, auto run) {
    benchmark::RegisterBenchmark((set.name + "/" + what).c_str(), run)->Unit(benchmark::kMillisecond);
  };
  for (const Effort effort : {Effort::kFast, Effort::kExhaustive}) {
    const bool fast = effort == Effort::kFast;
    add(fast ? "encode_fast" : "encode_exhaustive", [&set, effort](benchmark::State& state) {
      Encoded out;
      for (auto _ : state) encode_varve(set, effort, out);
      report(state, set, out.bytes.size());
    });
  }
  add("decode", [&set](benchmark::State& state) {
    Encoded in;
    encode_varve(set, Effort::kExhaustive, in);
    alignas(64) uint64_t out[kVectorValues];
    for (auto _ : state) {
      if (!decode_varve(set, in, out)) state.SkipWithError("decode failed");
    }
    report(state, set, in.bytes.size());
  });
  add("zstd3_encode", [&set](benchmark::State& state) {
    Encoded out;
    for (auto _ : state) encode_zstd(set, out);
    report(state, set, out.bytes.size());
  });
  add("gorilla_encode", [&set](benchmark::State& state) {
    Encoded out;
    for (auto _ : state) encode_gorilla(set, out);
    report(state, set, out.ends.back());
  });
  add("zstd3_decode", [&set](benchmark::State& state) {
    Encoded in;
    encode_zstd(set, in);
    std::vector<uint64_t> out(kZstdValues);
    for (auto _ : state) {
      size_t begin = 0;
      for (size_t i = 0; i < in.ends.size(); begin = in.ends[i++]) {
        benchmark::DoNotOptimize(
            ZSTD_decompress(out.data(), in.counts[i] * 8, in.bytes.data() + begin, in.ends[i] - begin));
      }
    }
    report(state, set, in.bytes.size());
  });
  add("gorilla_decode", [&set](benchmark::State& state) {
    Encoded in;
    encode_gorilla(set, in);
    std::vector<uint64_t> out(kVectorValues);
    for (auto _ : state) {
      size_t begin = 0;
      for (size_t i = 0; i < in.ends.size(); begin = in.ends[i++]) {
        gorilla_decode(in.bytes.data() + begin, in.counts[i], set.is_double, out.data());
        benchmark::ClobberMemory();
      }
    }
    if (out.back() == 0) state.SkipWithError("decode failed");
    report(state, set, in.ends.back());
  });
}

// The usual lines, then one row a data set: sizes and the best speeds, as ratios.
class TableReporter : public benchmark::ConsoleReporter {
 public:
  explicit TableReporter(std::vector<std::string> order)
      : ConsoleReporter(OO_None), order_(std::move(order)) {}
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
      const size_t slash = run.run_name.function_name.find('/');
      const std::string set = run.run_name.function_name.substr(0, slash);
      Cell& cell = cells_[set][run.run_name.function_name.substr(slash + 1)];
      cell.bits = run.counters.at("bits");
      cell.gigabytes = std::max<double>(cell.gigabytes, run.counters.at("bytes_per_second") / 1e9);
    }
  }
  void Finalize() override {
    std::printf(
        "\nbits a value (/: share of), GB/s of decoded values (x: times as fast as)\n%-15s %7s %7s %7s %7s | "
        "%7s %7s "
        "%7s | %7s %9s %7s %7s\n",
        "", "fast", "bits", "/Goril.", "/zstd-3", "decode", "xGoril.", "xzstd-3", "encode", "Mvalues/s",
        "xGoril.", "xzstd-3");
    for (const std::string& set : order_) {
      auto& row = cells_[set];
      if (row.size() != 7) continue;  // filtered
      const Cell best = row.at("encode_exhaustive"), fast = row.at("encode_fast"), decode = row.at("decode"),
                 gorilla = row.at("gorilla_decode"), zstd = row.at("zstd3_decode");
      std::printf("%-15s %7.2f %7.2f %7.2f %7.2f | %7.1f %7.1f %7.1f | %7.2f %9.0f %7.1f %7.1f\n",
                  set.c_str(), fast.bits, best.bits, best.bits / gorilla.bits, best.bits / zstd.bits,
                  decode.gigabytes, decode.gigabytes / gorilla.gigabytes, decode.gigabytes / zstd.gigabytes,
                  fast.gigabytes, fast.gigabytes * 1e3 / 8,
                  fast.gigabytes / row.at("gorilla_encode").gigabytes,
                  fast.gigabytes / row.at("zstd3_encode").gigabytes);
    }
  }

 private:
  struct Cell {
    double bits = 0, gigabytes = 0;
  };
  std::map<std::string, std::map<std::string, Cell>> cells_;
  const std::vector<std::string> order_;
};

}  // namespace
}  // namespace varve::bench

int main(int argc, char** argv) {
  const auto sets = varve::bench::synthetic_data_sets();
  for (const auto& set : sets) varve::bench::register_set(set);
  // Neighbours of a busy machine disturb all alike when runs alternate. Arguments of the caller come later and win.
  std::vector<char*> arguments(argv, argv + argc);
  std::string defaults[] = {"--benchmark_repetitions=5", "--benchmark_enable_random_interleaving=true",
                            "--benchmark_min_time=0.02"};
  for (size_t i = 0; i < std::size(defaults); ++i) {
    arguments.insert(arguments.begin() + 1 + static_cast<std::ptrdiff_t>(i), defaults[i].data());
  }
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  std::vector<std::string> order;
  for (const auto& set : sets) order.push_back(set.name);
  varve::bench::TableReporter reporter(std::move(order));
  benchmark::RunSpecifiedBenchmarks(&reporter);
  return 0;
}

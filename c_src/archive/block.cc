#include "archive/block.h"

#include <zstd.h>

#include <cstdint>
#include <memory>

#include "archive/columns.h"
#include "base/check.h"

namespace rollup::archive {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kBuckets = 'B';
constexpr std::uint8_t kPoints = 'P';
// Columns of a bucket: 7 of whole numbers, 7 of doubles; no value takes more than 10 bytes.
constexpr std::size_t kColumnsMax = 14;
// The count before them takes no more either.
constexpr std::size_t kColumnsBytesMax = kBlockEntriesMax * kColumnsMax * 10 + kColumnsMax + 10;

constexpr int kQuickLevel = 1;
constexpr int kThoroughLevel = 3;

template <class T, std::size_t (*free_context)(T*)>
struct FreeContext {
  void operator()(T* context) const { free_context(context); }
};
using Compressor = std::unique_ptr<ZSTD_CCtx, FreeContext<ZSTD_CCtx, ZSTD_freeCCtx>>;
using Decompressor = std::unique_ptr<ZSTD_DCtx, FreeContext<ZSTD_DCtx, ZSTD_freeDCtx>>;

std::string pack(std::uint8_t kind, const std::string& columns, Effort effort) {
  // A context is costlier than most blocks, so one is kept.
  thread_local Compressor compressor(ZSTD_createCCtx());
  ROLLUP_CHECK(compressor != nullptr);
  ZSTD_CCtx_setParameter(compressor.get(), ZSTD_c_checksumFlag, 1);
  ZSTD_CCtx_setParameter(compressor.get(), ZSTD_c_compressionLevel,
                         effort == Effort::quick ? kQuickLevel : kThoroughLevel);
  std::string out;
  out.push_back(static_cast<char>(kVersion));
  out.push_back(static_cast<char>(kind));
  const std::size_t head = out.size();
  out.resize(head + ZSTD_compressBound(columns.size()));
  const std::size_t size = ZSTD_compress2(compressor.get(), out.data() + head, out.size() - head,
                                          columns.data(), columns.size());
  ROLLUP_CHECK(ZSTD_isError(size) == 0);
  out.resize(head + size);
  return out;
}

tl::unexpected<Error> damaged(const char* why) {
  return fail(ErrorCode::storage, "", std::string("a block is damaged: ") + why);
}

// The content of the frame.
Result<std::string> unpack(std::uint8_t kind, std::string_view bytes) {
  ByteReader in(bytes);
  const std::uint8_t version = in.byte();
  if (in.ok() && version != kVersion) {
    return fail(ErrorCode::unsupported, "",
                "a block has version " + std::to_string(version) + ", this program knows " +
                    std::to_string(kVersion));
  }
  if (in.byte() != kind || !in.ok()) {
    return damaged("its head is wrong");
  }
  const std::string_view frame = in.rest();
  const unsigned long long size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  // Both special values of zstd are larger than any column.
  if (size > kColumnsBytesMax) {
    return damaged("its length is wrong");
  }
  thread_local Decompressor decompressor(ZSTD_createDCtx());
  ROLLUP_CHECK(decompressor != nullptr);
  std::string columns(static_cast<std::size_t>(size), '\0');
  const std::size_t got = ZSTD_decompressDCtx(decompressor.get(), columns.data(), columns.size(),
                                              frame.data(), frame.size());
  if (ZSTD_isError(got) != 0) {
    return damaged(ZSTD_getErrorName(got));
  }
  if (got != size) {
    return damaged("its length is wrong");
  }
  return columns;
}

// The number of entries; each takes a byte of every column at least.
std::size_t take_count(ByteReader& in, std::size_t columns) {
  const std::uint64_t count = in.varint();
  if (count > kBlockEntriesMax || count * columns > in.rest().size()) {
    in.set_bad();
    return 0;
  }
  return static_cast<std::size_t>(count);
}

bool is_whole(const ByteReader& in) { return in.ok() && in.rest().empty(); }

std::uint64_t bits_of(Time time) { return static_cast<std::uint64_t>(to_ms(time)); }

Time time_of(std::uint64_t bits) { return time_from_ms(static_cast<std::int64_t>(bits)); }

// The columns of whole numbers, as distances from what they are near to, so that they hardly change
// from one bucket to the next. `start` itself is not among them.
struct WholeColumn {
  std::uint64_t (*get)(const Bucket&);
  void (*set)(Bucket&, std::uint64_t);
};
constexpr WholeColumn kWholeColumns[] = {
    {[](const Bucket& b) { return bits_of(b.end) - bits_of(b.start); },
     [](Bucket& b, std::uint64_t v) { b.end = time_of(bits_of(b.start) + v); }},
    {[](const Bucket& b) -> std::uint64_t { return b.rev; },
     [](Bucket& b, std::uint64_t v) { b.rev = static_cast<std::uint32_t>(v); }},
    {[](const Bucket& b) {
       return bits_of(b.end) - bits_of(b.start) -
              static_cast<std::uint64_t>(b.aggregate.known.count());
     },
     [](Bucket& b, std::uint64_t v) {
       b.aggregate.known =
           Duration{static_cast<std::int64_t>(bits_of(b.end) - bits_of(b.start) - v)};
     }},
    {[](const Bucket& b) { return b.aggregate.count; },
     [](Bucket& b, std::uint64_t v) { b.aggregate.count = v; }},
    {[](const Bucket& b) { return bits_of(b.aggregate.first_time) - bits_of(b.start); },
     [](Bucket& b, std::uint64_t v) { b.aggregate.first_time = time_of(bits_of(b.start) + v); }},
    {[](const Bucket& b) { return bits_of(b.end) - bits_of(b.aggregate.last_time); },
     [](Bucket& b, std::uint64_t v) { b.aggregate.last_time = time_of(bits_of(b.end) - v); }},
};
constexpr double Aggregate::*kDoubleColumns[] = {
    &Aggregate::integral, &Aggregate::sum,   &Aggregate::m2,  &Aggregate::min,
    &Aggregate::max,      &Aggregate::first, &Aggregate::last};
static_assert(1 + std::size(kWholeColumns) + std::size(kDoubleColumns) == kColumnsMax);

}  // namespace

std::string encode_buckets(std::span<const Bucket> buckets, Effort effort) {
  ROLLUP_CHECK(buckets.size() <= kBlockEntriesMax);
  std::string columns;
  put_varint(columns, buckets.size());
  std::vector<std::uint64_t> whole(buckets.size());
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    whole[i] = bits_of(buckets[i].start);
  }
  put_integers(columns, whole, 2);
  for (const WholeColumn& column : kWholeColumns) {
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      whole[i] = column.get(buckets[i]);
    }
    put_integers(columns, whole, 1);
  }
  std::vector<double> doubles(buckets.size());
  for (const auto column : kDoubleColumns) {
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      doubles[i] = buckets[i].aggregate.*column;
    }
    put_doubles(columns, doubles);
  }
  return pack(kBuckets, columns, effort);
}

Result<std::vector<Bucket>> decode_buckets(std::string_view bytes) {
  const Result<std::string> unpacked = unpack(kBuckets, bytes);
  if (!unpacked) {
    return tl::unexpected(unpacked.error());
  }
  ByteReader in(*unpacked);
  std::vector<Bucket> buckets(take_count(in, kColumnsMax));
  std::vector<std::uint64_t> whole(buckets.size());
  take_integers(in, whole, 2);
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    buckets[i].start = time_of(whole[i]);
  }
  for (const WholeColumn& column : kWholeColumns) {
    take_integers(in, whole, 1);
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      column.set(buckets[i], whole[i]);
    }
  }
  std::vector<double> doubles(buckets.size());
  for (const auto column : kDoubleColumns) {
    take_doubles(in, doubles);
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      buckets[i].aggregate.*column = doubles[i];
    }
  }
  if (!is_whole(in)) {
    return damaged("its columns do not fit its length");
  }
  return buckets;
}

std::string encode_points(std::span<const Point> points, Effort effort) {
  ROLLUP_CHECK(points.size() <= kBlockEntriesMax);
  std::string columns;
  put_varint(columns, points.size());
  std::vector<std::uint64_t> times(points.size());
  std::vector<double> values(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    times[i] = bits_of(points[i].time);
    values[i] = points[i].value;
  }
  put_integers(columns, std::move(times), 2);
  put_doubles(columns, values);
  return pack(kPoints, columns, effort);
}

Result<std::vector<Point>> decode_points(std::string_view bytes) {
  const Result<std::string> unpacked = unpack(kPoints, bytes);
  if (!unpacked) {
    return tl::unexpected(unpacked.error());
  }
  ByteReader in(*unpacked);
  std::vector<std::uint64_t> times(take_count(in, 2));
  std::vector<double> values(times.size());
  take_integers(in, times, 2);
  take_doubles(in, values);
  if (!is_whole(in)) {
    return damaged("its columns do not fit its length");
  }
  std::vector<Point> points(times.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    points[i] = Point{time_of(times[i]), values[i]};
  }
  return points;
}

}  // namespace rollup::archive

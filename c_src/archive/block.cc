#include "archive/block.h"

#include <zstd.h>

#include <cstdint>
#include <memory>

#include "archive/columns.h"
#include "base/check.h"

namespace rollup::archive {
namespace {

// Version 1 knew gauges only; of points both are the same.
constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kBuckets = 'B';
constexpr std::uint8_t kPoints = 'P';
// Columns of a bucket: 9 of whole numbers, 8 of doubles; no value takes more than 10 bytes.
constexpr std::size_t kColumnsMax = 17;
// Those that a bucket of every kind has: start, and the ones of presence.
constexpr std::size_t kColumnsMin = 5;
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

struct Unpacked {
  std::uint8_t version = 0;
  std::string columns;
};

// The content of the frame.
Result<Unpacked> unpack(std::uint8_t kind, std::string_view bytes) {
  ByteReader in(bytes);
  const std::uint8_t version = in.byte();
  if (in.ok() && (version == 0 || version > kVersion)) {
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
  return Unpacked{version, std::move(columns)};
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
// from one bucket to the next. `start` itself and the parts are not among them. Of a column whose
// part no bucket has, nothing is written.
struct WholeColumn {
  Parts part;
  std::uint64_t (*get)(const Bucket&);
  void (*set)(Bucket&, std::uint64_t);
};
constexpr WholeColumn kWholeColumns[] = {
    {kPresence, [](const Bucket& b) { return bits_of(b.end) - bits_of(b.start); },
     [](Bucket& b, std::uint64_t v) { b.end = time_of(bits_of(b.start) + v); }},
    {kPresence, [](const Bucket& b) -> std::uint64_t { return b.rev; },
     [](Bucket& b, std::uint64_t v) { b.rev = static_cast<std::uint32_t>(v); }},
    {kPresence,
     [](const Bucket& b) {
       return bits_of(b.end) - bits_of(b.start) -
              static_cast<std::uint64_t>(b.aggregate.known.count());
     },
     [](Bucket& b, std::uint64_t v) {
       b.aggregate.known =
           Duration{static_cast<std::int64_t>(bits_of(b.end) - bits_of(b.start) - v)};
     }},
    {kPresence, [](const Bucket& b) { return b.aggregate.count; },
     [](Bucket& b, std::uint64_t v) { b.aggregate.count = v; }},
    {kEnds, [](const Bucket& b) { return bits_of(b.aggregate.first_time) - bits_of(b.start); },
     [](Bucket& b, std::uint64_t v) { b.aggregate.first_time = time_of(bits_of(b.start) + v); }},
    {kEnds, [](const Bucket& b) { return bits_of(b.end) - bits_of(b.aggregate.last_time); },
     [](Bucket& b, std::uint64_t v) { b.aggregate.last_time = time_of(bits_of(b.end) - v); }},
    {kIncrease, [](const Bucket& b) { return b.aggregate.resets; },
     [](Bucket& b, std::uint64_t v) { b.aggregate.resets = v; }},
};
struct DoubleColumn {
  Parts part;
  double Aggregate::*member;
};
constexpr DoubleColumn kDoubleColumns[] = {
    {kHeld, &Aggregate::integral}, {kMoments, &Aggregate::sum},      {kMoments, &Aggregate::m2},
    {kRange, &Aggregate::min},     {kRange, &Aggregate::max},        {kEnds, &Aggregate::first},
    {kEnds, &Aggregate::last},     {kIncrease, &Aggregate::increase}};
static_assert(2 + std::size(kWholeColumns) + std::size(kDoubleColumns) == kColumnsMax);

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
  Parts any = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    whole[i] = buckets[i].aggregate.parts;
    any |= buckets[i].aggregate.parts;
  }
  put_integers(columns, whole, 1);
  for (const WholeColumn& column : kWholeColumns) {
    if (!has_all(any, column.part)) {
      continue;
    }
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      whole[i] = column.get(buckets[i]);
    }
    put_integers(columns, whole, 1);
  }
  std::vector<double> doubles(buckets.size());
  for (const DoubleColumn& column : kDoubleColumns) {
    if (!has_all(any, column.part)) {
      continue;
    }
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      doubles[i] = buckets[i].aggregate.*column.member;
    }
    put_doubles(columns, doubles);
  }
  return pack(kBuckets, columns, effort);
}

Result<std::vector<Bucket>> decode_buckets(std::string_view bytes) {
  const Result<Unpacked> unpacked = unpack(kBuckets, bytes);
  if (!unpacked) {
    return tl::unexpected(unpacked.error());
  }
  ByteReader in(unpacked->columns);
  std::vector<Bucket> buckets(take_count(in, kColumnsMin));
  std::vector<std::uint64_t> whole(buckets.size());
  take_integers(in, whole, 2);
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    buckets[i].start = time_of(whole[i]);
  }
  Parts any = kGaugeParts;
  if (unpacked->version > 1) {
    any = 0;
    take_integers(in, whole, 1);
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      buckets[i].aggregate.parts = static_cast<Parts>(whole[i]) & kAllParts;
      any |= buckets[i].aggregate.parts;
    }
  }
  for (const WholeColumn& column : kWholeColumns) {
    if (!has_all(any, column.part)) {
      continue;
    }
    take_integers(in, whole, 1);
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      column.set(buckets[i], whole[i]);
    }
  }
  std::vector<double> doubles(buckets.size());
  for (const DoubleColumn& column : kDoubleColumns) {
    if (!has_all(any, column.part)) {
      continue;
    }
    take_doubles(in, doubles);
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      buckets[i].aggregate.*column.member = doubles[i];
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
  const Result<Unpacked> unpacked = unpack(kPoints, bytes);
  if (!unpacked) {
    return tl::unexpected(unpacked.error());
  }
  ByteReader in(unpacked->columns);
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

// Bytes from a history file that may be anything, and any entries there and back.
#include <zstd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "archive/block.h"
#include "base/check.h"

namespace {

using rollup::Bucket;
using rollup::Point;

// The next numbers of the input; zeros after its end.
class Numbers {
 public:
  explicit Numbers(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T next() {
    T value{};
    const std::size_t size = rest_.size() < sizeof value ? rest_.size() : sizeof value;
    std::memcpy(&value, rest_.data(), size);
    rest_.remove_prefix(size);
    return value;
  }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::vector<Bucket> any_buckets(std::string_view bytes) {
  Numbers in(bytes);
  std::vector<Bucket> buckets;
  while (!in.empty() && buckets.size() < rollup::archive::kBlockEntriesMax) {
    Bucket bucket;
    bucket.start = rollup::time_from_ms(in.next<std::int64_t>());
    bucket.end = rollup::time_from_ms(in.next<std::int64_t>());
    bucket.rev = in.next<std::uint32_t>();
    bucket.aggregate.known = rollup::Duration{in.next<std::int64_t>()};
    bucket.aggregate.count = in.next<std::uint64_t>();
    bucket.aggregate.first_time = rollup::time_from_ms(in.next<std::int64_t>());
    bucket.aggregate.last_time = rollup::time_from_ms(in.next<std::int64_t>());
    bucket.aggregate.integral = in.next<double>();
    bucket.aggregate.sum = in.next<double>();
    bucket.aggregate.m2 = in.next<double>();
    bucket.aggregate.min = in.next<double>();
    bucket.aggregate.max = in.next<double>();
    bucket.aggregate.first = in.next<double>();
    bucket.aggregate.last = static_cast<double>(in.next<float>());
    buckets.push_back(bucket);
  }
  return buckets;
}

std::vector<Point> any_points(std::string_view bytes) {
  Numbers in(bytes);
  std::vector<Point> points;
  while (!in.empty() && points.size() < rollup::archive::kBlockEntriesMax) {
    // Small numbers of hundredths, as sensors send them, beside any bits.
    const bool is_decimal = (in.next<std::uint8_t>() & 1) != 0;
    const auto time = rollup::time_from_ms(in.next<std::int64_t>());
    points.push_back({time, is_decimal ? in.next<std::int16_t>() / 100.0 : in.next<double>()});
  }
  return points;
}

bool is_same(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

void check_round_trips(std::string_view bytes) {
  const std::vector<Bucket> buckets = any_buckets(bytes);
  const auto bucket_copies =
      rollup::archive::decode_buckets(rollup::archive::encode_buckets(buckets));
  ROLLUP_CHECK(bucket_copies && bucket_copies->size() == buckets.size());
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const Bucket& a = buckets[i];
    const Bucket& b = (*bucket_copies)[i];
    ROLLUP_CHECK(a.start == b.start && a.end == b.end && a.rev == b.rev);
    ROLLUP_CHECK(a.aggregate.known == b.aggregate.known && a.aggregate.count == b.aggregate.count);
    ROLLUP_CHECK(a.aggregate.first_time == b.aggregate.first_time);
    ROLLUP_CHECK(a.aggregate.last_time == b.aggregate.last_time);
    ROLLUP_CHECK(is_same(a.aggregate.integral, b.aggregate.integral));
    ROLLUP_CHECK(is_same(a.aggregate.sum, b.aggregate.sum));
    ROLLUP_CHECK(is_same(a.aggregate.m2, b.aggregate.m2));
    ROLLUP_CHECK(is_same(a.aggregate.min, b.aggregate.min));
    ROLLUP_CHECK(is_same(a.aggregate.max, b.aggregate.max));
    ROLLUP_CHECK(is_same(a.aggregate.first, b.aggregate.first));
    ROLLUP_CHECK(is_same(a.aggregate.last, b.aggregate.last));
  }
  const std::vector<Point> points = any_points(bytes);
  const auto point_copies = rollup::archive::decode_points(rollup::archive::encode_points(points));
  ROLLUP_CHECK(point_copies && point_copies->size() == points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    ROLLUP_CHECK(points[i].time == (*point_copies)[i].time);
    ROLLUP_CHECK(is_same(points[i].value, (*point_copies)[i].value));
  }
}

// A block whose frame is whole and holds `content`: random bytes seldom pass the frame's checksum.
std::string block_of(char kind, std::string_view content) {
  std::string frame(ZSTD_compressBound(content.size()), '\0');
  frame.resize(ZSTD_compress(frame.data(), frame.size(), content.data(), content.size(), 1));
  return std::string("\x01") + kind + frame;
}

void check_decoding(std::string_view bytes) {
  if (const auto buckets = rollup::archive::decode_buckets(bytes)) {
    ROLLUP_CHECK(buckets->size() <= rollup::archive::kBlockEntriesMax);
  }
  if (const auto points = rollup::archive::decode_points(bytes)) {
    ROLLUP_CHECK(points->size() <= rollup::archive::kBlockEntriesMax);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_decoding(bytes);
  check_decoding(block_of('B', bytes));
  check_decoding(block_of('P', bytes));
  check_round_trips(bytes);
  return 0;
}

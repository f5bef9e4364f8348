// Buckets of one minute each that are easy to tell apart.
#pragma once

#include <cstdint>
#include <vector>

#include "model/bucket.h"

namespace rollup::archive {

inline constexpr Duration kMinute{60'000};

inline Time at_minute(std::int64_t minute) { return Time{minute * kMinute}; }

// The bucket of one minute with two samples; its values follow from the minute.
inline Bucket bucket_of_minute(std::int64_t minute) {
  Bucket bucket;
  bucket.start = at_minute(minute);
  bucket.end = at_minute(minute + 1);
  bucket.rev = 1;
  const double value = 20.0 + static_cast<double>(minute % 50) / 10;
  bucket.aggregate.add_sample(bucket.start + Duration{1'000}, value);
  bucket.aggregate.add_sample(bucket.start + Duration{31'000}, value + 0.5);
  bucket.aggregate.add_held(value, Duration{30'000});
  bucket.aggregate.add_held(value + 0.5, Duration{29'000});
  return bucket;
}

inline std::vector<Bucket> buckets_of_minutes(std::int64_t from, std::int64_t to) {
  std::vector<Bucket> buckets;
  for (std::int64_t minute = from; minute < to; ++minute) {
    buckets.push_back(bucket_of_minute(minute));
  }
  return buckets;
}

}  // namespace rollup::archive

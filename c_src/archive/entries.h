// The same words for buckets and points. A point takes the one millisecond it is in.
#pragma once

#include "model/bucket.h"

namespace rollup::archive {

inline Time start_of(const Bucket& bucket) { return bucket.start; }
inline Time end_of(const Bucket& bucket) { return bucket.end; }
inline Time start_of(const Point& point) { return point.time; }
inline Time end_of(const Point& point) {
  return point.time == Time::max() ? point.time : point.time + Duration{1};
}

}  // namespace rollup::archive

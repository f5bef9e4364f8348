// Where sealed buckets and samples are kept for as long as their stream says. A series is known by
// its key, so the archive means the same whatever became of the journal and of the engine's state.
//
// Nothing outside this folder knows what kind of store it is. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "model/bucket.h"
#include "model/series_key.h"

namespace rollup::archive {

// How much of a series' tier is kept; index = Tier; kForever: all of it.
using Keep = std::array<Duration, kTierCount>;

// What was sealed of one series, each ascending: buckets by tier (raw has none), and points.
struct SealedRun {
  SeriesKey key;
  std::array<std::vector<Bucket>, kTierCount> buckets;
  std::vector<Point> points;
};

struct Counts {
  std::uint64_t bytes = 0;    // on the disk
  std::uint64_t damaged = 0;  // blocks that could not be read, since the start
};

class Archive {
 public:
  virtual ~Archive() = default;

  // All of the runs or, after an error, none of them; on the disk when it returns. A tier of a
  // series only grows at its end: what starts at or before the newest entry that is there is there
  // already and is ignored, so the same run may be written again.
  virtual Result<void> write(std::span<const SealedRun> runs) = 0;

  // Ascending by start; entries that overlap [from, to). `each` returns false to stop; it may read,
  // and must not write. What is damaged is left out and counted.
  virtual Result<void> read(const SeriesKey& key, Tier tier, Time from, Time to,
                            const std::function<bool(const Bucket&)>& each) = 0;
  virtual Result<void> read(const SeriesKey& key, Time from, Time to,
                            const std::function<bool(const Point&)>& each) = 0;
  // Where the newest entry starts; Time::min() if there is none.
  virtual Result<Time> newest(const SeriesKey& key, Tier tier) = 0;

  // Deletes what ended before now - keep. Bounded work per call; true if there may be more.
  virtual Result<bool> expire(Time now, const std::function<Keep(const SeriesKey&)>& keep) = 0;

  virtual Counts counts() const = 0;
};

}  // namespace rollup::archive

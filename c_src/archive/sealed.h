// What is sealed: in memory until the archive has it, and read together with it.
//
// flush() hands what is in memory to the archive, some series a call, so that turns go on between
// the calls. A start plays the journal again and so seals the same again: what the archive has
// already is not given twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "archive/archive.h"

namespace rollup::archive {

class Sealed {
 public:
  // Its share of the memory; more is to be flushed.
  static constexpr std::size_t kBytesMax = std::size_t{16} * 1024 * 1024;

  // The archive must outlive it.
  explicit Sealed(Archive& archive) : archive_(archive) {}

  // Ascending per series and tier. A bucket that starts at or before the newest one there is
  // already there and is ignored. `points` are all the points of one or more buckets: equal times
  // stay, but what is not after the points of earlier calls is ignored in the same way.
  void append(const SeriesKey& key, Tier tier, const Bucket& bucket);
  void append(const SeriesKey& key, std::span<const Point> points);

  std::size_t bytes() const { return newer_.bytes + older_.bytes; }
  bool is_full() const { return newer_.bytes >= kBytesMax; }

  // All that is here by now is to be flushed; what comes later waits. Not before the flush before
  // is done.
  void begin_flush();
  bool is_flushing() const { return !older_.runs.empty(); }
  // The next piece of it. After an error nothing of the piece was written, and it may be tried
  // again.
  Result<void> flush_piece();

  // As Archive::read().
  Result<void> read(const SeriesKey& key, Tier tier, Time from, Time to,
                    const std::function<bool(const Bucket&)>& each) const;
  Result<void> read(const SeriesKey& key, Time from, Time to,
                    const std::function<bool(const Point&)>& each) const;

 private:
  struct KeyHash {
    std::size_t operator()(const SeriesKey& key) const;
  };
  struct Table {
    std::deque<SealedRun> runs;  // in the order in which they began
    std::unordered_map<SeriesKey, std::size_t, KeyHash> index;
    std::size_t begin = 0;  // runs that are flushed and gone
    std::size_t bytes = 0;

    SealedRun& run_of(const SeriesKey& key);
    const SealedRun* find(const SeriesKey& key) const;
  };

  template <class Entry>
  Result<void> read_all(const SeriesKey& key, Tier tier, Time from, Time to,
                        const std::function<bool(const Entry&)>& each) const;

  Archive& archive_;
  Table newer_;
  Table older_;  // is being flushed
};

}  // namespace rollup::archive

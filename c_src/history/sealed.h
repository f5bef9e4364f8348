// Sealed buckets and points: in memory from append() to the next checkpoint, in blocks after that.
//
// The newest block of a series and tier is written again, longer, until it is full; then the next
// one begins. So a checkpoint leaves nothing behind in memory, and after a start memory is empty,
// as it was when that checkpoint was made: the journal brings back the rest.
//
// Doubles. A series' tier only grows at its end. What starts at or before the start of the newest
// entry that was there when append() was called is there already and is ignored. Points are given
// with all the points of the buckets they lie in, so equal times come in one call and all stay.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "history/sqlite.h"
#include "model/bucket.h"
#include "model/ids.h"

namespace rollup::history {

class Sealed {
 public:
  // The connection must have the tables, and outlive this.
  explicit Sealed(Connection& connection) : connection_(connection) {}

  Result<void> prepare();

  void append(SeriesId series, Tier tier, const Bucket& bucket);
  void append(SeriesId series, std::span<const Point> points);

  // Inside a transaction of the caller: writes what is in memory to blocks. After the commit comes
  // forget(); without it all is as before.
  Result<void> write();
  void forget();

  // As History::read().
  Result<void> read(SeriesId series, Tier tier, Time from, Time to,
                    const std::function<bool(const Bucket&)>& each);
  Result<void> read(SeriesId series, Time from, Time to,
                    const std::function<bool(const Point&)>& each);

 private:
  // What is in memory of one series and tier, ascending.
  template <class Entry>
  struct Tail {
    std::vector<Entry> entries;
    // Where the newest entry in blocks starts; looked up when it is first needed.
    std::optional<Time> stored_last;
  };
  template <class Entry>
  using Tails = std::unordered_map<std::uint64_t, Tail<Entry>>;

  template <class Entry>
  Result<void> write_tails(const Tails<Entry>& tails);
  template <class Entry>
  Result<void> write_tail(std::uint64_t key, std::span<const Entry> tail);
  template <class Entry>
  Result<void> write_block(std::uint64_t key, std::int64_t id, std::span<const Entry> entries);
  template <class Entry>
  Result<void> read_all(Tails<Entry>& tails, std::uint64_t key, Time from, Time to,
                        const std::function<bool(const Entry&)>& each);
  // False: `each` said stop.
  template <class Entry>
  Result<bool> read_blocks(std::uint64_t key, Time from, Time to,
                           const std::function<bool(const Entry&)>& each);
  Result<Time> look_up_last(std::uint64_t key);

  Connection& connection_;
  Tails<Bucket> buckets_;
  Tails<Point> points_;
  Statement newest_;
  Statement insert_;
  Statement update_;
  Statement range_;
};

}  // namespace rollup::history

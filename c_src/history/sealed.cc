#include "history/sealed.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "archive/block.h"

namespace rollup::history {
namespace {

constexpr const char* kNewest =
    "SELECT id, start, last, end, count, data FROM block WHERE series = ?1 AND tier = ?2 "
    "ORDER BY start DESC LIMIT 1";
constexpr const char* kInsert =
    "INSERT INTO block(series, tier, start, last, end, count, data) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
constexpr const char* kUpdate =
    "UPDATE block SET last = ?2, end = ?3, count = ?4, data = ?5 WHERE id = ?1";
// Day buckets of two time zones may overlap, so the range begins one block before the one that
// `from` lies in; what ended by then is skipped without being decoded.
constexpr const char* kRange =
    "SELECT start, data FROM block WHERE series = ?1 AND tier = ?2 AND start < ?4 AND end > ?3 "
    "AND start >= ifnull((SELECT start FROM block WHERE series = ?1 AND tier = ?2 AND start <= ?3 "
    "ORDER BY start DESC LIMIT 1 OFFSET 1), -9223372036854775808) ORDER BY start";

// A block is full at this many entries, or when it spans this much time, whichever comes first.
struct Full {
  std::size_t count;
  Duration span;
};
constexpr std::array<Full, kTierCount> kFull = {{
    {512, std::chrono::hours(1)},
    {128, std::chrono::hours(6)},
    {128, std::chrono::days(30)},
    {128, std::chrono::days(366)},
}};

std::uint64_t key_of(SeriesId series, Tier tier) {
  return static_cast<std::uint64_t>(series) << 2 | static_cast<std::uint64_t>(tier);
}
std::int64_t series_of(std::uint64_t key) { return static_cast<std::int64_t>(key >> 2); }
std::int64_t tier_of(std::uint64_t key) { return static_cast<std::int64_t>(key & 3); }

// The same words for both kinds of entry. A point takes the one millisecond it is in.
Time start_of(const Bucket& bucket) { return bucket.start; }
Time end_of(const Bucket& bucket) { return bucket.end; }
Time start_of(const Point& point) { return point.time; }
Time end_of(const Point& point) {
  return point.time == Time::max() ? point.time : point.time + Duration{1};
}

std::string encode(std::span<const Bucket> entries, archive::Effort effort) {
  return archive::encode_buckets(entries, effort);
}
std::string encode(std::span<const Point> entries, archive::Effort effort) {
  return archive::encode_points(entries, effort);
}

template <class Entry>
Result<std::vector<Entry>> decode(std::string_view bytes) {
  if constexpr (std::is_same_v<Entry, Bucket>) {
    return archive::decode_buckets(bytes);
  } else {
    return archive::decode_points(bytes);
  }
}

// Works for any numbers that a file may hold.
bool is_full(std::uint64_t key, std::uint64_t count, std::int64_t start, std::int64_t end) {
  const Full& full = kFull[static_cast<std::size_t>(tier_of(key))];
  const std::uint64_t span = static_cast<std::uint64_t>(end) - static_cast<std::uint64_t>(start);
  return count >= full.count || span >= static_cast<std::uint64_t>(full.span.count());
}

template <class Entry>
bool is_full(std::uint64_t key, const std::vector<Entry>& entries) {
  return !entries.empty() && is_full(key, entries.size(), to_ms(start_of(entries.front())),
                                     to_ms(end_of(entries.back())));
}

}  // namespace

Result<void> Sealed::prepare() {
  struct Wanted {
    Statement* statement;
    const char* sql;
  };
  for (const Wanted& wanted : {Wanted{&newest_, kNewest}, Wanted{&insert_, kInsert},
                               Wanted{&update_, kUpdate}, Wanted{&range_, kRange}}) {
    Result<Statement> prepared = connection_.prepare(wanted.sql);
    if (!prepared) {
      return tl::unexpected(prepared.error());
    }
    *wanted.statement = *std::move(prepared);
  }
  return {};
}

void Sealed::append(SeriesId series, Tier tier, const Bucket& bucket) {
  std::vector<Bucket>& entries = buckets_[key_of(series, tier)].entries;
  if (entries.empty() || bucket.start > entries.back().start) {
    entries.push_back(bucket);
  }
}

void Sealed::append(SeriesId series, std::span<const Point> points) {
  if (points.empty()) {
    return;
  }
  std::vector<Point>& entries = points_[key_of(series, Tier::raw)].entries;
  const Time last = entries.empty() ? Time::min() : entries.back().time;
  std::copy_if(points.begin(), points.end(), std::back_inserter(entries),
               [last](const Point& point) { return point.time > last; });
}

Result<void> Sealed::write() {
  if (auto written = write_tails(buckets_); !written) {
    return written;
  }
  return write_tails(points_);
}

void Sealed::forget() {
  buckets_.clear();
  points_.clear();
}

// In the order of keys, so that equal input makes an equal file.
template <class Entry>
Result<void> Sealed::write_tails(const Tails<Entry>& tails) {
  std::vector<std::uint64_t> keys;
  keys.reserve(tails.size());
  for (const auto& [key, tail] : tails) {
    keys.push_back(key);
  }
  std::sort(keys.begin(), keys.end());
  for (const std::uint64_t key : keys) {
    if (auto written = write_tail<Entry>(key, tails.at(key).entries); !written) {
      return written;
    }
  }
  return {};
}

template <class Entry>
Result<void> Sealed::write_tail(std::uint64_t key, std::span<const Entry> tail) {
  std::vector<Entry> block;
  std::int64_t id = 0;
  {
    const ResetAtEnd reset(newest_);
    const Result<bool> row = newest_.bind(1, series_of(key)).bind(2, tier_of(key)).step();
    if (!row) {
      return tl::unexpected(row.error());
    }
    if (*row) {
      const Time last = time_from_ms(newest_.integer(2));
      const auto is_new = [last](const Entry& entry) { return start_of(entry) > last; };
      tail = tail.subspan(
          static_cast<std::size_t>(std::find_if(tail.begin(), tail.end(), is_new) - tail.begin()));
      const auto count = static_cast<std::uint64_t>(newest_.integer(4));
      if (!tail.empty() && !is_full(key, count, newest_.integer(1), newest_.integer(3))) {
        // A damaged block stays as it is and the next one begins.
        if (Result<std::vector<Entry>> stored = decode<Entry>(newest_.bytes(5)); stored) {
          block = *std::move(stored);
          id = newest_.integer(0);
        }
      }
    }
  }
  for (const Entry& entry : tail) {
    if (is_full(key, block)) {
      if (auto written = write_block<Entry>(key, id, block); !written) {
        return written;
      }
      block.clear();
      id = 0;
    }
    block.push_back(entry);
  }
  return tail.empty() ? Result<void>() : write_block<Entry>(key, id, block);
}

template <class Entry>
Result<void> Sealed::write_block(std::uint64_t key, std::int64_t id,
                                 std::span<const Entry> entries) {
  const auto& later = [](const Entry& a, const Entry& b) { return end_of(a) < end_of(b); };
  const Time end = end_of(*std::max_element(entries.begin(), entries.end(), later));
  const std::int64_t start = to_ms(start_of(entries.front()));
  const std::int64_t last = to_ms(start_of(entries.back()));
  const auto count = static_cast<std::int64_t>(entries.size());
  const bool is_final = is_full(key, entries.size(), start, to_ms(end));
  const std::string data =
      encode(entries, is_final ? archive::Effort::thorough : archive::Effort::quick);
  if (id != 0) {
    return update_.bind(1, id).bind(2, last).bind(3, to_ms(end)).bind(4, count).bind(5, data).run();
  }
  return insert_.bind(1, series_of(key))
      .bind(2, tier_of(key))
      .bind(3, start)
      .bind(4, last)
      .bind(5, to_ms(end))
      .bind(6, count)
      .bind(7, data)
      .run();
}

Result<void> Sealed::read(SeriesId series, Tier tier, Time from, Time to,
                          const std::function<bool(const Bucket&)>& each) {
  return read_all(buckets_, key_of(series, tier), from, to, each);
}

Result<void> Sealed::read(SeriesId series, Time from, Time to,
                          const std::function<bool(const Point&)>& each) {
  return read_all(points_, key_of(series, Tier::raw), from, to, each);
}

template <class Entry>
Result<void> Sealed::read_all(Tails<Entry>& tails, std::uint64_t key, Time from, Time to,
                              const std::function<bool(const Entry&)>& each) {
  const Result<bool> is_wanting = read_blocks<Entry>(key, from, to, each);
  if (!is_wanting) {
    return tl::unexpected(is_wanting.error());
  }
  const auto found = tails.find(key);
  if (!*is_wanting || found == tails.end()) {
    return {};
  }
  Tail<Entry>& tail = found->second;
  if (!tail.stored_last) {
    const Result<Time> last = look_up_last(key);
    if (!last) {
      return tl::unexpected(last.error());
    }
    tail.stored_last = *last;
  }
  for (const Entry& entry : tail.entries) {
    if (start_of(entry) >= to) {
      break;
    }
    const bool is_stored = start_of(entry) <= *tail.stored_last;
    if (!is_stored && end_of(entry) > from && !each(entry)) {
      break;
    }
  }
  return {};
}

template <class Entry>
Result<bool> Sealed::read_blocks(std::uint64_t key, Time from, Time to,
                                 const std::function<bool(const Entry&)>& each) {
  Statement another;
  Statement* range = &range_;
  if (range_.is_busy()) {  // `each` of another read asks
    Result<Statement> prepared = connection_.prepare(kRange);
    if (!prepared) {
      return tl::unexpected(prepared.error());
    }
    another = *std::move(prepared);
    range = &another;
  }
  const ResetAtEnd reset(*range);
  range->bind(1, series_of(key)).bind(2, tier_of(key)).bind(3, to_ms(from)).bind(4, to_ms(to));
  for (;;) {
    const Result<bool> row = range->step();
    if (!row) {
      return tl::unexpected(row.error());
    }
    if (!*row) {
      return true;
    }
    const Result<std::vector<Entry>> entries = decode<Entry>(range->bytes(1));
    if (!entries) {
      Error error = entries.error();
      error.place = "series " + std::to_string(series_of(key)) + ", tier " +
                    std::string(to_string(static_cast<Tier>(tier_of(key)))) + ", block " +
                    std::to_string(range->integer(0));
      return tl::unexpected(std::move(error));
    }
    for (const Entry& entry : *entries) {
      if (start_of(entry) < to && end_of(entry) > from && !each(entry)) {
        return false;
      }
    }
  }
}

Result<Time> Sealed::look_up_last(std::uint64_t key) {
  const ResetAtEnd reset(newest_);
  const Result<bool> row = newest_.bind(1, series_of(key)).bind(2, tier_of(key)).step();
  if (!row) {
    return tl::unexpected(row.error());
  }
  return *row ? time_from_ms(newest_.integer(2)) : Time::min();
}

}  // namespace rollup::history

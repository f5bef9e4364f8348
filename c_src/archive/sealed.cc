#include "archive/sealed.h"

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>

#include "archive/entries.h"

namespace rollup::archive {
namespace {

// Written at once, in one transaction: some milliseconds.
constexpr std::size_t kPieceSeries = 200;
constexpr std::size_t kPieceBytes = std::size_t{512} * 1024;

std::size_t bytes_of(const SealedRun& run) {
  std::size_t bytes = sizeof run + run.key.stream.size() + run.key.broker.size() +
                      2 * run.key.topic.size() + run.key.field.size() +
                      run.points.size() * sizeof(Point);
  for (const std::vector<Bucket>& buckets : run.buckets) {
    bytes += buckets.size() * sizeof(Bucket);
  }
  return bytes;
}

template <class Entry>
const std::vector<Entry>& entries_of(const SealedRun& run, Tier tier) {
  if constexpr (std::is_same_v<Entry, Bucket>) {
    return run.buckets[static_cast<std::size_t>(tier)];
  } else {
    (void)tier;
    return run.points;
  }
}

}  // namespace

std::size_t Sealed::KeyHash::operator()(const SeriesKey& key) const {
  const std::hash<std::string> hash;
  return hash(key.topic) ^ (hash(key.field) * 3) ^ (hash(key.stream) * 5) ^ (hash(key.broker) * 7);
}

SealedRun& Sealed::Table::run_of(const SeriesKey& key) {
  const auto [at, is_new] = index.try_emplace(key, begin + runs.size());
  if (is_new) {
    runs.push_back({.key = key, .buckets = {}, .points = {}});
    bytes += bytes_of(runs.back());
  }
  return runs[at->second - begin];
}

const SealedRun* Sealed::Table::find(const SeriesKey& key) const {
  const auto found = index.find(key);
  return found == index.end() || found->second < begin ? nullptr : &runs[found->second - begin];
}

void Sealed::append(const SeriesKey& key, Tier tier, const Bucket& bucket) {
  std::vector<Bucket>& entries = newer_.run_of(key).buckets[static_cast<std::size_t>(tier)];
  if (entries.empty() || bucket.start > entries.back().start) {
    entries.push_back(bucket);
    newer_.bytes += sizeof bucket;
  }
}

void Sealed::append(const SeriesKey& key, std::span<const Point> points) {
  if (points.empty()) {
    return;
  }
  std::vector<Point>& entries = newer_.run_of(key).points;
  const std::size_t before = entries.size();
  const Time last = entries.empty() ? Time::min() : entries.back().time;
  std::copy_if(points.begin(), points.end(), std::back_inserter(entries),
               [last](const Point& point) { return point.time > last; });
  newer_.bytes += (entries.size() - before) * sizeof(Point);
}

void Sealed::begin_flush() {
  if (!is_flushing()) {
    older_ = std::exchange(newer_, Table());
  }
}

Result<void> Sealed::flush_piece() {
  std::vector<SealedRun> piece;
  std::size_t bytes = 0;
  while (piece.size() < kPieceSeries && bytes < kPieceBytes && piece.size() < older_.runs.size()) {
    bytes += bytes_of(older_.runs[piece.size()]);
    piece.push_back(std::move(older_.runs[piece.size()]));
  }
  Result<void> written = archive_.write(piece);
  if (!written) {
    std::move(piece.begin(), piece.end(), older_.runs.begin());
    return written;
  }
  older_.runs.erase(older_.runs.begin(),
                    older_.runs.begin() + static_cast<std::ptrdiff_t>(piece.size()));
  older_.begin += piece.size();
  older_.bytes -= std::min(bytes, older_.bytes);
  if (older_.runs.empty()) {
    older_ = Table();
  }
  return {};
}

Result<void> Sealed::read(const SeriesKey& key, Tier tier, Time from, Time to,
                          const std::function<bool(const Bucket&)>& each) const {
  return read_all(key, tier, from, to, each);
}

Result<void> Sealed::read(const SeriesKey& key, Time from, Time to,
                          const std::function<bool(const Point&)>& each) const {
  return read_all(key, Tier::raw, from, to, each);
}

template <class Entry>
Result<void> Sealed::read_all(const SeriesKey& key, Tier tier, Time from, Time to,
                              const std::function<bool(const Entry&)>& each) const {
  bool is_wanting = true;
  const std::function<bool(const Entry&)> pass = [&](const Entry& entry) {
    is_wanting = each(entry);
    return is_wanting;
  };
  Result<void> read;
  if constexpr (std::is_same_v<Entry, Bucket>) {
    read = archive_.read(key, tier, from, to, pass);
  } else {
    read = archive_.read(key, from, to, pass);
  }
  if (!read || !is_wanting) {
    return read;
  }
  std::optional<Time> last;
  for (const Table* table : {&older_, &newer_}) {
    const SealedRun* run = table->find(key);
    if (run == nullptr || entries_of<Entry>(*run, tier).empty()) {
      continue;
    }
    const std::vector<Entry>& entries = entries_of<Entry>(*run, tier);
    if (!last) {
      const Result<Time> newest = archive_.newest(key, tier);
      if (!newest) {
        return tl::unexpected(newest.error());
      }
      last = *newest;
    }
    for (const Entry& entry : entries) {
      if (start_of(entry) > *last && start_of(entry) < to && end_of(entry) > from && !each(entry)) {
        return {};
      }
    }
    last = std::max(*last, start_of(entries.back()));
  }
  return {};
}

}  // namespace rollup::archive

#include "archive/retention.h"

#include <algorithm>
#include <array>

#include "model/config.h"

namespace rollup::archive {
namespace {

constexpr const char* kNextSeries =
    "SELECT id, stream, broker, topic, field FROM series WHERE id > ?1 ORDER BY id LIMIT 1";
// `start < ?3` ends the search of the index at the first block that is kept, or one later.
constexpr const char* kDelete =
    "DELETE FROM block WHERE id IN (SELECT id FROM block WHERE series = ?1 AND tier = ?2 "
    "AND start < ?3 AND end < ?3 ORDER BY start LIMIT ?4)";

// One call stays within a few milliseconds.
constexpr std::int64_t kDeletedMax = 500;
constexpr int kSeriesMax = 500;

// Free pages serve the next blocks; only what is far too many goes back to the
// file system, in steps of a millisecond.
constexpr std::int64_t kFreePagesMin = 2048;
constexpr const char* kGiveBack = "PRAGMA incremental_vacuum(256)";

}  // namespace

Result<void> Retention::prepare() {
  Result<Statement> next = connection_.prepare(kNextSeries);
  if (!next) {
    return tl::unexpected(next.error());
  }
  Result<Statement> remove = connection_.prepare(kDelete);
  if (!remove) {
    return tl::unexpected(remove.error());
  }
  next_series_ = *std::move(next);
  delete_ = *std::move(remove);
  return {};
}

Result<bool> Retention::expire(Time now, const std::function<Keep(const SeriesKey&)>& keep) {
  Transaction transaction(connection_);
  if (auto begun = transaction.begin(); !begun) {
    return tl::unexpected(begun.error());
  }
  std::int64_t deleted = 0;
  const Result<Cursor> cursor = advance(cursor_, now, keep, deleted);
  if (!cursor) {
    return tl::unexpected(cursor.error());
  }
  if (auto committed = transaction.commit(); !committed) {
    return tl::unexpected(committed.error());
  }
  cursor_ = cursor->is_finished ? Cursor{} : *cursor;
  if (auto given = give_back_pages(); !given) {
    return tl::unexpected(given.error());
  }
  return !cursor->is_finished;
}

Result<Retention::Cursor> Retention::advance(Cursor cursor, Time now,
                                             const std::function<Keep(const SeriesKey&)>& keep,
                                             std::int64_t& deleted) {
  for (int i = 0; i < kSeriesMax; ++i) {
    const ResetAtEnd reset(next_series_);
    const Result<bool> row = next_series_.bind(1, cursor.series).step();
    if (!row) {
      return tl::unexpected(row.error());
    }
    if (!*row) {
      cursor.is_finished = true;
      return cursor;
    }
    const std::int64_t series = next_series_.integer(0);
    const auto text = [this](int column) { return std::string(next_series_.bytes(column)); };
    const SeriesKey key{text(1), text(2), text(3), text(4)};
    const Result<bool> is_done = expire_series(series, now, keep(key), deleted);
    if (!is_done) {
      return tl::unexpected(is_done.error());
    }
    if (!*is_done) {
      return cursor;
    }
    cursor.series = series;
  }
  return cursor;
}

Result<bool> Retention::expire_series(std::int64_t series, Time now, const Keep& keep,
                                      std::int64_t& deleted) {
  for (std::size_t tier = 0; tier < keep.size(); ++tier) {
    if (keep[tier] == kForever) {
      continue;
    }
    const std::int64_t lower = std::max<std::int64_t>(to_ms(now), 0) - keep[tier].count();
    const auto done = delete_.bind(1, series)
                          .bind(2, static_cast<std::int64_t>(tier))
                          .bind(3, lower)
                          .bind(4, kDeletedMax - deleted)
                          .run();
    if (!done) {
      return tl::unexpected(done.error());
    }
    deleted += connection_.changed_rows();
    if (deleted >= kDeletedMax) {
      return false;
    }
  }
  return true;
}

Result<void> Retention::give_back_pages() {
  const Result<std::int64_t> free_pages = connection_.integer("PRAGMA freelist_count");
  const Result<std::int64_t> pages = connection_.integer("PRAGMA page_count");
  if (!free_pages || !pages) {
    return tl::unexpected(free_pages ? pages.error() : free_pages.error());
  }
  if (*free_pages <= std::max(kFreePagesMin, *pages / 4)) {
    return {};
  }
  return connection_.execute(kGiveBack);
}

}  // namespace rollup::archive

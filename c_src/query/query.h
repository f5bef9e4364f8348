// Answers to questions about series and their past, from the engine (what is not sealed) and the
// history (what is).
//
//   Query query(engine, history);
//   auto names = query.names({.filter = "home/kitchen/temperature", .match = Match::exact, .max =
//   9}); auto answer = query.history({.series = names->keys.front(), .last = 24h}, now);
//
// Reads only; bounded work per question. The engine and the history must outlive it.
#pragma once

#include <cstddef>
#include <optional>

#include "archive/sealed.h"
#include "base/error.h"
#include "base/time.h"
#include "engine/engine.h"
#include "query/questions.h"

namespace rollup::query {

// Buckets that one answer may read. What would need more becomes a shorter page.
inline constexpr std::size_t kBucketsReadMax = 1'000'000;

// Bytes of the keys that one answer may hold; one key it holds in any case.
inline constexpr std::size_t kKeyBytesMax = std::size_t{1} << 20;

class Query {
 public:
  Query(const engine::Engine& engine, const archive::Sealed& history,
        std::size_t buckets_read_max = kBucketsReadMax)
      : engine_(engine), history_(history), buckets_read_max_(buckets_read_max) {}

  // The series that a text means. Errors: bad_request (place: the field).
  Result<NamesAnswer> names(const NamesRequest& request) const;

  // What is known of each now.
  SeriesAnswer series(const SeriesRequest& request, const Now& now) const;

  // Rows are half open [start, start + step). Steps of whole days begin at local midnights of the
  // plan's zone, a week on Monday; other steps are aligned to the UTC epoch.
  // Errors: not_found (place `series`), bad_request (place: the field), too_large (one row would
  // need more buckets than one answer may read), storage.
  Result<HistoryAnswer> history(const HistoryRequest& request, const Now& now) const;

 private:
  std::optional<SeriesId> find(const SeriesKey& key) const;

  const engine::Engine& engine_;
  const archive::Sealed& history_;
  std::size_t buckets_read_max_;
};

// The names of a series.
SeriesLabel label_of(const engine::Engine& engine, SeriesId id);

}  // namespace rollup::query

// Answers to questions about series and their past, from the engine (what is not sealed) and the
// history (what is).
//
//   Query query(engine, history);
//   auto answer = query.history({.series = "home/kitchen/temperature", .last = 24h}, now);
//
// Reads only; bounded work per question. The engine and the history must outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "archive/sealed.h"
#include "base/error.h"
#include "base/time.h"
#include "engine/engine.h"
#include "model/aggregate.h"

namespace rollup::query {

// Buckets that one answer may read. What would need more becomes a shorter page.
inline constexpr std::size_t kBucketsReadMax = 1'000'000;

// What a series is called, for people.
struct SeriesLabel {
  std::string series;  // name
  std::string stream;
  std::string broker;
  std::string topic;
  std::string field;
  std::string unit;
  std::string title;

  friend bool operator==(const SeriesLabel&, const SeriesLabel&) = default;
};

struct HistoryRequest {
  // A name, or "stream:name".
  std::string series;
  // The range: from .. to, or `last` before `to`, or 24 h. `to` defaults to now.
  std::optional<Time> from;
  std::optional<Time> to;
  std::optional<Duration> last;
  // Length of a row; nothing: what gives about 60 rows.
  std::optional<Duration> step;
  std::vector<AggregateKind> aggregates;  // the values of a row, in this order
  std::size_t max = 0;                    // rows, at most limits.rows
  // `next` of the answer before: goes on with its range and step, whatever the time is now. Empty:
  // the beginning.
  std::string after;
};

struct HistoryRow {
  Time start;
  // Nothing: unknown (SEMANTICS 2.4). `count` is always known.
  std::vector<std::optional<double>> values;

  friend bool operator==(const HistoryRow&, const HistoryRow&) = default;
};

struct HistoryAnswer {
  SeriesLabel label;
  int decimals = 0;  // resolution of the series' values
  // The whole range, all pages, moved outwards to whole steps.
  Time from;
  Time to;
  Duration step{};
  std::vector<AggregateKind> aggregates;
  std::vector<HistoryRow> rows;  // of this page, oldest first
  // One character a row: its first aggregate (avg if none was asked for).
  std::string spark;
  // `after` of the next page; empty if this is the last.
  std::string next;
};

struct SeriesRequest {
  // "" or "#": all. With '+' or '#' an MQTT filter on topic or name; otherwise an exact name or
  // topic, and if there is none a part of the name.
  std::string filter;
  std::string after;    // `next` of the answer before; empty: the beginning
  std::size_t max = 0;  // rows, at most limits.rows
};

struct SeriesRow {
  SeriesLabel label;
  std::optional<double> value;  // the last one known, however old
  std::optional<Duration> age;  // nothing: only a retained copy was ever seen
  std::uint64_t count = 0;      // samples accepted since the series began
};

struct SeriesAnswer {
  std::vector<SeriesRow> rows;  // in the order of name, then stream
  std::string next;
};

class Query {
 public:
  Query(const engine::Engine& engine, const archive::Sealed& history,
        std::size_t buckets_read_max = kBucketsReadMax)
      : engine_(engine), history_(history), buckets_read_max_(buckets_read_max) {}

  // Rows are half open [start, start + step). Steps of whole days begin at local midnights of the
  // plan's zone, a week on Monday; other steps are aligned to the UTC epoch.
  // Errors: not_found (place `series`; its message may name series that are spelt alike),
  // bad_request (place: the field; also for a name that several streams have), too_large (one row
  // would need more buckets than one answer may read), storage.
  Result<HistoryAnswer> history(const HistoryRequest& request, const Now& now) const;

  // Errors: bad_request (place: the field).
  Result<SeriesAnswer> series(const SeriesRequest& request, const Now& now) const;

 private:
  Result<SeriesId> resolve(const std::string& name) const;

  const engine::Engine& engine_;
  const archive::Sealed& history_;
  std::size_t buckets_read_max_;
};

// The names of a series.
SeriesLabel label_of(const engine::Engine& engine, SeriesId id);

}  // namespace rollup::query

// Questions about series and their past, and their answers, as plain data.
//
// Who may see a series is decided by whoever asks, before anything of it is read: a name is
// resolved to keys (NamesRequest), the keys are checked, and all else is asked by key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/aggregate.h"
#include "model/series_key.h"

namespace rollup::query {

// How a text means series.
enum class Match {
  // It is a name, a topic, or "stream:name".
  exact,
  // "" or "#": all. With '+' or '#' an MQTT filter on topic or name; otherwise a part of the name.
  part,
  // A name of which it is a part, or that is mistyped in one place.
  alike,
};

struct NamesRequest {
  std::string filter;
  Match match = Match::part;
  // Goes on behind this key, whether there still is such a series or not; nothing: the beginning.
  std::optional<SeriesKey> after;
  std::size_t max = 0;  // keys, at most limits.rows
};

struct NamesAnswer {
  std::vector<SeriesKey> keys;  // in the order of name, then stream, topic, broker
  bool has_more = false;        // the page is cut, by `max` or by its bytes
};

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

struct SeriesRequest {
  std::vector<SeriesKey> keys;
};

struct SeriesRow {
  SeriesLabel label;
  std::optional<double> value;  // the last one known, however old
  std::optional<Duration> age;  // nothing: only a retained copy was ever seen
  std::uint64_t count = 0;      // samples accepted since the series began
};

struct SeriesAnswer {
  std::vector<SeriesRow> rows;  // in the order asked for, without series that are gone
};

struct HistoryRequest {
  SeriesKey series;
  // The range: from .. to, or `last` before `to`, or 24 h. `to` defaults to now.
  std::optional<Time> from;
  std::optional<Time> to;
  std::optional<Duration> last;
  // Length of a row; nothing: what gives about 60 rows.
  std::optional<Duration> step;
  // The values of a row, in this order; none: the usual ones of the series' kind.
  std::vector<Statistic> statistics;
  std::size_t max = 0;  // rows, at most limits.rows
  // `next` of the answer before: goes on with its range and step, whatever the time is now. Empty:
  // the beginning.
  std::string after;
};

struct HistoryRow {
  Time start;
  // Nothing: unknown (SEMANTICS 2.4). What is counted is always known.
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
  std::vector<Statistic> statistics;
  std::vector<HistoryRow> rows;  // of this page, oldest first
  // One character a row: its first aggregate.
  std::string spark;
  // `after` of the next page; empty if this is the last.
  std::string next;
};

}  // namespace rollup::query

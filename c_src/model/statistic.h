// What can be asked of a stretch of a series: one table for outputs, conditions, questions,
// encoders and forms (SEMANTICS 10). A new statistic is a row here and a case in value_of().
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/parts.h"

namespace rollup {

// In the order in which they are shown. Rules that are stored name them by number: only append.
enum class Statistic : std::uint8_t {
  avg,
  mean,
  min,
  max,
  sum,
  count,
  first,
  last,
  stddev,
  delta,
  increase,
  rate,
  resets,
};

// How many decimals a statistic has, beside those of its series.
enum class Decimals : std::uint8_t { as_series, at_least_two, most, none };

struct StatisticRow {
  Statistic statistic;
  std::string_view name;
  Parts needs;  // kPresence is always there
  Decimals decimals = Decimals::as_series;
  // Members of a message that has them all; `count` has a place of its own there.
  bool in_message = true;
  bool is_never_negative = false;
  // True of a stretch of which hardly anything is known, too.
  bool is_tally = false;
};

inline constexpr StatisticRow kStatistics[] = {
    {Statistic::avg, "avg", kHeld | kMoments, Decimals::at_least_two},
    {Statistic::mean, "mean", kMoments, Decimals::at_least_two},
    {Statistic::min, "min", kRange},
    {Statistic::max, "max", kRange},
    {Statistic::sum, "sum", kMoments},
    {Statistic::count, "count", kPresence, Decimals::none, false, true, true},
    {Statistic::first, "first", kEnds},
    {Statistic::last, "last", kEnds},
    {Statistic::stddev, "stddev", kMoments, Decimals::at_least_two, true, true},
    {Statistic::delta, "delta", kEnds, Decimals::as_series, false},
    {Statistic::increase, "increase", kIncrease, Decimals::as_series, true, true, true},
    {Statistic::rate, "rate", kIncrease, Decimals::most, true, true},
    {Statistic::resets, "resets", kIncrease, Decimals::none, true, true, true},
};

constexpr const StatisticRow& row_of(Statistic statistic) {
  return kStatistics[static_cast<std::size_t>(statistic)];
}
constexpr std::string_view to_string(Statistic statistic) { return row_of(statistic).name; }
constexpr Parts parts_for(Statistic statistic) { return row_of(statistic).needs | kPresence; }

std::optional<Statistic> parse_statistic(std::string_view name);

// Those that can be made of `parts`, in their order.
std::vector<Statistic> statistics_of(Parts parts);
// What a series with `parts` is asked for first, where nobody said what for, and the one of them
// that stands for it.
std::vector<Statistic> usual_statistics(Parts parts);
constexpr Statistic usual_statistic(Parts parts) {
  return has_all(parts, kIncrease) ? Statistic::increase : Statistic::avg;
}
// Their names for people: "avg, min, max".
std::string list_of(const std::vector<Statistic>& statistics);

}  // namespace rollup

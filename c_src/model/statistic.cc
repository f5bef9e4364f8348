#include "model/statistic.h"

namespace rollup {

namespace {

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < std::size(kStatistics); ++i) {
    if (kStatistics[i].statistic != static_cast<Statistic>(i)) {
      return false;
    }
  }
  return true;
}
static_assert(is_in_order());

}  // namespace

std::optional<Statistic> parse_statistic(std::string_view name) {
  for (const StatisticRow& row : kStatistics) {
    if (row.name == name) {
      return row.statistic;
    }
  }
  return std::nullopt;
}

std::vector<Statistic> statistics_of(Parts parts) {
  std::vector<Statistic> statistics;
  for (const StatisticRow& row : kStatistics) {
    if (has_all(parts, row.needs)) {
      statistics.push_back(row.statistic);
    }
  }
  return statistics;
}

std::vector<Statistic> usual_statistics(Parts parts) {
  if (has_all(parts, kIncrease)) {
    return {Statistic::increase, Statistic::rate};
  }
  return {Statistic::avg, Statistic::min, Statistic::max};
}

std::string list_of(const std::vector<Statistic>& statistics) {
  std::string list;
  for (const Statistic statistic : statistics) {
    list += (list.empty() ? "" : ", ") + std::string(to_string(statistic));
  }
  return list;
}

}  // namespace rollup

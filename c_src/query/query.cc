#include "query/query.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "base/sparkline.h"
#include "base/text.h"
#include "query/history_range.h"
#include "query/slot_reader.h"
#include "query/step_grid.h"

namespace rollup::query {
namespace {

// As many rows from range.next on as the page may have.
std::vector<Slot> slots_of(const HistoryRange& range, const StepGrid& grid, std::size_t rows_max,
                           Parts parts) {
  std::vector<Slot> slots;
  for (Time start = range.next; start < range.to && slots.size() < rows_max;) {
    const Time end = grid.next(start);
    slots.push_back({start, end, Aggregate(parts)});
    start = end;
  }
  return slots;
}

HistoryRow row_of(const Slot& slot, bool is_known, std::span<const Statistic> statistics) {
  HistoryRow row;
  row.start = slot.start;
  for (const Statistic statistic : statistics) {
    row.values.push_back(is_known || row_of(statistic).is_tally
                             ? value_of(slot.aggregate, statistic)
                             : std::nullopt);
  }
  return row;
}

std::string step_advice(Duration resolution, std::size_t buckets_max) {
  const auto step =
      round_step_below(resolution * static_cast<std::int64_t>(buckets_max), resolution);
  return "a row of this step is made of more than " + std::to_string(buckets_max) + " buckets" +
         (step ? ", " + format_duration(*step) + " would do" : "");
}

}  // namespace

SeriesLabel label_of(const engine::Engine& engine, SeriesId id) {
  const engine::SeriesInfo info = engine.series(id);
  const Field& field = engine.plan().streams[info.stream].config.fields[info.field];
  return {info.name,      info.key.stream, info.key.broker, info.key.topic,
          info.key.field, field.unit,      field.title};
}

std::optional<SeriesId> Query::find(const SeriesKey& key) const {
  for (const SeriesId id : engine_.find(key.name())) {
    if (engine_.key(id) == key) {
      return id;
    }
  }
  return std::nullopt;
}

Result<HistoryAnswer> Query::history(const HistoryRequest& request, const Now& now) const {
  if (request.max == 0) {
    return fail(ErrorCode::bad_request, "max", "expected at least 1");
  }
  if (request.statistics.size() > std::size(kStatistics)) {
    return fail(ErrorCode::bad_request, "aggregates", "each aggregate at most once");
  }
  const std::optional<SeriesId> id = find(request.series);
  if (!id) {
    return fail(ErrorCode::not_found, "series", "there is no series of this name");
  }
  const engine::Plan& plan = engine_.plan();
  const engine::SeriesInfo info = engine_.series(*id);
  const Stream& stream = plan.streams[info.stream].config;
  const Duration resolution = stream.resolution;
  const Kind kind = stream.fields[info.field].kind;
  const Parts parts = parts_of(kind);
  const std::vector<Statistic> statistics =
      request.statistics.empty() ? usual_statistics(parts) : request.statistics;
  for (const Statistic statistic : statistics) {
    if (!has_all(parts, parts_for(statistic))) {
      return fail(ErrorCode::bad_request, "aggregates",
                  "the series is a " + std::string(to_string(kind)) + " and has no " +
                      std::string(to_string(statistic)) +
                      ". It has: " + list_of(statistics_of(parts)));
    }
  }
  Result<HistoryRange> range = range_of(request, resolution, plan.zone, now.wall);
  if (!range) {
    return tl::unexpected(range.error());
  }

  const StepGrid grid(range->step, plan.zone);
  const std::size_t rows_max = std::min<std::size_t>(request.max, plan.config.limits.rows);
  std::vector<Slot> slots = slots_of(*range, grid, rows_max, parts);
  SlotReader reader(engine_, history_, *id, now, buckets_read_max_);
  const Result<std::size_t> filled = reader.fill(slots, grid.has_local_days());
  if (!filled) {
    return tl::unexpected(filled.error());
  }
  if (*filled == 0) {
    return fail(ErrorCode::too_large, "step", step_advice(resolution, buckets_read_max_));
  }
  slots.resize(*filled);

  HistoryAnswer answer;
  answer.label = label_of(engine_, *id);
  answer.decimals = engine_.current(*id, now).decimals;
  answer.from = range->from;
  answer.to = range->to;
  answer.step = range->step;
  answer.statistics = statistics;
  std::vector<std::optional<double>> curve;
  for (const Slot& slot : slots) {
    const bool is_known = reader.is_known(slot);
    answer.rows.push_back(row_of(slot, is_known, statistics));
    curve.push_back(is_known ? value_of(slot.aggregate, statistics.front()) : std::nullopt);
  }
  answer.spark = sparkline(curve);
  range->next = slots.back().end;
  if (range->next < range->to) {
    answer.next = cursor_of(*range);
  }
  return answer;
}

}  // namespace rollup::query

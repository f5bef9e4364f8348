#include "query/history_range.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

#include "base/text.h"
#include "query/step_grid.h"

namespace rollup::query {
namespace {

constexpr Duration kDefaultLast = std::chrono::hours(24);
// Ten years: longer rows say nothing, and no sum with such a step overflows.
constexpr Duration kStepMax = kDay * 3650;
// The years 1970 .. 9999.
constexpr Time kTimeMin = time_from_ms(0);
constexpr Time kTimeMax = time_from_ms(253'402'300'799'999);

Result<void> check_step(Duration step, Duration resolution) {
  if (step <= Duration(0) || step > kStepMax) {
    return fail(ErrorCode::bad_request, "step",
                "expected a duration of more than 0 and at most " + format_duration(kStepMax));
  }
  if (step % resolution != Duration(0)) {
    return fail(ErrorCode::bad_request, "step",
                "expected a multiple of the stream's resolution " + format_duration(resolution) +
                    ", got " + format_duration(step));
  }
  return {};
}

Result<HistoryRange> range_of_cursor(const HistoryRequest& request, Duration resolution,
                                     const Zone& zone, Time now) {
  const auto refused =
      fail(ErrorCode::bad_request, "after",
           "this is not where a page of this answer ended, begin again without it");
  std::array<std::int64_t, 4> numbers{};
  std::string_view text = request.after;
  for (std::size_t index = 0; index < numbers.size(); ++index) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, numbers[index]);
    if (error != std::errc()) {
      return refused;
    }
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    const bool is_last = index + 1 == numbers.size();
    if (is_last ? !text.empty() : !text.starts_with('.')) {
      return refused;
    }
    text.remove_prefix(is_last ? 0 : 1);
  }
  const auto [next_ms, from_ms, to_ms, step_ms] = numbers;
  const Duration step(step_ms);
  // Bounds were moved outwards by less than a step.
  const std::int64_t lower_ms = rollup::to_ms(kTimeMin - kStepMax);
  const bool is_ordered = lower_ms <= from_ms && from_ms <= next_ms && next_ms < to_ms &&
                          to_ms <= rollup::to_ms(kTimeMax);
  if (!is_ordered || !check_step(step, resolution)) {
    return refused;
  }
  const StepGrid grid(step, zone);
  const HistoryRange range{time_from_ms(from_ms), time_from_ms(to_ms), step, time_from_ms(next_ms)};
  const bool is_on_grid = grid.floor(range.from) == range.from &&
                          grid.floor(range.next) == range.next && grid.floor(range.to) == range.to;
  if (!is_on_grid || range.to > grid.ceil(now)) {
    return refused;
  }
  return range;
}

}  // namespace

Result<HistoryRange> range_of(const HistoryRequest& request, Duration resolution, const Zone& zone,
                              Time now) {
  if (!request.after.empty()) {
    return range_of_cursor(request, resolution, zone, now);
  }
  if (request.from && request.last) {
    return fail(ErrorCode::bad_request, "last", "give either from or last, not both");
  }
  if (request.last && (*request.last <= Duration(0) || *request.last > kTimeMax - kTimeMin)) {
    return fail(ErrorCode::bad_request, "last", "expected a duration of more than 0");
  }
  for (const auto& [place, bound] :
       {std::pair("from", request.from), std::pair("to", request.to)}) {
    if (bound && (*bound < kTimeMin || *bound > kTimeMax)) {
      return fail(ErrorCode::bad_request, place, "expected a time in the years 1970 to 9999");
    }
  }
  const Time to = std::min(request.to.value_or(now), now);
  const Time from =
      request.from.value_or(std::max(to - request.last.value_or(kDefaultLast), kTimeMin));
  if (from >= to) {
    return fail(ErrorCode::bad_request, "from",
                request.to && *request.to <= now ? "must be before to" : "lies in the future");
  }
  if (request.step) {
    if (const Result<void> checked = check_step(*request.step, resolution); !checked) {
      return tl::unexpected(checked.error());
    }
  }
  const Duration step = request.step.value_or(default_step(to - from, resolution));
  const StepGrid grid(step, zone);
  const Time start = grid.floor(from);
  return HistoryRange{start, grid.ceil(to), step, start};
}

std::string cursor_of(const HistoryRange& range) {
  return std::to_string(to_ms(range.next)) + "." + std::to_string(to_ms(range.from)) + "." +
         std::to_string(to_ms(range.to)) + "." + std::to_string(range.step.count());
}

}  // namespace rollup::query

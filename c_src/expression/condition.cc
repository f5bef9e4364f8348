#include "expression/condition.h"

#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "expression/evaluate.h"
#include "expression/parser.h"

namespace rollup::expression {

Result<Condition> Condition::parse(std::string_view text) { return Parser(text).parse(); }

Outcome Condition::evaluate(std::span<const Reading> readings) const {
  ROLLUP_CHECK(readings.size() == references_.size());
  return run(steps_, readings, stack_size_);
}

std::string Condition::explain(std::span<const Reading> readings, int decimals) const {
  ROLLUP_CHECK(readings.size() == references_.size());
  std::string result;
  std::size_t copied = 0;
  for (const Step& step : steps_) {
    if (step.op != Op::reference) {
      continue;
    }
    const std::optional<double>& value = readings[step.reference].value;
    const std::string number = value ? format_number(*value, decimals) : "";
    result.append(text_, copied, step.text_end - copied);
    result += " [" + (number.empty() ? "?" : number) + "]";
    copied = step.text_end;
  }
  return result.append(text_, copied);
}

namespace {

// Numbers from `lower` to `upper`, both included; none if lower > upper.
struct Range {
  double lower = -std::numeric_limits<double>::max();
  double upper = std::numeric_limits<double>::max();
};

// The numbers for which "x op limit" holds: one range, or for != two.
std::array<Range, 2> ranges_where(Op op, double limit) {
  constexpr Range kNone = {1, 0};
  const double above = std::nextafter(limit, std::numeric_limits<double>::infinity());
  const double below = std::nextafter(limit, -std::numeric_limits<double>::infinity());
  switch (op) {
    case Op::less:
      return {Range{.upper = below}, kNone};
    case Op::less_equal:
      return {Range{.upper = limit}, kNone};
    case Op::greater:
      return {Range{.lower = above}, kNone};
    case Op::greater_equal:
      return {Range{.lower = limit}, kNone};
    case Op::equal:
      return {Range{limit, limit}, kNone};
    default:
      return {Range{.upper = below}, Range{.lower = above}};
  }
}

Op mirrored(Op op) {
  switch (op) {
    case Op::less:
      return Op::greater;
    case Op::less_equal:
      return Op::greater_equal;
    case Op::greater:
      return Op::less;
    case Op::greater_equal:
      return Op::less_equal;
    default:
      return op;
  }
}

// Whether what the reference reads can lie in the range: counts are whole, ages whole milliseconds,
// and some are never negative.
bool has_reading(Range range, const Reference& reference) {
  const bool is_age = reference.function == Function::age;
  const bool is_over_time = reference.function == Function::over_time;
  const bool is_whole = is_over_time && row_of(reference.statistic).decimals == Decimals::none;
  if (is_age || (is_over_time && row_of(reference.statistic).is_never_negative)) {
    range.lower = std::fmax(range.lower, 0);
  }
  if (is_whole || is_age) {
    const double scale = is_age ? 1000 : 1;
    return std::ceil(range.lower * scale) <= std::floor(range.upper * scale);
  }
  return range.lower <= range.upper;
}

// "reference op limit".
struct Threshold {
  Op op = Op::less;
  double limit = 0;
};

std::optional<Threshold> threshold_of(std::span<const Step> steps) {
  if (steps.empty() || !is_comparison(steps.back().op)) {
    return std::nullopt;
  }
  const Step& comparison = steps.back();
  const auto left = steps.subspan(0, comparison.right);
  const auto right = steps.subspan(comparison.right, steps.size() - 1 - comparison.right);
  const auto is_reference = [](std::span<const Step> side) {
    return side.size() == 1 && side.front().op == Op::reference;
  };
  const auto constant = [](std::span<const Step> side) -> std::optional<double> {
    for (const Step& step : side) {
      if (step.op == Op::reference) {
        return std::nullopt;
      }
    }
    return number_at(side, {}, Duration{0});
  };
  if (is_reference(left)) {
    const std::optional<double> limit = constant(right);
    return limit ? std::optional(Threshold{comparison.op, *limit}) : std::nullopt;
  }
  if (is_reference(right)) {
    const std::optional<double> limit = constant(left);
    return limit ? std::optional(Threshold{mirrored(comparison.op), *limit}) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

bool surely_overlap(const Condition& raise, const Condition& clear) {
  const std::optional<Threshold> raised = threshold_of(raise.steps_);
  const std::optional<Threshold> cleared = threshold_of(clear.steps_);
  if (!raised || !cleared || raise.references_ != clear.references_) {
    return false;
  }
  for (const Range& a : ranges_where(raised->op, raised->limit)) {
    for (const Range& b : ranges_where(cleared->op, cleared->limit)) {
      const Range both{std::fmax(a.lower, b.lower), std::fmin(a.upper, b.upper)};
      if (has_reading(both, raise.references_.front())) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace rollup::expression

#include "expression/evaluate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace rollup::expression {
namespace {

// Nothing is predicted beyond: 100 years, far inside what a double counts in ms exactly.
constexpr std::int64_t kHorizonMs = std::int64_t{100} * 366 * 86'400'000;
constexpr std::int64_t kNever = -1;
constexpr std::int64_t kNotLinearMs = 1000;

// How a number stands to the passing of time. Of two operands the greater one decides.
enum class Motion : std::uint8_t {
  linear,     // known; changes by its slope
  curved,     // known; changes somehow
  undefined,  // unknown now (a division by zero), and time may change that
  missing     // unknown, and time will not change that
};

// A number while `motion` says so; a truth above it. No initialisers: most of a stack is never
// used.
struct Slot {
  double value;
  double slope;
  Motion motion;
  Truth truth;
  std::int64_t next_ms;
};

Slot number_slot(double value, double slope, Motion motion) {
  Slot slot{value, slope, motion, Truth::unknown, kNever};
  if (motion <= Motion::curved && !std::isfinite(value)) {
    slot.motion = motion == Motion::linear && slope == 0 ? Motion::missing : Motion::undefined;
  } else if (motion == Motion::linear && !std::isfinite(slope)) {
    slot.motion = Motion::curved;
  }
  return slot;
}

Slot truth_slot(Truth truth, std::int64_t next_ms) {
  return {0, 0, Motion::missing, truth, next_ms};
}

Slot read(const Reading& reading) {
  return reading.value && std::isfinite(*reading.value)
             ? number_slot(*reading.value, reading.slope, Motion::linear)
             : number_slot(0, 0, Motion::missing);
}

Slot product(const Slot& a, const Slot& b, Motion motion) {
  if (a.slope != 0 && b.slope != 0) {
    motion = std::max(motion, Motion::curved);
  }
  return number_slot(a.value * b.value, a.slope * b.value + a.value * b.slope, motion);
}

Slot quotient(const Slot& a, const Slot& b, Motion motion) {
  const bool is_divisor_fixed = b.motion == Motion::linear && b.slope == 0;
  if (!is_divisor_fixed) {
    motion = std::max(motion, Motion::curved);
  }
  if (motion <= Motion::undefined && b.value == 0) {
    return number_slot(0, 0, is_divisor_fixed ? Motion::missing : Motion::undefined);
  }
  return number_slot(a.value / b.value, a.slope / b.value, motion);
}

Slot calculate(Op op, const Slot& a, const Slot& b) {
  const Motion motion = std::max(a.motion, b.motion);
  if (motion >= Motion::undefined && op != Op::divide) {
    return number_slot(0, 0, motion);
  }
  switch (op) {
    case Op::add:
      return number_slot(a.value + b.value, a.slope + b.slope, motion);
    case Op::subtract:
      return number_slot(a.value - b.value, a.slope - b.slope, motion);
    case Op::multiply:
      return product(a, b, motion);
    default:
      return quotient(a, b, motion);
  }
}

int sign_of(double left, double right) { return left < right ? -1 : left > right ? 1 : 0; }

bool holds(Op op, int sign) {
  switch (op) {
    case Op::less:
      return sign < 0;
    case Op::less_equal:
      return sign <= 0;
    case Op::greater:
      return sign > 0;
    case Op::greater_equal:
      return sign >= 0;
    case Op::equal:
      return sign == 0;
    default:
      return sign != 0;
  }
}

// A comparison whose sides move at constant speed: the first whole ms at which its truth differs.
//
// Solved on paper first, then moved to the very ms by evaluating around it as it will be evaluated
// then, so that rounding can make nobody wake up one ms early and find nothing changed.
class Crossing {
 public:
  Crossing(Op op, std::span<const Step> left, std::span<const Step> right,
           std::span<const Reading> readings, int sign)
      : op_(op), left_(left), right_(right), readings_(readings), sign_(sign) {}

  std::int64_t first_ms(double distance, double slope) const {
    const int sign_later = slope > 0 ? 1 : -1;
    const bool is_equality = op_ == Op::equal || op_ == Op::not_equal;
    if (is_equality ? sign_ == sign_later : holds(op_, sign_) == holds(op_, sign_later)) {
      return kNever;
    }
    const double guess = std::ceil(-distance / slope * 1000);
    if (!(guess < static_cast<double>(kHorizonMs))) {
      return kNever;
    }
    std::int64_t changed = std::max<std::int64_t>(1, static_cast<std::int64_t>(guess));
    std::int64_t same = 0;
    for (std::int64_t stride = 1; !is_past(changed); stride *= 2) {
      same = changed;
      changed += stride;
      if (changed > kHorizonMs) {
        return kNever;
      }
    }
    for (std::int64_t stride = 1; same == 0 && changed > 1; stride *= 2) {
      const std::int64_t earlier = std::max<std::int64_t>(1, changed - stride);
      if (is_past(earlier)) {
        changed = earlier;
      } else {
        same = earlier;
      }
    }
    while (changed - same > 1) {
      const std::int64_t middle = same + (changed - same) / 2;
      (is_past(middle) ? changed : same) = middle;
    }
    // Two sides may be equal between two ms only; nobody ever sees that.
    return holds(op_, sign_at(changed)) == holds(op_, sign_) ? kNever : changed;
  }

 private:
  int sign_at(std::int64_t ms) const {
    const std::optional<double> left = number_at(left_, readings_, Duration{ms});
    const std::optional<double> right = number_at(right_, readings_, Duration{ms});
    return left && right ? sign_of(*left, *right) : -sign_;
  }

  bool is_past(std::int64_t ms) const {
    const int sign = sign_at(ms);
    const bool is_equality = op_ == Op::equal || op_ == Op::not_equal;
    return is_equality ? sign != sign_ : holds(op_, sign) != holds(op_, sign_);
  }

  Op op_;
  std::span<const Step> left_;
  std::span<const Step> right_;
  std::span<const Reading> readings_;
  int sign_;
};

Slot compare(const Step& step, std::span<const Step> steps, std::span<const Reading> readings,
             const Slot& left, const Slot& right, std::size_t index) {
  const Motion motion = std::max(left.motion, right.motion);
  if (motion >= Motion::undefined) {
    return truth_slot(Truth::unknown, motion == Motion::undefined ? kNotLinearMs : kNever);
  }
  const int sign = sign_of(left.value, right.value);
  const Truth truth = holds(step.op, sign) ? Truth::yes : Truth::no;
  if (motion == Motion::curved) {
    return truth_slot(truth, kNotLinearMs);
  }
  const double slope = left.slope - right.slope;
  if (slope == 0) {
    return truth_slot(truth, kNever);
  }
  const Crossing crossing(step.op, steps.subspan(step.left, step.right - step.left),
                          steps.subspan(step.right, index - step.right), readings, sign);
  return truth_slot(truth, crossing.first_ms(left.value - right.value, slope));
}

Truth negated(Truth truth) {
  return truth == Truth::yes ? Truth::no : truth == Truth::no ? Truth::yes : Truth::unknown;
}

Slot join(Op op, const Slot& left, const Slot& right) {
  const Truth decides = op == Op::logical_and ? Truth::no : Truth::yes;
  Truth truth = negated(decides);
  if (left.truth == decides || right.truth == decides) {
    truth = decides;
  } else if (left.truth == Truth::unknown || right.truth == Truth::unknown) {
    truth = Truth::unknown;
  }
  const std::int64_t next_ms = left.next_ms == kNever    ? right.next_ms
                               : right.next_ms == kNever ? left.next_ms
                                                         : std::min(left.next_ms, right.next_ms);
  return truth_slot(truth, next_ms);
}

double later_by(const Reading& reading, double value, Duration later) {
  if (reading.slope == 0) {
    return value;
  }
  const auto ms = static_cast<double>(later.count());
  // An age is whole ms as seconds; adding seconds to seconds would round twice.
  const double whole = std::round(value * 1000);
  if (reading.slope == 1 && whole / 1000 == value) {
    return (whole + ms) / 1000;
  }
  return value + reading.slope * (ms / 1000);
}

}  // namespace

std::optional<double> number_at(std::span<const Step> steps, std::span<const Reading> readings,
                                Duration later) {
  std::vector<double> stack;
  for (const Step& step : steps) {
    if (step.op == Op::number) {
      stack.push_back(step.number);
      continue;
    }
    if (step.op == Op::reference) {
      const Reading& reading = readings[step.reference];
      if (!reading.value) {
        return std::nullopt;
      }
      stack.push_back(later_by(reading, *reading.value, later));
      continue;
    }
    if (step.op == Op::negate) {
      stack.back() = -stack.back();
      continue;
    }
    const Slot right = number_slot(stack.back(), 0, Motion::linear);
    stack.pop_back();
    const Slot result = calculate(step.op, number_slot(stack.back(), 0, Motion::linear), right);
    if (result.motion != Motion::linear) {
      return std::nullopt;
    }
    stack.back() = result.value;
  }
  return std::isfinite(stack.back()) ? std::optional(stack.back()) : std::nullopt;
}

Outcome run(std::span<const Step> steps, std::span<const Reading> readings,
            std::size_t stack_size) {
  constexpr std::size_t kOftenEnough = 16;
  std::array<Slot, kOftenEnough> small;
  std::vector<Slot> large;
  if (stack_size > kOftenEnough) {
    large.resize(stack_size);
  }
  const std::span<Slot> stack = large.empty() ? std::span<Slot>(small) : std::span<Slot>(large);
  std::size_t size = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    switch (step.op) {
      case Op::number:
        stack[size++] = number_slot(step.number, 0, Motion::linear);
        break;
      case Op::reference:
        stack[size++] = read(readings[step.reference]);
        break;
      case Op::negate:
        stack[size - 1].value = -stack[size - 1].value;
        stack[size - 1].slope = -stack[size - 1].slope;
        break;
      case Op::logical_not:
        stack[size - 1].truth = negated(stack[size - 1].truth);
        break;
      default:
        --size;
        Slot& left = stack[size - 1];
        const Slot& right = stack[size];
        if (is_comparison(step.op)) {
          left = compare(step, steps, readings, left, right, i);
        } else if (step.op == Op::logical_and || step.op == Op::logical_or) {
          left = join(step.op, left, right);
        } else {
          left = calculate(step.op, left, right);
        }
    }
  }
  if (size == 0) {
    return {};
  }
  Outcome outcome;
  outcome.truth = stack[0].truth;
  if (stack[0].next_ms != kNever) {
    outcome.next_change = Duration{stack[0].next_ms};
  }
  return outcome;
}

}  // namespace rollup::expression

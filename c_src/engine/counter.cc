#include "engine/counter.h"

#include <algorithm>

namespace rollup::engine {

namespace {

// SEMANTICS 3.2, 3.3: what a fall to less than this share of the value before it is.
constexpr double kReset = 0.9;
constexpr double kGlitch = 0.01;
// A value that holds for days must not keep back for so long what is counted after a reset.
constexpr Duration kDoubtMax = std::chrono::hours(1);

// One more than the register can show; 0 for one that does not run over.
double size_of(Reset reset) {
  switch (reset) {
    case Reset::zero:
      break;
    case Reset::wrap32:
      return 4'294'967'296.0;
    case Reset::wrap64:
      return 18'446'744'073'709'551'616.0;
  }
  return 0;
}

}  // namespace

Increase Counter::add(State& state, Time time, double value, Duration hold, Reset reset) {
  Increase counted;
  if (!state.baseline) {
    state.baseline = value;  // SEMANTICS 3.4
    return counted;
  }
  if (state.doubt && time > state.doubt->until) {
    counted = state.doubt->gathered;
    state.doubt.reset();
  }
  if (state.doubt && value >= kReset * state.doubt->baseline) {
    state.baseline = state.doubt->baseline;
    state.doubt.reset();
  }
  Increase step;
  const double before = *state.baseline;
  if (value >= before) {
    step.increase = value - before;
    state.baseline = value;
  } else if (value < kReset * before) {
    const double size = size_of(reset);
    const bool has_run_over = before > size / 2 && before < size;
    step = has_run_over ? Increase{size - before + value, 0} : Increase{value, 1};
    state.baseline = value;
    if (value < kGlitch * before && !state.doubt) {
      state.doubt = Doubt{time + std::min(hold, kDoubtMax), before, {}};
    }
  }
  (state.doubt ? state.doubt->gathered : counted).merge(step);
  return counted;
}

}  // namespace rollup::engine

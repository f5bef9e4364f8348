// The engine's state as the messages of proto/rollup/state/v1/state.proto, and back.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/state.h"

namespace rollup::engine {

// Hands the parts out one after the other, each as soon as it is made.
void save_state(const State& state, const std::function<void(std::string)>& each);

// Adds the saved series to a state that has none, and fills them. What the plan no longer has is
// kept as a number only; where the resolution changed, buckets are made anew from the samples.
Result<void> restore_state(State& state, const std::vector<std::string>& parts);

}  // namespace rollup::engine

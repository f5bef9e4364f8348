// The alert instances: one per rule and matching series, each a small state machine on conditions
// and time (SEMANTICS 6).
#pragma once

#include "engine/state.h"

namespace rollup::engine {

// Attaches a new series: makes the instances of the rules on it, and lets the rules that read its
// stream find it.
void attach_alerts(State& state, SeriesId id, const Captures& captures);

// Evaluates everything that reads the series.
void evaluate_readers(State& state, SeriesId id, const Now& now, Effects& effects);

// Evaluates one instance, and sets the time at which it must be looked at again.
void evaluate(State& state, std::uint32_t instance, const Now& now, Effects& effects);

// To be called when the timers of an instance may have started or stopped.
void note_counting(State& state, Instance& instance);

AlertState describe(const State& state, const Instance& instance, const Now& now);

// Says ok for every instance that is not ok and that `next` does not have, and ends its alarm. Both
// have the same series.
void end_missing(const State& state, const State& next, Effects& effects);

// The states of all instances that ever left ok.
void republish_alerts(const State& state, const Now& now, Effects& effects);

}  // namespace rollup::engine

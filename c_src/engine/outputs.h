// When which summary is sent (SEMANTICS 1.3, 8.2), and what it says.
#pragma once

#include "engine/state.h"

namespace rollup::engine {

// The window of output `output` that ends at `end`. Its revision is left at 1.
Summary summarize(const State& state, SeriesId id, OutputIndex output, Time end, const Now& now);

// When the last thing that its active series know is over; the epoch if they know nothing.
Time known_until(const State& state, const StreamState& stream);

// Publishes the boundary `end` of the stream: what ends at or before it is done but for late
// samples.
void close_stream(State& state, StreamIndex stream, Time end, const Now& now, Effects& effects);

// Seals what ends at or before `end`.
void seal_stream(State& state, StreamIndex stream, Time end, const Now& now, Effects& effects);

// Takes in the late samples that wait in a series, and sends again what they changed.
void correct(State& state, SeriesId id, const Now& now, Effects& effects);

// The series has a new newest value: outputs with on: change.
void value_changed(State& state, SeriesId id, const Now& now, Effects& effects);

// The timer of an output with on: change.
void output_due(State& state, SeriesId id, OutputIndex output, const Now& now, Effects& effects);

// The newest windows again, as they were sent.
void republish_outputs(const State& state, const Now& now, Effects& effects);

}  // namespace rollup::engine

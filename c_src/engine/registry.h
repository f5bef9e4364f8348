// Which series there are, and which of them time still changes.
#pragma once

#include "engine/state.h"

namespace rollup::engine {

// Series that were there before are kept over a limit that was lowered, but as numbers only.
enum class LimitRule { enforce, keep_number };

// As Engine::add_series(); never refuses with LimitRule::keep_number.
tl::expected<SeriesId, DropReason> add_series(State& state, const SeriesKey& key, LimitRule limits);

// Lets the boundaries before `now` go by: nothing happens at them while no series is active.
void pass_boundaries(StreamState& stream, const Now& now);

// Puts the series on its stream's list, and makes the stream's boundaries run again if they stood.
void activate(State& state, SeriesId id, const Now& now);

// Finds when the next stream is due.
void find_next_boundary(State& state);

}  // namespace rollup::engine

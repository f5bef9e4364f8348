// Which series there are, and which of them time still changes.
#pragma once

#include "engine/series_info.h"
#include "engine/state.h"
#include "model/topic.h"

namespace rollup::engine {

// Series that were there before are kept over a limit that was lowered, but as numbers only.
enum class LimitRule { enforce, keep_number };

// As Engine::add_series(); never refuses with LimitRule::keep_number.
tl::expected<SeriesId, DropReason> add_series(State& state, const SeriesKey& key, LimitRule limits);

SeriesInfo info_of(const State& state, SeriesId id);

// As Engine::captures() and Engine::output_topic().
Captures captures_of(const State& state, SeriesId id);
std::string output_topic_of(const State& state, SeriesId id, OutputIndex output);

// Takes `topic` for an output or alert of the series. False if it may not have it, which is counted
// and told of `what`: it is none, it has an owner (SEMANTICS 8.4), or is the module's own.
bool claim_topic(State& state, SeriesId id, const std::string& broker, const std::string& topic,
                 const std::string& what);

// Lets the boundaries before `now` go by: nothing happens at them while no series is active.
void pass_boundaries(StreamState& stream, const Now& now);

// Puts the series on its stream's list, and makes the stream's boundaries run again if they stood.
void activate(State& state, SeriesId id, const Now& now);

// Finds when the next stream is due.
void find_next_boundary(State& state);

}  // namespace rollup::engine

// One turn's inputs as a row of the journal, and their replay through an engine.
//
// Row: a version byte (1), then varints (signed ones zigzag):
//   wall ms, uptime ms, number of new series, number of samples
//   per new series: id, then stream, broker, topic, field, each as length and bytes
//   per sample: series - previous series (signed), flags (1 event time, 2 retained),
//               time - wall ms (signed), value (8 bytes, little endian IEEE 754)
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "engine/engine.h"
#include "engine/intake.h"

namespace rollup::engine {

// Replaces `row`.
void encode_turn(const Now& now, std::span<const NewSeries> created,
                 std::span<const Sample> samples, std::string& row);

// Does again what the turn did: adds its series, observes its samples, advances to its time, and
// appends the effects. Error storage if the row cannot be read or its series get other ids; the
// engine is then left in the middle of the turn.
Result<void> replay_turn(std::string_view row, Engine& engine, Effects& effects);

}  // namespace rollup::engine

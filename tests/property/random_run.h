// A random stream, random messages and random moments at which time is let pass.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "base/time.h"
#include "engine/engine.h"
#include "model/config.h"
#include "model/sample.h"

namespace rollup::testing {

using Random = std::mt19937_64;

std::int64_t pick(Random& random, std::int64_t low, std::int64_t high);

// Something that happens at `now`: samples come in (none: only time passes).
struct Event {
  Now now;
  std::vector<Sample> samples;  // of series 0 .. kSeries - 1
};

inline constexpr SeriesId kSeries = 3;

struct RandomRun {
  Config config;  // one stream, with its outputs; no alerts
  std::vector<Event> events;
  Time start;
};

// `holds_auto`: also `hold: auto`, and alerts, which the naive model does not know.
RandomRun random_run(std::uint64_t seed, bool holds_auto);

SeriesKey key_of(SeriesId id);

// For a test that fails: how it is run again with this seed alone.
std::string how_to_repeat(std::uint64_t seed);

// Fixed seeds, some fresh ones, or what ROLLUP_SEED says.
std::vector<std::uint64_t> seeds(int fixed, int fresh);

}  // namespace rollup::testing

// What can be said of an effect, a bucket or a counter in a scenario: pairs of a name and a text.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "scenario/world.h"

namespace rollup::testing {

// In the order in which they are printed. Words without a name ("ALARM", "0s..1m", "old") have an
// empty one.
using Facts = std::vector<std::pair<std::string, std::string>>;

// Times are told from `start`.
Facts facts_of(const Effect& effect, Time start);
Facts facts_of(const Bucket& bucket, Time start);
Facts facts_of(const Counters& counters);
Facts facts_of(const engine::Current& current, Time start);

std::string to_text(const Facts& facts);

// The first of `expected` ("avg=20", "avg=~20.1", "ALARM") that does not hold; "" if all do. An
// unnamed fact that is said must be there. Numbers may differ by rounding, after `~` by 1 %.
std::string mismatch(const std::vector<std::string>& expected, const Facts& facts, Time start);

}  // namespace rollup::testing

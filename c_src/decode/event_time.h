// The time that a payload itself names (SEMANTICS 1.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/time.h"

namespace rollup::decode {

// Time since the epoch; the unit is told by the magnitude: below 1e11 seconds, below 1e14 ms, below
// 1e17 us, else ns. What is finer than a millisecond is cut off. Nothing if it is negative or after
// the year 2200.
std::optional<Time> time_from_epoch(std::int64_t count);
std::optional<Time> time_from_epoch(double count);

// An epoch written as a number, or RFC 3339. Blanks around it are ignored.
std::optional<Time> time_from_text(std::string_view text);

}  // namespace rollup::decode

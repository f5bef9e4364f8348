// Runs the steps of a condition on readings.
#pragma once

#include <optional>
#include <span>

#include "base/time.h"
#include "expression/condition.h"
#include "expression/step.h"

namespace rollup::expression {

// The outcome of steps that end in a truth. `stack_size`: the most operands there are at a time.
Outcome run(std::span<const Step> steps, std::span<const Reading> readings, std::size_t stack_size);

// The number that steps without comparisons come to when the readings have changed by their slopes
// for `later`; nothing if it is unknown. Exact for readings that are whole milliseconds with a
// slope of 1, as ages are.
std::optional<double> number_at(std::span<const Step> steps, std::span<const Reading> readings,
                                Duration later);

}  // namespace rollup::expression

// A curve in one line of text.
#pragma once

#include <optional>
#include <span>
#include <string>

namespace rollup {

// One character of ▁▂▃▄▅▆▇█ a value, scaled between the least and the greatest; nothing or not
// finite is a blank. If all are equal: ▄.
std::string sparkline(std::span<const std::optional<double>> values);

}  // namespace rollup

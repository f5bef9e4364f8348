// Rules that all encoders share, beside those in encode.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/time.h"

namespace rollup::publish {

// Whether a payload of `size` bytes, padded as pad_payload() does, has at most `bytes_max`.
bool fits_padded(std::size_t size, std::size_t bytes_max);

// `text` (UTF-8) if it has at most `bytes_max` bytes; else as many whole characters of it as fit
// before an ellipsis. Without room for the ellipsis it is empty.
std::string shortened(std::string_view text, std::size_t bytes_max);

// "24 h", "90 s", "1 h 30 min": hours up to two days, then days. Exact, to the ms, unless
// `units_max` (at least 1) cuts the smaller units off. 0 is "0 s".
std::string duration_for_people(Duration duration, int units_max = 4);

// "9.2 °C"; without a unit the number alone; "" for a number that is not finite.
std::string with_unit(double value, int decimals, std::string_view unit);

}  // namespace rollup::publish

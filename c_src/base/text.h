// Text rules that more than one part needs: numbers, durations, times, names that are nearly right.
// Everything here is independent of the locale.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace rollup {

// The most decimals a number is ever printed with.
inline constexpr int kDecimalsMax = 9;

// How many decimals (0 .. kDecimalsMax) are needed to write `value` as it was sent: 21.37 -> 2.
// `at_least` is the answer known so far; the result is never smaller, so a series' resolution only
// grows. Cheap when `at_least` already fits. A value that is not finite gives `at_least`.
int decimals_of(double value, int at_least = 0);

// The shortest decimal that rounds to `decimals` places: no trailing zeros, no exponent, "-0" is
// "0". 21.10 with 2 -> "21.1". Not finite -> "".
std::string format_number(double value, int decimals);

// Always exactly `decimals` places, for columns and text: 21.0 with 1 -> "21.0".
std::string format_fixed(double value, int decimals);

// "90s" "5m" "1h" "1d" "1w" "500ms" and sums of them ("1h30m"); no sign, no blanks. Nothing
// otherwise.
std::optional<Duration> parse_duration(std::string_view text);

// The largest units that say it exactly: 5400000 ms -> "1h30m", 0 -> "0s".
std::string format_duration(Duration duration);

// "2026-04-04T12:03:00Z", with ".250" before the Z when there are milliseconds.
std::string format_rfc3339(Time time);

// RFC 3339 date-time with 'Z' or a numeric offset, 'T' or 't' or one blank between, any number of
// fraction digits (cut to ms). Nothing if it is not one, or if a field is out of range.
std::optional<Time> parse_rfc3339(std::string_view text);

// The known name that `name` is most likely a misspelling of: by edit distance, at most a third of
// its length (at least 1) away. Empty if none is near.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);
// At most so many edits away is the name that nearest_name() gives.
std::size_t edits_of_misspelling(std::string_view name);

// True if `text` is well-formed UTF-8 (no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

// Length in bytes of the control character (U+0000..U+001F, U+007F..U+009F) at byte `at` of UTF-8
// text; 0 if another character stands there.
std::size_t control_character_size(std::string_view text, std::size_t at);

}  // namespace rollup

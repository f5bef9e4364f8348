// Numbers as people and small devices write them (SEMANTICS 2.5).
#pragma once

#include <optional>
#include <string_view>

namespace rollup::decode {

// Blanks around it, an optional sign, the number, then nothing, or a blank and anything, or a unit
// without digits that is attached: "22.5", "+4", "22.5 °C", "50%", "12km/h". Nothing for "1,5",
// "12:30", "2024-01-02", "0x1A", "nan", "inf", a NUL byte. The result is finite. `text` is UTF-8.
std::optional<double> read_text_number(std::string_view text);

constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// `text` without the blanks around it.
std::string_view trim_blanks(std::string_view text);

}  // namespace rollup::decode

#include "decode/text_number.h"

#include <charconv>
#include <cstddef>

namespace rollup::decode {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_unit_begin(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '%' ||
         (static_cast<unsigned char>(c) & 0x80U) != 0;
}

bool is_hexadecimal(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Whether what stands after the digits leaves them a number.
bool is_unit(std::string_view rest) {
  if (rest.empty() || is_blank(rest.front())) {
    return true;
  }
  if (!is_unit_begin(rest.front())) {
    return false;
  }
  for (const char c : rest) {
    if (is_blank(c)) {
      return true;
    }
    if (!is_unit_begin(c) && c != '/') {
      return false;
    }
  }
  return true;
}

}  // namespace

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && is_blank(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

std::optional<double> read_text_number(std::string_view text) {
  text = trim_blanks(text);
  const bool is_negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (is_negative || text.front() == '+')) {
    text.remove_prefix(1);
  }
  // from_chars would also take a second sign, "nan" and "inf".
  if (text.empty() || (!is_digit(text.front()) && text.front() != '.')) {
    return std::nullopt;
  }
  double number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc()) {
    return std::nullopt;
  }
  const auto length = static_cast<std::size_t>(read.ptr - text.data());
  const std::string_view rest = text.substr(length);
  if (!rest.empty()) {
    // "0xAF" is no zero with a unit.
    const bool is_prefixed = length == 1 && text.front() == '0' && rest.size() > 1 &&
                             (rest[0] == 'x' || rest[0] == 'X') && is_hexadecimal(rest[1]);
    if (is_prefixed || !is_unit(rest) || rest.find('\0') != std::string_view::npos) {
      return std::nullopt;
    }
  }
  return is_negative ? -number : number;
}

}  // namespace rollup::decode

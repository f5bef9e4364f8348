#include "base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace rollup {

namespace {

constexpr std::array<double, kDecimalsMax + 1> kPowersOfTen = {1e0, 1e1, 1e2, 1e3, 1e4,
                                                               1e5, 1e6, 1e7, 1e8, 1e9};
// Up to here every integer is a double.
constexpr double kExactMax = 9007199254740992.0;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Whether `value` is the double nearest to some decimal with `decimals` places: the quotient of two
// exact doubles is rounded once, as reading that decimal would be. May say no for more than 2^53.
bool fits_decimals(double value, int decimals) {
  const double power = kPowersOfTen.at(static_cast<std::size_t>(decimals));
  return std::nearbyint(value * power) / power == value;
}

// Of the shortest decimal that reads back as `value`.
int decimals_of_shortest(double value) {
  std::array<char, 32> buffer{};
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                     std::chars_format::scientific);
  const char* const exponent_sign = std::find(buffer.data(), written.ptr, 'e');
  int exponent = 0;
  const char* const exponent_begin = exponent_sign + (exponent_sign[1] == '+' ? 2 : 1);
  std::from_chars(exponent_begin, written.ptr, exponent);
  const auto digits = std::count_if<const char*>(buffer.data(), exponent_sign, is_digit);
  return static_cast<int>(digits) - 1 - exponent;
}

std::string write_fixed(double value, int decimals) {
  if (!std::isfinite(value)) {
    return {};
  }
  // The largest double has 309 digits before the point.
  std::array<char, 309 + 2 + kDecimalsMax> buffer{};
  const auto written =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed,
                    std::clamp(decimals, 0, kDecimalsMax));
  std::string text(buffer.data(), written.ptr);
  if (text[0] == '-' && text.find_first_not_of("-0.") == std::string::npos) {
    text.erase(0, 1);
  }
  return text;
}

}  // namespace

int decimals_of(double value, int at_least) {
  const int least = std::clamp(at_least, 0, kDecimalsMax);
  if (!std::isfinite(value) || std::abs(value) >= kExactMax) {
    return least;
  }
  if (fits_decimals(value, least)) {
    return least;
  }
  return std::clamp(decimals_of_shortest(value), least, kDecimalsMax);
}

std::string format_number(double value, int decimals) {
  std::string text = write_fixed(value, decimals);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') {
      text.pop_back();
    }
  }
  return text;
}

std::string format_fixed(double value, int decimals) { return write_fixed(value, decimals); }

namespace {

struct Unit {
  std::string_view name;
  std::int64_t ms;
};
// Largest first.
constexpr std::array<Unit, 6> kUnits = {{{"w", 604'800'000},
                                         {"d", 86'400'000},
                                         {"h", 3'600'000},
                                         {"m", 60'000},
                                         {"s", 1'000},
                                         {"ms", 1}}};

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  if (text.empty()) {
    return std::nullopt;
  }
  std::int64_t total = 0;
  while (!text.empty()) {
    std::int64_t amount = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), amount);
    if (read.ec != std::errc() || !is_digit(text.front())) {
      return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    const auto letters = std::find_if(text.begin(), text.end(), is_digit);
    const std::string_view name = text.substr(0, static_cast<std::size_t>(letters - text.begin()));
    const auto unit =
        std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == name; });
    if (unit == kUnits.end() || __builtin_mul_overflow(amount, unit->ms, &amount) ||
        __builtin_add_overflow(total, amount, &total)) {
      return std::nullopt;
    }
    text.remove_prefix(name.size());
  }
  return Duration{total};
}

std::string format_duration(Duration duration) {
  const std::int64_t ms = duration.count();
  if (ms == 0) {
    return "0s";
  }
  std::string text = ms < 0 ? "-" : "";
  // Unsigned, because the smallest duration has no positive counterpart.
  std::uint64_t rest = ms < 0 ? 0 - static_cast<std::uint64_t>(ms) : static_cast<std::uint64_t>(ms);
  for (const Unit& unit : kUnits) {
    const auto size = static_cast<std::uint64_t>(unit.ms);
    if (rest >= size) {
      text += std::to_string(rest / size);
      text += unit.name;
      rest %= size;
    }
  }
  return text;
}

namespace {

void append_padded(std::string& text, std::int64_t number, std::size_t width) {
  const std::string digits = std::to_string(number);
  text.append(width - std::min(width, digits.size()), '0');
  text += digits;
}

// Takes exactly `width` digits off the front.
std::optional<int> take_digits(std::string_view& text, std::size_t width) {
  if (text.size() < width) {
    return std::nullopt;
  }
  int number = 0;
  for (std::size_t i = 0; i < width; ++i) {
    if (!is_digit(text[i])) {
      return std::nullopt;
    }
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return number;
}

bool take_one_of(std::string_view& text, std::string_view choices) {
  if (text.empty() || choices.find(text.front()) == std::string_view::npos) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

std::optional<std::chrono::sys_days> take_date(std::string_view& text) {
  const auto year = take_digits(text, 4);
  if (!year || !take_one_of(text, "-")) {
    return std::nullopt;
  }
  const auto month = take_digits(text, 2);
  if (!month || !take_one_of(text, "-")) {
    return std::nullopt;
  }
  const auto day = take_digits(text, 2);
  if (!day) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  return date.ok() ? std::optional(std::chrono::sys_days{date}) : std::nullopt;
}

// "13:45", of a clock or an offset.
std::optional<std::chrono::minutes> take_minutes(std::string_view& text) {
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take_one_of(text, ":")) {
    return std::nullopt;
  }
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59) {
    return std::nullopt;
  }
  return std::chrono::minutes{*hour * 60 + *minute};
}

// Whole seconds; a leap second is second 60.
std::optional<std::chrono::seconds> take_clock(std::string_view& text) {
  const auto minutes = take_minutes(text);
  if (!minutes || !take_one_of(text, ":")) {
    return std::nullopt;
  }
  const auto second = take_digits(text, 2);
  if (!second || *second > 60) {
    return std::nullopt;
  }
  return *minutes + std::chrono::seconds{*second};
}

// ".25" -> 250 ms, nothing there -> 0 ms.
std::optional<Duration> take_fraction(std::string_view& text) {
  if (!take_one_of(text, ".")) {
    return Duration{0};
  }
  if (text.empty() || !is_digit(text.front())) {
    return std::nullopt;
  }
  int ms = 0;
  for (int weight = 100; !text.empty() && is_digit(text.front()); weight /= 10) {
    ms += weight * (text.front() - '0');
    text.remove_prefix(1);
  }
  return Duration{ms};
}

std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
  if (take_one_of(text, "Zz")) {
    return std::chrono::minutes{0};
  }
  const bool is_west = !text.empty() && text.front() == '-';
  if (!take_one_of(text, "+-")) {
    return std::nullopt;
  }
  const auto offset = take_minutes(text);
  return offset && is_west ? -*offset : offset;
}

}  // namespace

std::string format_rfc3339(Time time) {
  using namespace std::chrono;
  // Four digits of year are all the format has.
  constexpr Time kFirst = sys_days{year{0} / January / 1};
  constexpr Time kLast = sys_days{year{10000} / January / 1} - Duration{1};
  const Time shown = std::clamp(time, kFirst, kLast);
  const auto day = floor<days>(shown);
  const year_month_day date{day};
  const hh_mm_ss<Duration> clock{shown - day};
  std::string text;
  append_padded(text, static_cast<int>(date.year()), 4);
  text += '-';
  append_padded(text, static_cast<unsigned>(date.month()), 2);
  text += '-';
  append_padded(text, static_cast<unsigned>(date.day()), 2);
  text += 'T';
  append_padded(text, clock.hours().count(), 2);
  text += ':';
  append_padded(text, clock.minutes().count(), 2);
  text += ':';
  append_padded(text, clock.seconds().count(), 2);
  if (clock.subseconds().count() != 0) {
    text += '.';
    append_padded(text, clock.subseconds().count(), 3);
  }
  text += 'Z';
  return text;
}

std::optional<Time> parse_rfc3339(std::string_view text) {
  const auto day = take_date(text);
  if (!day || !take_one_of(text, "Tt ")) {
    return std::nullopt;
  }
  const std::string_view clock_text = text;
  const auto clock = take_clock(text);
  if (!clock) {
    return std::nullopt;
  }
  const auto fraction = take_fraction(text);
  if (!fraction) {
    return std::nullopt;
  }
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) {
    return std::nullopt;
  }
  const auto second = *day + *clock - *offset;
  const bool is_leap = clock_text.substr(6, 2) == "60";
  if (is_leap && second != std::chrono::floor<std::chrono::days>(second)) {
    return std::nullopt;
  }
  return second + *fraction;
}

namespace {

// Longer names are not compared: they are no misspellings, and the cost is quadratic.
constexpr std::size_t kNameMax = 200;

// Insertions, deletions, replacements and swaps of neighbours (Damerau-Levenshtein, each place
// edited once).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(above);
    above.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replace, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

}  // namespace

std::size_t edits_of_misspelling(std::string_view name) {
  return std::max<std::size_t>(1, name.size() / 3);
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
  if (name.size() > kNameMax) {
    return {};
  }
  std::size_t least = edits_of_misspelling(name) + 1;
  std::string nearest;
  for (const std::string& candidate : known) {
    const std::size_t apart =
        std::max(candidate.size(), name.size()) - std::min(candidate.size(), name.size());
    if (apart >= least) {
      continue;
    }
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

bool is_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const auto* const end = at + text.size();
  const auto is_rest = [](unsigned char byte) { return (byte & 0xC0U) == 0x80U; };
  while (at != end) {
    // Most text is ASCII: eight bytes at a time.
    std::uint64_t word = 0;
    while (end - at >= 8) {
      std::memcpy(&word, at, sizeof word);
      if ((word & 0x8080808080808080U) != 0) {
        break;
      }
      at += 8;
    }
    if (at == end) {
      break;
    }
    const unsigned char lead = *at;
    if (lead < 0x80U) {
      ++at;
      continue;
    }
    const std::ptrdiff_t length = lead < 0xC2U   ? 0
                                  : lead < 0xE0U ? 2
                                  : lead < 0xF0U ? 3
                                  : lead < 0xF5U ? 4
                                                 : 0;
    if (length == 0 || end - at < length || !std::all_of(at + 1, at + length, is_rest)) {
      return false;
    }
    // The first continuation byte decides between overlong, surrogate and beyond U+10FFFF.
    const unsigned char second = at[1];
    if ((lead == 0xE0U && second < 0xA0U) || (lead == 0xEDU && second > 0x9FU) ||
        (lead == 0xF0U && second < 0x90U) || (lead == 0xF4U && second > 0x8FU)) {
      return false;
    }
    at += length;
  }
  return true;
}

std::size_t control_character_size(std::string_view text, std::size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x20U || byte == 0x7FU) {
    return 1;
  }
  const bool is_two_bytes = byte == 0xC2U && at + 1 < text.size();
  return is_two_bytes && static_cast<unsigned char>(text[at + 1]) < 0xA0U ? 2 : 0;
}

}  // namespace rollup

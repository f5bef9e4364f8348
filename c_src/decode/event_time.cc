#include "decode/event_time.h"

#include <charconv>
#include <chrono>
#include <cmath>

#include "base/text.h"
#include "decode/text_number.h"

namespace rollup::decode {

namespace {

constexpr Time kFirst{};
constexpr Time kEnd = std::chrono::sys_days{std::chrono::year{2201} / std::chrono::January / 1};

constexpr std::int64_t kSecondsEnd = 100'000'000'000;
constexpr std::int64_t kMillisecondsEnd = kSecondsEnd * 1000;
constexpr std::int64_t kMicrosecondsEnd = kMillisecondsEnd * 1000;

std::optional<Time> in_range(Time time) {
  return time >= kFirst && time < kEnd ? std::optional(time) : std::nullopt;
}

template <class Number>
std::optional<Number> read_whole(std::string_view text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  return read.ec == std::errc() && read.ptr == end ? std::optional(number) : std::nullopt;
}

}  // namespace

std::optional<Time> time_from_epoch(std::int64_t count) {
  if (count < 0) {
    return std::nullopt;
  }
  const std::int64_t ms = count < kSecondsEnd        ? count * 1000
                          : count < kMillisecondsEnd ? count
                          : count < kMicrosecondsEnd ? count / 1000
                                                     : count / 1'000'000;
  return in_range(time_from_ms(ms));
}

std::optional<Time> time_from_epoch(double count) {
  // The limit keeps the casts in range; ns up to it end in the year 2262.
  if (!(count >= 0 && count < 9.2e18)) {
    return std::nullopt;
  }
  if (count >= static_cast<double>(kSecondsEnd)) {
    return time_from_epoch(static_cast<std::int64_t>(count));
  }
  // 1700000000.123 is held as a little less or more than that, by up to 1.2e-7 seconds for times in
  // range; a microsecond more makes the cut fall right.
  return in_range(time_from_ms(static_cast<std::int64_t>(std::floor((count + 1e-6) * 1000))));
}

std::optional<Time> time_from_text(std::string_view text) {
  const std::string_view trimmed = trim_blanks(text);
  if (const auto whole = read_whole<std::int64_t>(trimmed)) {
    return time_from_epoch(*whole);
  }
  if (const auto number = read_whole<double>(trimmed)) {
    return time_from_epoch(*number);
  }
  const auto time = parse_rfc3339(trimmed);
  return time ? in_range(*time) : std::nullopt;
}

}  // namespace rollup::decode

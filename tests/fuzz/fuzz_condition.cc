// Input: two conditions, divided by a line end. Whatever parses is evaluated on readings made from
// its own bytes, and explained.
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "expression/condition.h"

namespace {

using namespace rollup;
using namespace rollup::expression;

// Known, unknown, moving and still ones, in an order that the text decides.
std::vector<Reading> readings_for(const Condition& condition, std::size_t salt) {
  constexpr Reading kReadings[] = {{.value = 0, .slope = 0},      {.value = 599.5, .slope = 1},
                                   {.value = {}, .slope = 0},     {.value = -1e300, .slope = 0},
                                   {.value = 1e-300, .slope = 1}, {.value = 2.25, .slope = -0.5}};
  std::vector<Reading> readings;
  for (std::size_t i = 0; i < condition.references().size(); ++i) {
    readings.push_back(kReadings[(salt + i * 7) % std::size(kReadings)]);
  }
  return readings;
}

void check(const Condition& condition) {
  for (const Reference& reference : condition.references()) {
    const bool needs_time =
        reference.function != Function::value && reference.function != Function::age;
    ROLLUP_CHECK(needs_time == (reference.over.count() > 0));
  }
  for (std::size_t salt = 0; salt < 6; ++salt) {
    const std::vector<Reading> readings = readings_for(condition, salt);
    const Outcome outcome = condition.evaluate(readings);
    ROLLUP_CHECK(outcome == condition.evaluate(readings));
    ROLLUP_CHECK(!outcome.next_change || outcome.next_change->count() >= 1);
    const std::string explained = condition.explain(readings, 2);
    ROLLUP_CHECK(explained.size() >= condition.text().size());
    ROLLUP_CHECK(is_utf8(explained));
  }
  const Condition again = *Condition::parse(condition.text());
  ROLLUP_CHECK(again.references() == condition.references());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line_end = text.find('\n');
  const auto raise = Condition::parse(text.substr(0, line_end));
  if (!raise) {
    ROLLUP_CHECK(is_utf8(raise.error().message) && !raise.error().message.empty());
    return 0;
  }
  check(*raise);
  const auto clear =
      Condition::parse(line_end == std::string_view::npos ? text : text.substr(line_end + 1));
  if (clear) {
    ROLLUP_CHECK(surely_overlap(*raise, *clear) == surely_overlap(*clear, *raise));
  }
  return 0;
}

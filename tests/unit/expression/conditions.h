// Short ways to write conditions and readings in tests.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "expression/condition.h"

namespace rollup::expression {

inline Condition parsed(std::string_view text) {
  Result<Condition> condition = Condition::parse(text);
  EXPECT_TRUE(condition.has_value()) << text << "\n" << condition.error().message;
  return condition.value_or(Condition{});
}

// The message with which `text` is refused; "accepted" if it is not.
inline std::string refusal(std::string_view text) {
  const Result<Condition> condition = Condition::parse(text);
  return condition ? "accepted" : condition.error().message;
}

inline constexpr std::nullopt_t kUnknown = std::nullopt;

inline std::vector<Reading> readings(std::initializer_list<std::optional<double>> values) {
  std::vector<Reading> result;
  for (const std::optional<double>& value : values) {
    result.push_back({.value = value, .slope = 0});
  }
  return result;
}

// The truth of `text` when its references read `values`.
inline Truth truth(std::string_view text,
                   std::initializer_list<std::optional<double>> values = {}) {
  return parsed(text).evaluate(readings(values)).truth;
}

inline void PrintTo(Truth truth, std::ostream* out) {
  *out << (truth == Truth::yes ? "yes" : truth == Truth::no ? "no" : "unknown");
}

}  // namespace rollup::expression

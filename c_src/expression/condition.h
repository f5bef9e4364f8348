// Conditions (SEMANTICS 5): parsed and type-checked once, then evaluated on readings.
//
//   auto condition = Condition::parse("avg(5m) > 8 and not door.value > 0");
//   condition->references()   -> what must be read, each once: avg(5m), door.value
//   condition->evaluate(readings)   // readings[i] belongs to references()[i]
//
// Series are numbers: a text can be compared with a text only, by == and !=.
// Immutable after parse(), safe to evaluate from several threads.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "expression/step.h"
#include "model/statistic.h"

namespace rollup::expression {

// The newest value, the seconds since it came, or a statistic over a time.
enum class Function { value, age, over_time };

// Something that a condition reads from a series.
struct Reference {
  std::string stream;  // empty: the alert's own series
  Function function = Function::value;
  // Of over_time; the time in brackets, 0 for the others.
  Duration over{0};
  Statistic statistic = Statistic::avg;

  friend bool operator==(const Reference&, const Reference&) = default;
};

// Three-valued logic (Kleene): unknown compares to unknown; `false and unknown` is false, `true or
// unknown` is true.
enum class Truth { no, yes, unknown };

// What a reference reads now. `slope` is its change per second by the passing of time alone: 1 for
// age, 0 for everything else.
struct Reading {
  std::optional<double> value;
  double slope = 0;
};

struct Outcome {
  Truth truth = Truth::unknown;
  // When the truth may change next by the passing of time alone, from now, rounded up to a whole ms
  // (at least 1); nothing if it will not, or not within 100 years. For a comparison whose sides are
  // linear in time it is exact: the first whole ms at which the truth is another one. Where a side
  // is not linear it is 1 s. For `and`, `or`, `not` the earliest of their parts.
  std::optional<Duration> next_change;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

class Condition {
 public:
  // The longest text in bytes, and how deep parentheses and signs may nest: bounds for the stack.
  static constexpr std::size_t kTextBytesMax = 4096;
  static constexpr int kNestingMax = 64;

  // The grammar of SEMANTICS 5. Types (numbers, texts, durations; a duration stands for its
  // seconds) are checked here. In `stream.function` a stream's name is written as it is if it
  // consists of letters, digits and '_' and does not begin with a digit; any other in double
  // quotes, as in "fridge-door".value. Errors are bad_config without a place; the message names the
  // column (from 1, in characters) and what was expected, with the nearest known name for a
  // misspelt function.
  static Result<Condition> parse(std::string_view text);

  const std::string& text() const { return text_; }
  const std::vector<Reference>& references() const { return references_; }

  // `readings` must have one entry per reference, in order. Division by zero is unknown.
  Outcome evaluate(std::span<const Reading> readings) const;

  // The condition with each reference followed by its value, for people:
  // "avg(5m) [9.2] > 8". Unknown values are "[?]". Numbers as format_number(x, decimals).
  std::string explain(std::span<const Reading> readings, int decimals) const;

 private:
  friend class Parser;
  friend bool surely_overlap(const Condition& raise, const Condition& clear);

  std::string text_;
  std::vector<Step> steps_;     // empty: unknown for ever
  std::size_t stack_size_ = 0;  // the most operands that evaluate() has at a time
  std::vector<Reference> references_;
};

// Whether `raise` and `clear` are surely both true for some value: only answered for conditions
// that are one comparison of the same reference with a number each; otherwise false.
bool surely_overlap(const Condition& raise, const Condition& clear);

}  // namespace rollup::expression

// Conditions (SEMANTICS 5): parsed and type-checked once, then evaluated on readings.
//
//   auto condition = Condition::parse("avg(5m) > 8 and not door.value > 0");
//   condition->references()   -> what must be read, each once: avg(5m), door.value
//   condition->evaluate(readings)   // readings[i] belongs to references()[i]
//
// Immutable after parse(), safe to evaluate from several threads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"

namespace rollup::expression {

enum class Function { value, age, avg, mean, min, max, sum, count, first, last, stddev, delta };

std::string_view to_string(Function function);

// Something that a condition reads from a series.
struct Reference {
  std::string stream;  // empty: the alert's own series
  Function function = Function::value;
  Duration over{0};  // the time in brackets; 0 for value and age

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
  // When the truth may change next by the passing of time alone, from now, rounded up to a whole ms;
  // nothing if it will not. Exact where both sides of a comparison are linear in the slopes, else
  // 1 s.
  std::optional<Duration> next_change;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

class Condition {
 public:
  // The grammar of SEMANTICS 5. Types (numbers, texts, durations; a duration stands for its seconds)
  // are checked here. Errors are bad_config without a place; the message names the column (from 1,
  // in characters) and what was expected, with the nearest known name for a misspelt function.
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
  enum class Op : std::uint8_t {
    number, reference, negate, add, subtract, multiply, divide,
    less, less_equal, greater, greater_equal, equal, not_equal,
    logical_and, logical_or, logical_not
  };
  // A node's operands are indices into nodes_, always smaller than its own.
  struct Node {
    Op op = Op::number;
    std::uint32_t left = 0;
    std::uint32_t right = 0;
    double number = 0;           // Op::number
    std::uint32_t reference = 0;  // Op::reference
    std::uint32_t text_end = 0;   // Op::reference: where its text ends in text_, for explain()
  };
  std::string text_;
  std::vector<Node> nodes_;  // the last one is the root
  std::vector<Reference> references_;
};

// Whether `raise` and `clear` are surely both true for some value: only answered for conditions that
// are one comparison of the same reference with a number each; otherwise false.
bool surely_overlap(const Condition& raise, const Condition& clear);

}  // namespace rollup::expression

// The compiled form of a condition: steps in postfix order, run on a small stack.
#pragma once

#include <cstdint>

namespace rollup::expression {

enum class Op : std::uint8_t {
  number,
  reference,
  negate,
  add,
  subtract,
  multiply,
  divide,
  less,
  less_equal,
  greater,
  greater_equal,
  equal,
  not_equal,
  logical_and,
  logical_or,
  logical_not
};

constexpr bool is_comparison(Op op) { return op >= Op::less && op <= Op::not_equal; }

struct Step {
  Op op = Op::number;
  // An operator's operands are the steps [left, right) and [right, itself); for one with a single
  // operand left == right.
  std::uint32_t left = 0;
  std::uint32_t right = 0;
  std::uint32_t reference = 0;  // Op::reference: index into Condition::references()
  std::uint32_t text_end = 0;   // Op::reference: where it ends in Condition::text()
  double number = 0;            // Op::number
};

}  // namespace rollup::expression

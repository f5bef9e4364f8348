// The grammar of conditions, from the loosest binding to the tightest:
//
//   condition   and { "or" and }
//   and         not { "and" not }
//   not         [ "not" ] comparison
//   comparison  sum [ ("<" | "<=" | ">" | ">=" | "==" | "!=") sum ]
//   sum         term { ("+" | "-") term }
//   term        factor { ("*" | "/") factor }
//   factor      number | text | duration | [ stream "." ] function | "-" factor | "(" condition ")"
//
// Parentheses hold a condition or a sum alike: which one it is, is the type of what they hold, and
// types decide what may stand where.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "expression/condition.h"
#include "expression/lexer.h"

namespace rollup::expression {

// Parses one text once.
class Parser {
 public:
  explicit Parser(std::string_view text);

  Result<Condition> parse();

 private:
  enum class Type { number, text, truth };
  struct Operand {
    Type type = Type::number;
    std::size_t begin = 0;     // place in the text
    std::uint32_t first = 0;   // its first step; a text has none
    std::string content = {};  // of a text
  };
  // Nothing: error_ says why.
  using Parsed = std::optional<Operand>;

  Parsed condition();
  Parsed conjunction();
  Parsed negation();
  Parsed comparison();
  Parsed sum();
  Parsed term();
  Parsed factor();
  Parsed group();
  Parsed reference();
  std::optional<Duration> brackets(const std::string& name);

  Parsed joined(Op op, const Operand& left, const Token& word, const Parsed& right);
  Parsed calculated(Op op, const Operand& left, const Parsed& right);
  Parsed compared(Op op, const Operand& left, const Parsed& right);

  bool is_symbol(std::string_view symbol) const;
  bool is_keyword(std::string_view word) const;
  std::string_view text_of(const Token& token) const;
  void advance() { token_ = lexer_.next(); }
  std::uint32_t step_count() const;
  // From 1, in characters.
  std::ptrdiff_t column_of(std::size_t offset) const;
  void emit(Step step) { condition_.steps_.push_back(step); }
  std::nullopt_t error_at(std::size_t offset, std::string message);
  std::nullopt_t unexpected(const std::string& expected);
  std::nullopt_t unknown_name(const Token& name, bool has_stream);

  std::string_view text_;
  Lexer lexer_;
  Token token_;
  Condition condition_;
  int nesting_ = 0;
  std::optional<Error> error_;
};

}  // namespace rollup::expression

// From a condition's text to its tokens.
//
//   name       [A-Za-z_][A-Za-z0-9_]*; `and`, `or` and `not` are keywords
//   text       "…", with \" and \\ for a quote and a backslash
//   number     12, 0.5, 1e3; no sign, that is an operator
//   duration   90s, 5m, 1h30m: digits with a letter directly after them
//   symbol     ( ) . + - * / < <= > >= == !=
// Blanks, tabs and line ends separate tokens and mean nothing else.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rollup::expression {

enum class TokenKind { end, name, keyword, text, number, duration, symbol, bad };

struct Token {
  TokenKind kind = TokenKind::end;
  // Bytes [begin, end) of the condition's text.
  std::size_t begin = 0;
  std::size_t end = 0;
  // text: what is between the quotes, unescaped. bad: what is wrong with it, for a person.
  std::string content;
  // number: the number. duration: its seconds.
  double number = 0;
};

class Lexer {
 public:
  // `text` is UTF-8 and outlives the lexer.
  explicit Lexer(std::string_view text) : text_(text) {}

  // The next token; at the end of the text, and after a bad token, always the same kind again.
  Token next();

 private:
  Token number();
  Token quoted();
  Token symbol();
  Token take(TokenKind kind, std::size_t length);
  Token bad(std::size_t length, std::string what);

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace rollup::expression

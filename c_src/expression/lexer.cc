#include "expression/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "base/text.h"

namespace rollup::expression {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The bytes of the UTF-8 character at the front of `text`.
std::size_t character_length(std::string_view text) {
  std::size_t length = 1;
  while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xc0U) == 0x80U) {
    ++length;
  }
  return length;
}

template <class Belongs>
std::size_t run_length(std::string_view text, Belongs belongs) {
  const auto* const end = std::find_if_not(text.begin(), text.end(), belongs);
  return static_cast<std::size_t>(end - text.begin());
}

// What somebody who knows another language, or writes as for people, meant.
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kForeign = {{
    {"&&", "write and"},
    {"||", "write or"},
    {"&", "write and"},
    {"|", "write or"},
    {"!", "write not"},
    {"=", "write =="},
    {",", "numbers have a point, as 30.5"},
    {"°", "leave the unit out"},
    {"%", "leave the unit out"},
}};

}  // namespace

Token Lexer::take(TokenKind kind, std::size_t length) {
  Token token;
  token.kind = kind;
  token.begin = at_;
  token.end = at_ + length;
  at_ = token.end;
  return token;
}

Token Lexer::bad(std::size_t length, std::string what) {
  Token token = take(TokenKind::bad, length);
  token.content = std::move(what);
  at_ = token.begin;
  return token;
}

Token Lexer::next() {
  at_ += run_length(text_.substr(at_), is_blank);
  const std::string_view rest = text_.substr(at_);
  if (rest.empty()) {
    return take(TokenKind::end, 0);
  }
  if (is_letter(rest.front())) {
    const std::size_t length = run_length(rest, [](char c) { return is_letter(c) || is_digit(c); });
    const std::string_view name = rest.substr(0, length);
    const bool is_keyword = name == "and" || name == "or" || name == "not";
    return take(is_keyword ? TokenKind::keyword : TokenKind::name, length);
  }
  if (is_digit(rest.front())) {
    return number();
  }
  if (rest.front() == '"') {
    return quoted();
  }
  return symbol();
}

Token Lexer::number() {
  const std::string_view rest = text_.substr(at_);
  std::size_t length = run_length(rest, is_digit);
  const auto digits_from = [rest](std::size_t from) {
    return from < rest.size() ? run_length(rest.substr(from), is_digit) : 0;
  };
  if (length < rest.size() && rest[length] == '.') {
    if (const std::size_t digits = digits_from(length + 1); digits > 0) {
      length += 1 + digits;
    }
  }
  if (length < rest.size() && (rest[length] == 'e' || rest[length] == 'E')) {
    std::size_t from = length + 1;
    if (from < rest.size() && (rest[from] == '+' || rest[from] == '-')) {
      ++from;
    }
    if (const std::size_t digits = digits_from(from); digits > 0) {
      length = from + digits;
    }
  }

  const std::size_t whole =
      length + run_length(rest.substr(length), [](char c) { return is_letter(c) || is_digit(c); });
  if (whole > length) {
    const std::optional<Duration> duration = parse_duration(rest.substr(0, whole));
    if (!duration) {
      return bad(whole, "expected a number or a duration such as 90s, 5m, 1h30m, 1d, 1w");
    }
    Token token = take(TokenKind::duration, whole);
    token.number = static_cast<double>(duration->count()) / 1000;
    return token;
  }

  double value = 0;
  const std::string_view text = rest.substr(0, length);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) {
    return bad(length, "the number is out of range");
  }
  Token token = take(TokenKind::number, length);
  token.number = value;
  return token;
}

Token Lexer::quoted() {
  const std::string_view rest = text_.substr(at_);
  std::string content;
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      Token token = take(TokenKind::text, i + 1);
      token.content = std::move(content);
      return token;
    }
    if (rest[i] == '\\') {
      ++i;
      if (i >= rest.size() || (rest[i] != '"' && rest[i] != '\\')) {
        return bad(i, R"(after \ in a text only " or \ may follow)");
      }
    }
    content += rest[i];
  }
  return bad(1, "the closing quote is missing");
}

Token Lexer::symbol() {
  const std::string_view rest = text_.substr(at_);
  for (const std::string_view known : {"<=", ">=", "==", "!="}) {
    if (rest.substr(0, 2) == known) {
      return take(TokenKind::symbol, 2);
    }
  }
  if (std::string_view("().+-*/<>").find(rest.front()) != std::string_view::npos) {
    return take(TokenKind::symbol, 1);
  }
  for (const auto& [foreign, meant] : kForeign) {
    if (rest.substr(0, foreign.size()) == foreign) {
      return bad(foreign.size(), std::string(meant));
    }
  }
  if (rest.front() == '\'') {
    return bad(1, "texts are written in double quotes");
  }
  return bad(character_length(rest), "this character means nothing here");
}

}  // namespace rollup::expression

#include "expression/parser.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace rollup::expression {
namespace {

constexpr std::string_view kOperandExpected =
    "expected a number, a duration, value, age, avg(5m) or another function, or (";

constexpr std::array<std::pair<std::string_view, Op>, 6> kComparisons = {{
    {"<", Op::less},
    {"<=", Op::less_equal},
    {">", Op::greater},
    {">=", Op::greater_equal},
    {"==", Op::equal},
    {"!=", Op::not_equal},
}};

// What a function reads; its stream and time are still to come.
std::optional<Reference> parse_function(std::string_view name) {
  if (name == "value" || name == "age") {
    return Reference{.stream = {}, .function = name == "age" ? Function::age : Function::value};
  }
  const std::optional<Statistic> statistic = parse_statistic(name);
  if (!statistic) {
    return std::nullopt;
  }
  return Reference{.stream = {}, .function = Function::over_time, .statistic = *statistic};
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return lower;
}

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }

// At most 32 characters of `text`; control characters as '?'.
std::string shown(std::string_view text) {
  std::string result;
  int characters = 0;
  for (const char c : text) {
    characters += begins_character(c) ? 1 : 0;
    if (characters > 32) {
      return result + "…";
    }
    const bool is_control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    result += is_control ? '?' : c;
  }
  return result;
}

std::string in_quotes(std::string_view text) { return "\"" + shown(text) + "\""; }

std::size_t most_operands(const std::vector<Step>& steps) {
  std::size_t operands = 0;
  std::size_t most = 0;
  for (const Step& step : steps) {
    if (step.op == Op::number || step.op == Op::reference) {
      most = std::max(most, ++operands);
    } else if (step.op != Op::negate && step.op != Op::logical_not) {
      --operands;
    }
  }
  return most;
}

}  // namespace

Parser::Parser(std::string_view text) : text_(text), lexer_(text) {}

Result<Condition> Parser::parse() {
  if (text_.size() > Condition::kTextBytesMax) {
    return fail(ErrorCode::bad_config, "",
                "a condition may have at most " + std::to_string(Condition::kTextBytesMax) +
                    " bytes, this one has " + std::to_string(text_.size()));
  }
  if (!is_utf8(text_)) {
    return fail(ErrorCode::bad_config, "", "a condition must be UTF-8");
  }
  condition_.text_ = std::string(text_);
  advance();
  const Parsed root = condition();
  if (root && token_.kind != TokenKind::end) {
    const std::string word = lower_case(text_of(token_));
    const bool is_upper_case = word == "and" || word == "or" || word == "not";
    unexpected(is_upper_case ? "did you mean " + in_quotes(word) + "?"
                             : "expected an operator, and, or, or the end");
  } else if (root && root->type != Type::truth) {
    error_at(root->begin, "this is no condition: expected a comparison, e.g. value > 30");
  }
  if (error_) {
    return tl::unexpected<Error>(*error_);
  }
  condition_.stack_size_ = most_operands(condition_.steps_);
  return std::move(condition_);
}

Parser::Parsed Parser::condition() {
  Parsed left = conjunction();
  while (left && is_keyword("or")) {
    const Token word = token_;
    advance();
    left = joined(Op::logical_or, *left, word, conjunction());
  }
  return left;
}

Parser::Parsed Parser::conjunction() {
  Parsed left = negation();
  while (left && is_keyword("and")) {
    const Token word = token_;
    advance();
    left = joined(Op::logical_and, *left, word, negation());
  }
  return left;
}

Parser::Parsed Parser::negation() {
  if (!is_keyword("not")) {
    return comparison();
  }
  const Token word = token_;
  advance();
  Parsed operand = comparison();
  if (!operand) {
    return std::nullopt;
  }
  if (operand->type != Type::truth) {
    return error_at(operand->begin, "expected a comparison after not, e.g. not value > 30");
  }
  operand->begin = word.begin;
  emit({.op = Op::logical_not, .left = operand->first, .right = operand->first});
  return operand;
}

Parser::Parsed Parser::comparison() {
  const auto operator_here = [this]() -> std::optional<Op> {
    for (const auto& [symbol, op] : kComparisons) {
      if (is_symbol(symbol)) {
        return op;
      }
    }
    return std::nullopt;
  };
  Parsed left = sum();
  const std::optional<Op> op = left ? operator_here() : std::nullopt;
  if (!op) {
    return left;
  }
  advance();
  left = compared(*op, *left, sum());
  if (left && operator_here()) {
    return error_at(token_.begin, "comparisons cannot be chained, join two of them with and");
  }
  return left;
}

Parser::Parsed Parser::sum() {
  Parsed left = term();
  while (left && (is_symbol("+") || is_symbol("-"))) {
    const Op op = is_symbol("+") ? Op::add : Op::subtract;
    advance();
    left = calculated(op, *left, term());
  }
  return left;
}

Parser::Parsed Parser::term() {
  Parsed left = factor();
  while (left && (is_symbol("*") || is_symbol("/"))) {
    const Op op = is_symbol("*") ? Op::multiply : Op::divide;
    advance();
    left = calculated(op, *left, factor());
  }
  return left;
}

Parser::Parsed Parser::factor() {
  Operand operand{.begin = token_.begin, .first = step_count()};
  if (token_.kind == TokenKind::number || token_.kind == TokenKind::duration) {
    emit({.op = Op::number, .number = token_.number});
    advance();
    return operand;
  }
  if (token_.kind == TokenKind::name || token_.kind == TokenKind::text) {
    return reference();
  }
  if (is_symbol("(")) {
    return group();
  }
  if (!is_symbol("-")) {
    return unexpected(std::string(kOperandExpected));
  }
  if (++nesting_ > Condition::kNestingMax) {
    return error_at(token_.begin, "nested too deeply");
  }
  advance();
  const Parsed inner = factor();
  --nesting_;
  if (!inner) {
    return std::nullopt;
  }
  if (inner->type != Type::number) {
    return error_at(inner->begin, "expected a number after -");
  }
  emit({.op = Op::negate, .left = operand.first, .right = operand.first});
  return operand;
}

Parser::Parsed Parser::group() {
  if (++nesting_ > Condition::kNestingMax) {
    return error_at(token_.begin, "nested too deeply");
  }
  const std::size_t begin = token_.begin;
  advance();
  Parsed inner = condition();
  --nesting_;
  if (!inner) {
    return std::nullopt;
  }
  if (!is_symbol(")")) {
    return unexpected("expected an operator or the ) for the ( in column " +
                      std::to_string(column_of(begin)));
  }
  advance();
  inner->begin = begin;
  return inner;
}

Parser::Parsed Parser::reference() {
  Operand operand{.begin = token_.begin, .first = step_count()};
  const Token first = token_;
  advance();
  const bool has_stream = is_symbol(".");
  if (first.kind == TokenKind::text && !has_stream) {
    operand.type = Type::text;
    operand.content = first.content;
    return operand;
  }
  std::string stream;
  Token name = first;
  if (has_stream) {
    stream = first.kind == TokenKind::text ? first.content : std::string(text_of(first));
    if (stream.empty()) {
      return error_at(first.begin, "the name of a stream is missing between the quotes");
    }
    advance();
    if (token_.kind != TokenKind::name) {
      return unexpected("expected a function of stream " + in_quotes(stream) +
                        ", e.g. value or avg(5m)");
    }
    name = token_;
    advance();
  }
  std::optional<Reference> reference = parse_function(text_of(name));
  if (!reference) {
    return unknown_name(name, has_stream);
  }
  reference->stream = std::move(stream);
  Step step{.op = Op::reference, .text_end = static_cast<std::uint32_t>(name.end)};
  const std::string function(text_of(name));
  if (reference->function == Function::over_time) {
    const std::optional<Duration> over = brackets(function);
    if (!over) {
      return std::nullopt;
    }
    reference->over = *over;
    step.text_end = static_cast<std::uint32_t>(token_.end);
    advance();
  } else if (is_symbol("(")) {
    return error_at(token_.begin, function + " takes no brackets");
  }
  std::vector<Reference>& known = condition_.references_;
  const auto found = std::find(known.begin(), known.end(), *reference);
  step.reference = static_cast<std::uint32_t>(found - known.begin());
  if (found == known.end()) {
    known.push_back(std::move(*reference));
  }
  emit(step);
  return operand;
}

// "(" duration ")"; the closing bracket is left as the current token.
std::optional<Duration> Parser::brackets(const std::string& name) {
  const std::string expected = name + " needs a time in brackets, e.g. " + name + "(5m)";
  if (!is_symbol("(")) {
    return unexpected(expected);
  }
  advance();
  if (token_.kind != TokenKind::duration) {
    return unexpected(expected);
  }
  const std::optional<Duration> over = parse_duration(text_of(token_));
  if (!over || over->count() <= 0) {
    return error_at(token_.begin, "the time in brackets must be longer than 0");
  }
  advance();
  if (!is_symbol(")")) {
    return unexpected("expected ) after the time");
  }
  return over;
}

Parser::Parsed Parser::joined(Op op, const Operand& left, const Token& word, const Parsed& right) {
  if (!right) {
    return std::nullopt;
  }
  const std::string name(text_of(word));
  if (left.type != Type::truth) {
    return error_at(left.begin, "expected a comparison before " + name + ", e.g. value > 30");
  }
  if (right->type != Type::truth) {
    return error_at(right->begin, "expected a comparison after " + name + ", e.g. value > 30");
  }
  emit({.op = op, .left = left.first, .right = right->first});
  return left;
}

Parser::Parsed Parser::calculated(Op op, const Operand& left, const Parsed& right) {
  if (!right) {
    return std::nullopt;
  }
  for (const Operand* operand : {&left, &*right}) {
    if (operand->type == Type::text) {
      return error_at(operand->begin, "a text cannot be used in arithmetic");
    }
    if (operand->type == Type::truth) {
      return error_at(operand->begin, "a comparison cannot be used in arithmetic");
    }
  }
  emit({.op = op, .left = left.first, .right = right->first});
  return left;
}

Parser::Parsed Parser::compared(Op op, const Operand& left, const Parsed& right) {
  if (!right) {
    return std::nullopt;
  }
  for (const Operand* operand : {&left, &*right}) {
    if (operand->type == Type::truth) {
      return error_at(operand->begin,
                      "a comparison cannot be compared, join comparisons with and or or");
    }
  }
  Operand result{.type = Type::truth, .begin = left.begin, .first = left.first};
  if (left.type != right->type) {
    const Operand& text = left.type == Type::text ? left : *right;
    return error_at(text.begin, "a text cannot be compared with a number");
  }
  if (left.type == Type::text) {
    if (op != Op::equal && op != Op::not_equal) {
      return error_at(left.begin, "texts can be compared with == and != only");
    }
    // Known now, so it becomes a comparison of numbers.
    emit({.op = Op::number, .number = left.content == right->content ? 1.0 : 0.0});
    emit({.op = Op::number, .number = 1});
    emit({.op = op, .left = left.first, .right = left.first + 1});
    return result;
  }
  emit({.op = op, .left = left.first, .right = right->first});
  return result;
}

bool Parser::is_symbol(std::string_view symbol) const {
  return token_.kind == TokenKind::symbol && text_of(token_) == symbol;
}

bool Parser::is_keyword(std::string_view word) const {
  return token_.kind == TokenKind::keyword && text_of(token_) == word;
}

std::string_view Parser::text_of(const Token& token) const {
  return text_.substr(token.begin, token.end - token.begin);
}

std::uint32_t Parser::step_count() const {
  return static_cast<std::uint32_t>(condition_.steps_.size());
}

std::ptrdiff_t Parser::column_of(std::size_t offset) const {
  const std::string_view before = text_.substr(0, offset);
  return 1 + std::count_if(before.begin(), before.end(), begins_character);
}

std::nullopt_t Parser::error_at(std::size_t offset, std::string message) {
  if (!error_) {
    error_ = Error{ErrorCode::bad_config, "",
                   "column " + std::to_string(column_of(offset)) + ": " + std::move(message)};
  }
  return std::nullopt;
}

std::nullopt_t Parser::unexpected(const std::string& expected) {
  if (token_.kind == TokenKind::end) {
    return error_at(token_.begin, "found the end, " + expected);
  }
  const std::string found = "found " + in_quotes(text_of(token_)) + ", ";
  return error_at(token_.begin,
                  found + (token_.kind == TokenKind::bad ? token_.content : expected));
}

std::nullopt_t Parser::unknown_name(const Token& name, bool has_stream) {
  std::vector<std::string> known = {"value", "age"};
  for (const StatisticRow& row : kStatistics) {
    known.emplace_back(row.name);
  }
  std::string list;
  for (const std::string& each : known) {
    list += (list.empty() ? "" : ", ") + each;
  }
  const std::string_view text = text_of(name);
  std::string message = "unknown function " + in_quotes(text);
  const std::string nearest = nearest_name(lower_case(text), known);
  if (!nearest.empty()) {
    return error_at(name.begin, message + ", did you mean " + nearest + "?");
  }
  message += ", expected one of " + list;
  if (!has_stream && is_symbol("-")) {
    message +=
        "; the name of a stream that has more than letters, digits and _ is written in "
        "quotes, e.g. \"" +
        shown(text) + "-1\".value";
  } else if (!has_stream) {
    message += "; a stream's value is written " + shown(text) + ".value";
  }
  return error_at(name.begin, message);
}

}  // namespace rollup::expression

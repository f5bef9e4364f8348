#include "decode/payload.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <string>

#include "base/check.h"
#include "base/text.h"
#include "decode/event_time.h"
#include "decode/text_number.h"

namespace rollup::decode {

namespace {

namespace dom = simdjson::dom;

// The character that the JSON Pointer escape "~0" or "~1" at `at` stands for.
std::optional<char> unescaped(std::string_view token, std::size_t at) {
  if (at + 1 < token.size() && (token[at + 1] == '0' || token[at + 1] == '1')) {
    return token[at + 1] == '0' ? '~' : '/';
  }
  return std::nullopt;
}

// Whether `token` of a JSON Pointer names the member `key`.
bool names_key(std::string_view token, std::string_view key) {
  std::size_t at = 0;
  for (const char c : key) {
    if (at == token.size()) {
      return false;
    }
    if (token[at] != '~') {
      if (token[at] != c) {
        return false;
      }
      ++at;
    } else {
      if (unescaped(token, at) != c) {
        return false;
      }
      at += 2;
    }
  }
  return at == token.size();
}

// One step of a JSON Pointer. The steps are short, so looking at each character once beats two
// searches.
struct Token {
  std::string_view text;
  bool is_escaped = false;
};

// Takes the first token off, and the slash behind it.
Token take_token(std::string_view& pointer, bool& at_end) {
  Token token;
  std::size_t size = 0;
  for (; size < pointer.size() && pointer[size] != '/'; ++size) {
    token.is_escaped = token.is_escaped || pointer[size] == '~';
  }
  token.text = pointer.substr(0, size);
  at_end = size == pointer.size();
  pointer.remove_prefix(at_end ? size : size + 1);
  return token;
}

// The steps below move `element` to what they find. They return whether they did, rather than an
// optional element, which would be copied through memory at each step.

bool step_to_member(dom::element& element, const dom::object& object, const Token& token) {
  for (auto at = object.begin(); at != object.end(); ++at) {
    if (token.is_escaped ? names_key(token.text, at.key()) : at.key_equals(token.text)) {
      element = at.value();
      return true;
    }
  }
  return false;
}

bool step_to_item(dom::element& element, const dom::array& array, std::string_view token) {
  std::size_t index = 0;
  const char* const end = token.data() + token.size();
  const auto read = std::from_chars(token.data(), end, index);
  const bool is_index =
      read.ec == std::errc() && read.ptr == end && (token.size() == 1 || token.front() != '0');
  return is_index && array.at(index).get(element) == simdjson::SUCCESS;
}

// Follows a JSON Pointer, also one without its first slash.
bool follow(dom::element& element, std::string_view pointer) {
  if (pointer.empty()) {
    return true;
  }
  if (pointer.front() == '/') {
    pointer.remove_prefix(1);
  }
  for (bool at_end = false; !at_end;) {
    const Token token = take_token(pointer, at_end);
    dom::object object;
    dom::array array;
    const bool is_found =
        element.get(object) == simdjson::SUCCESS  ? step_to_member(element, object, token)
        : element.get(array) == simdjson::SUCCESS ? step_to_item(element, array, token.text)
                                                  : false;
    if (!is_found) {
      return false;
    }
  }
  return true;
}

std::optional<double> number_of(dom::element element) {
  switch (element.type()) {
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
    case dom::element_type::DOUBLE:
      return element.get_double().value_unsafe();
    case dom::element_type::BOOL:
      return element.get_bool().value_unsafe() ? 1.0 : 0.0;
    case dom::element_type::STRING:
      return read_text_number(element.get_string().value_unsafe());
    case dom::element_type::ARRAY:
    case dom::element_type::OBJECT:
    case dom::element_type::NULL_VALUE:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Time> time_of(dom::element element) {
  switch (element.type()) {
    case dom::element_type::INT64:
      return time_from_epoch(element.get_int64().value_unsafe());
    case dom::element_type::DOUBLE:
      return time_from_epoch(element.get_double().value_unsafe());
    case dom::element_type::STRING:
      return time_from_text(element.get_string().value_unsafe());
    default:
      return std::nullopt;
  }
}

// Written in place: this is done for every value, and a copy of the variant costs more than the
// rest.
void put_scaled(FieldResult& result, const Field& field, double raw,
                const std::optional<Time>& time) {
  const double value = raw * field.scale + field.offset;
  if (!std::isfinite(value)) {
    result = DropReason::not_a_number;
  } else if ((field.valid_low && value < *field.valid_low) ||
             (field.valid_high && value > *field.valid_high)) {
    result = DropReason::out_of_range;
  } else {
    Value& put = result.emplace<Value>();
    put.value = value;
    put.event_time = time;
  }
}

DropReason reason_of(simdjson::error_code error, std::string_view payload) {
  // Other errors may hide this one: an unclosed string is reported first.
  if (error == simdjson::UTF8_ERROR || !is_utf8(payload)) {
    return DropReason::not_utf8;
  }
  switch (error) {
    case simdjson::DEPTH_ERROR:
      return DropReason::too_deep;
    case simdjson::NUMBER_ERROR:
      return DropReason::not_a_number;
    default:
      return DropReason::not_json;
  }
}

bool is_json(PayloadFormat format, std::string_view payload) {
  if (format != PayloadFormat::automatic) {
    return format == PayloadFormat::json;
  }
  for (const char c : payload) {
    if (!is_blank(c)) {
      return c == '{' || c == '[' || c == '"';
    }
  }
  return false;
}

void drop_all(std::vector<FieldResult>& results, DropReason reason) {
  std::fill(results.begin(), results.end(), FieldResult(reason));
}

void decode_text(const Stream& stream, std::string_view payload,
                 std::vector<FieldResult>& results) {
  if (!is_utf8(payload)) {
    return drop_all(results, DropReason::not_utf8);
  }
  if (!stream.time.empty()) {
    return drop_all(results, DropReason::bad_time);
  }
  const std::optional<double> number = read_text_number(payload);
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Field& field = stream.fields[i];
    if (!field.value.empty()) {
      results[i] = DropReason::no_such_field;
    } else if (!number) {
      results[i] = DropReason::not_a_number;
    } else {
      put_scaled(results[i], field, *number, std::nullopt);
    }
  }
}

void decode_document(const Stream& stream, dom::element document,
                     std::vector<FieldResult>& results) {
  std::optional<Time> time;
  if (!stream.time.empty()) {
    dom::element element = document;
    time = follow(element, stream.time) ? time_of(element) : std::nullopt;
    if (!time) {
      return drop_all(results, DropReason::bad_time);
    }
  }
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Field& field = stream.fields[i];
    dom::element element = document;
    if (!follow(element, field.value)) {
      results[i] = DropReason::no_such_field;
    } else if (const std::optional<double> number = number_of(element)) {
      put_scaled(results[i], field, *number, time);
    } else {
      results[i] = DropReason::not_a_number;
    }
  }
}

}  // namespace

// The parser reads up to SIMDJSON_PADDING bytes past the end, so payloads are copied to where it
// may.
struct PayloadDecoder::Buffers {
  explicit Buffers(const Limits& limits)
      : bytes(new char[limits.payload + simdjson::SIMDJSON_PADDING]) {
    // The parser refuses the depth it is given; the limit itself is allowed.
    constexpr std::size_t kCapacityLeast = 64;
    const auto error = parser.allocate(std::max<std::size_t>(limits.payload, kCapacityLeast),
                                       std::size_t{limits.json_depth} + 1);
    ROLLUP_CHECK(error == simdjson::SUCCESS);
  }

  dom::parser parser;
  std::unique_ptr<char[]> bytes;
};

PayloadDecoder::PayloadDecoder(const Limits& limits)
    : buffers_(std::make_unique<Buffers>(limits)), limits_(limits) {}
PayloadDecoder::~PayloadDecoder() = default;
PayloadDecoder::PayloadDecoder(PayloadDecoder&&) noexcept = default;
PayloadDecoder& PayloadDecoder::operator=(PayloadDecoder&&) noexcept = default;

void PayloadDecoder::decode(const Stream& stream, std::string_view payload,
                            std::vector<FieldResult>& results) {
  results.resize(stream.fields.size());
  if (payload.size() > limits_.payload) {
    return drop_all(results, DropReason::too_large);
  }
  if (!is_json(stream.format, payload)) {
    return decode_text(stream, payload, results);
  }
  if (payload.empty()) {
    return drop_all(results, DropReason::not_json);
  }
  std::memcpy(buffers_->bytes.get(), payload.data(), payload.size());
  dom::element document;
  const auto error =
      buffers_->parser.parse(buffers_->bytes.get(), payload.size(), false).get(document);
  if (error != simdjson::SUCCESS) {
    return drop_all(results, reason_of(error, payload));
  }
  decode_document(stream, document, results);
}

std::optional<std::string> full_pointer(std::string_view pointer) {
  for (std::size_t at = pointer.find('~'); at != std::string_view::npos;
       at = pointer.find('~', at + 1)) {
    if (!unescaped(pointer, at)) {
      return std::nullopt;
    }
  }
  const bool is_full = pointer.empty() || pointer.front() == '/';
  return (is_full ? "" : "/") + std::string(pointer);
}

}  // namespace rollup::decode

// Input: "<format> <json depth>\n<value pointer>\n<time pointer>\n<payload>"; what is missing is
// empty. The format is one character: j, t, or any other for auto.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "decode/payload.h"
#include "decode/text_number.h"

namespace {

using namespace rollup;
using decode::FieldResult;
using decode::Value;

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

bool is_same(const FieldResult& a, const FieldResult& b) {
  if (a.index() != b.index()) {
    return false;
  }
  if (const Value* value = std::get_if<Value>(&a)) {
    const Value& other = std::get<Value>(b);
    return value->value == other.value && value->event_time == other.event_time;
  }
  return std::get<DropReason>(a) == std::get<DropReason>(b);
}

void check_value(const Stream& stream, const Field& field, std::string_view payload,
                 const Value& value) {
  ROLLUP_CHECK(std::isfinite(value.value));
  ROLLUP_CHECK(!field.valid_low || value.value >= *field.valid_low);
  ROLLUP_CHECK(!field.valid_high || value.value <= *field.valid_high);
  ROLLUP_CHECK(value.event_time.has_value() == !stream.time.empty());
  ROLLUP_CHECK(!value.event_time || to_ms(*value.event_time) >= 0);
  // 2201-01-01.
  ROLLUP_CHECK(!value.event_time || to_ms(*value.event_time) < 7'289'654'400'000);
  ROLLUP_CHECK(is_utf8(payload));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view payload(reinterpret_cast<const char*>(data), size);
  const std::string_view head = take_line(payload);
  const char format = head.empty() ? 'a' : head.front();
  Limits limits;
  limits.payload = 2048;
  limits.json_depth = head.size() > 2 ? static_cast<unsigned char>(head[2]) % 32U + 1 : 8;
  Stream stream;
  stream.format = format == 'j'   ? PayloadFormat::json
                  : format == 't' ? PayloadFormat::text
                                  : PayloadFormat::automatic;
  stream.fields.resize(3);
  stream.fields[0].value = take_line(payload);
  stream.fields[1].scale = -0.5;
  stream.fields[1].offset = 3;
  stream.fields[1].valid_low = -100;
  stream.fields[1].valid_high = 100;
  stream.time = take_line(payload);
  // The full form of a pointer finds what the short one does.
  stream.fields[2] = stream.fields[0];
  const auto pointer = decode::full_pointer(stream.fields[0].value);
  stream.fields[2].value = pointer.value_or(stream.fields[0].value);

  static decode::PayloadDecoder veteran{limits};
  static std::uint32_t veteran_depth = limits.json_depth;
  if (veteran_depth != limits.json_depth) {
    veteran = decode::PayloadDecoder(limits);
    veteran_depth = limits.json_depth;
  }
  std::vector<FieldResult> results;
  veteran.decode(stream, payload, results);
  ROLLUP_CHECK(results.size() == stream.fields.size());
  ROLLUP_CHECK(is_same(results[0], results[2]));
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (const Value* value = std::get_if<Value>(&results[i])) {
      check_value(stream, stream.fields[i], payload, *value);
    }
  }
  // What came before leaves no trace.
  decode::PayloadDecoder novice{limits};
  std::vector<FieldResult> again;
  novice.decode(stream, payload, again);
  for (std::size_t i = 0; i < results.size(); ++i) {
    ROLLUP_CHECK(is_same(results[i], again[i]));
  }
  const bool is_plain_text = stream.format == PayloadFormat::text && stream.time.empty() &&
                             stream.fields[0].value.empty() && payload.size() <= limits.payload;
  if (is_plain_text && is_utf8(payload)) {
    const auto number = decode::read_text_number(payload);
    ROLLUP_CHECK(number.has_value() == std::holds_alternative<Value>(results[0]));
    ROLLUP_CHECK(!number || *number == std::get<Value>(results[0]).value);
  }
  return 0;
}

#include "publish/json_object.h"

#include "base/text.h"

namespace rollup::publish {

namespace {

rapidjson::SizeType size_of(std::string_view text) {
  return static_cast<rapidjson::SizeType>(text.size());
}

}  // namespace

JsonObject::JsonObject() { writer_.StartObject(); }

void JsonObject::key(std::string_view name) { writer_.Key(name.data(), size_of(name)); }

void JsonObject::text(std::string_view name, std::string_view value) {
  key(name);
  writer_.String(value.data(), size_of(value));
}

void JsonObject::text_or_null(std::string_view name, std::string_view value) {
  if (value.empty()) {
    key(name);
    writer_.Null();
  } else {
    text(name, value);
  }
}

void JsonObject::number(std::string_view name, std::optional<double> value, int decimals) {
  key(name);
  write_number(value, decimals);
}

void JsonObject::integer(std::string_view name, std::uint64_t value) {
  key(name);
  writer_.Uint64(value);
}

void JsonObject::truth(std::string_view name, bool value) {
  key(name);
  writer_.Bool(value);
}

void JsonObject::numbers(std::string_view name, std::span<const std::optional<double>> values,
                         int decimals) {
  key(name);
  writer_.StartArray();
  for (const std::optional<double>& value : values) {
    write_number(value, decimals);
  }
  writer_.EndArray();
}

void JsonObject::write_number(std::optional<double> value, int decimals) {
  const std::string text = value ? format_number(*value, decimals) : "";
  if (text.empty()) {
    writer_.Null();
  } else {
    writer_.RawValue(text.data(), text.size(), rapidjson::kNumberType);
  }
}

std::string JsonObject::finish() {
  writer_.EndObject();
  return {buffer_.GetString(), buffer_.GetSize()};
}

}  // namespace rollup::publish

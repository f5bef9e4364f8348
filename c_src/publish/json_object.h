// One JSON object on one line, written member by member in order.
#pragma once

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rollup::publish {

class JsonObject {
 public:
  JsonObject();

  // Texts are UTF-8; "" is written as "".
  void text(std::string_view key, std::string_view value);
  // null for what is unknown or empty.
  void text_or_null(std::string_view key, std::string_view value);
  // A decimal without exponent, rounded to `decimals` places, without trailing zeros; null if it is
  // unknown or not finite.
  void number(std::string_view key, std::optional<double> value, int decimals);
  void integer(std::string_view key, std::uint64_t value);
  void truth(std::string_view key, bool value);
  void numbers(std::string_view key, std::span<const std::optional<double>> values, int decimals);

  // Ends the object; call it once, last.
  std::string finish();

 private:
  void key(std::string_view name);
  void write_number(std::optional<double> value, int decimals);

  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_{buffer_};
};

}  // namespace rollup::publish

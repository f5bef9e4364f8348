// What a series is, independent of this machine: its stream, broker, topic and field. And the name
// by which people call it.
#pragma once

#include <string>
#include <string_view>

namespace rollup {

struct SeriesKey {
  std::string stream;
  std::string broker;
  std::string topic;
  std::string field;  // empty unless the stream names fields

  // How people and `{series}` call it: the topic, and "/field" after it where there is a field.
  std::string name() const { return field.empty() ? topic : topic + "/" + field; }

  friend bool operator==(const SeriesKey&, const SeriesKey&) = default;
};

}  // namespace rollup

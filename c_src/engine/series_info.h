// What is fixed about a series while a plan is in force.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/ids.h"
#include "model/series_key.h"
#include "model/topic.h"

namespace rollup::engine {

struct SeriesInfo {
  SeriesKey key;
  std::string name;  // key.name()
  StreamIndex stream = 0;
  std::uint32_t field = 0;  // index into Stream::fields
  // Of the topic by the stream's filter, then topic, series, stream, field, unit.
  Captures captures;
  std::vector<std::string> output_topics;  // per output; "" if another series has that topic
};

}  // namespace rollup::engine

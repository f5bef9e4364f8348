// What is fixed about a series while a plan is in force; made when it is asked for.
#pragma once

#include <cstdint>
#include <string>

#include "model/ids.h"
#include "model/series_key.h"

namespace rollup::engine {

struct SeriesInfo {
  SeriesKey key;
  std::string name;  // key.name()
  StreamIndex stream = 0;
  std::uint32_t field = 0;  // index into Stream::fields
};

}  // namespace rollup::engine

// Small numbers that stand for things while the program runs. They are local: a series' identity
// elsewhere is its SeriesKey.
#pragma once

#include <cstdint>

namespace rollup {

// Dense, in the order of creation, stable for the life of a history file.
using SeriesId = std::uint32_t;
// Index into Config::streams, Stream::publish, Config::alerts. They change with the configuration.
using StreamIndex = std::uint32_t;
using OutputIndex = std::uint32_t;
using AlertIndex = std::uint32_t;

}  // namespace rollup

#include "base/sparkline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>

namespace rollup {

std::string sparkline(std::span<const std::optional<double>> values) {
  static constexpr std::array<std::string_view, 8> kBlocks = {"▁", "▂", "▃", "▄",
                                                              "▅", "▆", "▇", "█"};
  static constexpr std::string_view kMiddle = kBlocks[3];
  const auto is_known = [](const std::optional<double>& value) {
    return value && std::isfinite(*value);
  };
  double least = std::numeric_limits<double>::infinity();
  double greatest = -least;
  for (const std::optional<double>& value : values) {
    if (is_known(value)) {
      least = std::min(least, *value);
      greatest = std::max(greatest, *value);
    }
  }
  // Halved, because the difference of two finite numbers may not be finite.
  const double span = greatest / 2 - least / 2;
  std::string line;
  line.reserve(values.size() * kMiddle.size());
  for (const std::optional<double>& value : values) {
    if (!is_known(value)) {
      line += ' ';
    } else if (!(span > 0)) {
      line += kMiddle;
    } else {
      const double part = (*value / 2 - least / 2) / span;
      const auto index = static_cast<std::size_t>(std::lround(part * (kBlocks.size() - 1)));
      line += kBlocks[std::min(index, kBlocks.size() - 1)];
    }
  }
  return line;
}

}  // namespace rollup

// A hash that is the same on every machine and in every version.
#pragma once

#include <cstdint>
#include <string_view>

namespace rollup {

// FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv).
constexpr std::uint32_t stable_hash(std::string_view text, std::uint32_t hash = 2'166'136'261U) {
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619U;
  }
  return hash;
}

// Of two texts, as one with a NUL in between.
constexpr std::uint32_t stable_hash(std::string_view first, std::string_view second) {
  return stable_hash(second, stable_hash(std::string_view("\0", 1), stable_hash(first)));
}

}  // namespace rollup

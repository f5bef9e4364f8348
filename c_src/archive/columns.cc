#include "archive/columns.h"

#include <bit>
#include <cmath>

namespace rollup::archive {
namespace {

// How a column of doubles is written: kXor, or kScaled + the power of ten.
constexpr std::uint8_t kXor = 0;
constexpr std::uint8_t kScaled = 1;
constexpr int kScaleMax = 6;
constexpr double kPowersOfTen[kScaleMax + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
// Whole numbers up to here are exact as doubles.
constexpr double kWholeMax = 9007199254740992.0;

// Fills `wholes` with the whole numbers that give exactly `values` when they are divided by
// 10^scale. False: there is one that has none.
bool scale_all(std::span<const double> values, int scale, std::vector<std::int64_t>& wholes) {
  const double power = kPowersOfTen[scale];
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    const double near = value * power;
    if (!(std::fabs(near) <= kWholeMax)) {
      return false;  // also NaN
    }
    wholes[i] = static_cast<std::int64_t>(near < 0 ? near - 0.5 : near + 0.5);
    // Compared as bits, because a whole number cannot say -0.0.
    const double back = static_cast<double>(wholes[i]) / power;
    if (std::bit_cast<std::uint64_t>(back) != std::bit_cast<std::uint64_t>(value)) {
      return false;
    }
  }
  return true;
}

// One byte: zero bytes at the low end (high nibble), bytes that follow (low nibble).
void put_xor(std::string& out, std::uint64_t difference) {
  if (difference == 0) {
    out.push_back('\0');
    return;
  }
  const int low = std::countr_zero(difference) / 8;
  const int length = 8 - low - std::countl_zero(difference) / 8;
  out.push_back(static_cast<char>(low << 4 | length));
  for (int i = 0; i < length; ++i) {
    out.push_back(static_cast<char>(difference >> (8 * (low + i)) & 0xff));
  }
}

std::uint64_t take_xor(ByteReader& in) {
  const int head = in.byte();
  const int low = head >> 4;
  const int length = head & 0xf;
  if (low + length > 8) {
    in.set_bad();
    return 0;
  }
  std::uint64_t difference = 0;
  for (int i = 0; i < length; ++i) {
    difference |= static_cast<std::uint64_t>(in.byte()) << (8 * (low + i));
  }
  return difference;
}

}  // namespace

void put_integers(std::string& out, std::vector<std::uint64_t> values, int order) {
  for (int round = 0; round < order; ++round) {
    std::uint64_t before = 0;
    for (std::uint64_t& value : values) {
      const std::uint64_t distance = value - before;
      before = value;
      value = distance;
    }
  }
  for (const std::uint64_t value : values) {
    put_varint(out, zigzag(value));
  }
}

void take_integers(ByteReader& in, std::vector<std::uint64_t>& values, int order) {
  for (std::uint64_t& value : values) {
    value = unzigzag(in.varint());
  }
  for (int round = 0; round < order; ++round) {
    std::uint64_t before = 0;
    for (std::uint64_t& value : values) {
      before += value;
      value = before;
    }
  }
}

void put_doubles(std::string& out, std::span<const double> values) {
  std::vector<std::int64_t> wholes(values.size());
  for (int scale = 0; scale <= kScaleMax; ++scale) {
    if (scale_all(values, scale, wholes)) {
      out.push_back(static_cast<char>(kScaled + scale));
      std::uint64_t before = 0;
      for (const std::int64_t whole : wholes) {
        put_varint(out, zigzag(static_cast<std::uint64_t>(whole) - before));
        before = static_cast<std::uint64_t>(whole);
      }
      return;
    }
  }
  out.push_back(static_cast<char>(kXor));
  std::uint64_t before = 0;
  for (const double value : values) {
    const std::uint64_t bits = std::bit_cast<std::uint64_t>(value);
    put_xor(out, bits ^ before);
    before = bits;
  }
}

void take_doubles(ByteReader& in, std::vector<double>& values) {
  const std::uint8_t how = in.byte();
  if (how > kScaled + kScaleMax) {
    in.set_bad();
    return;
  }
  std::uint64_t before = 0;
  for (double& value : values) {
    if (how == kXor) {
      before ^= take_xor(in);
      value = std::bit_cast<double>(before);
    } else {
      before += unzigzag(in.varint());
      value = static_cast<double>(static_cast<std::int64_t>(before)) / kPowersOfTen[how - kScaled];
    }
  }
}

}  // namespace rollup::archive

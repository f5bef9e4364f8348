#include "journal/frame.h"

#include <algorithm>
#include <array>

namespace rollup::journal {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // reflected

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0);
    }
    table[i] = value;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kTable = make_table();

void put_u32(std::string& out, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) {
    out.push_back(static_cast<char>((value >> shift) & 0xff));
  }
}

std::uint32_t u32_at(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return value;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) {
  std::uint32_t value = ~before;
  for (const char byte : bytes) {
    value = (value >> 8) ^ kTable[(value ^ static_cast<unsigned char>(byte)) & 0xff];
  }
  return ~value;
}

void put_frame(std::string& out, std::uint8_t type, std::string_view payload) {
  const std::size_t begin = out.size();
  put_u32(out, static_cast<std::uint32_t>(payload.size()));
  std::uint32_t sum = crc32c(std::string_view(out).substr(begin));
  const char kind = static_cast<char>(type);
  sum = crc32c(std::string_view(&kind, 1), sum);
  put_u32(out, crc32c(payload, sum));
  out.push_back(kind);
  out += payload;
}

std::optional<Frame> FrameReader::next() {
  const std::string_view rest = bytes_.substr(offset_);
  if (rest.size() < kFrameHeadBytes) {
    return std::nullopt;
  }
  const std::uint32_t length = u32_at(rest);
  if (length > kFrameBytesMax || length > rest.size() - kFrameHeadBytes) {
    return std::nullopt;
  }
  const std::string_view checked = rest.substr(8, 1 + length);
  if (crc32c(checked, crc32c(rest.substr(0, 4))) != u32_at(rest.substr(4))) {
    return std::nullopt;
  }
  offset_ += kFrameHeadBytes + length;
  return Frame{static_cast<std::uint8_t>(rest[8]), checked.substr(1)};
}

bool FrameReader::is_torn() const {
  const std::string_view rest = bytes_.substr(offset_);
  const bool is_zero = std::all_of(rest.begin(), rest.end(), [](char byte) { return byte == 0; });
  return is_zero || rest.size() < kFrameHeadBytes || u32_at(rest) >= rest.size() - kFrameHeadBytes;
}

}  // namespace rollup::journal

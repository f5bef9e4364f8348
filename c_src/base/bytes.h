// Whole numbers as few bytes, and reading bytes that anybody may have written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rollup {

// Small distances, also negative ones, as small numbers, and back (Protocol Buffers' sint64).
constexpr std::uint64_t zigzag(std::uint64_t value) { return (value << 1) ^ (0 - (value >> 63)); }
constexpr std::uint64_t unzigzag(std::uint64_t value) { return (value >> 1) ^ (0 - (value & 1)); }

// Seven bits a byte, the lowest first; the top bit says that another byte follows.
inline void put_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>((value & 0x7f) | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

// What is left of a string of bytes. After the first read that does not fit, `ok()` is false, every
// further read gives 0, and nothing is read beyond the end.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t byte() {
    if (!ok_ || rest_.empty()) {
      ok_ = false;
      return 0;
    }
    const auto result = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return result;
  }

  std::string_view bytes(std::size_t count) {
    if (!ok_ || rest_.size() < count) {
      ok_ = false;
      return {};
    }
    const std::string_view result = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return result;
  }

  std::uint64_t varint() {
    std::uint64_t result = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint64_t next = byte();
      result |= (next & 0x7f) << shift;
      if (next < 0x80) {
        return result;
      }
    }
    ok_ = false;
    return 0;
  }

  std::string_view rest() const { return rest_; }
  bool ok() const { return ok_; }
  void set_bad() { ok_ = false; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace rollup

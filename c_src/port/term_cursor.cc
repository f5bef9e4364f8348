#include "port/term_cursor.h"

#include <bit>
#include <limits>

namespace rollup::port {

std::optional<std::int64_t> big_integer(std::string_view digits, bool is_negative) {
  std::uint64_t magnitude = 0;
  // More than 8 digits may still be a small number, with zeros on top: Erlang never writes it so.
  if (digits.size() > sizeof(magnitude)) {
    return std::nullopt;
  }
  for (std::size_t index = 0; index < digits.size(); ++index) {
    magnitude |= std::uint64_t{static_cast<unsigned char>(digits[index])} << (8 * index);
  }
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (magnitude > kMax + (is_negative ? 1 : 0)) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(is_negative ? 0 - magnitude : magnitude);
}

bool TermCursor::take_unsigned(std::size_t size, std::uint64_t& value) {
  if (rest_.size() < size) {
    return false;
  }
  value = 0;
  for (std::size_t index = 0; index < size; ++index) {
    value = (value << 8) | static_cast<unsigned char>(rest_[index]);
  }
  rest_.remove_prefix(size);
  return true;
}

bool TermCursor::take_bytes(std::size_t size, std::string_view& bytes) {
  if (rest_.size() < size) {
    return false;
  }
  bytes = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

bool TermCursor::take_block(std::size_t size, std::string_view& block) {
  std::uint64_t length = 0;
  return take_unsigned(size, length) && take_bytes(length, block);
}

bool TermCursor::take_version() {
  std::uint64_t version = 0;
  return take_unsigned(1, version) && version == kVersion;
}

bool TermCursor::take_integer(std::int64_t& value) {
  std::uint64_t tag = 0;
  std::uint64_t bits = 0;
  if (!take_tag(tag)) {
    return false;
  }
  if (tag == kSmallInteger) {
    const bool is_taken = take_unsigned(1, bits);
    value = static_cast<std::int64_t>(bits);
    return is_taken;
  }
  if (tag == kInteger) {
    const bool is_taken = take_unsigned(4, bits);
    value = std::bit_cast<std::int32_t>(static_cast<std::uint32_t>(bits));
    return is_taken;
  }
  std::uint64_t size = 0;
  std::uint64_t sign = 0;
  std::string_view digits;
  if (tag != kSmallBig || !take_unsigned(1, size) || !take_unsigned(1, sign) ||
      !take_bytes(size, digits)) {
    return false;
  }
  const std::optional<std::int64_t> big = big_integer(digits, sign != 0);
  value = big.value_or(0);
  return big.has_value();
}

bool TermCursor::take_binary(std::string_view& bytes) {
  std::uint64_t tag = 0;
  return take_tag(tag) && tag == kBinary && take_block(4, bytes);
}

bool TermCursor::take_atom(std::string_view& name) {
  std::uint64_t tag = 0;
  if (!take_tag(tag)) {
    return false;
  }
  switch (tag) {
    case kSmallAtom:
    case kSmallAtomUtf8:
      return take_block(1, name);
    case kAtom:
    case kAtomUtf8:
      return take_block(2, name);
    default:
      return false;
  }
}

bool TermCursor::take_tuple(std::size_t& size) {
  std::uint64_t tag = 0;
  std::uint64_t elements = 0;
  if (!take_tag(tag) || (tag != kSmallTuple && tag != kLargeTuple) ||
      !take_unsigned(tag == kSmallTuple ? 1 : 4, elements)) {
    return false;
  }
  size = elements;
  return true;
}

bool TermCursor::take_list(std::size_t& size) {
  std::uint64_t tag = 0;
  std::uint64_t elements = 0;
  if (!take_tag(tag) || (tag != kNil && tag != kList) ||
      (tag == kList && (!take_unsigned(4, elements) || elements == 0))) {
    return false;
  }
  size = elements;
  return true;
}

bool TermCursor::take_nil() {
  std::uint64_t tag = 0;
  return take_tag(tag) && tag == kNil;
}

}  // namespace rollup::port

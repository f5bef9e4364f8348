// Walks over the bytes of an external term without making anything of them: the ground of
// read_term(), and the fast way for messages whose shape is known.
//
// Each take_…() gives false when the bytes end too early or the next term is of another kind; where
// the cursor stands then is of no meaning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace rollup::port {

// The tags of erts' external term format; the names are those of its documentation.
enum Tag : unsigned char {
  kVersion = 131,
  kNewFloat = 70,
  kSmallInteger = 97,
  kInteger = 98,
  kAtom = 100,
  kSmallTuple = 104,
  kLargeTuple = 105,
  kNil = 106,
  kString = 107,
  kList = 108,
  kBinary = 109,
  kSmallBig = 110,
  kSmallAtom = 115,
  kMap = 116,
  kAtomUtf8 = 118,
  kSmallAtomUtf8 = 119,
};

// The value of a bignum: little endian digits, without a sign. Nothing if it does not fit 64 bits
// with a sign, or has more than 8 digits.
std::optional<std::int64_t> big_integer(std::string_view digits, bool is_negative);

class TermCursor {
 public:
  explicit TermCursor(std::string_view bytes) : rest_(bytes) {}

  // What is left.
  std::string_view rest() const { return rest_; }

  // A big endian number of `size` bytes, at most 8.
  bool take_unsigned(std::size_t size, std::uint64_t& value);
  bool take_bytes(std::size_t size, std::string_view& bytes);
  // A length of `size` bytes, and so many bytes.
  bool take_block(std::size_t size, std::string_view& block);

  bool take_version();
  bool take_integer(std::int64_t& value);
  bool take_binary(std::string_view& bytes);
  bool take_atom(std::string_view& name);
  // The number of its elements, which follow.
  bool take_tuple(std::size_t& size);
  // The same; after the elements of a list that is not empty comes take_nil(). The empty list is a
  // nil, as Erlang writes it: a list that says it has no elements is refused.
  bool take_list(std::size_t& size);
  bool take_nil();

 private:
  bool take_tag(std::uint64_t& tag) { return take_unsigned(1, tag); }

  std::string_view rest_;
};

}  // namespace rollup::port

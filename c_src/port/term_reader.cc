#include "port/term_reader.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "port/term_cursor.h"

namespace rollup::port {
namespace {

// Erlang's atoms have at most 255 characters; the protocol's are short and ASCII.
constexpr std::size_t kAtomBytesMax = 255;

std::string latin1_to_utf8(std::string_view text) {
  std::string utf8;
  utf8.reserve(text.size());
  for (const char character : text) {
    const auto code = static_cast<unsigned char>(character);
    if (code < 0x80) {
      utf8.push_back(character);
    } else {
      utf8.push_back(static_cast<char>(0xC0 | (code >> 6)));
      utf8.push_back(static_cast<char>(0x80 | (code & 0x3F)));
    }
  }
  return utf8;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : cursor_(bytes), bytes_total_(bytes.size()) {}

  Result<Term> read_whole() {
    std::uint64_t version = 0;
    if (!cursor_.take_unsigned(1, version) || version != kVersion) {
      return broken(ErrorCode::unsupported, "not an external term of version 131");
    }
    Result<Term> term = read(0);
    if (term && !cursor_.rest().empty()) {
      return broken(ErrorCode::bad_request, "bytes after the term");
    }
    return term;
  }

 private:
  tl::unexpected<Error> broken(ErrorCode code, const std::string& what) const {
    return fail(code, "",
                what + " at byte " + std::to_string(bytes_total_ - cursor_.rest().size()));
  }
  tl::unexpected<Error> cut_off() const {
    return broken(ErrorCode::bad_request, "the term is cut off");
  }

  tl::unexpected<Error> too_many() const {
    return broken(ErrorCode::too_large,
                  "more than " + std::to_string(kTermCountMax) + " terms in a frame");
  }

  // Counts elements before they are read, so that lists nested in each other, each with a great
  // length, cannot reserve more together than one frame may hold.
  bool claim(std::uint64_t elements) {
    if (elements > kTermCountMax - count_) {
      return false;
    }
    count_ += elements;
    return true;
  }

  Result<Term> read(int depth) {
    std::uint64_t tag = 0;
    if (!cursor_.take_unsigned(1, tag)) {
      return cut_off();
    }
    switch (tag) {
      case kSmallInteger:
        return read_integer(1);
      case kInteger:
        return read_integer(4);
      case kSmallBig:
        return read_big();
      case kNewFloat:
        return read_float();
      case kAtom:
        return read_atom(2, false);
      case kSmallAtom:
        return read_atom(1, false);
      case kAtomUtf8:
        return read_atom(2, true);
      case kSmallAtomUtf8:
        return read_atom(1, true);
      case kBinary:
        return read_binary();
      case kString:
        return read_string();
      case kNil:
        return Term::list({});
      case kList:
      case kSmallTuple:
      case kLargeTuple:
      case kMap:
        return read_container(static_cast<Tag>(tag), depth);
      default:
        return broken(ErrorCode::unsupported,
                      "a term with the tag " + std::to_string(tag) + " is not in the protocol");
    }
  }

  Result<Term> read_integer(std::size_t size) {
    std::uint64_t bits = 0;
    if (!cursor_.take_unsigned(size, bits)) {
      return cut_off();
    }
    if (size == 1) {
      return Term::integer(static_cast<std::int64_t>(bits));
    }
    return Term::integer(std::bit_cast<std::int32_t>(static_cast<std::uint32_t>(bits)));
  }

  Result<Term> read_big() {
    std::uint64_t size = 0;
    std::uint64_t sign = 0;
    std::string_view digits;
    if (!cursor_.take_unsigned(1, size) || !cursor_.take_unsigned(1, sign) ||
        !cursor_.take_bytes(size, digits)) {
      return cut_off();
    }
    const std::optional<std::int64_t> value = big_integer(digits, sign != 0);
    if (!value) {
      return broken(ErrorCode::unsupported, "an integer of more than 64 bits");
    }
    return Term::integer(*value);
  }

  Result<Term> read_float() {
    std::uint64_t bits = 0;
    if (!cursor_.take_unsigned(8, bits)) {
      return cut_off();
    }
    const auto value = std::bit_cast<double>(bits);
    if (!std::isfinite(value)) {
      return broken(ErrorCode::unsupported, "a float that is not finite");
    }
    return Term::real(value);
  }

  Result<Term> read_atom(std::size_t size, bool is_utf8) {
    std::string_view name;
    if (!cursor_.take_block(size, name)) {
      return cut_off();
    }
    if (is_utf8 && !rollup::is_utf8(name)) {
      return broken(ErrorCode::unsupported, "an atom that is no UTF-8");
    }
    // Latin-1 gets longer as UTF-8; what could not be written again is not taken.
    std::string text = is_utf8 ? std::string(name) : latin1_to_utf8(name);
    if (text.size() > kAtomBytesMax) {
      return broken(ErrorCode::unsupported, "an atom that is too long");
    }
    return Term::atom(std::move(text));
  }

  Result<Term> read_binary() {
    std::string_view block;
    if (!cursor_.take_block(4, block)) {
      return cut_off();
    }
    return Term::binary(std::string(block));
  }

  // A list of small integers in short form.
  Result<Term> read_string() {
    std::string_view block;
    if (!cursor_.take_block(2, block)) {
      return cut_off();
    }
    if (!claim(block.size())) {
      return too_many();
    }
    std::vector<Term> items;
    items.reserve(block.size());
    for (const char character : block) {
      items.push_back(Term::integer(static_cast<unsigned char>(character)));
    }
    return Term::list(std::move(items));
  }

  Result<Term> read_container(Tag tag, int depth) {
    if (depth >= kTermDepthMax) {
      return broken(ErrorCode::too_large,
                    "terms nested more than " + std::to_string(kTermDepthMax) + " deep");
    }
    std::uint64_t size = 0;
    if (!cursor_.take_unsigned(tag == kSmallTuple ? 1 : 4, size)) {
      return cut_off();
    }
    if (tag == kMap) {
      size *= 2;
    }
    // Each element takes at least one byte, so a longer list cannot be here whole.
    if (size > cursor_.rest().size()) {
      return cut_off();
    }
    if (!claim(size)) {
      return too_many();
    }
    std::vector<Term> items;
    items.reserve(size);
    for (std::uint64_t index = 0; index < size; ++index) {
      Result<Term> item = read(depth + 1);
      if (!item) {
        return item;
      }
      items.push_back(*std::move(item));
    }
    switch (tag) {
      case kMap:
        return Term::map(std::move(items));
      case kList: {
        std::uint64_t tail = 0;
        if (!cursor_.take_unsigned(1, tail)) {
          return cut_off();
        }
        if (tail != kNil) {
          return broken(ErrorCode::unsupported, "a list without a proper end");
        }
        return Term::list(std::move(items));
      }
      default:
        return Term::tuple(std::move(items));
    }
  }

  TermCursor cursor_;
  std::size_t bytes_total_;
  std::size_t count_ = 1;
};

}  // namespace

Result<Term> read_term(std::string_view bytes) { return Reader(bytes).read_whole(); }

}  // namespace rollup::port

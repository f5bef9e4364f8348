#include "port/term_writer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/text.h"

namespace rollup::port {
namespace {

// ei fails only when there is no memory, or for sizes that no frame can have.
void must(int result) { ROLLUP_CHECK(result == 0); }

int size_of(std::string_view bytes) {
  ROLLUP_CHECK(bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()));
  return static_cast<int>(bytes.size());
}

long header_of(std::size_t size) {
  ROLLUP_CHECK(size <= std::numeric_limits<std::uint32_t>::max());
  return static_cast<long>(size);
}

}  // namespace

TermWriter::TermWriter() {
  static const bool kIsReady = ei_init() == 0;
  ROLLUP_CHECK(kIsReady);
  must(ei_x_new_with_version(&buffer_));
}

TermWriter::~TermWriter() { ei_x_free(&buffer_); }

TermWriter& TermWriter::integer(std::int64_t value) {
  must(ei_x_encode_longlong(&buffer_, value));
  return *this;
}

TermWriter& TermWriter::count(std::uint64_t value) {
  // The protocol's integers fit 64 bits with their sign.
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return integer(static_cast<std::int64_t>(std::min(value, kMax)));
}

TermWriter& TermWriter::real(double value) {
  if (!std::isfinite(value)) {
    return null();
  }
  must(ei_x_encode_double(&buffer_, value));
  return *this;
}

TermWriter& TermWriter::atom(std::string_view name) {
  must(ei_x_encode_atom_len_as(&buffer_, name.data(), size_of(name), ERLANG_UTF8, ERLANG_UTF8));
  return *this;
}

TermWriter& TermWriter::text(std::string_view text) {
  if (is_utf8(text)) {
    return binary(text);
  }
  std::string ascii(text);
  std::replace_if(
      ascii.begin(), ascii.end(),
      [](char character) { return static_cast<unsigned char>(character) >= 0x80; }, '?');
  return binary(ascii);
}

TermWriter& TermWriter::binary(std::string_view bytes) {
  must(ei_x_encode_binary(&buffer_, bytes.data(), size_of(bytes)));
  return *this;
}

TermWriter& TermWriter::tuple(std::size_t size) {
  must(ei_x_encode_tuple_header(&buffer_, header_of(size)));
  return *this;
}

TermWriter& TermWriter::map(std::size_t size) {
  must(ei_x_encode_map_header(&buffer_, header_of(size)));
  return *this;
}

TermWriter& TermWriter::list(std::size_t size) {
  // The empty list is its end alone.
  if (size > 0) {
    must(ei_x_encode_list_header(&buffer_, header_of(size)));
  }
  return *this;
}

TermWriter& TermWriter::end_list() {
  must(ei_x_encode_empty_list(&buffer_));
  return *this;
}

TermWriter& TermWriter::term(const Term& term) {
  const auto write_items = [this](const std::vector<Term>& items) {
    for (const Term& item : items) {
      this->term(item);
    }
  };
  if (const std::optional<std::int64_t> value = term.as_integer()) {
    return integer(*value);
  }
  if (const std::optional<double> value = term.as_number()) {
    return real(*value);
  }
  if (const std::string* name = term.as_atom()) {
    return atom(*name);
  }
  if (const std::string* bytes = term.as_binary()) {
    return binary(*bytes);
  }
  if (const std::vector<Term>* items = term.as_list()) {
    list(items->size());
    write_items(*items);
    return end_list();
  }
  if (const std::vector<Term>* items = term.as_tuple()) {
    tuple(items->size());
    write_items(*items);
    return *this;
  }
  const std::vector<Term>* items = term.as_map();
  map(items->size() / 2);
  write_items(*items);
  return *this;
}

std::string_view TermWriter::bytes() const {
  return {buffer_.buff, static_cast<std::size_t>(buffer_.index)};
}

}  // namespace rollup::port

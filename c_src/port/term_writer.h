// Writes Erlang terms with ei.
//
// Elements follow their header: after tuple(2) come two terms, after map(n) n keys and values,
// after list(n) n terms and then end_list(). Owns its buffer; not thread-safe.
//
//   TermWriter writer;
//   writer.tuple(2).atom("credit").integer(5);
//   std::string bytes = writer.bytes();
#pragma once

#include <ei.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "port/term.h"

namespace rollup::port {

class TermWriter {
 public:
  TermWriter();
  ~TermWriter();
  TermWriter(const TermWriter&) = delete;
  TermWriter& operator=(const TermWriter&) = delete;

  TermWriter& integer(std::int64_t value);
  TermWriter& count(std::uint64_t value);
  // Not finite: the atom null, because Erlang cannot read such floats.
  TermWriter& real(double value);
  TermWriter& atom(std::string_view name);
  TermWriter& boolean(bool value) { return atom(value ? "true" : "false"); }
  TermWriter& null() { return atom("null"); }
  // A binary; bytes that are no UTF-8 become '?', so what is sent is always a text.
  TermWriter& text(std::string_view text);
  // A binary, byte for byte.
  TermWriter& binary(std::string_view bytes);

  TermWriter& tuple(std::size_t size);
  TermWriter& map(std::size_t size);
  TermWriter& list(std::size_t size);
  TermWriter& end_list();

  TermWriter& term(const Term& term);

  // What was written, from the version byte on.
  std::string_view bytes() const;

 private:
  ei_x_buff buffer_{};
};

}  // namespace rollup::port

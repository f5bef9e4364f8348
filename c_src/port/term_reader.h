// Reads Erlang's external term format, as far as the port protocol uses it.
//
// The input may be any bytes: every size is compared with the bytes that are left before anything
// is allocated, so memory is bounded by the input's length. Taken are small and 32-bit integers,
// bignums that fit 64 bits, new floats, atoms in all four encodings, binaries, proper lists,
// strings (as lists of integers), tuples and maps. Everything else is refused.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/error.h"
#include "port/term.h"

namespace rollup::port {

// Lists, tuples and maps inside each other.
inline constexpr int kTermDepthMax = 32;
// Terms in one frame, counting every element.
inline constexpr std::size_t kTermCountMax = 1'000'000;

// `bytes`: one whole term with its version byte 131, and nothing after it. Error unsupported (a
// term that the protocol does not use), too_large (too deep, too many) or bad_request (cut off,
// garbage).
Result<Term> read_term(std::string_view bytes);

}  // namespace rollup::port

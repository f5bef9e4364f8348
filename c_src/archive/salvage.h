// What can be read of a damaged archive, for a new one.
#pragma once

#include <cstdint>
#include <string>

#include "archive/sqlite.h"

namespace rollup::archive {

struct Salvaged {
  std::uint64_t series = 0;
  std::uint64_t blocks = 0;
};

// Copies series and blocks from the file `from`, which is only read, as far as they can be read
// from both ends, into a new archive. Nothing of it may fail the start: what cannot be had is left.
Salvaged salvage(const std::string& from, Connection& to);

}  // namespace rollup::archive

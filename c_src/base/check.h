// ROLLUP_CHECK: for programmers' mistakes only, never for input. On in every build: it prints the
// place and aborts, and the Erlang side starts the program again.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace rollup {

[[noreturn]] inline void check_failed(
    const char* claim, std::source_location where = std::source_location::current()) {
  std::fprintf(stderr, "%s:%u: check failed: %s\n", where.file_name(), where.line(), claim);
  std::abort();
}

}  // namespace rollup

#define ROLLUP_CHECK(claim) ((claim) ? static_cast<void>(0) : ::rollup::check_failed(#claim))

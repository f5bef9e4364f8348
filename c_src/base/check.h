// ROLLUP_CHECK: for programmers' mistakes only, never for input. On in every build: it prints the
// place and aborts, and the Erlang side starts the program again.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace rollup {

[[noreturn]] inline void check_failed(const char* claim, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, claim);
  std::abort();
}

}  // namespace rollup

#define ROLLUP_CHECK(claim) \
  ((claim) ? static_cast<void>(0) : ::rollup::check_failed(#claim, __FILE__, __LINE__))

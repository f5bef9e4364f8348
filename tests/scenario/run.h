// Plays a scenario and compares.
#pragma once

#include <string>
#include <vector>

#include "scenario/notation.h"

namespace rollup::testing {

enum class Play {
  as_written,
  // With a clean end and a new start after every message and every deadline: nobody outside may
  // see it.
  with_restarts,
  // After every step, a program that was killed would come to the same state.
  with_replays,
};

struct Failure {
  int line = 0;
  std::string message;
};

std::vector<Failure> play(const Scenario& scenario, Play how);

}  // namespace rollup::testing

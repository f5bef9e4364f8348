// How long a condition has been true, for `for` and `clear_for`: runs while it is true, stands
// still while it is unknown, begins anew when it is false (SEMANTICS 6.1-6.3). In uptime, so it
// neither follows jumps of the wall clock nor counts the time the program was down.
#pragma once

#include <optional>

#include "base/time.h"
#include "expression/condition.h"

namespace rollup::engine {

struct HoldTimer {
  Duration elapsed{0};
  std::optional<Duration> running_from;

  void update(expression::Truth truth, Duration uptime) {
    switch (truth) {
      case expression::Truth::yes:
        if (!running_from) {
          running_from = uptime;
        }
        return;
      case expression::Truth::unknown:
        if (running_from) {
          elapsed += uptime - *running_from;
          running_from.reset();
        }
        return;
      case expression::Truth::no:
        *this = {};
        return;
    }
  }

  // The uptime at which it will have run for `needed`; nothing while it stands still.
  std::optional<Duration> deadline(Duration needed) const {
    if (!running_from) {
      return std::nullopt;
    }
    return *running_from + (needed - elapsed);
  }

  friend bool operator==(const HoldTimer&, const HoldTimer&) = default;
};

}  // namespace rollup::engine

// The pause before each try to connect (SEMANTICS 8.5): `first`, doubling up to `most`, each 20 %
// shorter or longer by chance so that many clients of a broker that restarts do not come at once.
// Pure: the chance is handed in.
#pragma once

#include <algorithm>

#include "base/time.h"

namespace rollup::mqtt {

class Backoff {
 public:
  Backoff(Duration first, Duration most) : first_(first), most_(most), next_(first) {}

  // `chance` in [0, 1). The pause, at most `most`.
  Duration next(double chance) {
    const auto base = static_cast<double>(next_.count());
    next_ = std::min(next_ * 2, most_);
    const auto pause = Duration(static_cast<Duration::rep>(base * (0.8 + 0.4 * chance)));
    return std::min(pause, most_);
  }

  void reset() { next_ = first_; }

 private:
  Duration first_;
  Duration most_;
  Duration next_;
};

}  // namespace rollup::mqtt

#include "model/bucket.h"

namespace rollup {

std::string_view to_string(Tier tier) {
  switch (tier) {
    case Tier::raw:
      return "raw";
    case Tier::fine:
      return "fine";
    case Tier::hour:
      return "hour";
    case Tier::day:
      return "day";
  }
  return "fine";
}

}  // namespace rollup

#include "model/drop_reason.h"

namespace rollup {

std::string_view to_string(DropReason reason) {
  static constexpr std::array<std::string_view, kDropReasonCount> kNames = {
      "not_a_number",   "not_json",   "no_such_field",   "bad_time",
      "future",         "too_late",   "out_of_range",    "too_large",
      "too_deep",       "not_utf8",   "too_many_series", "too_many_new_series",
      "bad_topic",      "queue_full", "topic_collision", "bad_template",
      "alerts_per_rule"};
  return kNames.at(static_cast<std::size_t>(reason));
}

}  // namespace rollup

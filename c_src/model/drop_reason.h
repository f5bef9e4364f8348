// Why something was not taken (SEMANTICS 9). Never an error: one counter per stream and reason.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace rollup {

enum class DropReason {
  // Of values: received = accepted + the sum of these.
  not_a_number,   // no number where one was expected
  not_json,       // malformed JSON
  no_such_field,  // the JSON Pointer finds nothing
  bad_time,       // the payload's time is missing or cannot be read
  future,         // more than 60 s ahead of now (SEMANTICS 1.4)
  too_late,       // its bucket is sealed (SEMANTICS 1.3)
  out_of_range,   // outside `valid`
  too_large,      // payload over limits.payload
  too_deep,       // JSON nested deeper than limits.json_depth
  not_utf8,
  too_many_series,      // limits.series or limits.series_per_stream
  too_many_new_series,  // limits.new_series: they come too fast
  bad_topic,            // no valid topic name, over limits.topic, or no stream wants it
  queue_full,           // the inbox was full and the message was QoS 0
  // Of what a series would have had; counted beside values, once for each such thing there is.
  topic_collision,  // an output or alert: another one, or the module, publishes on that topic
  bad_template,     // an output or alert: what its template makes is no topic
  alerts_per_rule,  // an instance of a rule: limits.alerts_per_rule
};

inline constexpr std::size_t kDropReasonCount = 17;

constexpr bool is_of_values(DropReason reason) { return reason < DropReason::topic_collision; }

// Spelt as the enumerators are: "not_a_number".
std::string_view to_string(DropReason reason);

}  // namespace rollup

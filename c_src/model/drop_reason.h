// Why a value was not taken (SEMANTICS 9). Never an error: one counter per stream and reason.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace rollup {

enum class DropReason {
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
  too_many_series,  // limits.series or limits.series_per_stream
  bad_topic,        // not a valid topic name, or no stream wants it
  queue_full,       // the inbox was full and the message was QoS 0
  topic_collision,  // counted for outputs: another series publishes on the same topic
};

inline constexpr std::size_t kDropReasonCount = 14;

// Spelt as the enumerators are: "not_a_number".
std::string_view to_string(DropReason reason);

}  // namespace rollup

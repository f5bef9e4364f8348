// The range of an answer about the past: from a question's bounds and step to whole rows, and to
// the cursor that goes on with them.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time.h"
#include "base/zone.h"
#include "query/questions.h"

namespace rollup::query {

// All times are starts of rows.
struct HistoryRange {
  Time from;
  Time to;
  Duration step{};
  Time next;  // where the page begins, from <= next < to

  friend bool operator==(const HistoryRange&, const HistoryRange&) = default;
};

// Reads from, to, last, step and after; the others do not matter here. `resolution` is the
// stream's. Error bad_request with the field as its place.
Result<HistoryRange> range_of(const HistoryRequest& request, Duration resolution, const Zone& zone,
                              Time now);

// The text that range_of() takes as `after` to go on at range.next. Letters, digits and '.' only.
std::string cursor_of(const HistoryRange& range);

}  // namespace rollup::query

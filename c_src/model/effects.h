// Everything the program can do to the world. The core only returns these; the shell commits what
// is durable and then performs them, in this order (SEMANTICS 8.1).
#pragma once

#include <variant>
#include <vector>

#include "model/alert_state.h"
#include "model/bucket.h"
#include "model/ids.h"
#include "model/summary.h"

namespace rollup {

namespace effect {

// Send a summary on output `output` of the series' stream. `is_newest` is false for the correction
// of a window that a newer message has already followed: it is sent without the retain flag, so
// that the retained message stays the newest.
struct Publish {
  SeriesId series = 0;
  OutputIndex output = 0;
  bool is_newest = true;
  Summary summary;
  friend bool operator==(const Publish&, const Publish&) = default;
};

// Put the state on the alert's retained topic.
struct PublishAlert {
  AlertState state;
  friend bool operator==(const PublishAlert&, const PublishAlert&) = default;
};

// Tell the rule's people: durable through the outbox. `state.phase` is alarm (it began) or ok (it
// ended). `began` is when the alarm was raised (since + for).
struct Notify {
  AlertState state;
  Time began;
  friend bool operator==(const Notify&, const Notify&) = default;
};

// A bucket that no sample can change any more, for the history.
struct SealBucket {
  SeriesId series = 0;
  Tier tier = Tier::fine;
  Bucket bucket;
  friend bool operator==(const SealBucket&, const SealBucket&) = default;
};

// Samples of sealed buckets in order of time, for the raw tier.
struct SealPoints {
  SeriesId series = 0;
  std::vector<Point> points;
  friend bool operator==(const SealPoints&, const SealPoints&) = default;
};

}  // namespace effect

using Effect = std::variant<effect::Publish, effect::PublishAlert, effect::Notify,
                            effect::SealBucket, effect::SealPoints>;
using Effects = std::vector<Effect>;

}  // namespace rollup

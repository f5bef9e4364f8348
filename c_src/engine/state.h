// What the engine holds. Shared by the parts of the engine and seen by nobody else.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <tsl/robin_set.h>

#include "engine/hold_timer.h"
#include "engine/identities.h"
#include "engine/plan.h"
#include "engine/series.h"
#include "engine/timers.h"
#include "model/alert_state.h"
#include "model/effects.h"
#include "model/ids.h"
#include "model/ledger.h"

namespace rollup::engine {

// A bucket is published this long after its end (SEMANTICS 1.3).
inline constexpr Duration kPublishDelay = std::chrono::seconds(2);
// A sample may be this far ahead of now (SEMANTICS 1.4).
inline constexpr Duration kFutureMax = std::chrono::seconds(60);
inline constexpr SeriesId kNoSeries = 0xffff'ffff;

struct SentWindow {
  Time end;
  std::uint32_t rev = 0;
};

// What was last sent on one output of one series.
struct OutputState {
  std::optional<Time> published_end;
  std::uint32_t rev = 0;
  // Older windows that were sent more than once and may change again.
  std::vector<SentWindow> corrected;
  std::optional<double> sent_value;  // with the newest window
  Duration sent_at{0};               // uptime
  bool has_topic = true;             // false: another one publishes there, and this one does not
  Due due;
};

struct SeriesEntry {
  explicit SeriesEntry(const Timing& timing) : numbers(timing) {}

  Series numbers;
  StreamIndex stream = 0;
  bool is_live = true;
  bool is_active = false;                // in StreamState::active
  bool is_dirty = false;                 // in State::dirty
  std::vector<std::uint32_t> instances;  // alert instances that read it
  std::vector<OutputState> outputs;
};

struct StreamState {
  const StreamPlan* plan = nullptr;
  Duration resolution{};
  Duration lateness{};
  std::vector<Timing> fields;  // as Stream::fields; the series point to them
  bool has_change_outputs = false;
  Duration reach{0};  // how far back what is sealed may be read from memory
  std::uint32_t series_count = 0;
  // Series whose numbers time can change, ascending.
  std::vector<SeriesId> active;
  // Boundaries up to which buckets were published and sealed.
  Time closed_until = time_from_ms(0);
  Time sealed_until = time_from_ms(0);

  Time next_close() const { return closed_until + resolution + kPublishDelay; }
  Time next_seal() const { return sealed_until + resolution + lateness; }
};

struct Instance {
  AlertIndex alert = 0;
  SeriesId series = 0;
  AlertPhase phase = AlertPhase::ok;
  std::optional<Time> since;
  Time began;
  std::string id;
  HoldTimer raise;
  HoldTimer clear;
  Due due;
  bool counts_time = false;  // one of the timers runs
  bool has_topic = true;     // false: another one publishes there, and this one does not
  // Per reference of the condition; kNoSeries: none or several.
  std::vector<SeriesId> raise_series;
  std::vector<SeriesId> clear_series;
};

// Finds, for one reference of one rule, the series that agree with an instance in the names that
// both streams capture.
struct ReferenceIndex {
  std::unordered_map<std::string, std::vector<SeriesId>> series;
  std::unordered_map<std::string, std::vector<std::uint32_t>> instances;
};

struct AlertRuntime {
  std::uint32_t instance_count = 0;
  std::vector<ReferenceIndex> raise;  // as AlertPlan::raise_references
  std::vector<ReferenceIndex> clear;
};

struct State {
  std::shared_ptr<const Plan> plan;
  std::deque<StreamState> streams;  // as Plan::streams; then one for series that have no stream now
  std::vector<SeriesEntry> entries;
  Identities identities;  // as entries
  // Where an output or alert publishes, as hash_of_topic(): at a million of them two have one hash
  // once in thirty million installations.
  tsl::robin_set<std::uint64_t> taken_topics;
  std::vector<SeriesId> dirty;
  std::vector<Instance> instances;
  std::vector<AlertRuntime> alerts;
  std::uint32_t counting = 0;  // instances that count time
  // Instances that read another series than before; they are looked at when time goes on.
  std::vector<std::uint32_t> rebound;
  Timers timers;
  Ledger ledger{0};
  std::uint64_t alarm_count = 0;
  std::uint32_t live_count = 0;
  // The latest of both clocks that was worked with.
  Now done;
  // The wall time that advance() was called with.
  Time advancing_to = time_from_ms(0);
  // What it was called with, while it works, if the wall clock was set since the last time.
  std::optional<Now> clock_set;
  // When the next stream is due; Time::max() for never.
  Time next_boundary = Time::max();
};

// In uptime, when the wall clock is to show `wall`. Where it was set it may stand still, and while
// it does nothing changes, however much uptime passes.
inline Duration uptime_at(const State& state, Time wall, const Now& now) {
  const Duration at = now.uptime + (wall - now.wall);
  const std::optional<Now>& set = state.clock_set;
  return set ? std::max(at, set->uptime + (wall - set->wall)) : at;
}

}  // namespace rollup::engine

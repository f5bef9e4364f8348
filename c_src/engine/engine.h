// The engine: samples and the time go in, effects come out. It reads no clock, opens no file, logs
// nothing; equal inputs give equal effects, byte for byte.
//
//   SeriesId id = engine.add_series(key).value();
//   engine.observe({.series = id, .time = t, .value = 21.5}, now, effects);
//   engine.advance(now, effects);              // close what is due, step alerts
//   engine.next_deadline(now);                 // sleep until then; nothing else ticks
//
// Guarantees
// 1. advance(a) then advance(b) leaves the same state as advance(b) alone, for a <= b: what is due
//    is done in the order and with the labels of its own deadline, however late advance() is
//    called.
// 2. Memory per series is bounded by its stream's plan and by the samples within `lateness`.
// 3. save() then restore() on an equal plan is the identity; on another plan everything is kept
//    that the new plan still means the same by (SEMANTICS 6.6).
// Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "engine/identities.h"
#include "engine/plan.h"
#include "engine/series_info.h"
#include "model/alert_state.h"
#include "model/bucket.h"
#include "model/drop_reason.h"
#include "model/effects.h"
#include "model/ids.h"
#include "model/ledger.h"
#include "model/sample.h"
#include "model/series_key.h"
#include "model/topic.h"

namespace rollup::engine {

// What is known of a series' newest value.
struct Current {
  std::optional<double> value;  // the last one, however old
  std::optional<Time> time;  // of the last live sample; nothing: only a retained copy, or no value
  bool is_held = false;      // value is still true at `now` (SEMANTICS 2.1)
  std::uint64_t count = 0;   // samples accepted since the series began
  int decimals = 0;          // resolution of its values
};

class Engine {
 public:
  explicit Engine(std::shared_ptr<const Plan> plan);
  ~Engine();
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;

  const Plan& plan() const;

  // Adds the series, or finds it. A key whose stream or field the plan does not have is kept as a
  // number only (is_live() is false). Reason too_many_series if a limit is reached, also for a
  // series that was left without its numbers when a limit was lowered.
  tl::expected<SeriesId, DropReason> add_series(const SeriesKey& key);

  bool has_series(const SeriesKey& key) const;

  // Takes one sample. Counts it as accepted, or as dropped with a reason.
  void observe(const Sample& sample, const Now& now, Effects& effects);
  // The same for many, in their order; faster, because memory is fetched ahead.
  void observe(std::span<const Sample> samples, const Now& now, Effects& effects);

  // Does everything that is due at or before `now`.
  void advance(const Now& now, Effects& effects);

  // The present that was last worked with; after restore() that of the checkpoint. Uptime goes on
  // from there.
  Now last() const;

  // How long nothing is due; nothing if never. 0 if something is due already.
  std::optional<Duration> next_deadline(const Now& now) const;

  // Whether an alert counts time, for `for` or `clear_for`.
  bool counts_time() const;

  // Publishes again what was published last: every output's newest window and every alert's state
  // (SEMANTICS 8.1). For the start and for a link that lost its retained topics.
  void republish(const Now& now, Effects& effects) const;

  // For a change of the rules: what `next`, which was restored from this engine, has no alert for
  // any more is said to be ok, and an alarm among it to be over. The effects are those of this
  // engine. An alert that only has another topic is said to be ok on the one that it leaves.
  void end_missing(const Engine& next, Effects& effects) const;

  // -- state --
  // Parts of at most a few MiB; the second way never holds more than one of them.
  std::vector<std::string> save() const;
  void save(const std::function<void(std::string)>& each) const;
  // Into an engine that has no series yet. Errors unsupported or storage leave it empty.
  Result<void> restore(const std::vector<std::string>& parts);

  // -- reading --
  std::size_t series_count() const;                    // ids 0 .. series_count() - 1
  std::size_t series_count(StreamIndex stream) const;  // live ones of a stream
  bool is_live(SeriesId id) const;                     // the plan has its stream and field
  SeriesKey key(SeriesId id) const;
  // Of a topic that some series has.
  std::optional<TopicId> find_topic(std::string_view topic) const;
  SeriesInfo series(SeriesId id) const;
  // Of a live one: what templates may name, of the topic by the stream's filter, then topic,
  // series, stream, field, unit.
  Captures captures(SeriesId id) const;
  // Of a live one; "" if another one publishes there.
  std::string output_topic(SeriesId id, OutputIndex output) const;
  Current current(SeriesId id, const Now& now) const;
  // All live series called `name`, in the order of id.
  std::vector<SeriesId> find(std::string_view name) const;

  // The buckets of `tier` (fine, hour or day) that are not sealed, as they stand at `now`: the held
  // value counts up to now. Ascending, only those with knowledge that overlap [from, to).
  std::vector<Bucket> open_buckets(SeriesId id, Tier tier, Time from, Time to,
                                   const Now& now) const;
  // Samples that are not sealed, in order of time.
  std::vector<Point> open_points(SeriesId id, Time from, Time to) const;

  std::vector<AlertState> alerts() const;  // every instance that is not ok
  std::size_t alert_count() const;         // instances

  // -- counting, also for what never becomes a sample --
  Ledger& ledger();
  const Ledger& ledger() const;
  // Goes on counting where an engine with another plan has come to, streams by their names.
  void take_counters(const Engine& before);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rollup::engine

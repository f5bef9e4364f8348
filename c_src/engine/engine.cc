#include "engine/engine.h"

#include <algorithm>

#include "base/check.h"
#include "engine/alerts.h"
#include "engine/checkpoint.h"
#include "engine/outputs.h"
#include "engine/registry.h"
#include "engine/state.h"

namespace rollup::engine {

struct Engine::Impl {
  State state;

  // The events before and at `now`, each at its own time.
  void run(const Now& now, Effects& effects);
  void run_boundary(const Now& now, Effects& effects);
  void run_timer(const Now& now, Effects& effects);
  void look_at_instances(const Now& now);
  bool is_clock_set(const Now& now) const;
  void correct_dirty(const Now& now, Effects& effects);
  bool is_due(const Now& now) const {
    return now.wall >= state.next_boundary || now.uptime >= state.timers.next() ||
           !state.rebound.empty();
  }
};

namespace {

// If so many boundaries are due the machine slept, or its clock was set. When they have nothing
// more to tell they are passed in one step.
constexpr std::int64_t kStepsMax = 2000;
// A wall clock that departs from the uptime by this much was set, or the program was away.
constexpr Duration kClockStep = std::chrono::seconds(1);

Timing timing_of(const StreamPlan& plan, const Field& field, const Zone& zone) {
  const Parts parts = parts_of(field.kind);
  Timing timing;
  timing.fine = {Layout(parts), plan.config.resolution};
  timing.reset = field.reset;
  timing.hold = plan.config.hold;
  timing.has_event_time = !plan.config.time.empty();
  timing.zone = zone;
  for (const RingPlan& ring : plan.rings) {
    timing.rings.push_back({{Layout(ring.parts & parts), ring.slot}, ring.length});
  }
  for (std::size_t tier = 0; tier < timing.keeps.size(); ++tier) {
    timing.keeps[tier] = plan.config.keep[tier] > Duration{0};
  }
  return timing;
}

// When a point of the uptime was; not before what was already worked with.
Now at_uptime(Duration uptime, const Now& now, const Now& done) {
  return {std::clamp(now.wall - (now.uptime - uptime), std::min(done.wall, now.wall), now.wall),
          uptime};
}

}  // namespace

Engine::Engine(std::shared_ptr<const Plan> plan) : impl_(std::make_unique<Impl>()) {
  State& state = impl_->state;
  state.plan = std::move(plan);
  state.ledger = Ledger(state.plan->streams.size());
  for (const StreamPlan& stream_plan : state.plan->streams) {
    StreamState& stream = state.streams.emplace_back();
    stream.plan = &stream_plan;
    stream.resolution = stream_plan.config.resolution;
    // A bucket cannot be sealed before it was published.
    stream.lateness = std::max(stream_plan.config.lateness, kPublishDelay);
    for (const Field& field : stream_plan.config.fields) {
      stream.fields.push_back(timing_of(stream_plan, field, state.plan->zone));
    }
    for (const OutputPlan& output : stream_plan.outputs) {
      stream.has_change_outputs |= output.config.on == PublishOn::change;
    }
    for (const RingPlan& ring : stream_plan.rings) {
      stream.reach = std::max(stream.reach, ring.slot * ring.length);
    }
  }
  StreamState& none = state.streams.emplace_back();
  none.resolution = std::chrono::hours(1);
  none.fields.emplace_back();
  for (const AlertPlan& alert : state.plan->alerts) {
    AlertRuntime& runtime = state.alerts.emplace_back();
    runtime.raise.resize(alert.raise_references.size());
    runtime.clear.resize(alert.clear_references.size());
  }
}

Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

const Plan& Engine::plan() const { return *impl_->state.plan; }

tl::expected<SeriesId, DropReason> Engine::add_series(const SeriesKey& key) {
  return engine::add_series(impl_->state, key, LimitRule::enforce);
}

bool Engine::has_series(const SeriesKey& key) const {
  return impl_->state.identities.find(key).has_value();
}

void Engine::observe(const Sample& sample, const Now& now, Effects& effects) {
  State& state = impl_->state;
  if (impl_->is_due(now) || impl_->is_clock_set(now)) {
    impl_->run(now, effects);
  }
  SeriesEntry& entry = state.entries[sample.series];
  StreamState& stream = state.streams[entry.stream];
  if (!entry.is_live) {
    return;
  }
  if (sample.retained) {
    entry.numbers.observe_retained(sample.value);
    state.ledger.accept(entry.stream);
    return;
  }
  if (sample.time > now.wall + kFutureMax) {
    state.ledger.drop(entry.stream, DropReason::future, state.identities.topic(sample.series));
    return;
  }
  if (!entry.is_active) {
    activate(state, sample.series, now);
    entry.numbers.hold_to(stream.closed_until);
    entry.numbers.seal_to(stream.sealed_until, sample.series, effects);
  }
  const Series::Taken taken = entry.numbers.observe(sample.time, sample.value);
  if (taken == Series::Taken::too_late) {
    state.ledger.drop(entry.stream, DropReason::too_late, state.identities.topic(sample.series));
    return;
  }
  state.ledger.accept(entry.stream);
  if (entry.numbers.needs_settle() && !entry.is_dirty) {
    entry.is_dirty = true;
    state.dirty.push_back(sample.series);
  }
  if (stream.has_change_outputs && taken == Series::Taken::newest) {
    value_changed(state, sample.series, now, effects);
  }
  if (!entry.instances.empty()) {
    evaluate_readers(state, sample.series, now, effects);
  }
}

void Engine::observe(std::span<const Sample> samples, const Now& now, Effects& effects) {
  // With many series nearly every one is out of the cache: first the series, then what it points
  // to.
  constexpr std::size_t kNear = 4;
  constexpr std::size_t kFar = 8;
  const std::vector<SeriesEntry>& entries = impl_->state.entries;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (i + kFar < samples.size()) {
      const auto* entry = reinterpret_cast<const char*>(&entries[samples[i + kFar].series]);
      for (std::size_t line = 0; line < sizeof(SeriesEntry); line += 64) {
        __builtin_prefetch(entry + line);
      }
    }
    if (i + kNear < samples.size()) {
      entries[samples[i + kNear].series].numbers.prefetch();
    }
    observe(samples[i], now, effects);
  }
}

void Engine::advance(const Now& now, Effects& effects) {
  impl_->run(now, effects);
  impl_->correct_dirty(now, effects);
}

void Engine::Impl::correct_dirty(const Now& now, Effects& effects) {
  for (const SeriesId id : state.dirty) {
    state.entries[id].is_dirty = false;
    correct(state, id, now, effects);
  }
  state.dirty.clear();
}

void Engine::Impl::run(const Now& now, Effects& effects) {
  state.advancing_to = now.wall;
  state.clock_set = is_clock_set(now) ? std::optional(now) : std::nullopt;
  look_at_instances(now);
  while (is_due(now)) {
    const bool has_boundary = now.wall >= state.next_boundary;
    const bool has_timer = now.uptime >= state.timers.next();
    const Now boundary = has_boundary ? at_wall(state.next_boundary, now, state.done) : now;
    if (has_boundary && (!has_timer || boundary.uptime <= state.timers.next())) {
      state.done = boundary;
      run_boundary(now, effects);
    } else {
      state.done = at_uptime(std::max(state.timers.next(), state.done.uptime), now, state.done);
      run_timer(state.done, effects);
    }
  }
  state.done = now;
  state.clock_set.reset();
  for (StreamState& stream : state.streams) {
    if (stream.active.empty()) {
      pass_boundaries(stream, now);
    }
  }
}

bool Engine::Impl::is_clock_set(const Now& now) const {
  const Duration step = (now.wall - state.done.wall) - (now.uptime - state.done.uptime);
  return step >= kClockStep || step <= -kClockStep;
}

void Engine::Impl::look_at_instances(const Now& now) {
  const auto look = [&](std::uint32_t instance, Duration at) {
    state.timers.set(state.instances[instance].due, at, Timers::Kind::alert, instance);
  };
  for (const std::uint32_t instance : state.rebound) {
    look(instance, now.uptime);
  }
  state.rebound.clear();
  // Timers are set for the time at which the wall clock was to show an age or the end of `hold`.
  // When it was set is not known; the earliest time is the same for every turn that may see it.
  if (state.clock_set) {
    for (std::uint32_t instance = 0; instance < state.instances.size(); ++instance) {
      look(instance, state.done.uptime);
    }
  }
}

void Engine::Impl::run_boundary(const Now& now, Effects& effects) {
  const Now boundary = state.done;
  for (StreamIndex index = 0; index + 1 < state.streams.size(); ++index) {
    StreamState& stream = state.streams[index];
    const Duration resolution = stream.resolution;
    // Each boundary in its turn, unless they are many and nothing is known of what they end.
    const auto step = [&](Time done, Duration delay) {
      const Time newest = floor_to(now.wall - delay, resolution);
      return (newest - done) / resolution > kStepsMax && known_until(state, stream) <= done
                 ? newest
                 : done + resolution;
    };
    if (stream.active.empty()) {
      continue;
    }
    if (stream.next_close() <= boundary.wall) {
      close_stream(state, index, step(stream.closed_until, kPublishDelay), boundary, effects);
    }
    if (stream.next_seal() <= boundary.wall) {
      seal_stream(state, index, step(stream.sealed_until, stream.lateness), boundary, effects);
    }
  }
  find_next_boundary(state);
}

void Engine::Impl::run_timer(const Now& now, Effects& effects) {
  const Timers::Entry entry = state.timers.pop();
  if (entry.kind == Timers::Kind::alert) {
    if (state.timers.accept(state.instances[entry.owner].due, entry)) {
      evaluate(state, entry.owner, now, effects);
    }
    return;
  }
  if (state.timers.accept(state.entries[entry.owner].outputs[entry.output].due, entry)) {
    output_due(state, entry.owner, entry.output, now, effects);
  }
}

Now Engine::last() const { return impl_->state.done; }

std::optional<Duration> Engine::next_deadline(const Now& now) const {
  const State& state = impl_->state;
  if (!state.dirty.empty() || !state.rebound.empty()) {
    return Duration{0};
  }
  std::optional<Duration> wait;
  if (state.next_boundary != Time::max()) {
    wait = std::max(Duration{0}, state.next_boundary - now.wall);
  }
  if (state.timers.next() != kNever) {
    const Duration until = std::max(Duration{0}, state.timers.next() - now.uptime);
    wait = wait ? std::min(*wait, until) : until;
  }
  return wait;
}

bool Engine::counts_time() const { return impl_->state.counting > 0; }

void Engine::republish(const Now& now, Effects& effects) const {
  republish_outputs(impl_->state, now, effects);
  republish_alerts(impl_->state, now, effects);
}

void Engine::end_missing(const Engine& next, Effects& effects) const {
  engine::end_missing(impl_->state, next.impl_->state, effects);
}

std::vector<std::string> Engine::save() const {
  std::vector<std::string> parts;
  save([&](std::string part) { parts.push_back(std::move(part)); });
  return parts;
}

void Engine::save(const std::function<void(std::string)>& each) const {
  save_state(impl_->state, each);
}

Result<void> Engine::restore(const std::vector<std::string>& parts) {
  ROLLUP_CHECK(impl_->state.entries.empty());
  auto plan = impl_->state.plan;
  Result<void> restored = restore_state(impl_->state, parts);
  if (!restored) {
    *this = Engine(std::move(plan));
  }
  return restored;
}

std::size_t Engine::series_count() const { return impl_->state.entries.size(); }

std::size_t Engine::series_count(StreamIndex stream) const {
  return impl_->state.streams[stream].series_count;
}

bool Engine::is_live(SeriesId id) const { return impl_->state.entries[id].is_live; }

SeriesKey Engine::key(SeriesId id) const { return impl_->state.identities.key(id); }

std::optional<TopicId> Engine::find_topic(std::string_view topic) const {
  return impl_->state.identities.find_topic(topic);
}

SeriesInfo Engine::series(SeriesId id) const { return info_of(impl_->state, id); }

Captures Engine::captures(SeriesId id) const { return captures_of(impl_->state, id); }

std::string Engine::output_topic(SeriesId id, OutputIndex output) const {
  return output_topic_of(impl_->state, id, output);
}

Current Engine::current(SeriesId id, const Now& now) const {
  const Series& numbers = impl_->state.entries[id].numbers;
  Current current;
  current.count = numbers.count();
  current.decimals = numbers.decimals();
  if (numbers.has_sample()) {
    current.value = numbers.last_value();
    current.time = numbers.last_time();
    current.is_held = numbers.held_at(std::max(now.wall, numbers.last_time()), true).has_value();
  } else {
    current.value = numbers.retained();
  }
  return current;
}

std::vector<SeriesId> Engine::find(std::string_view name) const {
  std::vector<SeriesId> found = impl_->state.identities.find_name(name);
  std::erase_if(found, [this](SeriesId id) { return !is_live(id); });
  return found;
}

std::vector<Bucket> Engine::open_buckets(SeriesId id, Tier tier, Time from, Time to,
                                         const Now& now) const {
  const Series& numbers = impl_->state.entries[id].numbers;
  return tier == Tier::hour || tier == Tier::day ? numbers.open_coarse(tier, from, to, now.wall)
                                                 : numbers.open_fine(from, to, now.wall);
}

std::vector<Point> Engine::open_points(SeriesId id, Time from, Time to) const {
  const Series& numbers = impl_->state.entries[id].numbers;
  std::vector<Point> points;
  for (const Point& point : numbers.samples()) {
    if (point.time >= std::max(from, numbers.sealed_until()) && point.time < to) {
      points.push_back(point);
    }
  }
  return points;
}

std::vector<AlertState> Engine::alerts() const {
  std::vector<AlertState> alerts;
  for (const Instance& instance : impl_->state.instances) {
    if (instance.phase != AlertPhase::ok) {
      alerts.push_back(describe(impl_->state, instance, impl_->state.done));
    }
  }
  return alerts;
}

std::size_t Engine::alert_count() const { return impl_->state.instances.size(); }

Ledger& Engine::ledger() { return impl_->state.ledger; }

const Ledger& Engine::ledger() const { return impl_->state.ledger; }

void Engine::take_counters(const Engine& before) {
  std::vector<std::pair<StreamIndex, StreamIndex>> same;
  for (StreamIndex now = 0; now < plan().streams.size(); ++now) {
    for (StreamIndex then = 0; then < before.plan().streams.size(); ++then) {
      if (plan().streams[now].config.name == before.plan().streams[then].config.name) {
        same.emplace_back(now, then);
      }
    }
  }
  ledger().continue_from(before.ledger(), same);
}

}  // namespace rollup::engine

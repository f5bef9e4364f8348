#include "engine/checkpoint.h"

#include <algorithm>
#include <map>

#include <rollup/state/v1/state.pb.h>

#include "base/text.h"
#include "engine/alerts.h"
#include "engine/registry.h"

namespace rollup::engine {

namespace pb = rollup::state::v1;

namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kSeriesPerPart = 500;

void save_aggregate(const Aggregate& from, pb::Aggregate& to) {
  to.set_integral(from.integral);
  to.set_sum(from.sum);
  to.set_m2(from.m2);
  to.set_min(from.min);
  to.set_max(from.max);
  to.set_first(from.first);
  to.set_last(from.last);
  to.set_known_ms(from.known.count());
  to.set_first_ms(to_ms(from.first_time));
  to.set_last_ms(to_ms(from.last_time));
  to.set_count(from.count);
  to.set_parts(from.parts);
  to.set_increase(from.increase);
  to.set_resets(from.resets);
}

Aggregate load_aggregate(const pb::Aggregate& from) {
  Aggregate to;
  if (from.parts() != 0) {  // before there were counters they were a gauge's
    to.parts = from.parts() & kAllParts;
  }
  to.increase = from.increase();
  to.resets = from.resets();
  to.integral = from.integral();
  to.sum = from.sum();
  to.m2 = from.m2();
  to.min = from.min();
  to.max = from.max();
  to.first = from.first();
  to.last = from.last();
  to.known = Duration{from.known_ms()};
  to.first_time = time_from_ms(from.first_ms());
  to.last_time = time_from_ms(from.last_ms());
  to.count = from.count();
  return to;
}

void save_bucket(const Bucket& from, pb::Bucket& to) {
  to.set_start_ms(to_ms(from.start));
  to.set_end_ms(to_ms(from.end));
  to.set_rev(from.rev);
  save_aggregate(from.aggregate, *to.mutable_aggregate());
}

Bucket load_bucket(const pb::Bucket& from) {
  return {time_from_ms(from.start_ms()), time_from_ms(from.end_ms()), from.rev(),
          load_aggregate(from.aggregate())};
}

void save_counter(const Counter::State& from, pb::Counter& to) {
  if (from.baseline) {
    to.set_baseline(*from.baseline);
  }
  if (from.doubt) {
    pb::CounterDoubt& doubt = *to.mutable_doubt();
    doubt.set_until_ms(to_ms(from.doubt->until));
    doubt.set_baseline(from.doubt->baseline);
    doubt.set_increase(from.doubt->gathered.increase);
    doubt.set_resets(from.doubt->gathered.resets);
  }
}

Counter::State load_counter(const pb::Counter& from) {
  Counter::State to;
  if (from.has_baseline()) {
    to.baseline = from.baseline();
  }
  if (from.has_doubt()) {
    to.doubt = Counter::Doubt{time_from_ms(from.doubt().until_ms()),
                              from.doubt().baseline(),
                              {from.doubt().increase(), from.doubt().resets()}};
  }
  return to;
}

void save_timer(const HoldTimer& from, pb::Timer& to) {
  to.set_elapsed_ms(from.elapsed.count());
  if (from.running_from) {
    to.set_running_from_uptime_ms(from.running_from->count());
  }
}

HoldTimer load_timer(const pb::Timer& from) {
  HoldTimer to;
  to.elapsed = Duration{from.elapsed_ms()};
  if (from.has_running_from_uptime_ms()) {
    to.running_from = Duration{from.running_from_uptime_ms()};
  }
  return to;
}

// What makes a rule the same rule.
std::string definition_of(const Alert& alert) {
  std::string text = alert.stream + '\n' + alert.raise + '\n' + alert.clear + '\n' +
                     std::to_string(alert.raise_for.count()) + '\n' +
                     std::to_string(alert.clear_for.count());
  for (const auto& [name, value] : alert.match) {
    text.append(1, '\n').append(name).append(1, '=').append(value);
  }
  return text;
}

// What decides what an instance reads and means.
std::string rules_of(const Plan& plan) {
  std::string text;
  for (const StreamPlan& stream : plan.streams) {
    const Stream& config = stream.config;
    text += config.name + '\n' + config.broker + '\n' + config.topic + '\n' + config.time + '\n';
    for (const Duration each : {config.resolution, config.lateness, config.hold.value_or(kNever)}) {
      text += std::to_string(each.count()) + '\n';
    }
    for (const Field& field : config.fields) {
      if (field.kind != Kind::gauge) {
        text += field.name + ' ' + std::to_string(static_cast<int>(field.kind)) + '\n';
      }
    }
  }
  for (const AlertPlan& alert : plan.alerts) {
    text += alert.config.name + '\n' + definition_of(alert.config) + '\n';
  }
  return text;
}

}  // namespace

// Knows the private parts of Series.
class SeriesCodec {
 public:
  // `sealed_until`: up to where nothing is left to be sealed, if that is later than the series
  // says.
  static void save(const Series& from, Time sealed_until, pb::Series& to) {
    to.set_count(from.count_);
    to.set_decimals(static_cast<std::uint32_t>(from.decimals_));
    if (from.retained_) {
      to.set_retained_value(*from.retained_);
    }
    to.set_sealed_until_ms(to_ms(std::max(from.sealed_until_, sealed_until)));
    to.set_resolution_ms(from.timing_->fine.slot.count());
    to.set_integrated_ms(to_ms(from.integrated_));
    if (from.count_ == 0) {
      return;
    }
    to.set_began_ms(to_ms(from.began_));
    to.set_last_ms(to_ms(from.last_.time));
    to.set_last_value(from.last_.value);
    for (std::size_t i = 0; i < from.intervals_.size(); ++i) {
      to.add_intervals_ms(from.intervals_.kept()[i]);
    }
    to.set_interval_next(from.intervals_.added());
    to.set_interval_hold_ms(from.intervals_.hold().count());
    if (from.is_counter()) {
      save_counter(from.counted_->now, *to.mutable_counter_now());
      save_counter(from.counted_->sealed, *to.mutable_counter_sealed());
    }
    const Series::Active& active = from.active();
    for (const Point& sample : active.samples) {
      to.add_sample_ms(to_ms(sample.time));
      to.add_sample_value(sample.value);
    }
    for (std::size_t at = 0; at < active.rows.size(); ++at) {
      save_bucket(active.rows.bucket(at), *to.add_buckets());
    }
    for (const Ring& ring : active.rings) {
      pb::Ring& saved = *to.add_rings();
      saved.set_slot_ms(ring.slot().count());
      ring.visit(time_from_ms(0), Time::max() - ring.slot(),
                 [&](Time start, const Aggregate& slot) {
                   save_bucket({start, start + ring.slot(), 0, slot}, *saved.add_slots());
                 });
    }
    if (const std::optional<Bucket> hour = from.coarse_bucket(Tier::hour)) {
      save_bucket(*hour, *to.mutable_hour());
    }
    if (const std::optional<Bucket> day = from.coarse_bucket(Tier::day)) {
      save_bucket(*day, *to.mutable_day());
    }
  }

  static void load(const pb::Series& from, Series& to) {
    const Timing& timing = *to.timing_;
    to.count_ = from.count();
    to.decimals_ = static_cast<int>(std::min<std::uint32_t>(from.decimals(), kDecimalsMax));
    for (int i = 0; i < to.decimals_; ++i) {
      to.decimal_scale_ *= 10;
    }
    if (from.has_retained_value()) {
      to.retained_ = from.retained_value();
    }
    to.sealed_until_ = std::max(to.sealed_until_, time_from_ms(from.sealed_until_ms()));
    // Also of a series without a sample: its first one may be late.
    to.integrated_ = time_from_ms(from.integrated_ms());
    if (!from.has_last_ms()) {
      return;
    }
    to.began_ = time_from_ms(from.began_ms());
    to.last_ = {time_from_ms(from.last_ms()), from.last_value()};
    std::array<std::uint32_t, kIntervalsKept> kept{};
    std::copy_n(from.intervals_ms().begin(),
                std::min<int>(from.intervals_ms_size(), static_cast<int>(kept.size())),
                kept.begin());
    to.intervals_.restore(kept, from.interval_next(), Duration{from.interval_hold_ms()});
    if (to.is_counter() && from.has_counter_sealed()) {
      to.counted_->now = load_counter(from.counter_now());
      to.counted_->sealed = load_counter(from.counter_sealed());
    }
    const int samples = std::min(from.sample_ms_size(), from.sample_value_size());
    if (samples == 0 && from.buckets().empty() && from.rings().empty() && !from.has_hour() &&
        !from.has_day()) {
      return;  // it was at rest
    }
    Series::Active& active = to.activate();
    for (int i = 0; i < samples; ++i) {
      active.samples.push_back({time_from_ms(from.sample_ms(i)), from.sample_value(i)});
    }
    const bool has_same_kind = to.is_counter() == from.has_counter_sealed();
    if (Duration{from.resolution_ms()} == timing.fine.slot && has_same_kind) {
      for (const pb::Bucket& bucket : from.buckets()) {
        active.rows.push_back(load_bucket(bucket));
      }
    } else if (!active.samples.empty()) {
      to.dirty_from_ = active.samples.front().time;
      to.settle();
    }
    if (!has_same_kind) {
      return;  // what was sealed is of another kind
    }
    for (const pb::Ring& saved : from.rings()) {
      for (Ring& ring : active.rings) {
        if (ring.slot() != Duration{saved.slot_ms()}) {
          continue;
        }
        for (const pb::Bucket& slot : saved.slots()) {
          ring.add(time_from_ms(slot.start_ms()), load_aggregate(slot.aggregate()));
        }
      }
    }
    if (from.has_hour()) {
      to.put_coarse(Tier::hour, load_bucket(from.hour()));
    }
    if (from.has_day()) {
      to.put_coarse(Tier::day, load_bucket(from.day()));
    }
  }
};

namespace {

void save_series(const State& state, SeriesId id, pb::Series& to) {
  const SeriesEntry& entry = state.entries[id];
  const SeriesKey key = state.identities.key(id);
  to.set_id(id);
  to.set_stream(key.stream);
  to.set_broker(key.broker);
  to.set_topic(key.topic);
  to.set_field(key.field);
  if (!entry.is_live) {
    return;
  }
  const StreamState& stream = state.streams[entry.stream];
  SeriesCodec::save(entry.numbers, entry.is_active ? Time{} : stream.sealed_until, to);
  to.set_is_active(entry.is_active);
  for (std::size_t i = 0; i < entry.outputs.size(); ++i) {
    const OutputState& sent = entry.outputs[i];
    pb::Output& output = *to.add_outputs();
    output.set_topic(stream.plan->outputs[i].config.topic);
    if (sent.published_end) {
      output.set_published_end_ms(to_ms(*sent.published_end));
    }
    output.set_rev(sent.rev);
    if (sent.sent_value) {
      output.set_sent_value(*sent.sent_value);
    }
    output.set_sent_at_uptime_ms(sent.sent_at.count());
    if (sent.due.at != kNever) {
      output.set_due_uptime_ms(sent.due.at.count());
    }
    for (const SentWindow& window : sent.corrected) {
      if (window.end > stream.sealed_until) {
        pb::SentWindow& corrected = *output.add_corrected();
        corrected.set_end_ms(to_ms(window.end));
        corrected.set_rev(window.rev);
      }
    }
  }
}

void load_outputs(State& state, SeriesId id, const pb::Series& from) {
  SeriesEntry& entry = state.entries[id];
  const std::vector<OutputPlan>& plans = state.streams[entry.stream].plan->outputs;
  for (OutputIndex i = 0; i < plans.size(); ++i) {
    for (const pb::Output& saved : from.outputs()) {
      if (saved.topic() != plans[i].config.topic) {
        continue;
      }
      OutputState& sent = entry.outputs[i];
      if (saved.has_published_end_ms()) {
        sent.published_end = time_from_ms(saved.published_end_ms());
      }
      sent.rev = saved.rev();
      for (const pb::SentWindow& window : saved.corrected()) {
        sent.corrected.push_back({time_from_ms(window.end_ms()), window.rev()});
      }
      if (saved.has_sent_value()) {
        sent.sent_value = saved.sent_value();
      }
      if (plans[i].config.on != PublishOn::change) {
        continue;
      }
      sent.sent_at = Duration{saved.sent_at_uptime_ms()};
      if (saved.has_due_uptime_ms()) {
        state.timers.set(sent.due, Duration{saved.due_uptime_ms()}, Timers::Kind::output, id, i);
      }
    }
  }
}

Result<void> load_series(State& state, const pb::Series& from) {
  const SeriesKey key{from.stream(), from.broker(), from.topic(), from.field()};
  const auto id = add_series(state, key, LimitRule::keep_number);
  if (!id || *id != from.id()) {
    return fail(ErrorCode::storage, "checkpoint", "the saved series are not in their order");
  }
  SeriesEntry& entry = state.entries[*id];
  if (!entry.is_live) {
    return {};
  }
  SeriesCodec::load(from, entry.numbers);
  load_outputs(state, *id, from);
  if (from.is_active()) {
    entry.is_active = true;
    state.streams[entry.stream].active.push_back(*id);
  }
  return {};
}

// An instance of a changed rule keeps its phase, so that whoever was told of an alarm is told of
// its end; but its timers begin anew.
void load_alert(State& state, const pb::Alert& from, const Now& now) {
  if (from.series() >= state.entries.size()) {
    return;
  }
  for (const std::uint32_t index : state.entries[from.series()].instances) {
    Instance& instance = state.instances[index];
    const Alert& config = state.plan->alerts[instance.alert].config;
    if (instance.series != from.series() || config.name != from.name()) {
      continue;
    }
    instance.phase = from.phase() == 2   ? AlertPhase::alarm
                     : from.phase() == 1 ? AlertPhase::pending
                                         : AlertPhase::ok;
    if (from.has_since_ms()) {
      instance.since = time_from_ms(from.since_ms());
    }
    instance.began = time_from_ms(from.began_ms());
    instance.id = from.id();
    if (definition_of(config) == from.definition()) {
      instance.raise = load_timer(from.raise());
      instance.clear = load_timer(from.clear());
      note_counting(state, instance);
      state.timers.set(instance.due,
                       from.has_due_uptime_ms() ? Duration{from.due_uptime_ms()} : kNever,
                       Timers::Kind::alert, index);
    } else if (instance.phase == AlertPhase::pending) {
      instance.since = now.wall;
    }
  }
}

void save_alert(const State& state, const Instance& instance, pb::Alert& to) {
  const Alert& config = state.plan->alerts[instance.alert].config;
  to.set_name(config.name);
  to.set_series(instance.series);
  to.set_definition(definition_of(config));
  to.set_phase(static_cast<std::uint32_t>(instance.phase));
  if (instance.since) {
    to.set_since_ms(to_ms(*instance.since));
  }
  to.set_began_ms(to_ms(instance.began));
  to.set_id(instance.id);
  if (instance.due.at != kNever) {
    to.set_due_uptime_ms(instance.due.at.count());
  }
  save_timer(instance.raise, *to.mutable_raise());
  save_timer(instance.clear, *to.mutable_clear());
}

Result<void> load_part(State& state, const pb::Part& part, const Now& now) {
  for (const pb::Stream& saved : part.streams()) {
    for (StreamState& stream : state.streams) {
      if (stream.plan != nullptr && stream.plan->config.name == saved.name()) {
        const Duration resolution = stream.resolution;
        stream.closed_until = floor_to(time_from_ms(saved.closed_until_ms()), resolution);
        stream.sealed_until = floor_to(time_from_ms(saved.sealed_until_ms()), resolution);
      }
    }
  }
  for (const pb::Series& saved : part.series()) {
    if (Result<void> loaded = load_series(state, saved); !loaded) {
      return loaded;
    }
  }
  for (const pb::Alert& saved : part.alerts()) {
    load_alert(state, saved, now);
  }
  return {};
}

}  // namespace

void save_state(const State& state, const std::function<void(std::string)>& each) {
  pb::Part part;
  pb::Header& header = *part.mutable_header();
  header.set_version(kVersion);
  header.set_uptime_ms(state.done.uptime.count());
  header.set_wall_ms(to_ms(state.done.wall));
  header.set_alarm_count(state.alarm_count);
  header.set_rules(rules_of(*state.plan));
  header.set_series_count(static_cast<std::uint32_t>(state.entries.size()));
  for (const StreamState& stream : state.streams) {
    if (stream.plan != nullptr) {
      pb::Stream& saved = *part.add_streams();
      saved.set_name(stream.plan->config.name);
      saved.set_closed_until_ms(to_ms(stream.closed_until));
      saved.set_sealed_until_ms(to_ms(stream.sealed_until));
    }
  }
  const auto finish = [&] {
    each(part.SerializeAsString());
    part.Clear();
  };
  for (SeriesId id = 0; id < state.entries.size(); ++id) {
    save_series(state, id, *part.add_series());
    if (static_cast<std::size_t>(part.series_size()) >= kSeriesPerPart) {
      finish();
    }
  }
  for (const Instance& instance : state.instances) {
    if (instance.since || instance.due.at != kNever) {
      save_alert(state, instance, *part.add_alerts());
    }
  }
  finish();
}

Result<void> restore_state(State& state, const std::vector<std::string>& parts) {
  bool has_same_rules = false;
  std::size_t series_count = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    pb::Part part;
    if (!part.ParseFromString(parts[i])) {
      return fail(ErrorCode::storage, "checkpoint", "a part of it cannot be read");
    }
    if (i == 0) {
      if (part.header().version() != kVersion) {
        return fail(ErrorCode::unsupported, "checkpoint",
                    "it has version " + std::to_string(part.header().version()) +
                        ", this program knows " + std::to_string(kVersion));
      }
      state.done = {time_from_ms(part.header().wall_ms()), Duration{part.header().uptime_ms()}};
      state.alarm_count = part.header().alarm_count();
      has_same_rules = part.header().rules() == rules_of(*state.plan);
      series_count = part.header().series_count();
    }
    if (Result<void> loaded = load_part(state, part, state.done); !loaded) {
      return loaded;
    }
  }
  if (state.entries.size() != series_count) {
    return fail(ErrorCode::storage, "checkpoint", "a part of it is missing");
  }
  state.rebound.clear();
  for (std::uint32_t index = 0; !has_same_rules && index < state.instances.size(); ++index) {
    state.timers.set(state.instances[index].due, state.done.uptime, Timers::Kind::alert, index);
  }
  find_next_boundary(state);
  return {};
}

}  // namespace rollup::engine

#include "engine/alerts.h"

#include <algorithm>

#include "engine/outputs.h"
#include "engine/registry.h"

namespace rollup::engine {

namespace {

using expression::Function;
using expression::Outcome;
using expression::Reading;
using expression::Truth;

const std::string* captured(const Captures& captures, std::string_view name) {
  for (const auto& [key, value] : captures) {
    if (key == name) {
      return &value;
    }
  }
  return nullptr;
}

bool matches(const AlertPlan& plan, std::string_view topic, const Captures& captures) {
  if (plan.match_topic && !plan.match_topic->matches(topic)) {
    return false;
  }
  for (const auto& [name, value] : plan.config.match) {
    if (name == "topic") {
      continue;
    }
    const std::string* level = captured(captures, name);
    if (level == nullptr || *level != value) {
      return false;
    }
  }
  return true;
}

// What two series must have in common to be read together.
std::string join_key(const Captures& captures, const std::vector<std::string>& names) {
  std::string key;
  for (const std::string& name : names) {
    const std::string* level = captured(captures, name);
    key += level == nullptr ? std::string() : *level;
    key += '\0';
  }
  return key;
}

void add_reader(State& state, SeriesId id, std::uint32_t instance) {
  std::vector<std::uint32_t>& readers = state.entries[id].instances;
  if (std::find(readers.begin(), readers.end(), instance) == readers.end()) {
    readers.push_back(instance);
  }
}

// SEMANTICS 5: the one series of that stream with the same captured names; none or several is
// unknown.
void resolve(State& state, std::uint32_t instance, SeriesId& slot,
             const std::vector<SeriesId>& candidates) {
  const SeriesId found = candidates.size() == 1 ? candidates.front() : kNoSeries;
  if (slot == found) {
    return;
  }
  slot = found;
  if (found != kNoSeries) {
    add_reader(state, found, instance);
  }
  state.rebound.push_back(instance);
}

void attach_references(State& state, std::uint32_t index, const Captures& captures,
                       const std::vector<AlertReference>& references,
                       std::vector<ReferenceIndex>& indexes, std::vector<SeriesId>& slots) {
  const Instance& instance = state.instances[index];
  slots.assign(references.size(), kNoSeries);
  for (std::size_t i = 0; i < references.size(); ++i) {
    if (references[i].is_own) {
      slots[i] = instance.series;
      add_reader(state, instance.series, index);
      continue;
    }
    const std::string key = join_key(captures, references[i].shared_names);
    indexes[i].instances[key].push_back(index);
    resolve(state, index, slots[i], indexes[i].series[key]);
  }
}

void add_instance(State& state, AlertIndex alert, SeriesId id, const Captures& captures) {
  AlertRuntime& runtime = state.alerts[alert];
  if (runtime.instance_count >= state.plan->config.limits.alerts_per_rule) {
    const std::string_view topic = state.identities.topic(id);
    state.ledger.drop(state.entries[id].stream, DropReason::alerts_per_rule, topic);
    state.ledger.notice(DropReason::alerts_per_rule,
                        "alert " + state.plan->alerts[alert].config.name, topic);
    return;
  }
  ++runtime.instance_count;
  const auto index = static_cast<std::uint32_t>(state.instances.size());
  Instance& instance = state.instances.emplace_back();
  instance.alert = alert;
  instance.series = id;
  const AlertPlan& plan = state.plan->alerts[alert];
  if (plan.topic) {
    instance.has_topic = claim_topic(state, id, state.plan->streams[plan.stream].config.broker,
                                     alert_topic(plan, captures), "alert " + plan.config.name);
  }
  attach_references(state, index, captures, plan.raise_references, runtime.raise,
                    state.instances[index].raise_series);
  attach_references(state, index, captures, plan.clear_references, runtime.clear,
                    state.instances[index].clear_series);
}

void offer(State& state, SeriesId id, const Captures& captures,
           const std::vector<AlertReference>& references, std::vector<ReferenceIndex>& indexes,
           std::vector<SeriesId> Instance::*slots) {
  const SeriesEntry& entry = state.entries[id];
  for (std::size_t i = 0; i < references.size(); ++i) {
    if (references[i].is_own || references[i].stream != entry.stream) {
      continue;
    }
    const std::string key = join_key(captures, references[i].shared_names);
    std::vector<SeriesId>& candidates = indexes[i].series[key];
    candidates.push_back(id);
    for (const std::uint32_t instance : indexes[i].instances[key]) {
      resolve(state, instance, (state.instances[instance].*slots)[i], candidates);
    }
  }
}

Reading read_window(const Series& series, const expression::Reference& reference, const Now& now,
                    Duration resolution) {
  const Time start = floor_to(now.wall - reference.over, resolution);
  const Aggregate known = series.recent(reference.over, now.wall);
  const Reading reading{value_of(known, reference.statistic), 0};
  // What is counted up is true as far as it is known.
  if (row_of(reference.statistic).is_tally || reference.statistic == Statistic::sum) {
    return reading;
  }
  // SEMANTICS 2.4: less than half of it known is not known.
  if (covered(known, now.wall - std::max(start, series.began())) < 0.5 &&
      now.wall > series.began()) {
    return {};
  }
  return reading;
}

// What is read, and when it will change by the passing of time alone.
struct Readings {
  std::vector<Reading> values;
  Time next = Time::max();

  void look_again_at(Time wall, const Now& now) {
    if (wall > now.wall) {
      next = std::min(next, wall);
    }
  }
};

void read(const State& state, const std::vector<AlertReference>& references,
          const std::vector<SeriesId>& series, const Now& now, Readings& readings) {
  readings.values.assign(references.size(), Reading{});
  for (std::size_t i = 0; i < references.size(); ++i) {
    if (series[i] == kNoSeries) {
      continue;
    }
    const SeriesEntry& entry = state.entries[series[i]];
    const Series& numbers = entry.numbers;
    if (!numbers.has_sample()) {
      continue;  // a retained copy alone is no knowledge (SEMANTICS 1.7)
    }
    const expression::Reference& reference = references[i].reference;
    if (reference.function == Function::age) {
      const Duration age = std::max(Duration{0}, now.wall - numbers.last_time());
      readings.values[i] = {static_cast<double>(age.count()) / 1000, 1};
      continue;
    }
    readings.look_again_at(*numbers.held_until(), now);
    if (reference.function == Function::value) {
      readings.values[i] = {numbers.held_at(std::max(now.wall, numbers.last_time()), true), 0};
      continue;
    }
    const Duration resolution = state.streams[entry.stream].resolution;
    readings.values[i] = read_window(numbers, reference, now, resolution);
    // Until the window has slid past all that is known, each boundary may change it.
    if (now.wall < *numbers.held_until() + reference.over + resolution) {
      readings.look_again_at(floor_to(now.wall, resolution) + resolution, now);
    }
  }
}

Outcome judge(State& state, const expression::Condition& condition,
              const std::vector<AlertReference>& references, const std::vector<SeriesId>& series,
              const Now& now, Duration& next, Effects& effects) {
  for (const SeriesId id : series) {
    if (id != kNoSeries) {
      correct(state, id, now, effects);
    }
  }
  Readings readings;
  read(state, references, series, now, readings);
  const Outcome outcome = condition.evaluate(readings.values);
  if (outcome.next_change) {
    readings.look_again_at(now.wall + std::max(*outcome.next_change, Duration{1}), now);
  }
  if (readings.next != Time::max()) {
    next = std::min(next, uptime_at(state, readings.next, now));
  }
  return outcome;
}

std::string hex(std::uint64_t value, int digits) {
  std::string text(static_cast<std::size_t>(digits), '0');
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, value >>= 4) {
    *digit = "0123456789abcdef"[value & 0xf];
  }
  return text;
}

// A version 8 UUID: clients take a UUID as the sign of a well-made id. Unique by the time and by
// the number of the alarm on this history file.
std::string make_id(Time wall, std::uint64_t number, SeriesId series) {
  const auto ms = static_cast<std::uint64_t>(to_ms(wall));
  return hex(ms >> 16, 8) + '-' + hex(ms, 4) + "-8" + hex(number >> 48, 3) + "-8" + hex(series, 3) +
         '-' + hex(number, 12);
}

void publish(const State& state, const Instance& instance, const Now& now, Effects& effects) {
  if (!instance.has_topic) {
    return;
  }
  effects.push_back(effect::PublishAlert{describe(state, instance, now)});
}

void begin_alarm(State& state, Instance& instance, const Now& now, Effects& effects) {
  instance.phase = AlertPhase::alarm;
  instance.began = now.wall;
  instance.id = make_id(now.wall, ++state.alarm_count, instance.series);
  instance.raise = {};
  instance.clear = {};
  publish(state, instance, now, effects);
  effects.push_back(effect::Notify{describe(state, instance, now), instance.began});
}

void end_alarm(State& state, Instance& instance, const Now& now, Effects& effects) {
  instance.phase = AlertPhase::ok;
  instance.since = now.wall;
  instance.clear = {};
  publish(state, instance, now, effects);
  effects.push_back(effect::Notify{describe(state, instance, now), instance.began});
  instance.id.clear();
}

bool is_due(const HoldTimer& timer, Duration needed, const Now& now) {
  const std::optional<Duration> deadline = timer.deadline(needed);
  return deadline && *deadline <= now.uptime;
}

// One step of the state machine; false when nothing more happens now.
bool step(State& state, Instance& instance, Truth raise, Truth clear, const Now& now,
          Effects& effects) {
  const Alert& config = state.plan->alerts[instance.alert].config;
  switch (instance.phase) {
    case AlertPhase::ok:
      if (raise != Truth::yes) {
        return false;
      }
      instance.phase = AlertPhase::pending;
      instance.since = now.wall;
      instance.raise = {};
      instance.raise.update(Truth::yes, now.uptime);
      if (config.raise_for.count() > 0) {
        publish(state, instance, now, effects);
      }
      return true;
    case AlertPhase::pending:
      instance.raise.update(raise, now.uptime);
      if (raise == Truth::no) {
        instance.phase = AlertPhase::ok;
        instance.since = now.wall;
        publish(state, instance, now, effects);
      } else if (is_due(instance.raise, config.raise_for, now)) {
        begin_alarm(state, instance, now, effects);
        return true;
      }
      return false;
    case AlertPhase::alarm:
      // A rule whose two conditions are both true stays raised.
      instance.clear.update(raise == Truth::yes ? Truth::no : clear, now.uptime);
      if (is_due(instance.clear, config.clear_for, now)) {
        end_alarm(state, instance, now, effects);
      }
      return false;
  }
  return false;
}

Truth negate(Truth truth) {
  return truth == Truth::unknown ? truth : truth == Truth::yes ? Truth::no : Truth::yes;
}

}  // namespace

void attach_alerts(State& state, SeriesId id, const Captures& captures) {
  const StreamPlan& stream = *state.streams[state.entries[id].stream].plan;
  for (const AlertIndex alert : stream.readers) {
    const AlertPlan& plan = state.plan->alerts[alert];
    AlertRuntime& runtime = state.alerts[alert];
    offer(state, id, captures, plan.raise_references, runtime.raise, &Instance::raise_series);
    offer(state, id, captures, plan.clear_references, runtime.clear, &Instance::clear_series);
  }
  for (const AlertIndex alert : stream.alerts) {
    if (matches(state.plan->alerts[alert], state.identities.topic(id), captures)) {
      add_instance(state, alert, id, captures);
    }
  }
}

void evaluate_readers(State& state, SeriesId id, const Now& now, Effects& effects) {
  for (const std::uint32_t instance : state.entries[id].instances) {
    evaluate(state, instance, now, effects);
  }
}

void evaluate(State& state, std::uint32_t index, const Now& now, Effects& effects) {
  Instance& instance = state.instances[index];
  const AlertPlan& plan = state.plan->alerts[instance.alert];
  Duration next = kNever;
  const Truth raise =
      judge(state, plan.raise, plan.raise_references, instance.raise_series, now, next, effects)
          .truth;
  const Truth clear = plan.has_clear ? judge(state, plan.clear, plan.clear_references,
                                             instance.clear_series, now, next, effects)
                                           .truth
                                     : negate(raise);
  while (step(state, instance, raise, clear, now, effects)) {
  }
  note_counting(state, instance);
  const auto deadline =
      instance.phase == AlertPhase::pending ? instance.raise.deadline(plan.config.raise_for)
      : instance.phase == AlertPhase::alarm ? instance.clear.deadline(plan.config.clear_for)
                                            : std::nullopt;
  if (deadline) {
    next = std::min(next, *deadline);
  }
  state.timers.set(instance.due, next, Timers::Kind::alert, index);
}

void note_counting(State& state, Instance& instance) {
  const bool counts = instance.raise.running_from || instance.clear.running_from;
  if (counts == instance.counts_time) {
    return;
  }
  instance.counts_time = counts;
  if (counts) {
    ++state.counting;
  } else {
    --state.counting;
  }
}

AlertState describe(const State& state, const Instance& instance, const Now& now) {
  const Series& series = state.entries[instance.series].numbers;
  AlertState described;
  described.alert = instance.alert;
  described.series = instance.series;
  described.phase = instance.phase;
  described.since = instance.since;
  if (series.has_sample()) {
    described.value = series.held_at(std::max(now.wall, series.last_time()), true);
  }
  described.id = instance.id;
  return described;
}

void end_missing(const State& state, const State& next, Effects& effects) {
  for (const Instance& instance : state.instances) {
    if (instance.phase == AlertPhase::ok) {
      continue;
    }
    const Alert& config = state.plan->alerts[instance.alert].config;
    const Alert* kept = nullptr;
    for (const std::uint32_t index : next.entries[instance.series].instances) {
      const Instance& other = next.instances[index];
      const Alert& candidate = next.plan->alerts[other.alert].config;
      if (other.series == instance.series && candidate.name == config.name) {
        kept = &candidate;
      }
    }
    if (kept != nullptr && kept->topic == config.topic) {
      continue;
    }
    AlertState ended = describe(state, instance, state.done);
    ended.phase = AlertPhase::ok;
    ended.since = state.done.wall;
    if (instance.has_topic) {
      effects.push_back(effect::PublishAlert{ended});
    }
    if (kept == nullptr && instance.phase == AlertPhase::alarm) {
      effects.push_back(effect::Notify{ended, instance.began});
    }
  }
}

void republish_alerts(const State& state, const Now& now, Effects& effects) {
  for (const Instance& instance : state.instances) {
    if (instance.since) {
      publish(state, instance, now, effects);
    }
  }
}

}  // namespace rollup::engine

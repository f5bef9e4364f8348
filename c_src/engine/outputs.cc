#include "engine/outputs.h"

#include <algorithm>
#include <cmath>

namespace rollup::engine {

namespace {

// SEMANTICS 2.4: of what began before the series did, only the part since its first sample counts.
Duration counted_span(const Series& series, Time start, Time end) {
  return end - std::max(start, series.began());
}

std::vector<std::optional<double>> curve(const Series& series, const Sparkline& sparkline, Time end,
                                         const Now& now) {
  const Duration part = sparkline.span / sparkline.points;
  const Time last = floor_to(end - Duration{1}, part);
  std::vector<std::optional<double>> points(sparkline.points);
  for (std::uint32_t i = 0; i < sparkline.points; ++i) {
    const Time from = last - part * (sparkline.points - 1 - i);
    const Time to = std::min(from + part, end);
    if (to <= series.began()) {
      continue;
    }
    const Aggregate known = series.window(from, to, part, now.wall);
    if (covered(known, counted_span(series, from, to)) >= 0.5) {
      points[i] = value_of(known, usual_statistic(series.parts()));
    }
  }
  return points;
}

void send(SeriesId id, OutputIndex output, Summary summary, bool is_newest, Effects& effects) {
  effects.push_back(effect::Publish{id, output, is_newest, std::move(summary)});
}

// The revision of a window that is sent again although a newer one was sent: windows that were sent
// once are not remembered.
std::uint32_t next_rev(OutputState& sent, Time end, bool was_published) {
  for (SentWindow& window : sent.corrected) {
    if (window.end == end) {
      return ++window.rev;
    }
  }
  if (!was_published) {
    return 1;
  }
  sent.corrected.push_back({end, 2});
  return 2;
}

// Sends the window that ends at `end`, if there is anything known in it.
void send_window(State& state, SeriesId id, OutputIndex output, Time end, const Now& now,
                 Effects& effects) {
  SeriesEntry& entry = state.entries[id];
  Summary summary = summarize(state, id, output, end, now);
  if (summary.aggregate.empty()) {
    return;  // SEMANTICS 1.8
  }
  const StreamState& stream = state.streams[entry.stream];
  OutputState& sent = entry.outputs[output];
  std::erase_if(sent.corrected,
                [&](const SentWindow& window) { return window.end <= stream.sealed_until; });
  const bool is_newest = !sent.published_end || end >= *sent.published_end;
  if (!is_newest) {
    summary.rev = next_rev(
        sent, end,
        entry.numbers.was_published(summary.start, end, stream.plan->outputs[output].slot));
  } else if (sent.published_end == end) {
    summary.rev = ++sent.rev;
  } else {
    if (sent.rev > 1 && *sent.published_end > stream.sealed_until) {
      sent.corrected.push_back({*sent.published_end, sent.rev});
    }
    sent.published_end = end;
    sent.rev = 1;
  }
  if (is_newest) {
    sent.sent_value = summary.value;
  }
  send(id, output, std::move(summary), is_newest, effects);
}

bool overlaps(const std::vector<Series::Span>& spans, Time start, Time end) {
  return std::any_of(spans.begin(), spans.end(), [&](const Series::Span& span) {
    return span.start < end && start < span.end;
  });
}

// The last window that ends at or before `end` and has something from before `known_until`.
Time last_window(const Output& config, Time known_until, Time end) {
  return floor_to(std::min(end, known_until + config.window - Duration{1}), config.every);
}

// Sends again the windows that were sent and have something that changed, ascending; of windows
// that overlap only the newest.
void correct_output(State& state, SeriesId id, OutputIndex output, const Series::Settled& settled,
                    const Now& now, Effects& effects) {
  const SeriesEntry& entry = state.entries[id];
  const StreamState& stream = state.streams[entry.stream];
  const Output& config = stream.plan->outputs[output].config;
  // The newest such window.
  Time last{};
  for (const Series::Span& span : settled.changed) {
    if (const Time reached = last_window(config, span.end, stream.closed_until);
        reached > span.start) {
      last = reached;
    }
  }
  const auto is_longer = [&](Time end) {
    return settled.began && end - config.window < *settled.began && *settled.began < end;
  };
  if (settled.began) {
    const Time reached = last_window(config, *settled.began, stream.closed_until);
    last = is_longer(reached) ? std::max(last, reached) : last;
  }
  Time end = floor_to(settled.changed.front().start, config.every) + config.every;
  if (config.window > config.every) {
    const std::optional<Time>& newest = entry.outputs[output].published_end;
    end = std::max({end, last, newest.value_or(last)});
  }
  for (; end <= last; end += config.every) {
    if (is_longer(end) || overlaps(settled.changed, end - config.window, end)) {
      send_window(state, id, output, end, now, effects);
    }
  }
}

// Whether no window, curve or condition reads anything of the series any more, and time changes
// nothing of it.
// Windows with on: close are sent when they are sealed, so their end being past is not enough.
bool may_rest(const StreamState& stream, const Series& series) {
  return series.is_quiet() &&
         (!series.has_sample() || *series.held_until() + stream.reach <= stream.sealed_until);
}

void send_change(State& state, SeriesId id, OutputIndex output, const Now& now, Effects& effects) {
  correct(state, id, now, effects);  // it may be newest and late at once
  SeriesEntry& entry = state.entries[id];
  const Output& config = state.streams[entry.stream].plan->outputs[output].config;
  OutputState& sent = entry.outputs[output];
  const Time end = std::max(now.wall, entry.numbers.last_time() + Duration{1});
  sent.sent_value = entry.numbers.last_value();
  sent.sent_at = now.uptime;
  sent.published_end = end;
  sent.rev = 1;
  send(id, output, summarize(state, id, output, end, now), true, effects);
  state.timers.set(sent.due, uptime_at(state, now.wall + config.heartbeat, now),
                   Timers::Kind::output, id, output);
}

bool has_changed(const OutputState& sent, const Output& config, double value) {
  return !sent.sent_value || std::abs(value - *sent.sent_value) > config.deadband;
}

}  // namespace

Summary summarize(const State& state, SeriesId id, OutputIndex output, Time end, const Now& now) {
  const SeriesEntry& entry = state.entries[id];
  const Series& series = entry.numbers;
  const StreamState& stream = state.streams[entry.stream];
  const OutputPlan& plan = stream.plan->outputs[output];

  Summary summary;
  summary.end = end;
  summary.window = plan.config.window;
  summary.start = floor_to(end - plan.config.window, plan.slot);
  summary.aggregate = series.window(summary.start, end, plan.slot, now.wall);
  summary.value = series.held_at(end, false);
  summary.covered = covered(summary.aggregate, counted_span(series, summary.start, end));
  // A single bucket is known by any knowledge; only what was merged must be covered by half.
  summary.is_known = plan.config.window == stream.resolution || summary.covered >= 0.5;
  summary.final = end <= stream.sealed_until;
  if (plan.config.sparkline) {
    summary.spark = curve(series, *plan.config.sparkline, end, now);
  }
  return summary;
}

Time known_until(const State& state, const StreamState& stream) {
  Time latest{};
  for (const SeriesId id : stream.active) {
    if (const Series& series = state.entries[id].numbers; series.has_sample()) {
      latest = std::max(latest, series.known_until());
    }
  }
  return latest;
}

void close_stream(State& state, StreamIndex index, Time end, const Now& now, Effects& effects) {
  StreamState& stream = state.streams[index];
  const Time before = stream.closed_until;
  for (const SeriesId id : stream.active) {
    correct(state, id, now, effects);
  }
  stream.closed_until = end;
  for (const SeriesId id : stream.active) {
    Series& series = state.entries[id].numbers;
    series.hold_to(end);
    series.publish_to(end);
  }
  for (OutputIndex output = 0; output < stream.plan->outputs.size(); ++output) {
    const Output& config = stream.plan->outputs[output].config;
    if (config.on != PublishOn::interval || floor_to(end, config.every) <= before) {
      continue;
    }
    for (const SeriesId id : stream.active) {
      const Series& series = state.entries[id].numbers;
      if (!series.has_sample()) {
        continue;
      }
      const Time close = last_window(config, series.known_until(), end);
      // Of several windows that are due at once, the newest one tells it all.
      const Time next = close + config.every;
      const Duration slot = stream.plan->outputs[output].slot;
      const bool is_followed = next + kPublishDelay <= state.advancing_to &&
                               !series.window(next - config.window, next, slot, next).empty();
      if (close > before && !is_followed) {
        send_window(state, id, output, close, now, effects);
      }
    }
  }
}

void seal_stream(State& state, StreamIndex index, Time end, const Now& now, Effects& effects) {
  StreamState& stream = state.streams[index];
  const Time before = stream.sealed_until;
  for (const SeriesId id : stream.active) {
    correct(state, id, now, effects);
  }
  stream.sealed_until = end;
  for (const SeriesId id : stream.active) {
    state.entries[id].numbers.seal_to(end, id, effects);
  }
  for (OutputIndex output = 0; output < stream.plan->outputs.size(); ++output) {
    const Output& config = stream.plan->outputs[output].config;
    if (config.on != PublishOn::close) {
      continue;
    }
    const Time last = last_window(config, known_until(state, stream), end);
    for (Time close = floor_to(before, config.every) + config.every; close <= last;
         close += config.every) {
      for (const SeriesId id : stream.active) {
        send_window(state, id, output, close, now, effects);
      }
    }
  }
  std::erase_if(stream.active, [&](SeriesId id) {
    SeriesEntry& entry = state.entries[id];
    entry.is_active = !may_rest(stream, entry.numbers);
    if (!entry.is_active) {
      entry.numbers.rest();
    }
    return !entry.is_active;
  });
}

void correct(State& state, SeriesId id, const Now& now, Effects& effects) {
  SeriesEntry& entry = state.entries[id];
  if (!entry.numbers.needs_settle()) {
    return;
  }
  const Series::Settled settled = entry.numbers.settle();
  if (settled.changed.empty() || !entry.is_live) {
    return;
  }
  const StreamState& stream = state.streams[entry.stream];
  for (OutputIndex output = 0; output < stream.plan->outputs.size(); ++output) {
    if (stream.plan->outputs[output].config.on == PublishOn::interval) {
      correct_output(state, id, output, settled, now, effects);
    }
  }
  entry.numbers.publish_to(stream.closed_until, settled.changed.front().start);
}

void value_changed(State& state, SeriesId id, const Now& now, Effects& effects) {
  SeriesEntry& entry = state.entries[id];
  const StreamState& stream = state.streams[entry.stream];
  for (OutputIndex output = 0; output < stream.plan->outputs.size(); ++output) {
    const Output& config = stream.plan->outputs[output].config;
    OutputState& sent = entry.outputs[output];
    if (config.on != PublishOn::change) {
      continue;
    }
    if (!has_changed(sent, config, entry.numbers.last_value())) {
      if (sent.due.at == kNever) {  // it rested while the value was unknown
        state.timers.set(sent.due, std::max(sent.sent_at + config.heartbeat, now.uptime),
                         Timers::Kind::output, id, output);
      }
      continue;
    }
    if (!sent.sent_value || now.uptime >= sent.sent_at + config.min_interval) {
      send_change(state, id, output, now, effects);
    } else {
      state.timers.set(sent.due, sent.sent_at + config.min_interval, Timers::Kind::output, id,
                       output);
    }
  }
}

void output_due(State& state, SeriesId id, OutputIndex output, const Now& now, Effects& effects) {
  SeriesEntry& entry = state.entries[id];
  const Output& config = state.streams[entry.stream].plan->outputs[output].config;
  OutputState& sent = entry.outputs[output];
  const Duration heartbeat = sent.sent_at + config.heartbeat;
  const Time newest = std::max(now.wall, entry.numbers.last_time());
  const bool is_held = entry.numbers.held_at(newest, true).has_value();
  const bool is_changed = has_changed(sent, config, entry.numbers.last_value());
  if (is_changed && now.uptime < sent.sent_at + config.min_interval) {
    state.timers.set(sent.due, sent.sent_at + config.min_interval, Timers::Kind::output, id,
                     output);
  } else if (is_changed || (now.uptime >= heartbeat && is_held)) {
    send_change(state, id, output, now, effects);
  } else if (is_held) {
    state.timers.set(sent.due, std::max(heartbeat, now.uptime + Duration{1}), Timers::Kind::output,
                     id, output);
  }
}

void republish_outputs(const State& state, const Now& now, Effects& effects) {
  for (SeriesId id = 0; id < state.entries.size(); ++id) {
    const SeriesEntry& entry = state.entries[id];
    for (OutputIndex output = 0; output < entry.outputs.size(); ++output) {
      const OutputState& sent = entry.outputs[output];
      if (!sent.published_end) {
        continue;
      }
      // A window with on: change ends at any moment, and what is sealed cannot be cut there: of
      // such a one the window up to now is told, with the value that was sent.
      const StreamState& stream = state.streams[entry.stream];
      const bool is_moment = stream.plan->outputs[output].config.on == PublishOn::change;
      const bool is_lost = is_moment && *sent.published_end < stream.sealed_until;
      const Time end = is_lost ? std::max(now.wall, entry.numbers.last_time() + Duration{1})
                               : *sent.published_end;
      Summary summary = summarize(state, id, output, end, now);
      if (summary.aggregate.empty()) {
        continue;
      }
      // The samples that tell what was held then may be sealed and gone.
      if (!is_moment || summary.value) {
        summary.value = sent.sent_value;
      }
      summary.rev = sent.rev;
      send(id, output, std::move(summary), true, effects);
    }
  }
}

}  // namespace rollup::engine

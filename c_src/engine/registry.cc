#include "engine/registry.h"

#include <algorithm>

#include "engine/alerts.h"

namespace rollup::engine {

namespace {

// Where the plan has a place for the series; nothing if it has none.
struct Place {
  std::size_t stream = 0;
  std::size_t field = 0;
};

std::optional<Place> find_place(const Plan& plan, const SeriesKey& key) {
  for (std::size_t stream = 0; stream < plan.streams.size(); ++stream) {
    const StreamPlan& candidate = plan.streams[stream];
    if (candidate.config.name != key.stream || candidate.config.broker != key.broker) {
      continue;
    }
    const std::vector<Field>& fields = candidate.config.fields;
    const auto field = std::find_if(fields.begin(), fields.end(),
                                    [&](const Field& f) { return f.name == key.field; });
    if (field == fields.end() || !candidate.filter.matches(key.topic)) {
      return std::nullopt;
    }
    return Place{stream, static_cast<std::size_t>(field - fields.begin())};
  }
  return std::nullopt;
}

void add_outputs(State& state, SeriesId id, const Captures& captures) {
  SeriesEntry& entry = state.entries[id];
  const StreamPlan& stream = *state.streams[entry.stream].plan;
  entry.outputs.resize(stream.outputs.size());
  for (OutputIndex i = 0; i < stream.outputs.size(); ++i) {
    const OutputPlan& output = stream.outputs[i];
    entry.outputs[i].has_topic =
        claim_topic(state, id, output.config.broker, output.topic.expand_topic(captures),
                    "publish of stream " + stream.config.name);
  }
}

// FNV-1a, mixed once more: a replay on another machine must find the same.
std::uint64_t hash_of_topic(std::string_view broker, std::string_view topic) {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
  const auto add = [&hash](std::string_view text) {
    for (const char byte : text) {
      hash = (hash ^ static_cast<unsigned char>(byte)) * 0x0000'0100'0000'01b3;
    }
  };
  add(broker);
  add("\n");
  add(topic);
  hash = (hash ^ (hash >> 32)) * 0xd6e8'feb8'6659'fd93;
  return hash ^ (hash >> 32);
}

// Where the module tells of itself.
bool is_own_topic(std::string_view topic) {
  return topic == "rollup" || topic.substr(0, 7) == "rollup/";
}

}  // namespace

SeriesInfo info_of(const State& state, SeriesId id) {
  SeriesInfo info;
  info.key = state.identities.key(id);
  info.name = info.key.name();
  const SeriesEntry& entry = state.entries[id];
  info.stream = entry.stream;
  if (entry.is_live) {
    const std::vector<Field>& fields = state.streams[entry.stream].plan->config.fields;
    const auto field = std::find_if(fields.begin(), fields.end(),
                                    [&](const Field& f) { return f.name == info.key.field; });
    info.field = static_cast<std::uint32_t>(field - fields.begin());
  }
  return info;
}

Captures captures_of(const State& state, SeriesId id) {
  const SeriesInfo info = info_of(state, id);
  const StreamPlan& stream = *state.streams[info.stream].plan;
  Captures captures = *stream.filter.capture(info.key.topic);
  captures.insert(captures.end(), {{"topic", info.key.topic},
                                   {"series", info.name},
                                   {"stream", info.key.stream},
                                   {"field", info.key.field},
                                   {"unit", stream.config.fields[info.field].unit}});
  return captures;
}

std::string output_topic_of(const State& state, SeriesId id, OutputIndex output) {
  const SeriesEntry& entry = state.entries[id];
  if (!entry.outputs[output].has_topic) {
    return {};
  }
  return state.streams[entry.stream].plan->outputs[output].topic.expand_topic(
      captures_of(state, id));
}

bool claim_topic(State& state, SeriesId id, const std::string& broker, const std::string& topic,
                 const std::string& what) {
  const bool is_name = is_topic_name(topic);
  if (is_name && !is_own_topic(topic) &&
      state.taken_topics.insert(hash_of_topic(broker, topic)).second) {
    return true;
  }
  const auto reason = is_name ? DropReason::topic_collision : DropReason::bad_template;
  const std::string_view of = state.identities.topic(id);
  state.ledger.drop(state.entries[id].stream, reason, of);
  state.ledger.notice(reason, what, of);
  return false;
}

void find_next_boundary(State& state) {
  state.next_boundary = Time::max();
  for (const StreamState& stream : state.streams) {
    if (!stream.active.empty()) {
      state.next_boundary =
          std::min({state.next_boundary, stream.next_close(), stream.next_seal()});
    }
  }
}

void pass_boundaries(StreamState& stream, const Now& now) {
  const Duration resolution = stream.resolution;
  stream.closed_until =
      std::max(stream.closed_until, floor_to(now.wall - kPublishDelay, resolution));
  stream.sealed_until =
      std::max(stream.sealed_until, floor_to(now.wall - stream.lateness, resolution));
}

void activate(State& state, SeriesId id, const Now& now) {
  SeriesEntry& entry = state.entries[id];
  if (entry.is_active) {
    return;
  }
  StreamState& stream = state.streams[entry.stream];
  if (stream.active.empty()) {
    pass_boundaries(stream, now);
  }
  entry.is_active = true;
  stream.active.insert(std::lower_bound(stream.active.begin(), stream.active.end(), id), id);
  state.next_boundary = std::min({state.next_boundary, stream.next_close(), stream.next_seal()});
}

tl::expected<SeriesId, DropReason> add_series(State& state, const SeriesKey& key,
                                              LimitRule limits) {
  if (const std::optional<SeriesId> found = state.identities.find(key)) {
    // Kept as a number when a limit was lowered; the limit still holds.
    if (limits == LimitRule::enforce && !state.entries[*found].is_live) {
      return tl::unexpected(DropReason::too_many_series);
    }
    return *found;
  }
  const Plan& plan = *state.plan;
  std::optional<Place> place = find_place(plan, key);
  if (place &&
      (state.live_count >= plan.config.limits.series ||
       state.streams[place->stream].series_count >= plan.config.limits.series_per_stream)) {
    if (limits == LimitRule::enforce) {
      return tl::unexpected(DropReason::too_many_series);
    }
    place.reset();
  }
  const std::size_t stream_index = place ? place->stream : plan.streams.size();
  StreamState& stream = state.streams[stream_index];

  const SeriesId id = state.identities.add(key);
  SeriesEntry& entry = state.entries.emplace_back(stream.fields[place ? place->field : 0]);
  entry.stream = static_cast<StreamIndex>(stream_index);
  entry.is_live = place.has_value();
  if (!place) {
    return id;
  }
  ++state.live_count;
  ++stream.series_count;
  Effects none;
  entry.numbers.seal_to(stream.sealed_until, id, none);
  const Captures captures = captures_of(state, id);
  add_outputs(state, id, captures);
  attach_alerts(state, id, captures);
  return id;
}

}  // namespace rollup::engine

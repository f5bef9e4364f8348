#include "engine/registry.h"

#include <algorithm>

#include "engine/alerts.h"

namespace rollup::engine {

namespace {

std::string key_of(const SeriesKey& key) {
  std::string joined;
  for (const std::string* part : {&key.stream, &key.broker, &key.topic, &key.field}) {
    joined += *part;
    joined += '\0';
  }
  return joined;
}

// Where the plan has a place for the series; nothing if it has none.
struct Place {
  std::size_t stream = 0;
  std::size_t field = 0;
  Captures captures;
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
    std::optional<Captures> captures = candidate.filter.capture(key.topic);
    if (field == fields.end() || !captures) {
      return std::nullopt;
    }
    return Place{stream, static_cast<std::size_t>(field - fields.begin()), std::move(*captures)};
  }
  return std::nullopt;
}

void add_output_topics(State& state, SeriesId id) {
  SeriesInfo& info = state.infos[id];
  SeriesEntry& entry = state.entries[id];
  const StreamState& stream = state.streams[entry.stream];
  for (const OutputPlan& output : stream.plan->outputs) {
    std::string topic = output.topic.expand_topic(info.captures);
    if (!claim_topic(state, id, output.config.broker, topic,
                     "publish of stream " + stream.plan->config.name)) {
      topic.clear();
    }
    info.output_topics.push_back(std::move(topic));
  }
  entry.outputs.resize(stream.plan->outputs.size());
}

// Where the module tells of itself.
bool is_own_topic(std::string_view topic) {
  return topic == "rollup" || topic.substr(0, 7) == "rollup/";
}

}  // namespace

std::optional<SeriesId> find_series(const State& state, const SeriesKey& key) {
  const auto found = state.by_key.find(key_of(key));
  return found == state.by_key.end() ? std::nullopt : std::optional(found->second);
}

bool claim_topic(State& state, SeriesId id, const std::string& broker, const std::string& topic,
                 const std::string& what) {
  const bool is_name = is_topic_name(topic);
  if (is_name && !is_own_topic(topic) && state.taken_topics.insert(broker + '\n' + topic).second) {
    return true;
  }
  const auto reason = is_name ? DropReason::topic_collision : DropReason::bad_template;
  const std::string& of = state.infos[id].key.topic;
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
  std::string joined = key_of(key);
  if (const auto found = state.by_key.find(joined); found != state.by_key.end()) {
    // Kept as a number when a limit was lowered; the limit still holds.
    if (limits == LimitRule::enforce && !state.entries[found->second].is_live) {
      return tl::unexpected(DropReason::too_many_series);
    }
    return found->second;
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

  const auto id = static_cast<SeriesId>(state.entries.size());
  state.by_key.emplace(std::move(joined), id);
  SeriesInfo& info = state.infos.emplace_back();
  info.key = key;
  info.name = key.name();
  info.stream = static_cast<StreamIndex>(stream_index);
  SeriesEntry& entry = state.entries.emplace_back(stream.fields[place ? place->field : 0]);
  entry.stream = info.stream;
  entry.is_live = place.has_value();
  if (!place) {
    return id;
  }
  ++state.live_count;
  ++stream.series_count;
  info.field = static_cast<std::uint32_t>(place->field);
  info.captures = std::move(place->captures);
  info.captures.insert(info.captures.end(),
                       {{"topic", key.topic},
                        {"series", info.name},
                        {"stream", key.stream},
                        {"field", key.field},
                        {"unit", stream.plan->config.fields[place->field].unit}});
  state.by_name[info.name].push_back(id);
  Effects none;
  entry.numbers.seal_to(stream.sealed_until, id, none);
  add_output_topics(state, id);
  attach_alerts(state, id);
  return id;
}

}  // namespace rollup::engine

#include "engine/intake.h"

#include <algorithm>

namespace rollup::engine {

namespace {

constexpr SeriesId kUnbound = 0xffff'ffff;

// Without identifiers every matching stream takes the message.
bool is_meant_for(const Message& message, StreamIndex stream) {
  return message.subscriptions.empty() ||
         std::find(message.subscriptions.begin(), message.subscriptions.end(), stream + 1) !=
             message.subscriptions.end();
}

}  // namespace

Intake::Intake(Engine& engine)
    : engine_(engine),
      decoder_(engine.plan().config.limits),
      topics_(engine.plan().topics.size()) {}

void Intake::accept(const Message& message, std::vector<Sample>& samples,
                    std::vector<NewSeries>& created) {
  auto& topics = topics_[message.broker];
  if (const auto found = topics.find(message.topic); found != topics.end()) {
    accept(message, found.value(), samples, created);
    return;
  }
  streams_.clear();
  if (is_topic_name(message.topic)) {
    engine_.plan().topics[message.broker].match(message.topic, streams_);
  }
  if (streams_.empty()) {
    engine_.count_dropped(std::nullopt, DropReason::bad_topic, message.topic);
    return;
  }
  Bindings bindings;
  for (const StreamIndex stream : streams_) {
    bindings.push_back(
        {stream,
         std::vector<SeriesId>(engine_.plan().streams[stream].config.fields.size(), kUnbound)});
  }
  accept(message, bindings, samples, created);
  const bool has_series = std::any_of(bindings.begin(), bindings.end(), [](const Binding& binding) {
    return std::any_of(binding.series.begin(), binding.series.end(),
                       [](SeriesId id) { return id != kUnbound; });
  });
  if (has_series) {
    topics.emplace(message.topic, std::move(bindings));
  }
}

void Intake::accept(const Message& message, Bindings& bindings, std::vector<Sample>& samples,
                    std::vector<NewSeries>& created) {
  bool is_wanted = false;
  for (Binding& binding : bindings) {
    if (is_meant_for(message, binding.stream)) {
      is_wanted = true;
      accept(message, binding, samples, created);
    }
  }
  if (!is_wanted) {
    engine_.count_dropped(std::nullopt, DropReason::bad_topic, message.topic);
  }
}

void Intake::accept(const Message& message, Binding& binding, std::vector<Sample>& samples,
                    std::vector<NewSeries>& created) {
  decoder_.decode(engine_.plan().streams[binding.stream].config, message.payload, results_);
  for (std::size_t field = 0; field < results_.size(); ++field) {
    if (const DropReason* reason = std::get_if<DropReason>(&results_[field])) {
      engine_.count_dropped(binding.stream, *reason, message.topic);
      continue;
    }
    if (binding.series[field] == kUnbound && !bind(message, binding, field, created)) {
      continue;
    }
    const auto& value = std::get<decode::Value>(results_[field]);
    samples.push_back({.series = binding.series[field],
                       .has_event_time = value.event_time.has_value(),
                       .retained = message.retained,
                       .time = value.event_time.value_or(message.arrival),
                       .value = value.value});
  }
}

bool Intake::bind(const Message& message, Binding& binding, std::size_t field,
                  std::vector<NewSeries>& created) {
  const StreamPlan& stream = engine_.plan().streams[binding.stream];
  const SeriesKey key{stream.config.name, stream.config.broker, message.topic,
                      stream.config.fields[field].name};
  const std::size_t before = engine_.series_count();
  const tl::expected<SeriesId, DropReason> id = engine_.add_series(key);
  if (!id) {
    engine_.count_dropped(binding.stream, id.error(), message.topic);
    return false;
  }
  binding.series[field] = *id;
  if (engine_.series_count() > before) {
    created.push_back({*id, key});
  }
  return true;
}

}  // namespace rollup::engine

#include "engine/intake.h"

#include <algorithm>

namespace rollup::engine {

namespace {

constexpr SeriesId kUnbound = 0xffff'ffff;

// Without identifiers every matching stream takes the message.
bool is_meant_for(const Message& message, const StreamPlan& stream) {
  return message.subscriptions.empty() ||
         std::find(message.subscriptions.begin(), message.subscriptions.end(), stream.tag) !=
             message.subscriptions.end();
}

}  // namespace

Intake::Intake(Engine& engine)
    : engine_(engine),
      decoder_(engine.plan().config.limits),
      topics_(engine.plan().topics.size()),
      new_in_second_(engine.plan().streams.size()) {}

void Intake::accept(const Message& message, std::vector<Sample>& samples,
                    std::vector<NewSeries>& created) {
  // A link that a reload took away may have handed in one more.
  if (message.broker >= topics_.size()) {
    engine_.ledger().drop(std::nullopt, DropReason::bad_topic, message.topic);
    return;
  }
  std::vector<Range>& topics = topics_[message.broker];
  if (const std::optional<TopicId> known = engine_.find_topic(message.topic);
      known && *known < topics.size() && topics[*known].begin < topics[*known].end) {
    accept(message, topics[*known], samples, created);
    return;
  }
  streams_.clear();
  if (message.topic.size() <= engine_.plan().config.limits.topic && is_topic_name(message.topic)) {
    engine_.plan().topics[message.broker].match(message.topic, streams_);
  }
  if (streams_.empty()) {
    engine_.ledger().drop(std::nullopt, DropReason::bad_topic, message.topic);
    return;
  }
  const auto begin = static_cast<std::uint32_t>(slots_.size());
  for (const StreamIndex stream : streams_) {
    slots_.insert(slots_.end(), engine_.plan().streams[stream].config.fields.size(),
                  {stream, kUnbound});
  }
  const Range range{begin, static_cast<std::uint32_t>(slots_.size())};
  accept(message, range, samples, created);
  const bool has_series = std::any_of(slots_.begin() + begin, slots_.end(),
                                      [](const Slot& slot) { return slot.series != kUnbound; });
  if (has_series) {
    const TopicId topic = engine_.find_topic(message.topic).value();
    topics.resize(std::max<std::size_t>(topics.size(), topic + 1));
    topics[topic] = range;
  } else {
    slots_.resize(begin);
  }
}

void Intake::accept(const Message& message, Range range, std::vector<Sample>& samples,
                    std::vector<NewSeries>& created) {
  bool is_wanted = false;
  for (std::uint32_t first = range.begin; first < range.end;) {
    const StreamPlan& stream = engine_.plan().streams[slots_[first].stream];
    if (is_meant_for(message, stream)) {
      is_wanted = true;
      decode(message, first, samples, created);
    }
    first += static_cast<std::uint32_t>(stream.config.fields.size());
  }
  if (!is_wanted) {
    engine_.ledger().drop(std::nullopt, DropReason::bad_topic, message.topic);
  }
}

void Intake::decode(const Message& message, std::uint32_t first_slot, std::vector<Sample>& samples,
                    std::vector<NewSeries>& created) {
  const StreamIndex stream = slots_[first_slot].stream;
  decoder_.decode(engine_.plan().streams[stream].config, message.payload, results_);
  for (std::size_t field = 0; field < results_.size(); ++field) {
    if (const DropReason* reason = std::get_if<DropReason>(&results_[field])) {
      engine_.ledger().drop(stream, *reason, message.topic);
      continue;
    }
    Slot& slot = slots_[first_slot + field];
    if (slot.series == kUnbound && !bind(message, slot, field, created)) {
      continue;
    }
    const auto& value = std::get<decode::Value>(results_[field]);
    samples.push_back({.series = slot.series,
                       .has_event_time = value.event_time.has_value(),
                       .retained = message.retained,
                       .time = value.event_time.value_or(message.arrival),
                       .value = value.value});
  }
}

bool Intake::bind(const Message& message, Slot& slot, std::size_t field,
                  std::vector<NewSeries>& created) {
  const StreamPlan& stream = engine_.plan().streams[slot.stream];
  const SeriesKey key{stream.config.name, stream.config.broker, message.topic,
                      stream.config.fields[field].name};
  const std::size_t before = engine_.series_count();
  const tl::expected<SeriesId, DropReason> id = add(message, slot.stream, key);
  if (!id) {
    engine_.ledger().drop(slot.stream, id.error(), message.topic);
    engine_.ledger().notice(id.error(), "stream " + stream.config.name, message.topic);
    return false;
  }
  slot.series = *id;
  if (engine_.series_count() > before) {
    created.push_back({*id, key});
  }
  return true;
}

// By arrivals, so that a backlog meets the limit that it would have met in time. Two links may be
// taken in a second apart.
tl::expected<SeriesId, DropReason> Intake::add(const Message& message, StreamIndex stream,
                                               const SeriesKey& key) {
  if (!engine_.has_series(key)) {
    constexpr Duration kSecond = std::chrono::seconds(1);
    NewInSecond& now = new_in_second_[stream];
    if (message.arrival >= now.since + kSecond || message.arrival < now.since - kSecond) {
      now = {floor_to(message.arrival, kSecond), 0};
    }
    if (now.count >= engine_.plan().config.limits.new_series) {
      return tl::unexpected(DropReason::too_many_new_series);
    }
    ++now.count;
  }
  return engine_.add_series(key);
}

}  // namespace rollup::engine

#include "engine/identities.h"

#include <algorithm>

namespace rollup::engine {

namespace {

constexpr std::size_t kBlock = std::size_t{64} * 1024;

}  // namespace

SeriesId Identities::add(const SeriesKey& key) {
  const std::optional<TopicId> known = find_topic(key.topic);
  const TopicId topic = known ? *known : add_topic(key.topic);
  const auto id = static_cast<SeriesId>(rows_.size());
  rows_.push_back({topic, source_of(key), topics_[topic].first});
  topics_[topic].first = id;
  return id;
}

std::optional<SeriesId> Identities::find(const SeriesKey& key) const {
  const std::optional<TopicId> topic = find_topic(key.topic);
  for (SeriesId id = topic ? topics_[*topic].first : kEnd; id != kEnd; id = rows_[id].next) {
    const Source& source = *sources_[rows_[id].source];
    if (source.field == key.field && source.stream == key.stream && source.broker == key.broker) {
      return id;
    }
  }
  return std::nullopt;
}

std::vector<SeriesId> Identities::find_name(std::string_view name) const {
  std::vector<SeriesId> found;
  const auto add = [&](std::string_view topic, std::string_view field) {
    const std::optional<TopicId> known = find_topic(topic);
    for (SeriesId id = known ? topics_[*known].first : kEnd; id != kEnd; id = rows_[id].next) {
      if (sources_[rows_[id].source]->field == field) {
        found.push_back(id);
      }
    }
  };
  for (const std::string& field : fields_) {
    const std::size_t cut = field.empty() ? 0 : field.size() + 1;
    if (cut <= name.size() && name.ends_with(field) &&
        (cut == 0 || name[name.size() - cut] == '/')) {
      add(name.substr(0, name.size() - cut), field);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<TopicId> Identities::find_topic(std::string_view topic) const {
  const auto found = by_text_.find(topic);
  return found == by_text_.end() ? std::nullopt : std::optional(*found);
}

SeriesKey Identities::key(SeriesId id) const {
  const Source& source = *sources_[rows_[id].source];
  return {source.stream, source.broker, std::string(topic(id)), source.field};
}

TopicId Identities::add_topic(std::string_view topic) {
  const auto id = static_cast<TopicId>(topics_.size());
  topics_.push_back({store(topic), static_cast<std::uint32_t>(topic.size()), kEnd});
  by_text_.insert(id);
  return id;
}

const char* Identities::store(std::string_view text) {
  if (room_ < text.size()) {
    room_ = std::max(kBlock, text.size());
    end_ = blocks_.emplace_back(new char[room_]).get();
  }
  char* const stored = end_;
  end_ = std::copy(text.begin(), text.end(), stored);
  room_ -= text.size();
  return stored;
}

std::uint32_t Identities::source_of(const SeriesKey& key) {
  const auto [place, is_new] = source_ids_.try_emplace(Source{key.stream, key.broker, key.field},
                                                       static_cast<std::uint32_t>(sources_.size()));
  if (is_new) {
    sources_.push_back(&place->first);
    fields_.insert(key.field);
  }
  return place->second;
}

}  // namespace rollup::engine

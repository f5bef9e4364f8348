#include "decode/topic_index.h"

#include <algorithm>
#include <cstddef>

namespace rollup::decode {

namespace {

template <class Literals>
auto lower_bound_of(Literals& literals, std::string_view level) {
  return std::lower_bound(
      literals.begin(), literals.end(), level,
      [](const auto& literal, std::string_view l) { return literal.first < l; });
}

}  // namespace

TopicIndex::TopicIndex() : nodes_(1) {}

void TopicIndex::add(const TopicFilter& filter, StreamIndex stream) {
  std::uint32_t at = 0;
  for (const std::string& level : filter.levels()) {
    if (level == "#") {
      nodes_[at].open_streams.push_back(stream);
      return;
    }
    const auto next = static_cast<std::uint32_t>(nodes_.size());
    if (level == "+") {
      if (nodes_[at].any_level == 0) {
        nodes_[at].any_level = next;
        nodes_.emplace_back();
      }
      at = nodes_[at].any_level;
      continue;
    }
    auto& literals = nodes_[at].literals;
    const auto found = lower_bound_of(literals, level);
    if (found != literals.end() && found->first == level) {
      at = found->second;
    } else {
      literals.emplace(found, level, next);
      nodes_.emplace_back();
      at = next;
    }
  }
  nodes_[at].streams.push_back(stream);
}

void TopicIndex::walk(std::uint32_t index, std::string_view rest, bool is_first,
                      std::vector<StreamIndex>& streams) const {
  const Node& node = nodes_[index];
  const bool is_reserved = is_first && rest.front() == '$';
  if (!is_reserved) {
    streams.insert(streams.end(), node.open_streams.begin(), node.open_streams.end());
  }
  const std::size_t slash = rest.find('/');
  const std::string_view level = rest.substr(0, slash);
  const auto descend = [&](std::uint32_t child) {
    if (slash != std::string_view::npos) {
      return walk(child, rest.substr(slash + 1), false, streams);
    }
    const Node& last = nodes_[child];
    streams.insert(streams.end(), last.streams.begin(), last.streams.end());
    // "a/#" also matches "a".
    streams.insert(streams.end(), last.open_streams.begin(), last.open_streams.end());
  };
  const auto literal = lower_bound_of(node.literals, level);
  if (literal != node.literals.end() && literal->first == level) {
    descend(literal->second);
  }
  if (node.any_level != 0 && !is_reserved) {
    descend(node.any_level);
  }
}

void TopicIndex::match(std::string_view topic, std::vector<StreamIndex>& streams) const {
  if (topic.empty()) {
    return;
  }
  const auto begin = static_cast<std::ptrdiff_t>(streams.size());
  walk(0, topic, true, streams);
  std::sort(streams.begin() + begin, streams.end());
  streams.erase(std::unique(streams.begin() + begin, streams.end()), streams.end());
}

}  // namespace rollup::decode

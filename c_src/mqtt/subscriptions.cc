#include "mqtt/subscriptions.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/hash.h"

namespace rollup::mqtt {
namespace {

// MQTT 5, 3.8.2.1.2: 1 to 268,435,455.
constexpr std::uint32_t kIdentifierMax = 268'435'455;

std::uint32_t identifier_of(std::string_view filter) {
  return stable_hash(filter) % kIdentifierMax + 1;
}

}  // namespace

void Subscriptions::want(std::vector<Subscription> wishes) {
  wishes_ = std::move(wishes);
  refused_.clear();
  plan();
}

void Subscriptions::use_identifiers(bool use) {
  if (use != use_identifiers_) {
    use_identifiers_ = use;
    plan();
  }
}

void Subscriptions::plan() {
  wanted_.clear();
  streams_.clear();
  for (const Subscription& wish : wishes_) {
    Held& held = wanted_[wish.filter.mqtt()];
    held.qos = std::max(held.qos, wish.qos);
  }
  if (use_identifiers_) {
    for (auto& [filter, held] : wanted_) {
      std::uint32_t identifier = identifier_of(filter);
      while (streams_.contains(identifier)) {
        identifier = identifier % kIdentifierMax + 1;
      }
      held.identifier = identifier;
      streams_[identifier] = {};
    }
    for (const Subscription& wish : wishes_) {
      streams_[wanted_[wish.filter.mqtt()].identifier].push_back(wish.stream);
    }
    return;
  }
  for (const Subscription& narrow : wishes_) {
    for (const Subscription& wide : wishes_) {
      if (wide.filter.mqtt() == narrow.filter.mqtt() || !covers(wide.filter, narrow.filter)) {
        continue;
      }
      // Of filters that cover each other (none but equal ones should) one must stay.
      const auto wide_held = wanted_.find(wide.filter.mqtt());
      const auto narrow_held = wanted_.find(narrow.filter.mqtt());
      if (wide_held == wanted_.end() || narrow_held == wanted_.end()) {
        continue;
      }
      wide_held->second.qos = std::max(wide_held->second.qos, narrow_held->second.qos);
      wanted_.erase(narrow_held);
      break;
    }
  }
}

std::vector<Subscriptions::Request> Subscriptions::requests() const {
  const auto is_under_way = [this](const std::string& filter) {
    return std::any_of(under_way_.begin(), under_way_.end(),
                       [&](const auto& entry) { return entry.second.filter == filter; });
  };
  std::vector<Request> requests;
  for (const auto& [filter, held] : held_) {
    if (!wanted_.contains(filter) && !is_under_way(filter)) {
      requests.push_back({false, filter, 0, 0});
    }
  }
  for (const auto& [filter, wanted] : wanted_) {
    if (refused_.contains(filter)) {
      continue;
    }
    const auto held = held_.find(filter);
    if ((held == held_.end() || held->second != wanted) && !is_under_way(filter)) {
      requests.push_back({true, filter, wanted.identifier, wanted.qos});
    }
  }
  return requests;
}

std::size_t Subscriptions::missing() const {
  std::size_t granted = held_.size();
  for (const auto& [filter, held] : held_) {
    if (!wanted_.contains(filter)) {
      --granted;
    }
  }
  for (const auto& [mid, request] : under_way_) {
    if (request.subscribe && wanted_.contains(request.filter)) {
      --granted;
    }
  }
  return wanted_.size() - granted;
}

void Subscriptions::sent(int mid, const Request& request) {
  if (request.subscribe) {
    held_[request.filter] = {request.identifier, request.qos};
  }
  under_way_[mid] = request;
}

std::optional<std::string> Subscriptions::subscribed(int mid, bool granted) {
  const auto entry = under_way_.find(mid);
  if (entry == under_way_.end()) {
    return std::nullopt;
  }
  std::string filter = std::move(entry->second.filter);
  under_way_.erase(entry);
  if (!granted) {
    held_.erase(filter);
    refused_.insert(filter);
  }
  return filter;
}

void Subscriptions::unsubscribed(int mid) {
  const auto entry = under_way_.find(mid);
  if (entry != under_way_.end()) {
    held_.erase(entry->second.filter);
    under_way_.erase(entry);
  }
}

void Subscriptions::link_lost() {
  for (const auto& [mid, request] : under_way_) {
    if (request.subscribe) {
      held_.erase(request.filter);
    }
  }
  under_way_.clear();
  refused_.clear();
}

void Subscriptions::session_lost() {
  held_.clear();
  under_way_.clear();
}

bool Subscriptions::add_streams(std::uint32_t identifier, std::vector<std::uint32_t>& out) const {
  const auto entry = streams_.find(identifier);
  if (entry == streams_.end()) {
    return false;
  }
  for (const std::uint32_t stream : entry->second) {
    if (std::find(out.begin(), out.end(), stream) == out.end()) {
      out.push_back(stream);
    }
  }
  return true;
}

}  // namespace rollup::mqtt

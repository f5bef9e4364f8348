#include "app/links.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "app/log.h"

namespace rollup::app {

namespace {

std::vector<mqtt::Subscription> subscriptions_of(const engine::Plan& plan, std::uint32_t broker) {
  std::vector<mqtt::Subscription> subscriptions;
  for (const engine::StreamPlan& stream : plan.streams) {
    if (stream.broker == broker) {
      subscriptions.push_back({stream.tag, stream.filter, stream.config.qos});
    }
  }
  return subscriptions;
}

}  // namespace

void ClientLinks::configure(const std::vector<Broker>& brokers, const engine::Plan& plan) {
  std::vector<Entry> before = std::exchange(entries_, {});
  for (std::uint32_t index = 0; index < brokers.size(); ++index) {
    if (brokers[index].link == LinkKind::feed) {
      continue;
    }
    std::vector<mqtt::Subscription> subscriptions = subscriptions_of(plan, index);
    const auto same = std::find_if(before.begin(), before.end(), [&](const Entry& entry) {
      return entry.client != nullptr && entry.index == index && entry.broker == brokers[index];
    });
    if (same != before.end()) {
      same->client->update_filters(std::move(subscriptions));
      entries_.push_back(std::move(*same));
    } else {
      entries_.push_back({brokers[index], index, nullptr, LinkState::connecting, Time{}});
    }
  }
  // The old ones go before new ones come with the same client id.
  before.clear();
  for (Entry& entry : entries_) {
    if (entry.client == nullptr) {
      mqtt::Options options;
      options.broker = entry.broker;
      options.broker_index = entry.index;
      options.payload_max = plan.config.limits.payload;
      entry.client = std::make_unique<mqtt::Client>(std::move(options), inbox_,
                                                    subscriptions_of(plan, entry.index), log);
    }
  }
}

void ClientLinks::publish(Publication publication) {
  for (Entry& entry : entries_) {
    if (entry.broker.name == publication.broker) {
      entry.client->publish(std::move(publication));
      return;
    }
  }
}

std::vector<std::string> ClientLinks::newly_connected() {
  std::vector<std::string> names;
  for (Entry& entry : entries_) {
    const mqtt::Status status = entry.client->status();
    if (status.state == LinkState::connected &&
        (entry.seen != status.state || entry.seen_since != status.since)) {
      names.push_back(entry.broker.name);
    }
    entry.seen = status.state;
    entry.seen_since = status.since;
  }
  return names;
}

std::vector<port::BrokerStatus> ClientLinks::status() const {
  std::vector<port::BrokerStatus> all;
  for (const Entry& entry : entries_) {
    const mqtt::Status status = entry.client->status();
    port::BrokerStatus& one = all.emplace_back();
    one.name = entry.broker.name;
    one.state = status.state;
    one.since = status.since;
    one.published = status.published;
    one.queued = status.queued;
    one.last_error = status.last_error;
  }
  return all;
}

std::vector<std::string> ClientLinks::names() const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_) {
    names.push_back(entry.broker.name);
  }
  return names;
}

void ClientLinks::stop() {
  std::vector<std::jthread> farewells;
  for (Entry& entry : entries_) {
    farewells.emplace_back([&entry] { entry.client->stop(); });
  }
}

}  // namespace rollup::app

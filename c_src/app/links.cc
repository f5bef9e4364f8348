#include "app/links.h"

#include <poll.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "app/log.h"

namespace rollup::app {

namespace {

// Whether the two could be one client for a broker.
bool may_share_session(const Broker& one, const Broker& other) {
  return one.name == other.name || (one.host == other.host && one.port == other.port &&
                                    one.client_id == other.client_id && !one.client_id.empty());
}

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

ClientLinks::Entry ClientLinks::make_entry(const Broker& broker, std::uint32_t index,
                                           const engine::Plan& plan) {
  names_.push_back(broker.name);
  Entry entry;
  entry.broker = broker;
  entry.link = static_cast<std::uint32_t>(names_.size());
  mqtt::Options options;
  options.broker = broker;
  options.link = entry.link;
  options.payload_max = plan.config.limits.payload;
  entry.client = std::make_unique<mqtt::Client>(std::move(options), inbox_,
                                                subscriptions_of(plan, index), log);
  return entry;
}

void ClientLinks::configure(const std::vector<Broker>& brokers, const engine::Plan& plan) {
  std::vector<Entry> before = std::exchange(entries_, {});
  for (std::uint32_t index = 0; index < brokers.size(); ++index) {
    if (brokers[index].link == LinkKind::feed) {
      continue;
    }
    const auto same = std::find_if(before.begin(), before.end(), [&](const Entry& entry) {
      return entry.broker == brokers[index];
    });
    if (same != before.end()) {
      same->client->update_filters(subscriptions_of(plan, index));
      entries_.push_back(std::move(*same));
      before.erase(same);
    } else {
      entries_.push_back(make_entry(brokers[index], index, plan));
    }
  }
  for (Entry& entry : before) {
    entry.client->request_stop();
    leaving_.push_back(std::move(entry));
  }
}

void ClientLinks::work(const Deliveries& taken) {
  std::erase_if(leaving_,
                [](const Entry& entry) { return !entry.has_started || entry.client->is_over(); });
  for (Entry& entry : entries_) {
    // Two links must not have one session, and the new one has to know all that the old one took.
    const bool must_wait = std::any_of(leaving_.begin(), leaving_.end(), [&](const Entry& leaving) {
      return may_share_session(leaving.broker, entry.broker);
    });
    if (!entry.has_started && !must_wait) {
      entry.client->start(taken.of(entry.broker.name));
      entry.has_started = true;
    }
  }
}

Duration ClientLinks::until_next_work() const {
  return leaving_.empty() ? Duration(std::chrono::hours(1)) : Duration(std::chrono::seconds(1));
}

std::string_view ClientLinks::broker_of(std::uint32_t link) const { return names_.at(link - 1); }

void ClientLinks::appended(std::uint32_t link, std::uint64_t number) {
  for (std::vector<Entry>* entries : {&entries_, &leaving_}) {
    for (Entry& entry : *entries) {
      if (entry.link == link) {
        entry.client->appended(number);
        return;
      }
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
    one.received = status.received;
    one.redelivered = status.redelivered;
    one.unwanted = status.unwanted;
    one.filters_missing = status.filters_missing;
    one.sessions_lost = status.sessions_lost;
    one.published = status.published;
    one.unpublished = status.unpublished;
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

void ClientLinks::stop(const std::function<void()>& meanwhile) {
  std::move(leaving_.begin(), leaving_.end(), std::back_inserter(entries_));
  leaving_.clear();
  for (Entry& entry : entries_) {
    entry.client->request_stop();
  }
  const auto has_ended = [](const Entry& entry) { return entry.client->has_ended(); };
  while (!std::all_of(entries_.begin(), entries_.end(), has_ended)) {
    meanwhile();
    // Long enough to be no load, short enough to be no delay.
    constexpr int kPauseMs = 10;
    pollfd fd = {inbox_.prepare_to_sleep() ? inbox_.fd() : -1, POLLIN, 0};
    ::poll(&fd, 1, kPauseMs);
  }
  for (Entry& entry : entries_) {
    entry.client->stop();
  }
}

}  // namespace rollup::app

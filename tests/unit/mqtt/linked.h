// A Client with its inbox and its log, as the engine's thread sees them.
#pragma once

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mqtt/client.h"
#include "mqtt/inbox.h"
#include "support/mosquitto_broker.h"

namespace rollup::mqtt {

using rollup::testing::MosquittoBroker;

inline Subscription wish(std::uint32_t stream, const std::string& filter, int qos = 1) {
  return {stream + 1, TopicFilter::parse(filter).value(), qos};
}

// Options for a broker of the test, with pauses of a few milliseconds.
inline Options options_for(const MosquittoBroker& broker, int protocol = 5) {
  Options options;
  options.broker.name = "test";
  options.broker.host = broker.host();
  options.broker.port = broker.port();
  options.broker.client_id = "rollup";
  options.broker.protocol = protocol;
  options.backoff_first = Duration(10);
  options.backoff_max = Duration(50);
  return options;
}

class Linked {
 public:
  explicit Linked(Options options, std::vector<Subscription> subscriptions = {},
                  Inbox::Bounds bounds = {}, const Deliveries& taken = {})
      : inbox_(bounds),
        client_(std::move(options), inbox_, std::move(subscriptions),
                [this](LogLevel, std::string line) {
                  const std::lock_guard lock(mutex_);
                  log_ += line + "\n";
                }) {
    client_.start(taken);
  }

  Client& client() { return client_; }
  Inbox& inbox() { return inbox_; }
  std::string log() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  // Whether all that comes is appended at once; else what is taken in waits for append().
  void set_appending(bool is_appending) { is_appending_ = is_appending; }
  // Appends what wait() has taken in, as the engine does at the end of a turn.
  void append() {
    if (!messages_.empty()) {
      client_.appended(newest_);
    }
  }

  // Sleeps as the engine does until `is_done` holds; false if it does not in time.
  bool wait(const std::function<bool()>& is_done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (true) {
      const std::size_t before = messages_.size();
      inbox_.drain(messages_);
      for (std::size_t i = before; i < messages_.size(); ++i) {
        newest_ = std::max(newest_, messages_[i].number);
      }
      if (is_appending_ && messages_.size() > before) {
        append();
      }
      if (is_done()) {
        return true;
      }
      if (std::chrono::steady_clock::now() >= deadline) {
        return false;
      }
      if (inbox_.prepare_to_sleep()) {
        pollfd fd = {inbox_.fd(), POLLIN, 0};
        // Counters change without a wake-up.
        poll(&fd, 1, 10);
      }
    }
  }
  bool wait_for_state(LinkState state) {
    return wait([&] { return client_.status().state == state; });
  }
  // Connected, and every filter granted.
  bool wait_until_ready() {
    return wait([&] {
      const Status status = client_.status();
      return status.state == LinkState::connected && status.filters_missing == 0;
    });
  }
  bool wait_until_published(std::uint64_t count) {
    return wait([&] {
      const Status status = client_.status();
      return status.published >= count && status.queued == 0;
    });
  }
  // The next message, in the order of arrival.
  std::optional<Message> next() {
    if (!wait([&] { return next_message_ < messages_.size(); })) {
      return std::nullopt;
    }
    return messages_[next_message_++];
  }
  std::string next_payload() {
    const auto message = next();
    return message ? message->payload : "(nothing came)";
  }

 private:
  mutable std::mutex mutex_;
  std::string log_;
  Inbox inbox_;
  std::vector<Message> messages_;
  std::size_t next_message_ = 0;
  bool is_appending_ = true;
  std::uint64_t newest_ = 0;
  Client client_;
};

}  // namespace rollup::mqtt

// The links to all configured brokers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/plan.h"
#include "model/config.h"
#include "mqtt/client.h"
#include "mqtt/inbox.h"
#include "port/messages.h"
#include "publish/publication.h"

namespace rollup::app {

class Links {
 public:
  explicit Links(mqtt::Inbox& inbox) : inbox_(inbox) {}

  // Brings the links to this configuration: those whose broker did not change go on.
  void configure(const std::vector<Broker>& brokers, const engine::Plan& plan);

  void publish(publish::Publication publication);

  // The brokers that have become connected since the last call.
  std::vector<std::string> newly_connected();

  std::vector<port::BrokerStatus> status() const;
  std::vector<std::string> names() const;

  // Says goodbye to all; within some seconds, whatever the brokers do.
  void stop();

 private:
  struct Entry {
    Broker broker;
    std::uint32_t index = 0;
    std::unique_ptr<mqtt::Client> client;
    mqtt::LinkState seen = mqtt::LinkState::connecting;
    Time seen_since;
  };

  mqtt::Inbox& inbox_;
  std::vector<Entry> entries_;
};

}  // namespace rollup::app

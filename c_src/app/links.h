// The links to the brokers that are reached with libmosquitto.
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
  virtual ~Links() = default;

  // Brings the links to this configuration: those whose broker did not change go on. Brokers with
  // the link feed are none of its business.
  virtual void configure(const std::vector<Broker>& brokers, const engine::Plan& plan) = 0;

  virtual void publish(Publication publication) = 0;

  // The brokers that have become connected since the last call.
  virtual std::vector<std::string> newly_connected() = 0;

  virtual std::vector<port::BrokerStatus> status() const = 0;
  virtual std::vector<std::string> names() const = 0;

  // Says goodbye to all; within some seconds, whatever the brokers do.
  virtual void stop() = 0;
};

class ClientLinks final : public Links {
 public:
  explicit ClientLinks(mqtt::Inbox& inbox) : inbox_(inbox) {}

  void configure(const std::vector<Broker>& brokers, const engine::Plan& plan) override;
  void publish(Publication publication) override;
  std::vector<std::string> newly_connected() override;
  std::vector<port::BrokerStatus> status() const override;
  std::vector<std::string> names() const override;
  void stop() override;

 private:
  struct Entry {
    Broker broker;
    std::uint32_t index = 0;
    std::unique_ptr<mqtt::Client> client;
    LinkState seen = LinkState::connecting;
    Time seen_since;
  };

  mqtt::Inbox& inbox_;
  std::vector<Entry> entries_;
};

}  // namespace rollup::app

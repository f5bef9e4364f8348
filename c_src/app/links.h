// The links to the brokers that are reached with libmosquitto.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/deliveries.h"
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

  // Brings the links to this configuration: those whose broker did not change go on, wherever it
  // stands now. Others are asked to end; work() puts new ones in their place. Brokers with the link
  // feed are none of its business.
  virtual void configure(const std::vector<Broker>& brokers, const engine::Plan& plan) = 0;

  // Ends and begins what configure() left to be done. `taken`: what a link that begins is told of
  // its session.
  virtual void work(const Deliveries& taken) = 0;
  // When work() has something to do again, if nothing wakes the inbox before.
  virtual Duration until_next_work() const = 0;

  // The broker's name of a link (Message::link), also of one that is gone.
  virtual std::string_view broker_of(std::uint32_t link) const = 0;

  // All messages of the link up to this number (Message::number) are appended.
  virtual void appended(std::uint32_t link, std::uint64_t number) = 0;

  virtual void publish(Publication publication) = 0;

  // The brokers that have become connected since the last call.
  virtual std::vector<std::string> newly_connected() = 0;

  virtual std::vector<port::BrokerStatus> status() const = 0;
  virtual std::vector<std::string> names() const = 0;

  // Says goodbye to all; within some seconds, whatever the brokers do. `meanwhile` is called until
  // then: what still comes in has to be appended to be acknowledged.
  virtual void stop(const std::function<void()>& meanwhile) = 0;
};

class ClientLinks final : public Links {
 public:
  explicit ClientLinks(mqtt::Inbox& inbox) : inbox_(inbox) {}

  void configure(const std::vector<Broker>& brokers, const engine::Plan& plan) override;
  void work(const Deliveries& taken) override;
  Duration until_next_work() const override;
  std::string_view broker_of(std::uint32_t link) const override;
  void appended(std::uint32_t link, std::uint64_t number) override;
  void publish(Publication publication) override;
  std::vector<std::string> newly_connected() override;
  std::vector<port::BrokerStatus> status() const override;
  std::vector<std::string> names() const override;
  void stop(const std::function<void()>& meanwhile) override;

 private:
  struct Entry {
    Broker broker;
    std::uint32_t link = 0;
    std::unique_ptr<mqtt::Client> client;
    bool has_started = false;
    LinkState seen = LinkState::connecting;
    Time seen_since;
  };

  Entry make_entry(const Broker& broker, std::uint32_t index, const engine::Plan& plan);

  mqtt::Inbox& inbox_;
  std::vector<Entry> entries_;
  std::vector<Entry> leaving_;
  std::vector<std::string> names_;  // of all brokers; a link's number is its place, from 1
};

}  // namespace rollup::app

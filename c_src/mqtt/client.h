// The link to one configured broker through libmosquitto, MQTT 5 or 3.1.1.
//
//   Client link({.broker = broker, .link = 1}, inbox, subscriptions, log);
//   link.start();
//   link.publish({.topic = "stats/kitchen", .payload = "21.5", .retain = true});
//   link.stop();
//
// It connects at once and again whenever the link breaks, with a growing pause; keeps a session at
// the broker, so what is published with QoS 1 while the program is away arrives later; pushes what
// comes in into the inbox; publishes "online" (retained) as its status and "offline" on stop() or,
// through the broker, when it dies.
//
// Acknowledged after the append: what came in with QoS 1 is acknowledged when appended() has said
// so of all of it, and until then nothing is written to the broker. So what is in the inbox when
// the program is killed comes again. What was appended and is delivered again all the same, because
// the acknowledgement did not get there, is recognised (see Redeliveries) and counted only. A
// subscription asks for QoS 1 at most, as the handshake of QoS 2 cannot be held back.
//
// While nothing is appended (a full disk) the broker waits. If that lasts longer than its keepalive
// allows, the connection is left, and taken up again when the append has come about.
//
// Threads: each Client has one, and only that one calls libmosquitto. The members below are for
// one other thread, the engine's; none of them waits for the broker except stop(). The inbox must
// outlive the Client. The log function is called from the link's thread, not after stop().
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/time.h"
#include "model/config.h"
#include "model/delivery.h"
#include "model/link_state.h"
#include "model/log_level.h"
#include "mqtt/inbox.h"
#include "mqtt/outbox.h"
#include "mqtt/subscriptions.h"

namespace rollup::mqtt {

using Log = std::function<void(LogLevel, std::string)>;

// A link's state and counters. The engine's inbox is woken when the state changes.
struct Status {
  LinkState state = LinkState::connecting;
  // When it became connected, or ceased to be; trying to connect again does not count.
  Time since;
  std::uint64_t received = 0;
  // Of these, delivered again and recognised.
  std::uint64_t redelivered = 0;
  // Came for a filter that is not configured any more.
  std::uint64_t unwanted = 0;
  // How often the broker had forgotten the session that it was to keep.
  std::uint64_t sessions_lost = 0;
  // Acknowledged by the broker; with QoS 0, written.
  std::uint64_t published = 0;
  // Waiting to be sent or acknowledged.
  std::uint64_t queued = 0;
  // Expired or not retained and crowded out while waiting, refused by the broker, or QoS 0 and lost
  // with the connection.
  std::uint64_t unpublished = 0;
  // Filters that the broker has not granted, or not yet.
  std::uint64_t filters_missing = 0;
  // The newest trouble, for people, with the remedy; "" if there is none.
  std::string last_error;
};

struct Options {
  Broker broker;
  std::uint32_t link = 0;  // Message::link
  // Where "online" and "offline" go; "": nowhere.
  std::string status_topic = "rollup/status";
  // A longer payload is cut to one byte more than this, which decoding then counts as too_large.
  std::size_t payload_max = std::size_t{256} * 1024;

  Duration backoff_first{std::chrono::seconds(1)};
  Duration backoff_max{std::chrono::seconds(60)};
  // A link that stood so long begins with backoff_first again.
  Duration steady_after{std::chrono::seconds(30)};
  // From the connection to the broker's CONNACK.
  Duration handshake_max{std::chrono::seconds(10)};
  // On stop(): for what waits and for the broker to acknowledge "offline". Below stop_max.
  Duration farewell_max{std::chrono::seconds(2)};
  Duration stop_max{std::chrono::seconds(5)};

  // Publications that wait for the broker's acknowledgement at a time.
  std::size_t in_flight_max = 64;
  // Publications without the retain flag that wait to be sent.
  std::size_t loose_max = 1000;
};

// What is known of earlier connections with the same session.
using Deliveries = std::vector<Delivery>;

class Link;

class Client {
 public:
  Client(Options options, Inbox& inbox, std::vector<Subscription> subscriptions, Log log);
  // Without start() nothing happens but that publications are kept.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Begins to connect.
  void start(const Deliveries& taken = {});

  // All messages up to this number (Message::number) are appended.
  void appended(std::uint64_t number);

  // Sends it as soon as it can; see Outbox for what becomes of it until then. An empty payload is a
  // programmer's mistake.
  void publish(Publication message);

  // Subscribes to what is new, unsubscribes from what is gone.
  void update_filters(std::vector<Subscription> subscriptions);

  Status status() const;

  // Asks it to say goodbye and end. Messages that come in meanwhile are still put into the inbox.
  void request_stop();
  // Whether it has ended, or stop_max is over.
  bool has_ended() const;
  // Whether it has ended and all that it took in is appended: another one may have the session.
  bool is_over() const;
  // Ends it, within Options::stop_max from the request on also if the broker hangs. Again: nothing.
  void stop();

 private:
  // Shared with the thread: one that is caught in the resolver (which cannot be interrupted) is
  // left to itself by stop() and must not lose the ground it stands on.
  std::shared_ptr<Link> link_;
  std::chrono::steady_clock::time_point stop_by_;
  std::future<void> finished_;
  std::thread thread_;
};

}  // namespace rollup::mqtt

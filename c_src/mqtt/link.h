// The inside of a Client: the thread's work and what it shares with the engine's thread.
//
// What libmosquitto has to say it only queues (mosquitto_threaded_set), its acknowledgements among
// the rest, until write_packets() lets all of it go. So the thread goes in steps: it reads what is
// there, at most kReadMax messages that are to be acknowledged, then waits until the engine has
// appended those, and writes. While it waits it reads and writes nothing.
//
// Only run()'s thread calls libmosquitto. So none of that library's locks is ever wanted by two
// threads, and on_message may wait for room in the inbox (under libmosquitto's callback mutex)
// while the engine publishes: publish() only puts into the outbox.
//
// The thread polls for itself instead of calling mosquitto_loop(): that one reads one packet per
// select(), and cannot use descriptors from FD_SETSIZE on.
#pragma once

#include <mosquitto.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "mqtt/client.h"
#include "mqtt/inbox.h"
#include "mqtt/outbox.h"
#include "mqtt/pace.h"
#include "mqtt/redeliveries.h"
#include "mqtt/subscriptions.h"
#include "mqtt/wakeup.h"

namespace rollup::mqtt {

class Link {
 public:
  Link(Options options, Inbox& inbox, Log log);

  const Options& options() const { return options_; }

  // -- from the engine's thread: see Client --
  void publish(Publication message);
  void update_filters(std::vector<Subscription> subscriptions);
  Status status() const;
  void appended(std::uint64_t number);
  bool is_all_appended() const;
  void request_stop();
  // After this neither the inbox nor the log function is used.
  void abandon();

  // -- the thread --
  // Until request_stop().
  void run(const Deliveries& taken);

 private:
  using Clock = std::chrono::steady_clock;
  struct Destroy {
    void operator()(mosquitto* handle) const { mosquitto_destroy(handle); }
  };

  // link.cc: the connection
  bool create_handle();
  bool set_up_tls();
  bool connect();
  void serve();
  bool turn(Duration timeout);
  bool wait_for_append(Duration timeout);
  int write_packets();
  int read_packets(bool peer_closed);
  bool fall_asleep();
  void pause(Duration duration);
  void wait_until_all_is_appended();
  void say_goodbye();
  void lost(const std::string& why);
  void set_state(LinkState state, const std::string& trouble);
  void set_trouble(const std::string& trouble);
  void log(LogLevel level, const std::string& text);

  // link_events.cc: what the broker says
  void set_callbacks();
  void on_connect(int reason, int flags, const mosquitto_property* properties);
  void on_disconnect(int reason);
  void on_message(const mosquitto_message& message, const mosquitto_property* properties);
  bool was_taken(const mosquitto_message& message, Delivery& delivery);
  void on_publish(int mid, int reason);
  void on_subscribe(int mid, int count, const int* granted);
  void on_unsubscribe(int mid);
  void on_log(int level, const char* text);

  // link_publish.cc: what we say
  void attend();
  void greet();
  void send_requests();
  void flush();
  void submit(Publication message);
  void refused(const std::string& topic, int reason);
  bool has_window() const { return in_flight_.size() + unwritten_ < options_.in_flight_max; }

  const Options options_;
  Wakeup wakeup_;
  std::stop_source stop_;

  // What the Link does not own, usable while !abandoned_.
  std::mutex outside_mutex_;
  std::atomic<bool> abandoned_ = false;
  Inbox& inbox_;
  Log log_;

  // Shared with the engine's thread.
  mutable std::mutex mutex_;
  Status status_;  // without the counters
  Outbox outbox_;
  std::optional<std::vector<Subscription>> new_filters_;
  bool asleep_ = false;                   // the thread polls: signal wakeup_
  std::uint64_t appended_ = 0;            // all up to this Message::number
  std::atomic<std::uint64_t> taken_ = 0;  // the newest Message::number; written by the thread
  std::atomic<std::uint64_t> received_ = 0;
  std::atomic<std::uint64_t> redelivered_ = 0;
  std::atomic<std::uint64_t> sessions_lost_ = 0;
  std::atomic<std::uint64_t> unwanted_ = 0;
  std::atomic<std::uint64_t> published_ = 0;
  std::atomic<std::uint64_t> unpublished_ = 0;
  std::atomic<std::uint64_t> in_flight_count_ = 0;

  // The thread's own.
  std::unique_ptr<mosquitto, Destroy> handle_;
  Subscriptions subscriptions_;
  bool requests_due_ = false;
  bool up_ = false;       // CONNACK came with success
  bool greeted_ = false;  // and we did our part
  bool session_present_ = false;
  bool had_session_ = false;
  bool begins_session_ = false;  // no message of a new session came yet
  // Acknowledgements that libmosquitto has queued, and how many of what they are for was taken in.
  bool holds_acknowledgements_ = false;
  std::size_t open_ = 0;
  std::optional<Clock::time_point> waits_since_;
  Pace pace_;
  std::optional<Redeliveries> redeliveries_;
  std::optional<bool> dup_;  // of the message that comes next, as libmosquitto logs it
  std::string dup_prefix_;   // of that line
  bool identifiers_available_ = true;
  int qos_max_ = 2;
  Clock::time_point up_since_;
  std::string last_logged_;  // the newest trouble that was logged
  std::string closing_;      // why the broker ends the connection, as it said
  std::string tls_detail_;
  int failure_code_ = 0;  // MOSQ_ERR_* and errno of what broke the connection
  int failure_errno_ = 0;
  // QoS 1 and 2 that libmosquitto has, it keeps them over a reconnection: topics by packet
  // identifier.
  std::unordered_map<int, std::string> in_flight_;
  std::size_t unwritten_ = 0;  // QoS 0 that libmosquitto has
  std::optional<Clock::time_point> refusal_logged_;
};

}  // namespace rollup::mqtt

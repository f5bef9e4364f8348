// Which filters a broker link asks for, and which the broker's session has.
//
// With MQTT 5 subscription identifiers every filter is subscribed to under a number of its own, and
// a message names the numbers it was delivered for. The number is a hash of the filter's text, not
// the stream's place: a session outlives the program, so messages that were queued for an older
// configuration must not be taken for another stream's. Streams that share a filter share its
// number, as a broker keeps one subscription per filter. Without identifiers (MQTT 3.1.1) filters
// that another one covers are left out, so that a message comes once; every stream whose filter
// matches takes it.
//
// Pure: it says what to send and is told what was sent and answered. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/topic.h"

namespace rollup::mqtt {

// A stream's wish.
struct Subscription {
  std::uint32_t stream = 0;  // its tag, for Message::subscriptions
  TopicFilter filter;
  int qos = 1;
};

class Subscriptions {
 public:
  // A SUBSCRIBE or UNSUBSCRIBE of one filter.
  struct Request {
    bool subscribe = true;
    std::string filter;
    std::uint32_t identifier = 0;  // 0: none
    int qos = 0;
    friend bool operator==(const Request&, const Request&) = default;
  };

  void want(std::vector<Subscription> wishes);
  void use_identifiers(bool use);

  // What brings the session to the wishes, unsubscriptions first; nothing that is under way or was
  // refused since the link was lost or the wishes changed.
  std::vector<Request> requests() const;
  // How many filters the broker has not granted, or not yet.
  std::size_t missing() const;

  // The request went out with packet identifier `mid`.
  void sent(int mid, const Request& request);

  // The answers. The filter that was meant, if `mid` was ours.
  std::optional<std::string> subscribed(int mid, bool granted);
  void unsubscribed(int mid);

  // The link broke: what was not answered may have happened or not.
  void link_lost();
  // The broker has no session for us: it holds nothing.
  void session_lost();

  // The streams of an identifier of a message, appended to `out`, each once. False if the filter
  // is not wanted any more: then nobody wants the message on its account.
  bool add_streams(std::uint32_t identifier, std::vector<std::uint32_t>& out) const;

 private:
  struct Held {
    std::uint32_t identifier = 0;
    int qos = 0;
    friend bool operator==(const Held&, const Held&) = default;
  };

  void plan();

  std::vector<Subscription> wishes_;
  bool use_identifiers_ = true;
  std::map<std::string, Held> wanted_;  // by MQTT filter
  std::map<std::string, Held> held_;    // sent, and not refused
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> streams_;
  std::unordered_map<int, Request> under_way_;
  std::set<std::string> refused_;  // not asked for again on this connection
};

}  // namespace rollup::mqtt

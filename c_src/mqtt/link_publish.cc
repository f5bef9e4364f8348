// What we say to the broker, once it has said yes.

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "mqtt/link.h"
#include "mqtt/protocol_constants.h"
#include "mqtt/reasons.h"

namespace rollup::mqtt {
namespace {

// Refused publications are counted; a line about them is written this often.
constexpr auto kRefusalLogPause = std::chrono::minutes(1);

// MQTT 5 lets a broker end the connection over a payload that is called text and is not.
bool is_text(const Publication& message) {
  return (message.content_type.starts_with("text/") ||
          message.content_type == "application/json") &&
         is_utf8(message.payload);
}

}  // namespace

void Link::attend() {
  const bool is_new = !greeted_;
  if (is_new) {
    greet();
  }
  std::optional<std::vector<Subscription>> filters;
  {
    const std::lock_guard lock(mutex_);
    filters = std::exchange(new_filters_, std::nullopt);
  }
  if (filters) {
    subscriptions_.want(std::move(*filters));
    requests_due_ = true;
  }
  if (std::exchange(requests_due_, false)) {
    send_requests();
  }
  if (is_new) {
    // After the requests, so that a status never shows a connection without its missing filters.
    const bool is_lost = std::exchange(had_session_, true) && !session_present_;
    sessions_lost_ += is_lost ? 1U : 0U;
    const std::string trouble = is_lost ? forgotten_session(options_.broker) : "";
    set_state(LinkState::connected, trouble);
    if (is_lost) {
      log(LogLevel::warning, trouble);
    }
    log(LogLevel::info, "connected to " + address_of(options_.broker) + ", MQTT " +
                            (options_.broker.protocol == 5 ? "5" : "3.1.1") +
                            (session_present_ ? ", session resumed" : ", new session"));
  }
  flush();
}

void Link::greet() {
  greeted_ = true;
  up_since_ = Clock::now();
  last_logged_.clear();
  redeliveries_->connected(session_present_);
  if (!redeliveries_->compares()) {
    mosquitto_log_callback_set(handle_.get(), nullptr);
  }
  subscriptions_.use_identifiers(identifiers_available_);
  if (!session_present_) {
    subscriptions_.session_lost();
    begins_session_ = true;
  }
  requests_due_ = true;
  if (!options_.status_topic.empty()) {
    submit({.topic = options_.status_topic, .payload = "online", .qos = 1, .retain = true});
  }
}

void Link::send_requests() {
  for (const Subscriptions::Request& request : subscriptions_.requests()) {
    int mid = 0;
    int code = MOSQ_ERR_SUCCESS;
    if (request.subscribe) {
      mosquitto_property* properties = nullptr;
      if (request.identifier != 0) {
        mosquitto_property_add_varint(&properties, MQTT_PROP_SUBSCRIPTION_IDENTIFIER,
                                      request.identifier);
      }
      // A shared subscription with no_local is a protocol error.
      const bool no_local = options_.broker.protocol == 5 && !request.filter.starts_with("$share/");
      const int options = no_local ? MQTT_SUB_OPT_NO_LOCAL : 0;
      // The handshake of QoS 2 cannot be held back until the message is appended.
      code = mosquitto_subscribe_v5(handle_.get(), &mid, request.filter.c_str(),
                                    std::min(request.qos, 1), options, properties);
      mosquitto_property_free_all(&properties);
    } else {
      code = mosquitto_unsubscribe(handle_.get(), &mid, request.filter.c_str());
    }
    // If it fails, the connection is gone and turn() will see it.
    if (code == MOSQ_ERR_SUCCESS) {
      subscriptions_.sent(mid, request);
    }
  }
  const std::size_t missing = subscriptions_.missing();
  bool has_changed = false;
  {
    const std::lock_guard lock(mutex_);
    has_changed = std::exchange(status_.filters_missing, missing) != missing;
  }
  if (has_changed) {
    const std::lock_guard lock(outside_mutex_);
    if (!abandoned_) {
      inbox_.wake();
    }
  }
}

void Link::flush() {
  while (up_ && has_window()) {
    std::optional<Publication> message;
    {
      const std::lock_guard lock(mutex_);
      if (outbox_.size() > 0) {
        message = outbox_.take(Clock::now());
      }
      if (message) {
        // So that a status never misses what is on its way from one place to the other.
        ++in_flight_count_;
      }
    }
    if (!message) {
      return;
    }
    submit(std::move(*message));
  }
}

void Link::submit(Publication message) {
  mosquitto_property* properties = nullptr;
  if (options_.broker.protocol == 5) {
    if (message.expiry_s) {
      mosquitto_property_add_int32(&properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
                                   *message.expiry_s);
    }
    if (!message.content_type.empty()) {
      mosquitto_property_add_string(&properties, MQTT_PROP_CONTENT_TYPE,
                                    message.content_type.c_str());
    }
    if (is_text(message)) {
      mosquitto_property_add_byte(&properties, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, 1);
    }
  }
  const int qos = std::min(message.qos, qos_max_);
  unwritten_ += qos == 0 ? 1 : 0;
  int mid = 0;
  const int code = mosquitto_publish_v5(handle_.get(), &mid, message.topic.c_str(),
                                        static_cast<int>(message.payload.size()),
                                        message.payload.data(), qos, message.retain, properties);
  mosquitto_property_free_all(&properties);
  switch (code) {
    case MOSQ_ERR_SUCCESS:
    case MOSQ_ERR_NO_CONN:
    case MOSQ_ERR_CONN_LOST:
    case MOSQ_ERR_ERRNO:
      // Also when the connection breaks in this moment: libmosquitto keeps QoS 1 and 2 and sends
      // them again.
      if (qos > 0) {
        in_flight_.emplace(mid, std::move(message.topic));
      } else if (code != MOSQ_ERR_SUCCESS) {
        unwritten_ -= 1;
        const std::lock_guard lock(mutex_);
        outbox_.put_back(std::move(message), Clock::now());
      }
      break;
    default:
      unwritten_ -= qos == 0 ? 1 : 0;
      refused(message.topic, code);
  }
  in_flight_count_ = in_flight_.size() + unwritten_;
}

void Link::refused(const std::string& topic, int reason) {
  unpublished_.fetch_add(1, std::memory_order_relaxed);
  const Clock::time_point now = Clock::now();
  if (refusal_logged_ && now - *refusal_logged_ < kRefusalLogPause) {
    return;
  }
  refusal_logged_ = now;
  const std::string text = publication_refusal(topic, reason);
  set_trouble(text);
  log(LogLevel::warning, text);
}

}  // namespace rollup::mqtt

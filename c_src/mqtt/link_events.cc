// What the broker says: libmosquitto's callbacks. All run on the link's thread, within
// mosquitto_loop_read() or, for a QoS 0 publication, within the call that writes it.

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/hash.h"
#include "mqtt/link.h"
#include "mqtt/protocol_constants.h"
#include "mqtt/reasons.h"

namespace rollup::mqtt {
namespace {

Link* link_of(void* self) { return static_cast<Link*>(self); }

}  // namespace

void Link::set_callbacks() {
  mosquitto* const handle = handle_.get();
  mosquitto_connect_v5_callback_set(
      handle, [](mosquitto*, void* self, int reason, int flags, const mosquitto_property* p) {
        link_of(self)->on_connect(reason, flags, p);
      });
  mosquitto_disconnect_v5_callback_set(
      handle, [](mosquitto*, void* self, int reason, const mosquitto_property*) {
        link_of(self)->on_disconnect(reason);
      });
  mosquitto_message_v5_callback_set(
      handle, [](mosquitto*, void* self, const mosquitto_message* message,
                 const mosquitto_property* p) { link_of(self)->on_message(*message, p); });
  mosquitto_publish_v5_callback_set(
      handle, [](mosquitto*, void* self, int mid, int reason, const mosquitto_property*) {
        link_of(self)->on_publish(mid, reason);
      });
  mosquitto_subscribe_v5_callback_set(
      handle, [](mosquitto*, void* self, int mid, int count, const int* granted,
                 const mosquitto_property*) { link_of(self)->on_subscribe(mid, count, granted); });
  mosquitto_unsubscribe_v5_callback_set(
      handle, [](mosquitto*, void* self, int mid, const mosquitto_property*) {
        link_of(self)->on_unsubscribe(mid);
      });
}

// libmosquitto takes the connection for active only after this callback, so attend() does the rest.
void Link::on_connect(int reason, int flags, const mosquitto_property* properties) {
  if (reason != 0) {
    closing_ = refusal(options_.broker, reason);
    return;
  }
  constexpr int kSessionPresent = 1;
  session_present_ = (flags & kSessionPresent) != 0;
  std::uint8_t qos_max = 2;
  mosquitto_property_read_byte(properties, MQTT_PROP_MAXIMUM_QOS, &qos_max, false);
  qos_max_ = qos_max;
  std::uint8_t identifiers = 1;
  mosquitto_property_read_byte(properties, MQTT_PROP_SUBSCRIPTION_ID_AVAILABLE, &identifiers,
                               false);
  identifiers_available_ = options_.broker.protocol == 5 && identifiers != 0;
  up_ = true;
}

void Link::on_disconnect(int reason) {
  // Smaller values are MOSQ_ERR_*, which turn() sees too.
  if (reason >= MQTT_RC_UNSPECIFIED && closing_.empty()) {
    closing_ = dismissal(options_.broker, reason);
  }
}

void Link::on_message(const mosquitto_message& message, const mosquitto_property* properties) {
  received_.fetch_add(1, std::memory_order_relaxed);
  Message taken;
  std::uint32_t identifier = 0;
  bool is_wanted = true;
  const mosquitto_property* property = mosquitto_property_read_varint(
      properties, MQTT_PROP_SUBSCRIPTION_IDENTIFIER, &identifier, false);
  if (property != nullptr) {
    is_wanted = false;
    for (; property != nullptr;
         property = mosquitto_property_read_varint(property, MQTT_PROP_SUBSCRIPTION_IDENTIFIER,
                                                   &identifier, true)) {
      is_wanted = subscriptions_.add_streams(identifier, taken.subscriptions) || is_wanted;
    }
  }
  holds_acknowledgements_ = holds_acknowledgements_ || message.qos > 0;
  if (!is_wanted) {
    unwanted_.fetch_add(1, std::memory_order_relaxed);
  } else if (message.qos > 0 && was_taken(message, taken.delivery)) {
    redelivered_.fetch_add(1, std::memory_order_relaxed);
  } else if (!abandoned_) {
    if (message.qos > 0) {
      ++open_;
      taken.number = ++taken_;
      taken.begins_session = std::exchange(begins_session_, false);
    }
    taken.link = options_.link;
    taken.topic = message.topic;
    taken.payload.assign(
        static_cast<const char*>(message.payload),
        std::min(static_cast<std::size_t>(message.payloadlen), options_.payload_max + 1));
    taken.arrival = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
    taken.retained = message.retain;
    inbox_.push(std::move(taken), message.qos, stop_.get_token());
  }
  // read_packets() takes EAGAIN for "nothing more to read", and so does libmosquitto.
  errno = 0;
}

// Whether it came before, as far as a resumed session may bring that.
bool Link::was_taken(const mosquitto_message& message, Delivery& delivery) {
  delivery.packet_id = static_cast<std::uint16_t>(message.mid);
  delivery.content =
      stable_hash(message.topic, std::string_view(static_cast<const char*>(message.payload),
                                                  static_cast<std::size_t>(message.payloadlen)));
  const bool compared = redeliveries_->compares();
  const bool again = redeliveries_->is_again(delivery, std::exchange(dup_, std::nullopt));
  if (compared && !redeliveries_->compares()) {
    mosquitto_log_callback_set(handle_.get(), nullptr);
  }
  return again;
}

void Link::on_publish(int mid, int reason) {
  const auto entry = in_flight_.find(mid);
  if (entry == in_flight_.end()) {
    // QoS 0, written; submit() does not know its identifier yet.
    unwritten_ -= unwritten_ > 0 ? 1 : 0;
    published_.fetch_add(1, std::memory_order_relaxed);
    in_flight_count_ = in_flight_.size() + unwritten_;
    return;
  }
  const std::string topic = std::move(entry->second);
  in_flight_.erase(entry);
  if (reason >= MQTT_RC_UNSPECIFIED) {
    refused(topic, reason);
  } else {
    published_.fetch_add(1, std::memory_order_relaxed);
  }
  in_flight_count_ = in_flight_.size() + unwritten_;
}

void Link::on_subscribe(int mid, int count, const int* granted) {
  const int reason = count > 0 ? granted[0] : MQTT_RC_UNSPECIFIED;
  const bool is_granted = reason < MQTT_RC_UNSPECIFIED;
  const std::optional<std::string> filter = subscriptions_.subscribed(mid, is_granted);
  if (filter && !is_granted) {
    const std::string text = subscription_refusal(options_.broker, *filter, reason);
    set_trouble(text);
    log(LogLevel::warning, text);
  }
  requests_due_ = true;
}

void Link::on_unsubscribe(int mid) {
  subscriptions_.unsubscribed(mid);
  requests_due_ = true;
}

// Set during the handshake and while redeliveries are looked for only, as libmosquitto formats a
// line per packet for it: OpenSSL's reason and the flag DUP of a message are told nowhere else.
void Link::on_log(int level, const char* text) {
  if (std::string_view line = text; line.starts_with(dup_prefix_)) {
    line.remove_prefix(dup_prefix_.size());
    dup_ = !line.starts_with('0');
    return;
  }
  if (level != MOSQ_LOG_ERR || !tls_detail_.empty()) {
    return;
  }
  std::string_view line = text;
  // "OpenSSL Error[0]: error:0A000086:SSL routines::certificate verify failed"
  const std::size_t reason = line.rfind("::");
  tls_detail_ = reason == std::string_view::npos ? line : line.substr(reason + 2);
}

}  // namespace rollup::mqtt

#include "mqtt/outbox.h"

#include <iterator>
#include <utility>

#include "base/check.h"

namespace rollup::mqtt {

void Outbox::put(Publication message, Clock::time_point now) {
  ROLLUP_CHECK(!message.payload.empty());
  if (!message.retain) {
    loose_.push_back({std::move(message), now, next_number_++});
    if (loose_.size() > loose_max_) {
      loose_.pop_front();
      ++dropped_;
    }
    return;
  }
  const auto known = by_topic_.find(message.topic);
  if (known == by_topic_.end()) {
    retained_.push_back({std::move(message), now, next_number_++});
    const auto entry = std::prev(retained_.end());
    by_topic_.emplace(entry->message.topic, entry);
    return;
  }
  // The topic itself stays where it is: the key is a view of it.
  Entry& entry = *known->second;
  entry.since = now;
  entry.message.payload = std::move(message.payload);
  entry.message.qos = message.qos;
  entry.message.expiry_s = message.expiry_s;
  entry.message.content_type = std::move(message.content_type);
}

std::optional<Publication> Outbox::take(Clock::time_point now) {
  while (size() > 0) {
    const bool is_loose =
        !loose_.empty() && (retained_.empty() || loose_.front().number < retained_.front().number);
    Entry entry;
    if (is_loose) {
      entry = std::move(loose_.front());
      loose_.pop_front();
    } else {
      by_topic_.erase(retained_.front().message.topic);
      entry = std::move(retained_.front());
      retained_.pop_front();
    }
    if (!entry.message.expiry_s) {
      return std::move(entry.message);
    }
    const auto waited = std::chrono::duration_cast<std::chrono::seconds>(now - entry.since).count();
    if (waited < static_cast<std::int64_t>(*entry.message.expiry_s)) {
      *entry.message.expiry_s -= static_cast<std::uint32_t>(waited);
      return std::move(entry.message);
    }
    ++dropped_;
  }
  return std::nullopt;
}

void Outbox::put_back(Publication message, Clock::time_point now) {
  if (!message.retain) {
    ++dropped_;
    return;
  }
  if (!by_topic_.contains(message.topic)) {
    put(std::move(message), now);
  }
}

}  // namespace rollup::mqtt

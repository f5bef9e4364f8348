// What waits to be published on one broker link (SEMANTICS 8.5).
//
// Retained messages are kept once per topic, the newest, in the place of the first; so their number
// is bounded by the number of topics. Others are kept up to a bound, then the oldest is dropped.
// A message whose expiry passed while it waited is dropped; one that did not is handed out with
// what is left of it. Pure: now is handed in. Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "model/publication.h"

namespace rollup::mqtt {

class Outbox {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Outbox(std::size_t loose_max) : loose_max_(loose_max) {}

  void put(Publication message, Clock::time_point now);

  // The oldest message that has not expired.
  std::optional<Publication> take(Clock::time_point now);

  // Puts back what take() gave and could not be sent: a retained message unless a newer one came
  // meanwhile; any other is dropped.
  void put_back(Publication message, Clock::time_point now);

  std::size_t size() const { return retained_.size() + loose_.size(); }
  // Not retained and over the bound, or expired.
  std::uint64_t dropped() const { return dropped_; }

 private:
  struct Entry {
    Publication message;
    Clock::time_point since;
    std::uint64_t number = 0;  // of arrival, over both lists
  };

  std::size_t loose_max_;
  std::list<Entry> retained_;
  // Keys are views of the entries' own topics.
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_topic_;
  std::deque<Entry> loose_;
  std::uint64_t next_number_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace rollup::mqtt

#include "mqtt/inbox.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace rollup::mqtt {
namespace {

// What a message occupies, near enough for a bound.
std::size_t bytes_of(const Message& message) {
  return sizeof(Message) + message.topic.size() + message.payload.size() +
         message.subscriptions.size() * sizeof(std::uint32_t);
}

}  // namespace

bool Inbox::has_room(std::size_t message_bytes) const {
  const std::size_t count = waiting();
  return count == 0 ||
         (count < bounds_.messages && queue_bytes_ + batch_bytes_ + message_bytes <= bounds_.bytes);
}

void Inbox::signal_if_asleep() {
  if (!asleep_) {
    return;
  }
  // Under the lock: a drain() that saw signalled_ must find the descriptor readable, or the late
  // write would keep the engine awake for ever.
  asleep_ = false;
  signalled_ = true;
  wakeup_.signal();
}

void Inbox::count_dropped(const Message& message) {
  ++dropped_;
  auto entry = std::find_if(dropped_by_broker_.begin(), dropped_by_broker_.end(),
                            [&](const Dropped& d) { return d.broker == message.broker; });
  if (entry == dropped_by_broker_.end()) {
    entry = dropped_by_broker_.insert(entry, Dropped{message.broker, 0, {}});
  }
  ++entry->count;
  entry->newest_topic = message.topic;
}

bool Inbox::push(Message&& message, int qos, const std::stop_token& cancel) {
  const std::size_t bytes = bytes_of(message);
  std::unique_lock lock(mutex_);
  if (!closed_ && !has_room(bytes)) {
    if (qos == 0) {
      count_dropped(message);
      return false;
    }
    ++blocked_;
    signal_if_asleep();
    room_.wait(lock, cancel, [&] { return closed_ || has_room(bytes); });
    --blocked_;
  }
  if (closed_) {
    return false;
  }
  queue_.push_back(std::move(message));
  queue_bytes_ += bytes;
  ++pushed_;
  signal_if_asleep();
  return true;
}

void Inbox::wake() {
  const std::lock_guard lock(mutex_);
  woken_ = !asleep_;
  signal_if_asleep();
}

void Inbox::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  room_.notify_all();
}

bool Inbox::is_full() const {
  const std::lock_guard lock(mutex_);
  return !has_room(sizeof(Message));
}

Inbox::Counts Inbox::counts() const {
  const std::lock_guard lock(mutex_);
  return {pushed_, drained_, dropped_, waiting(), queue_bytes_ + batch_bytes_};
}

std::size_t Inbox::drain(std::vector<Message>& out, std::size_t max) {
  const std::lock_guard lock(mutex_);
  asleep_ = false;
  woken_ = false;
  if (signalled_) {
    signalled_ = false;
    wakeup_.clear();
  }
  std::size_t taken = 0;
  while (taken < max && waiting() > 0) {
    if (batch_next_ == batch_.size()) {
      batch_.clear();
      batch_next_ = 0;
      batch_.swap(queue_);
      batch_bytes_ = std::exchange(queue_bytes_, 0);
    }
    const std::size_t count = std::min(max - taken, batch_.size() - batch_next_);
    taken += count;
    if (out.empty() && count == batch_.size()) {
      out.swap(batch_);
      batch_bytes_ = 0;
      continue;
    }
    const auto first = batch_.begin() + static_cast<std::ptrdiff_t>(batch_next_);
    const auto last = first + static_cast<std::ptrdiff_t>(count);
    for (auto message = first; message != last; ++message) {
      batch_bytes_ -= bytes_of(*message);
    }
    out.insert(out.end(), std::make_move_iterator(first), std::make_move_iterator(last));
    batch_next_ += count;
  }
  drained_ += taken;
  if (blocked_ > 0 && taken > 0) {
    room_.notify_all();
  }
  return taken;
}

bool Inbox::prepare_to_sleep() {
  const std::lock_guard lock(mutex_);
  if (waiting() > 0 || blocked_ > 0 || woken_ || signalled_) {
    return false;
  }
  asleep_ = true;
  return true;
}

std::vector<Inbox::Dropped> Inbox::take_dropped() {
  const std::lock_guard lock(mutex_);
  return std::exchange(dropped_by_broker_, {});
}

}  // namespace rollup::mqtt

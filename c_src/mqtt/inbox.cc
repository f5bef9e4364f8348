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
  return queue_.empty() ||
         (queue_.size() < bounds_.messages && queue_bytes_ + message_bytes <= bounds_.bytes);
}

void Inbox::signal() {
  // Under the lock: a drain() that saw signalled_ must find the descriptor readable, or the late
  // write would keep the engine awake for ever.
  sleep_ = Sleep::awake;
  signalled_ = true;
  wakeup_.signal();
}

void Inbox::count_dropped(const Message& message) {
  ++dropped_;
  auto entry = std::find_if(dropped_by_link_.begin(), dropped_by_link_.end(),
                            [&](const Dropped& d) { return d.link == message.link; });
  if (entry == dropped_by_link_.end()) {
    entry = dropped_by_link_.insert(entry, Dropped{message.link, 0, {}});
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
    if (sleep_ != Sleep::awake) {
      signal();
    }
    room_.wait(lock, cancel, [&] { return closed_ || has_room(bytes); });
    --blocked_;
  }
  if (closed_) {
    return false;
  }
  queue_.push_back(std::move(message));
  queue_bytes_ += bytes;
  ++pushed_;
  if (sleep_ == Sleep::sleep) {
    signal();
  }
  return true;
}

void Inbox::wake() {
  const std::lock_guard lock(mutex_);
  woken_ = sleep_ != Sleep::sleep;
  if (sleep_ == Sleep::sleep) {
    signal();
  }
}

void Inbox::hurry() {
  const std::lock_guard lock(mutex_);
  hurried_ = true;
  if (sleep_ != Sleep::awake) {
    signal();
  }
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
  return {pushed_, drained_, dropped_, queue_.size(), queue_bytes_};
}

void Inbox::drain(std::vector<Message>& out) {
  const std::lock_guard lock(mutex_);
  sleep_ = Sleep::awake;
  woken_ = false;
  hurried_ = false;
  if (signalled_) {
    signalled_ = false;
    wakeup_.clear();
  }
  drained_ += queue_.size();
  if (out.empty()) {
    out.swap(queue_);
  } else {
    out.insert(out.end(), std::make_move_iterator(queue_.begin()),
               std::make_move_iterator(queue_.end()));
  }
  queue_.clear();
  queue_bytes_ = 0;
  if (blocked_ > 0) {
    room_.notify_all();
  }
}

bool Inbox::prepare_to_sleep() {
  const std::lock_guard lock(mutex_);
  if (!queue_.empty() || blocked_ > 0 || hurried_ || woken_ || signalled_) {
    return false;
  }
  sleep_ = Sleep::sleep;
  return true;
}

bool Inbox::prepare_to_nap() {
  const std::lock_guard lock(mutex_);
  if (blocked_ > 0 || hurried_) {
    return false;
  }
  if (signalled_) {  // for something that does not end a nap
    signalled_ = false;
    woken_ = true;
    wakeup_.clear();
  }
  sleep_ = Sleep::nap;
  return true;
}

bool Inbox::is_hurried() const {
  const std::lock_guard lock(mutex_);
  return hurried_ || blocked_ > 0;
}

std::vector<Inbox::Dropped> Inbox::take_dropped() {
  const std::lock_guard lock(mutex_);
  return std::exchange(dropped_by_link_, {});
}

}  // namespace rollup::mqtt

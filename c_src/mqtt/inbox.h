// The bounded queue between the broker links' threads and the engine's one thread.
//
//   links                                  engine
//   inbox.push(std::move(message), qos);   inbox.drain(batch);
//                                          if (inbox.prepare_to_sleep()) poll(inbox.fd(), ...);
//
// Guarantees
// 1. Messages of one link come out in the order in which they went in.
// 2. It holds at most `messages` messages and `bytes` bytes, plus one message a link: a message
//    that is larger than all room is taken when the queue is empty, and a push that is cancelled
//    while it waits is taken, as the broker has its acknowledgement already.
// 3. pushed = drained + waiting; what is dropped is counted per link and never pushed.
// 4. A system call is made only to wake an engine that sleeps, never per message under load.
//
// An engine that lets messages pile up for a while naps: only hurry() ends that before its time,
// for a link whose broker sends no more until it has acknowledgements.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "model/message.h"
#include "mqtt/wakeup.h"

namespace rollup::mqtt {

class Inbox {
 public:
  struct Bounds {
    std::size_t messages = 16'384;
    std::size_t bytes = std::size_t{32} * 1024 * 1024;
  };
  struct Counts {
    std::uint64_t pushed = 0;
    std::uint64_t drained = 0;
    std::uint64_t dropped = 0;
    std::size_t waiting = 0;
    std::size_t waiting_bytes = 0;
  };
  // What was dropped because the inbox was full (DropReason::queue_full).
  struct Dropped {
    std::uint32_t link = 0;
    std::uint64_t count = 0;
    std::string newest_topic;
  };

  Inbox() : Inbox(Bounds()) {}
  explicit Inbox(Bounds bounds) : bounds_(bounds) {}

  // -- from any thread --

  // Takes the message. When there is no room, QoS 0 is dropped and counted, QoS 1 and 2 wait until
  // there is room or `cancel` is requested. False: it was dropped, or the inbox is closed.
  bool push(Message&& message, int qos, const std::stop_token& cancel = {});

  // Ends the engine's sleep for another reason than a message: a link changed its state.
  void wake();
  // Ends its nap too: what is here is wanted at once.
  void hurry();

  // From now on every push fails, those that wait too. What is waiting can still be drained.
  void close();

  bool is_full() const;
  Counts counts() const;

  // -- from the engine's thread only --

  // Appends all that waits to `out`, oldest first. Cheapest with an empty `out`: two vectors then
  // change places.
  void drain(std::vector<Message>& out);

  // Readable after a wake-up until the next drain().
  int fd() const { return wakeup_.fd(); }

  // False if there is something to do already. True: the next push or wake() makes fd() readable.
  bool prepare_to_sleep();
  // As prepare_to_sleep(), but only hurry() and a push that waits for room count.
  bool prepare_to_nap();
  // hurry() came since the last drain().
  bool is_hurried() const;

  // What was dropped since the last call, per link.
  std::vector<Dropped> take_dropped();

 private:
  enum class Sleep { awake, nap, sleep };

  bool has_room(std::size_t message_bytes) const;
  void signal();
  void count_dropped(const Message& message);

  const Bounds bounds_;
  mutable std::mutex mutex_;
  std::condition_variable_any room_;
  std::vector<Message> queue_;
  std::size_t queue_bytes_ = 0;
  std::size_t blocked_ = 0;  // pushes that wait for room
  Sleep sleep_ = Sleep::awake;
  bool signalled_ = false;  // fd() is readable
  bool woken_ = false;      // wake() came while the engine did not sleep
  bool hurried_ = false;
  bool closed_ = false;
  std::uint64_t pushed_ = 0;
  std::uint64_t drained_ = 0;
  std::uint64_t dropped_ = 0;
  std::vector<Dropped> dropped_by_link_;
  Wakeup wakeup_;
};

}  // namespace rollup::mqtt

// The in-node link (docs/ARCHITECTURE.md): messages that ejabberd's own mod_mqtt routed come over
// the port, and publications go back the same way. Both directions as pure state; Session moves the
// frames.
//
// Exactly once: each message has a number. What the engine has committed is told to Erlang, which
// keeps everything after that and sends it again to the next program; what comes twice is known by
// its number.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/feed_position.h"
#include "model/message.h"
#include "mqtt/outbox.h"
#include "port/messages.h"
#include "publish/publication.h"

namespace rollup::app {

class FeedLink {
 public:
  // The feed says at least once a second how far it is. When that is longer ago than this,
  // something may have come that is not here yet. No bucket is published or sealed earlier than so
  // long after its end (SEMANTICS 1.3), so nothing that comes over the feed is ever too late.
  static constexpr Duration kSilenceMax{2000};
  // Publications that Erlang has not answered.
  static constexpr std::uint64_t kUnderWayMax = 256;

  // `committed`: where the history stands. `under_way`: how many publications Erlang has not
  // answered; it outlives the link, as a reload may take that away and bring it back.
  FeedLink(std::string broker, const FeedPosition& committed, std::uint64_t& under_way)
      : broker_(std::move(broker)),
        received_(committed),
        handed_out_(committed),
        under_way_(under_way) {}

  const std::string& broker() const { return broker_; }

  // -- in --

  // Takes a batch in; what was here before is skipped. Gives how many messages the batch says were
  // lost on the way.
  std::uint64_t take(port::FeedBatch batch);

  // Whether a batch came in this run of the program; until then it is not known what is waiting.
  bool has_begun() const { return up_to_.has_value(); }

  // Past this time on the wall clock the engine must not go, because the feed may hold messages
  // from after it (SEMANTICS 1.3). Nothing: there is no such time.
  std::optional<Time> hold(Time wall) const;

  bool empty() const { return batches_.empty(); }
  // The next message to be handed out, and handing it out; there must be one.
  const Message& front() const { return batches_.front().messages[next_]; }
  Message pop();
  // The number of the newest message that was handed out.
  const FeedPosition& handed_out() const { return handed_out_; }

  // -- out --

  void publish(Publication publication, Duration running);
  // A frame to send, as far as Erlang's answers allow one.
  std::optional<std::string> next_publish(Duration running);
  void count(const port::Published& answer);

  port::BrokerStatus status() const;

 private:
  struct Batch {
    std::uint64_t epoch = 0;
    std::uint64_t first = 0;
    std::vector<Message> messages;
  };

  std::string broker_;
  FeedPosition received_;
  FeedPosition handed_out_;
  std::optional<Time> up_to_;
  std::optional<Time> begun_;
  std::deque<Batch> batches_;  // none is empty
  std::size_t next_ = 0;       // of the first batch

  mqtt::Outbox outbox_{1000};
  std::uint64_t& under_way_;
  std::uint64_t taken_ = 0;
  std::uint64_t published_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace rollup::app

// Erlang, as the program sees it: mod_mqtt_rollup_port with its feed and publisher, told as simply
// as docs/PROTOCOL.md allows. Bytes go both ways, so that frames can be cut anywhere.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/feed_position.h"
#include "port/frame_splitter.h"
#include "port/term.h"

namespace rollup::testing {

class ErlangSide {
 public:
  struct Published {
    std::string topic;
    std::string payload;
  };
  struct Told {
    std::string id;
    bool is_alarm = false;
    std::string replaces;
    Time at;
  };
  // Notices of what the program must never do.
  std::vector<std::string> faults;

  explicit ErlangSide(std::uint64_t epoch) : epoch_(epoch) {}

  // -- the node --
  // A client publishes; `wall` is the node's clock.
  void publish(const std::string& topic, const std::string& payload, Time wall,
               bool was_retained = false);
  // So many numbers are left out, as after a restart that goes on with the queue.
  void skip_numbers(std::uint64_t count) { next_number_ += count; }
  // The queue is full: the message is dropped and counted.
  void lose(const std::string& topic);
  // The machine went down: what was not committed is gone, and, unless `is_synced`, the newest
  // commits may be too.
  void restart(std::uint64_t epoch, bool is_synced, Time wall);
  // The process of the feed died, and with it what it had not handed over.
  void crash_feed(std::uint64_t epoch, Time wall);

  // -- the port --
  // A new program: greets and configures it with `config`.
  void open(const port::Term& config);
  void reconfigure(const port::Term& config);
  void close();
  // What waits now goes one by one, as after runs that ended with nothing committed.
  void go_one_by_one();
  // What waits to be read by the program.
  std::string take_output(std::size_t bytes);
  bool has_output() const { return !output_.empty(); }
  // What the program wrote.
  void read(std::string_view bytes);
  // Sends what may be sent; a heartbeat if it is time for one.
  void work(Time wall, Duration steady);
  // Whether people can be told: credit is given.
  void start_telling();

  bool is_configured() const { return is_configured_; }
  // The program cannot work (its disk fails): it is to be closed and opened again.
  bool is_refused() const { return is_refused_; }
  bool is_everything_committed() const {
    return queue_.empty() ||
           (committed_.epoch == epoch_ && committed_.number == queue_.back().number);
  }
  const FeedPosition& committed() const { return committed_; }
  const std::vector<Published>& published() const { return published_; }
  const std::vector<Told>& told() const { return told_; }
  std::uint64_t lost() const { return lost_total_; }

  // Asks and gives the answer, once it has come through read().
  void ask(const port::Term& question);
  std::optional<port::Term> take_answer();

 private:
  struct Message {
    std::uint64_t number = 0;
    std::string topic;
    std::string payload;
    Time arrival;
    bool was_retained = false;
  };

  void send(const port::Term& term);
  void send(std::string frame);
  bool goes_one_by_one() const;
  void send_batch(std::size_t max);
  void on_frame(const port::Term& frame);
  void on_committed(const std::vector<port::Term>& items);

  std::uint64_t epoch_;
  Time since_;
  std::uint64_t next_number_ = 1;
  std::deque<Message> queue_;       // not committed
  std::uint64_t sent_up_to_ = 0;    // to this program
  std::size_t under_way_ = 0;       // batches without an acknowledgement
  std::deque<std::uint64_t> ends_;  // their last numbers
  std::uint64_t single_up_to_ = 0;  // one by one
  std::uint64_t lost_ = 0;
  std::uint64_t lost_total_ = 0;
  std::string lost_topic_;
  bool may_feed_ = false;
  bool is_configured_ = false;
  bool is_refused_ = false;
  bool is_telling_ = false;
  FeedPosition committed_;
  std::optional<Duration> heartbeat_at_;
  std::int64_t next_id_ = 1;

  std::string output_;
  port::FrameSplitter splitter_;
  std::vector<Published> published_;
  std::vector<Told> told_;
  std::optional<port::Term> answer_;
};

}  // namespace rollup::testing

// One run of the program: what comes over the port and from the broker links goes in, frames and
// publications come out. It reads no descriptor and waits for nothing; Program does that, and the
// simulation in its place.
//
// Group commit (docs/ARCHITECTURE.md): what arrives when nothing happened for kCommitInterval is
// taken and committed at once; under load everything that came within the interval is one turn, so
// neither a commit nor a wake-up is paid per message. A link whose broker waits for
// acknowledgements ends the interval at once (Inbox::hurry).
//
// A backlog (SEMANTICS 1.3): messages are given to the engine in turns of at most kTurnSpan of
// arrivals, each at the time of its newest one, so what waited while the program was away meets the
// buckets and alerts that it would have met in time.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "app/clock.h"
#include "app/core.h"
#include "app/feed_link.h"
#include "app/links.h"
#include "mqtt/inbox.h"
#include "port/messages.h"
#include "port/outlet.h"

namespace rollup::app {

class Session {
 public:
  static constexpr Duration kCommitInterval{20};
  // After a commit that failed.
  static constexpr Duration kRetryEvery{1000};
  static constexpr Duration kTurnSpan{1000};
  // A feed that says nothing for so long is gone for the other brokers.
  static constexpr Duration kFeedGoneAfter{15'000};
  // Of the time between turns, for questions; one question may take longer.
  static constexpr Duration kAnswerBudget{50};
  // The longest sleep while something holds the work.
  static constexpr Duration kLookEvery{1000};

  // All must outlive it.
  Session(port::Outlet& outlet, Links& links, mqtt::Inbox& inbox, Clock& clock,
          journal::Disk& disk = journal::posix_disk())
      : outlet_(outlet), links_(links), inbox_(inbox), clock_(clock), disk_(disk) {}

  // Takes one frame from Erlang. False: the end; exit_code() says why.
  bool receive(std::string_view frame);
  int exit_code() const { return exit_code_; }
  bool has_hello() const { return has_hello_; }
  bool is_configured() const { return core_ != nullptr; }

  // Does what is to be done by now.
  void work();
  // How long work() has nothing to do unless something comes in.
  Duration until_next_work();
  // Whether work() would take a message out of the inbox now: not before there is a configuration,
  // and neither while the history cannot be written nor while the feed holds the time.
  bool takes_messages() const;

  // Takes what is here, says goodbye to the brokers, and writes the last checkpoint.
  void end();

 private:
  // What began in a backlog may have ended in it too, so telling waits for its end, but not longer.
  static constexpr Duration kTellAfter{10'000};
  static constexpr Duration kStatusEvery = std::chrono::minutes(1);
  static constexpr std::size_t kMessagesPerTurn = 50'000;
  // Turns of a backlog that are run without looking at the port.
  static constexpr int kTurnsAtOnce = 50;
  // The same before a reload, which is waited for.
  static constexpr int kTurnsBeforeReload = 1000;

  // One take() for each kind of message. False: the end.
  bool handle(port::Incoming message);
  bool take(const port::Hello& hello);
  bool take(const port::Configure& message);
  bool take(const port::Check& message);
  bool take(port::Request request);
  bool take(const port::Credit& credit);
  bool take(const port::Notified& notified);
  bool take(port::FeedBatch batch);
  bool take(const port::FeedSince& since);
  bool take(const port::Published& answer);
  void configure(const port::Configure& message);
  void count_run_since(const FeedPosition& position);
  void watch_feed();
  bool is_feed_waited_for() const;
  port::ConfigOutcome reconfigure(const std::shared_ptr<const engine::Plan>& plan,
                                  const port::ConfigTerms& terms);
  port::ConfigOutcome start(const port::Configure& message,
                            const std::shared_ptr<const engine::Plan>& plan,
                            const port::ConfigTerms& terms);
  void set_feed(const std::vector<Broker>& brokers, const FeedPosition& committed);
  void answer_questions();
  // One answer() for each kind of question.
  Result<port::Answer> answer(const port::StatusRequest& request) const;
  Result<port::Answer> answer(const query::NamesRequest& request) const;
  Result<port::Answer> answer(const query::SeriesRequest& request) const;
  Result<port::Answer> answer(const query::HistoryRequest& request) const;
  port::StatusAnswer status() const;

  bool violates(std::string_view what);
  // Those that the engine does not have.
  std::size_t count_client_messages() const;
  bool has_messages() const;
  std::optional<Time> hold(const Now& now) const;
  void run_next_turns();
  void run_turns();
  // Hands the messages of one turn to the core and gives its time; nothing: no turn may be run.
  std::optional<Now> begin_turn(const Now& now);
  void count_dropped_messages();
  void finish_turn(const Now& now);
  // What was committed is published and told.
  void perform(Turn turn);
  void tell_trouble(const std::string& trouble);

  void publish(std::vector<Publication> publications);
  void publish_status();
  void republish(const std::string& broker);
  void send_publications();
  void queue_notification(std::uint64_t outbox_id, port::Notification notification);
  void send_notifications();

  port::Outlet& outlet_;
  Links& links_;
  mqtt::Inbox& inbox_;
  Clock& clock_;
  journal::Disk& disk_;
  std::unique_ptr<Core> core_;
  std::optional<FeedLink> feed_;
  std::uint32_t feed_index_ = 0;  // Message::broker
  FeedPosition committed_;
  std::uint64_t under_way_ = 0;  // publications that Erlang has not answered
  std::optional<Time> feed_since_;
  // How long nothing came from the feed, a pause of the whole program counted as kLookEvery only.
  Duration feed_silence_{0};
  Duration looked_at_{0};  // Clock::running()
  std::string data_dir_;

  // What was drained from the inbox; the engine has what stands before next_.
  std::vector<Message> batch_;
  std::size_t next_ = 0;
  // The newest Message::number of each link in the open turn.
  std::map<std::uint32_t, std::uint64_t> taken_;

  struct Asked {
    std::int64_t id = 0;
    port::Question question;
    Duration until{0};  // somebody waits for the answer; Clock::running()
  };
  std::deque<Asked> questions_;  // oldest first
  Duration answering_{0};        // so long since work()

  struct Untold {
    std::uint64_t outbox_id = 0;
    port::Notification notification;
    Duration queued_at{0};  // Clock::running()
  };
  std::deque<Untold> notifications_;
  // Outbox entries that were told together with a later one, by that one's id.
  std::unordered_map<std::uint64_t, std::uint64_t> told_with_;
  std::unordered_set<std::uint64_t> left_out_;  // those others
  // The alarms in notifications_: outbox entries by their messages' ids.
  std::unordered_map<std::string, std::uint64_t> untold_alarms_;
  bool has_hello_ = false;
  bool delivered_ = false;  // an outbox entry waits for its removal
  int exit_code_ = 0;
  // When the last turn ended, and when the next one may begin or be tried again; in Now::uptime.
  Duration next_turn_{0};
  Duration status_at_{0};
  std::string trouble_;  // of the history; "" if there is none
};

}  // namespace rollup::app

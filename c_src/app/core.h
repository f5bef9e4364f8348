// The engine and what makes it durable: takes messages in, commits, and says what is to be done to
// the world after that (SEMANTICS 8.1).
//
//   auto core = Core::open(options, terms, clock);
//   core->take(message);                 // any number
//   Turn turn = core->finish_turn(now);  // committed: perform turn.publications,
//   turn.notifications
//
// When a commit fails (a full disk) the turn stays open: is_stuck() is true, nothing more may be
// taken, and finish_turn() tries again. So nothing is lost, and the inbox fills up and makes the
// brokers wait.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "app/deliveries.h"
#include "base/error.h"
#include "engine/engine.h"
#include "engine/intake.h"
#include "engine/journal.h"
#include "history/history.h"
#include "model/feed_position.h"
#include "model/message.h"
#include "port/messages.h"
#include "publish/publication.h"
#include "query/query.h"

namespace rollup::app {

// The plan of a configuration; all mistakes at once.
tl::expected<std::shared_ptr<const engine::Plan>, Errors> make_plan(
    const Config& config, const std::vector<Broker>& brokers);

struct Turn {
  std::vector<Publication> publications;
  std::vector<std::pair<std::uint64_t, port::Notification>> notifications;  // by outbox id
};

class Core {
 public:
  // A turn's effects, sorted by what becomes of them.
  struct Outcome {
    std::vector<Publication> publications;
    std::vector<port::Notification> notifications;  // those that are for anybody
    std::vector<effect::SealBucket> buckets;
    std::vector<effect::SealPoints> points;
  };
  // A replay tells nobody: it was told when the journal was written.
  enum class Telling { all, nothing };

  // Opens the history, restores the engine and runs the journal. `plan` was made of `config`.
  static Result<std::unique_ptr<Core>> open(const history::Options& options,
                                            std::shared_ptr<const engine::Plan> plan,
                                            std::string rules_bytes);

  // A reload: series, buckets and alerts that still mean the same go on; alerts that are gone are
  // ended in the turn that is returned. The last turn must be finished.
  Result<Turn> reconfigure(std::shared_ptr<const engine::Plan> plan, std::string rules_bytes);

  void take(const Message& message);
  // What was taken of the broker links, in turns that are finished and in the open one.
  const Deliveries& deliveries() const { return deliveries_; }
  void delivered(std::uint64_t outbox_id) { delivered_.push_back(outbox_id); }

  // Observes what was taken at `now`, lets time pass to it and commits the turn, with the position
  // of the feed that it has come to, if it took something from there. After an error: is_stuck(),
  // and the next call tries again, whatever its arguments.
  Result<Turn> finish_turn(const Now& now, const std::optional<FeedPosition>& feed = {});
  bool is_stuck() const { return is_stuck_; }

  // All that was published last, for one broker: its retained topics may be gone.
  std::vector<Publication> republish(std::string_view broker, const Now& now) const;

  // Writes a checkpoint if it is time, or if `force`; deletes what has been kept long enough, a
  // little each call. Call between turns.
  Result<void> maintain(const Now& now, bool force);

  // What is to be published of alerts that have gone while the program was away: once, after
  // open(). Their ends are among what is undelivered.
  std::vector<Publication> take_ended() { return std::exchange(ended_, {}); }

  // What could not be delivered before the last end.
  Result<std::vector<std::pair<std::uint64_t, port::Notification>>> undelivered() const;

  // How long there is nothing to do.
  std::optional<Duration> next_deadline(const Now& now) const;

  engine::Engine& engine() { return *engine_; }
  const engine::Engine& engine() const { return *engine_; }
  const history::History& history() const { return *history_; }
  query::Query query() const { return query::Query(*engine_, *history_); }
  Result<FeedPosition> feed_position() const { return history_->feed_position(); }
  std::optional<Time> last_commit() const { return last_commit_; }

 private:
  Core() = default;

  Result<void> restore();
  Result<Outcome> restore_as(const std::shared_ptr<const engine::Plan>& plan,
                             const history::History::Checkpoint& checkpoint);
  Result<void> replay();
  Outcome end_missing(const engine::Engine& next) const;
  Result<std::vector<std::uint64_t>> write_checkpoint(std::span<const std::string> outbox);
  void append_sealed(const Outcome& outcome);
  void tell_limits();
  // Notes when a step of the clock must not be believed yet.
  void watch_clock(const Now& now);

  std::unique_ptr<history::History> history_;
  std::shared_ptr<const engine::Plan> plan_;
  std::string rules_bytes_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<engine::Intake> intake_;

  // The open turn.
  std::vector<Sample> samples_;
  std::vector<engine::NewSeries> created_;
  Effects effects_;
  std::vector<std::uint64_t> delivered_;
  std::string row_;
  Outcome outcome_;  // of the open turn, until it is committed
  std::vector<std::string> outbox_;
  std::optional<FeedPosition> feed_;
  std::string links_;
  bool has_deliveries_ = false;
  bool is_stuck_ = false;

  Deliveries deliveries_;
  std::vector<Publication> ended_;

  std::optional<Time> last_commit_;
  std::uint64_t journal_bytes_ = 0;
  // In uptime.
  Duration checkpoint_at_{0};
  Duration expire_at_{0};
  Duration noted_at_{0};  // by the journal's newest row
  Now clock_seen_{};
};

}  // namespace rollup::app

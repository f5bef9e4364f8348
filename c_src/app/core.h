// The engine and what makes it durable: takes messages in, commits, and says what is to be done to
// the world after that (SEMANTICS 8.1).
//
//   auto core = Core::open(options, terms, clock);
//   core->take(message);                 // any number
//   Turn turn = core->finish_turn(now);  // committed: perform turn.publications,
//   turn.notifications
//
// Three files with three fates (docs/ARCHITECTURE.md): the journal, which a turn is appended to
// before anything that came of it is done to the world; the checkpoint, which the journal goes on
// from; the archive, which has what is sealed. None of them is touched for the damage of another.
//
// When an append fails (a full disk) the turn stays open: is_stuck() is true, nothing more may be
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
#include "app/outbox.h"
#include "archive/sealed.h"
#include "archive/sqlite_archive.h"
#include "base/error.h"
#include "engine/engine.h"
#include "engine/intake.h"
#include "journal/checkpoint.h"
#include "journal/files.h"
#include "journal/journal.h"
#include "journal/turn.h"
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

struct StorageOptions {
  std::string directory;  // created with mode 0700 if missing
  bool full_sync = false;
  // Must outlive the core.
  journal::Disk* disk = &journal::posix_disk();
};

struct StorageCounts {
  std::uint64_t bytes = 0;          // of journal and archive
  std::uint64_t journal_turns = 0;  // since the last checkpoint
  std::uint64_t outbox = 0;
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
  // A replay publishes nothing, but finds out again who was to be told of what.
  enum class Telling { all, people };

  // Restores the engine from checkpoint and journal. What cannot be read is moved aside and said in
  // the log, the rest goes on. Error unavailable: another program has the directory; storage: it
  // cannot be used at all.
  static Result<std::unique_ptr<Core>> open(const StorageOptions& options,
                                            std::shared_ptr<const engine::Plan> plan);
  ~Core();

  // A reload: series, buckets and alerts that still mean the same go on; alerts that are gone are
  // ended in the turn that is returned. The last turn must be finished.
  Result<Turn> reconfigure(const std::shared_ptr<const engine::Plan>& plan);

  void take(const Message& message);
  // What was taken of the broker links, in turns that are finished and in the open one.
  const Deliveries& deliveries() const { return deliveries_; }
  void delivered(std::uint64_t outbox_id) { delivered_.push_back(outbox_id); }

  // Observes what was taken at `now`, lets time pass to it and appends the turn, with the position
  // of the feed that it has come to, if it took something from there. After an error: is_stuck(),
  // and the next call tries again, whatever its arguments.
  Result<Turn> finish_turn(const Now& now, const std::optional<FeedPosition>& feed = {});
  bool is_stuck() const { return is_stuck_; }

  // All that was published last, for one broker: its retained topics may be gone.
  std::vector<Publication> republish(std::string_view broker, const Now& now) const;

  // Housekeeping, a little each call: syncs the journal, hands what is sealed to the archive, makes
  // a checkpoint when the journal has grown, deletes what has been kept long enough. Call between
  // turns.
  Result<void> maintain(const Now& now);
  // A checkpoint of all that there is, at once: for the end.
  Result<void> finish();

  // What is to be published of alerts that have gone while the program was away: once, after
  // open(). Their ends are among what is undelivered.
  std::vector<Publication> take_ended() { return std::exchange(ended_, {}); }

  // What could not be delivered before the last end.
  std::vector<std::pair<std::uint64_t, port::Notification>> undelivered() const {
    return outbox_.all();
  }

  // How long there is nothing to do.
  std::optional<Duration> next_deadline(const Now& now) const;

  engine::Engine& engine() { return *engine_; }
  const engine::Engine& engine() const { return *engine_; }
  const archive::Sealed& sealed() const { return *sealed_; }
  query::Query query() const { return query::Query(*engine_, *sealed_); }
  const FeedPosition& feed_position() const { return feed_position_; }
  StorageCounts counts() const;
  std::optional<Time> last_commit() const { return last_commit_; }

 private:
  explicit Core(journal::FileLock lock) : lock_(std::move(lock)) {}

  std::string path_of(const std::string& name) const { return directory_ + "/" + name; }
  void move_old_files_aside();
  Result<void> open_archive();
  Result<void> restore();
  // Nothing: there is none, or none that can be read.
  std::optional<journal::CheckpointHead> load_checkpoint();
  Result<void> replay(journal::RecordType type, std::string_view record);
  // The rules that the next records were written under.
  Result<void> enter_rules(std::string_view rules);
  // Takes the state over to other rules. Whoever was told of an alarm is told of its end, also when
  // it is the rule that has ended.
  Result<Turn> enter_plan(const std::shared_ptr<const engine::Plan>& plan);
  std::shared_ptr<const engine::Plan> plan_of(std::string_view rules) const;
  void tell_missing(bool had_archive, bool has_checkpoint) const;

  std::vector<std::pair<std::uint64_t, port::Notification>> put_in_outbox(
      std::vector<port::Notification> notifications);
  Result<void> append_turn();
  Result<void> begin_segment(std::string_view rules);
  void append_sealed(const Outcome& outcome);
  void tell_limits();

  Result<void> begin_checkpoint(bool at_once);
  Result<void> work_on_checkpoint();
  Result<void> flush_piece(const Now& now);
  Result<void> flush_all();
  Result<void> expire(const Now& now);
  // Notes when a step of the clock must not be believed yet.
  void watch_clock(const Now& now);

  std::string directory_;
  journal::FileLock lock_;
  journal::Disk* disk_ = nullptr;
  std::unique_ptr<archive::Archive> archive_;
  std::optional<archive::Sealed> sealed_;
  std::unique_ptr<journal::Journal> journal_;
  std::optional<journal::CheckpointWriter> checkpoint_;

  std::shared_ptr<const engine::Plan> plan_;
  std::string rules_;  // of plan_, as the journal has them
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<engine::Intake> intake_;
  Outbox outbox_;
  FeedPosition feed_position_;

  // The segment of the journal that is written, or read.
  journal::TurnWriter writer_;
  journal::TurnReader reader_;
  std::uint64_t reading_ = 0;
  std::uint64_t first_segment_ = 1;  // that may be written

  // The open turn.
  std::vector<Sample> samples_;
  std::vector<engine::NewSeries> created_;
  Effects effects_;
  Outcome outcome_;                           // until it is appended
  std::vector<std::uint64_t> delivered_;      // since the record was made
  std::vector<std::uint64_t> now_delivered_;  // by the record
  std::string record_;
  std::vector<std::pair<std::uint64_t, port::Notification>> notifications_;
  std::optional<FeedPosition> feed_;
  std::vector<journal::TakenDelivery> taken_;
  Now turn_now_{};
  bool is_stuck_ = false;

  Deliveries deliveries_;
  std::vector<Publication> ended_;

  std::optional<Time> last_commit_;
  std::uint64_t journal_bytes_ = 0;  // since the last checkpoint
  std::uint64_t journal_turns_ = 0;
  // The segment that the checkpoint which is being made goes on with; 0: none is being made.
  std::uint64_t checkpoint_segment_ = 0;
  // In uptime: not before.
  Duration checkpoint_at_{0};
  Duration flush_at_{0};
  Duration expire_at_{0};
  Duration noted_at_{0};  // by the journal's newest record
  Now clock_seen_{};
};

}  // namespace rollup::app

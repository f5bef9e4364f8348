// What survives: one SQLite file with the journal, the checkpoint, sealed blocks and the outbox.
//
// Discipline (docs/ARCHITECTURE.md). Each turn is one transaction: commit_turn() writes the turn's
// inputs and the notifications that came of them. Now and then checkpoint() writes, in one
// transaction, the engine's state, what was sealed since the last one, and cuts the journal. A
// start loads the checkpoint and runs the journal through the same engine, which yields the same
// state and the same sealed buckets again; so sealed data needs no commit of its own.
//
// Nothing outside this folder knows SQLite. Not thread-safe: owned by the engine thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "model/bucket.h"
#include "model/feed_position.h"
#include "model/ids.h"

namespace rollup::history {

struct Options {
  std::string directory;  // created with mode 0700 if missing
  bool full_sync = false;
};

struct OutboxEntry {
  std::uint64_t id = 0;  // ascending; given by commit_turn()
  std::string data;      // opaque to the history
};

struct Counts {
  std::uint64_t bytes = 0;  // size of the file and its write-ahead log
  std::uint64_t journal_rows = 0;
  std::uint64_t outbox = 0;
};

// How much of a series' tier is kept; index = Tier; kForever: all of it.
using Keep = std::array<Duration, kTierCount>;

class History {
 public:
  // Opens or creates `directory`/history.db and locks it against other programs (error
  // unavailable). A file whose content cannot be read or has a newer schema is moved aside to
  // history.db.unreadable-<n> and a new one is begun; moved_aside() then names it. An older schema
  // is migrated in place. What is no fault of the file (rights, a full disk) is an error, and the
  // file stays.
  static Result<std::unique_ptr<History>> open(const Options& options);
  // For content that only the caller can judge, such as a checkpoint of a newer program: moves the
  // file aside as open() does and begins a new one. `unreadable` is closed first.
  static Result<std::unique_ptr<History>> begin_anew(std::unique_ptr<History> unreadable,
                                                     const Options& options, const Error& why);
  ~History();
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  // Where an unreadable file was moved to, and why; empty if there was none.
  const std::string& moved_aside() const;

  // -- start --
  // The last checkpoint's parts; nothing in a new file.
  struct Checkpoint {
    std::string config;               // the rules it was made with, opaque
    std::vector<std::string> engine;  // opaque
  };
  Result<std::optional<Checkpoint>> load_checkpoint();
  // Calls `row` for each journal row since then, in order. An error of `row` stops and is returned.
  Result<void> replay(const std::function<Result<void>(std::string_view row)>& row);

  // -- each turn --
  // One transaction: appends `journal` (nothing is written if empty) and `outbox`, removes
  // `delivered`, and notes the position of the feed that the turn has come to, if there is one, and
  // what the other links have taken in, unless it is empty.
  // Gives the ids of the outbox entries. After an error nothing was written, and the
  // turn may be tried again with the same arguments.
  Result<std::vector<std::uint64_t>> commit_turn(std::string_view journal,
                                                 std::span<const std::string> outbox,
                                                 std::span<const std::uint64_t> delivered,
                                                 const std::optional<FeedPosition>& feed = {},
                                                 std::string_view links = {});
  // As commit_turn() was given it last; "" if it never was.
  Result<std::string> links() const;
  // All zero if none was ever committed.
  Result<FeedPosition> feed_position() const;
  Result<std::vector<OutboxEntry>> outbox() const;

  // -- sealed data: in memory until the next checkpoint --
  // Ascending per series and tier. A bucket that starts at or before the newest one there is
  // already there and is ignored. `points` are all the points of one or more buckets: equal times
  // stay, but what is not after the points of earlier calls is ignored in the same way.
  void append(SeriesId series, Tier tier, const Bucket& bucket);
  void append(SeriesId series, std::span<const Point> points);

  // -- now and then --
  // One transaction: blocks, checkpoint, an empty journal, and what is added to the outbox. The ids
  // of that.
  Result<std::vector<std::uint64_t>> checkpoint(std::string_view config,
                                                std::span<const std::string> engine,
                                                std::span<const std::string> outbox = {});
  // Deletes blocks that ended before now - keep. Bounded work per call; true if there may be more.
  Result<bool> expire(Time now, const std::function<Keep(SeriesId)>& keep);

  // -- reading sealed data, also what is not yet checkpointed --
  // In ascending order of start; buckets that overlap [from, to). `each` returns false to stop; it
  // may read, and must not change the history.
  Result<void> read(SeriesId series, Tier tier, Time from, Time to,
                    const std::function<bool(const Bucket&)>& each) const;
  Result<void> read(SeriesId series, Time from, Time to,
                    const std::function<bool(const Point&)>& each) const;

  Counts counts() const;

 private:
  struct Impl;
  explicit History(std::unique_ptr<Impl> impl);
  // `impl` has the lock and the path.
  static Result<std::unique_ptr<History>> open(std::unique_ptr<Impl> impl, const Options& options);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rollup::history

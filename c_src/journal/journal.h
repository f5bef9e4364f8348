// The journal: what came in since the last checkpoint, in segments `journal/<number>.log`.
//
// A segment is a head and records (frame.h): first the rules that it was written under, then one
// turn each. Each stands alone: no other file is needed to read it. A turn is one write(), done
// before anything that came of it is published, told or acknowledged.
//
// What cannot be read is never deleted. A tail that was not written to its end is cut; a segment
// that is damaged in the middle gives what stands before the damage, and is moved aside when it is
// not needed any more. What follows in other segments is read.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "journal/disk.h"

namespace rollup::journal {

// turn_version_1: of segments of version 1; they are read, not written.
enum class RecordType : std::uint8_t { rules = 1, turn_version_1 = 2, turns = 3 };

// What could not be read, for the log.
using Losses = std::vector<std::string>;

class Journal {
 public:
  // Data that is not synced is at most so old; with `full_sync` there is none.
  static constexpr Duration kSyncEvery{30'000};

  // Makes the directory if needed. `disk` must outlive it.
  static Result<std::unique_ptr<Journal>> open(Disk& disk, std::string directory, bool full_sync);
  ~Journal();

  // The segments that there are, ascending.
  const std::vector<std::uint64_t>& segments() const { return segments_; }

  // Calls `each` for the records of every segment from `from` on. An error of `each` ends the
  // segment as damage does: the rest of it is said to be lost. Gives what was lost.
  using Each = std::function<Result<void>(std::uint64_t segment, RecordType, std::string_view)>;
  Losses replay(std::uint64_t from, const Each& each);

  // Begins the next segment, which is numbered `at_least` or higher. After an error the one before
  // goes on.
  Result<void> begin_segment(std::string_view rules, std::uint64_t at_least = 1);
  bool has_segment() const { return file_ != nullptr; }
  // The one that is written.
  std::uint64_t segment() const { return segments_.back(); }

  // After an error the segment is as it was, and the same turn may be tried again.
  Result<void> append(std::string_view turns, Duration uptime);
  // Syncs what is older than kSyncEvery.
  Result<void> sync_if_due(Duration uptime);
  // When that is; nothing is waiting: kNever of the caller.
  bool is_dirty() const { return is_dirty_; }
  Duration sync_at() const { return sync_at_; }

  // Removes the segments before, and moves aside those among them that are damaged. What cannot be
  // removed now is removed the next time.
  void remove_before(std::uint64_t segment);

 private:
  Journal(Disk& disk, std::string directory, bool full_sync)
      : disk_(disk), directory_(std::move(directory)), full_sync_(full_sync) {}

  std::string path_of(std::uint64_t segment) const;
  void replay_segment(std::uint64_t segment, const Each& each, Losses& losses);
  Result<void> write(std::string_view bytes);

  Disk& disk_;
  std::string directory_;
  bool full_sync_;
  std::vector<std::uint64_t> segments_;
  std::set<std::uint64_t> damaged_;
  std::unique_ptr<File> file_;
  std::uint64_t size_ = 0;
  bool needs_cut_ = false;
  bool is_dirty_ = false;
  Duration sync_at_{0};
  std::string record_;
};

}  // namespace rollup::journal

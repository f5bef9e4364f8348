// A disk that fails when it is told to: a VFS of SQLite around the real one for the archive, and
// files() for journal and checkpoint. Both share one fate.
//
//   Disk& disk = Disk::instance();      // from then on every database of the process is on it
//   disk.die_after(3);                  // the third write is torn, and nothing after it happens
//   …                                   // the program "is killed": its objects are destroyed
//   disk.revive(Disk::Loss::unsynced);  // as after a power cut; Loss::nothing: as after kill -9
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "journal/disk.h"

namespace rollup::testing {

class Disk {
 public:
  enum class Loss { nothing, unsynced };

  static Disk& instance();
  journal::Disk& files();

  // While it is full, no write that makes a file longer succeeds.
  void set_full(bool is_full) { is_full_ = is_full; }
  // The write after so many others is cut short and answered with an error; the disk goes on.
  void cut_short_after(std::uint64_t writes) { short_in_ = writes; }
  void die_after(std::uint64_t writes) { dies_in_ = writes; }
  void die() { is_dead_ = true; }
  bool is_dead() const { return is_dead_; }
  // All files must be closed. The disk works again; of each file's writes that were not synced, all
  // from some one on are lost, by `luck`.
  void revive(Loss loss, std::uint64_t luck = 0);
  // Works again and knows of no file.
  void reset();

 private:
  friend struct DiskFile;
  friend struct DiskCalls;
  friend class SimFile;
  friend class SimFiles;

  // What a file was before a write that is not synced yet.
  struct Undo {
    sqlite3_int64 offset = 0;
    std::string bytes;       // what was there
    sqlite3_int64 size = 0;  // of the file
  };

  Disk();
  // The fate of the next write: SQLITE_OK, or an error. `tear`: half of it happens all the same.
  int next_write(bool grows, bool& tear);
  // The same for what is all or nothing: making, renaming, removing a file.
  Result<void> next_step(const std::string& path);

  std::map<std::string, std::vector<Undo>> unsynced_;
  bool is_full_ = false;
  bool is_dead_ = false;
  std::optional<std::uint64_t> short_in_;
  std::optional<std::uint64_t> dies_in_;
};

}  // namespace rollup::testing

// The checkpoint: what the journal before one of its segments came to, as one file.
//
// It is written beside the old one, whole and synced, by a child process that has a copy of all
// memory, so that turns go on meanwhile; then renamed over it. Whatever happens in between, one of
// the two is there.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "engine/engine.h"
#include "journal/disk.h"
#include "model/feed_position.h"

namespace rollup::journal {

struct CheckpointHead {
  std::uint64_t segment = 0;  // of the journal, which goes on there
  std::string rules;          // encode_rules()
  FeedPosition feed;
  std::string outbox;  // the message Outbox
  std::string links;   // the message LinkPositions
};

struct Checkpoint {
  CheckpointHead head;
  std::vector<std::string> engine;
};

// Nothing if there is no such file. Error storage or unsupported: it is there and cannot be read.
Result<std::optional<Checkpoint>> read_checkpoint(const Disk& disk, const std::string& path);

class CheckpointWriter {
 public:
  // `path`: of the checkpoint; it is written to `path`.new. `disk` must outlive it.
  CheckpointWriter(Disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  // A child that still writes is ended.
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  // Begins to write, in a child where the disk allows one unless `at_once`. Neither may run.
  Result<void> begin(const CheckpointHead& head, const engine::Engine& engine, bool at_once);
  bool is_running() const { return child_ > 0; }
  // Whether it is written now, or an Error if it could not be. Nothing: not yet.
  std::optional<Result<void>> poll();
  // Makes what was written the checkpoint.
  Result<void> put_in_place();

 private:
  Result<void> write(const CheckpointHead& head, const engine::Engine& engine);

  Disk& disk_;
  std::string path_;
  pid_t child_ = 0;
  std::optional<Result<void>> done_;
};

}  // namespace rollup::journal

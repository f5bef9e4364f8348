// One turn's inputs as a record of the journal, and their replay through an engine.
//
// Records of one segment lean on each other: a series is declared where it is mentioned first and
// is a label from then on, and times are distances from the turn before. So one TurnWriter writes a
// segment, in order, and one TurnReader reads it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "engine/engine.h"
#include "engine/intake.h"
#include "model/feed_position.h"

namespace rollup::state::v1 {
class Turn;
}

namespace rollup::journal {

// What came in with a turn, beside the time.
struct TurnInput {
  // Series that are new with it, in the order in which they were added.
  std::span<const engine::NewSeries> created;
  std::span<const Sample> samples;
  // Notifications that were handed over.
  std::span<const std::uint64_t> delivered;
  std::optional<FeedPosition> feed;
  // The message LinkPositions: what was taken from other brokers; "" if nothing was.
  std::string_view links;
};

class TurnWriter {
 public:
  // Replaces `record`. The record must become the segment's next one.
  void encode(const Now& now, const TurnInput& input, const engine::Engine& engine,
              std::string& record);

 private:
  void declare(SeriesId id, const engine::Engine& engine, state::v1::Turn& turn);

  std::vector<bool> declared_;  // by SeriesId
  Now last_{};
  std::uint64_t epoch_ = 0;
};

class TurnReader {
 public:
  struct Turn {
    Now now;
    std::vector<std::uint64_t> delivered;
    std::optional<FeedPosition> feed;
    std::string links;
  };

  // Does again what the turn did: adds its series, observes its samples, advances to its time, and
  // appends the effects. What came in with it otherwise is given back. Error storage if the record
  // cannot be read: then nothing was done.
  Result<Turn> replay(std::string_view record, engine::Engine& engine, Effects& effects);

 private:
  // Nothing: the engine did not want the series.
  std::unordered_map<std::uint32_t, std::optional<SeriesId>> series_;
  Now last_{};
  std::uint64_t epoch_ = 0;
};

}  // namespace rollup::journal

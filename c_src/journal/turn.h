// One turn's inputs as a record of the journal, and their replay through an engine.
//
// Records of one segment lean on each other: a series and a broker are declared where they are
// mentioned first and are numbers from then on, and times and positions are distances from the turn
// before. So one TurnWriter writes a segment, in order, and one TurnReader reads it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "engine/engine.h"
#include "engine/intake.h"
#include "model/delivery.h"
#include "model/feed_position.h"

namespace rollup::journal {

// A message that was taken from a broker link and may come again.
struct TakenDelivery {
  std::string broker;
  // What is known of the broker's messages before is worth nothing.
  bool begins_session = false;
  Delivery delivery;

  friend bool operator==(const TakenDelivery&, const TakenDelivery&) = default;
};

// What came in with a turn, beside the time.
struct TurnInput {
  // Series that are new with it, in the order in which they were added.
  std::span<const engine::NewSeries> created;
  std::span<const Sample> samples;
  // Notifications that were handed over.
  std::span<const std::uint64_t> delivered;
  std::optional<FeedPosition> feed;
  // In the order in which they came.
  std::span<const TakenDelivery> taken;
};

class TurnWriter {
 public:
  // Appends to `record`, which must become the segment's next one, with all turns that are in it.
  void encode(const Now& now, const TurnInput& input, const engine::Engine& engine,
              std::string& record);

 private:
  bool declare(SeriesId id, const engine::Engine& engine, std::string& series);
  void put_taken(std::span<const TakenDelivery> taken, std::string& record);

  std::vector<bool> declared_;  // by SeriesId
  std::unordered_map<std::string, std::uint64_t> brokers_;
  std::uint16_t packet_id_ = 0;  // the newest
  Now last_{};
  FeedPosition feed_;
};

class TurnReader {
 public:
  struct Record {
    Now now;  // of the last turn
    std::vector<std::uint64_t> delivered;
    std::optional<FeedPosition> feed;  // the last one
    std::vector<TakenDelivery> taken;
  };

  // Does again what the turns of a record did: adds their series, observes their samples, advances
  // to their times, and appends the effects. What came in with them otherwise is given back. Error
  // storage if the record cannot be read: then nothing was done.
  Result<Record> replay(std::string_view record, engine::Engine& engine, Effects& effects);
  // The same for a record of a segment of version 1, which is one turn.
  Result<Record> replay_version_1(std::string_view record, engine::Engine& engine,
                                  Effects& effects);

 private:
  struct LabelledSample {
    std::uint32_t label = 0;
    Sample sample;
  };
  struct LabelledSeries {
    std::uint32_t label = 0;
    SeriesKey key;
  };
  struct Turn {
    Now now;
    std::vector<LabelledSeries> series;
    std::vector<LabelledSample> samples;
  };
  // What records lean on.
  struct Before {
    std::vector<std::string> brokers;
    std::uint16_t packet_id = 0;
    Now now{};
    FeedPosition feed;
  };

  static bool pass_time(Now& now, std::int64_t wall, std::int64_t uptime);
  static bool read_samples(ByteReader& in, std::size_t count, Turn& turn);
  static bool read_turn(ByteReader& in, Before& before, Record& record, Turn& turn);
  static bool read_taken(ByteReader& in, Before& before, Record& record);
  void run(Turn& turn, engine::Engine& engine, Effects& effects);

  // Nothing: the engine did not want the series.
  std::unordered_map<std::uint32_t, std::optional<SeriesId>> series_;
  Before before_;
};

}  // namespace rollup::journal

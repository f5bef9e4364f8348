// From messages to samples: finds the streams that want a topic, decodes the payload, finds or
// makes the series, and counts what is dropped. The hot path is one look-up by topic.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "decode/payload.h"
#include "engine/engine.h"
#include "model/message.h"
#include "model/sample.h"

namespace rollup::engine {

// A series that a message brought into being, for the journal.
struct NewSeries {
  SeriesId id = 0;
  SeriesKey key;
};

// Bound to one engine, whose series it adds. Not thread-safe.
class Intake {
 public:
  explicit Intake(Engine& engine);

  // Appends the message's samples, and the series that are new, which are already added. They are
  // to be observed in this order.
  void accept(const Message& message, std::vector<Sample>& samples,
              std::vector<NewSeries>& created);

 private:
  // One field of one stream that wants a topic.
  struct Slot {
    StreamIndex stream = 0;
    SeriesId series = 0;  // kUnbound until its first value
  };
  // How many series a stream was given in the second of `since`.
  struct NewInSecond {
    Time since;
    std::uint32_t count = 0;
  };
  // A topic's slots: those of a stream stand together, in the order of its fields.
  struct Range {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
  };

  void accept(const Message& message, Range range, std::vector<Sample>& samples,
              std::vector<NewSeries>& created);
  void decode(const Message& message, std::uint32_t first_slot, std::vector<Sample>& samples,
              std::vector<NewSeries>& created);
  bool bind(const Message& message, Slot& slot, std::size_t field, std::vector<NewSeries>& created);
  tl::expected<SeriesId, DropReason> add(const Message& message, StreamIndex stream,
                                         const SeriesKey& key);

  Engine& engine_;
  decode::PayloadDecoder decoder_;
  // Per broker and the engine's number of the topic; empty until it has a series from there. What
  // is never a sample must not fill the memory.
  std::vector<std::vector<Range>> topics_;
  std::vector<Slot> slots_;
  std::vector<NewInSecond> new_in_second_;  // per stream
  std::vector<decode::FieldResult> results_;
  std::vector<StreamIndex> streams_;
};

}  // namespace rollup::engine

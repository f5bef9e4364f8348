// What became of everything that came in: counters per stream, and what of it somebody must hear
// once. Counted in memory, since the program started.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/drop_reason.h"
#include "model/ids.h"

namespace rollup {

// Received = accepted + the sum of what was dropped of values, always (is_of_values()).
struct Counters {
  std::uint64_t received = 0;
  std::uint64_t accepted = 0;
  std::array<std::uint64_t, kDropReasonCount> dropped{};
  // The newest topic that was dropped for each reason, its first KiB; "" if none was.
  std::array<std::string, kDropReasonCount> examples;

  std::uint64_t of(DropReason reason) const { return dropped[static_cast<std::size_t>(reason)]; }
};

// The first time that a limit acted on a stream, rule or output: people hear of it once
// (PRODUCT 2.10).
struct LimitNotice {
  DropReason reason = DropReason::too_many_series;
  std::string what;   // the stream's, rule's or output's name in the configuration
  std::string topic;  // of the series that it acted on
  friend bool operator==(const LimitNotice&, const LimitNotice&) = default;
};

class Ledger {
 public:
  // One account per stream of the plan, in its order, and one for what belongs to none.
  explicit Ledger(std::size_t streams) : streams_(streams) {}

  // A value became a sample, or was a retained copy that is none.
  void accept(StreamIndex stream) {
    ++streams_[stream].received;
    ++streams_[stream].accepted;
  }

  // `count` values, or things of a series, were dropped, the newest one of `topic`. Nothing for
  // stream: no stream had a say.
  void drop(std::optional<StreamIndex> stream, DropReason reason, std::string_view topic,
            std::uint64_t count = 1);

  // The first time that `reason` acts on `what`, take_notices() gets one.
  void notice(DropReason reason, std::string_view what, std::string_view topic);
  std::vector<LimitNotice> take_notices() { return std::exchange(notices_, {}); }

  const Counters& stream(StreamIndex stream) const { return streams_[stream]; }
  const Counters& unrouted() const { return unrouted_; }

  // Forgets values and notices: a replayed journal was counted when it was written. What is
  // refused stays refused.
  void clear_values();

  // Goes on counting values where `before` has come to; `streams`: this ledger's stream and that
  // one's.
  void continue_from(const Ledger& before,
                     const std::vector<std::pair<StreamIndex, StreamIndex>>& streams);

 private:
  std::vector<Counters> streams_;
  Counters unrouted_;
  std::vector<LimitNotice> notices_;
  std::set<std::pair<DropReason, std::string>> noticed_;
};

}  // namespace rollup

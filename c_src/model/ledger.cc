#include "model/ledger.h"

namespace rollup {

namespace {

// Enough to find the sender; what is hostile may be 64 KiB long.
std::string_view beginning_of(std::string_view topic) {
  constexpr std::size_t kBytesMax = 1024;
  if (topic.size() <= kBytesMax) {
    return topic;
  }
  std::size_t end = kBytesMax;
  while (end > 0 && (static_cast<unsigned char>(topic[end]) & 0xC0U) == 0x80U) {
    --end;
  }
  return topic.substr(0, end);
}

// The values of `from`, beside what `to` has refused.
void take_values(const Counters& from, Counters& to) {
  to.received = from.received;
  to.accepted = from.accepted;
  for (std::size_t i = 0; i < kDropReasonCount; ++i) {
    if (is_of_values(static_cast<DropReason>(i))) {
      to.dropped[i] = from.dropped[i];
      to.examples[i] = from.examples[i];
    }
  }
}

}  // namespace

void Ledger::drop(std::optional<StreamIndex> stream, DropReason reason, std::string_view topic,
                  std::uint64_t count) {
  if (count == 0) {
    return;
  }
  Counters& counters = stream ? streams_[*stream] : unrouted_;
  const auto index = static_cast<std::size_t>(reason);
  counters.received += is_of_values(reason) ? count : 0;
  counters.dropped[index] += count;
  counters.examples[index].assign(beginning_of(topic));
}

void Ledger::notice(DropReason reason, std::string_view what, std::string_view topic) {
  if (noticed_.emplace(reason, what).second) {
    notices_.push_back({reason, std::string(what), std::string(topic)});
  }
}

void Ledger::clear_values() {
  for (Counters& counters : streams_) {
    take_values({}, counters);
  }
  take_values({}, unrouted_);
}

void Ledger::continue_from(const Ledger& before,
                           const std::vector<std::pair<StreamIndex, StreamIndex>>& streams) {
  take_values(before.unrouted_, unrouted_);
  for (const auto& [mine, theirs] : streams) {
    take_values(before.streams_[theirs], streams_[mine]);
  }
}

}  // namespace rollup

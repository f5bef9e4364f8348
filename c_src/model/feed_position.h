// How far the messages of the in-node link were taken.
#pragma once

#include <cstdint>

namespace rollup {

// Messages are numbered from 1 within an epoch, a random number that is chosen when ejabberd begins
// a queue from nothing. All zero: nothing was ever taken.
struct FeedPosition {
  std::uint64_t epoch = 0;
  std::uint64_t number = 0;

  friend bool operator==(const FeedPosition&, const FeedPosition&) = default;
};

}  // namespace rollup

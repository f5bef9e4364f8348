// Reads the frame `feed` (docs/PROTOCOL.md) in one walk: a thousand messages come in one, and a
// tree of terms would cost more than all that is done with them.
#pragma once

#include <string_view>

#include "base/error.h"
#include "port/messages.h"

namespace rollup::port {

// Whether a frame begins as one of the feed does.
bool is_feed(std::string_view frame);

// Error bad_request if the frame is no well-formed `feed`. Memory is bounded by the frame's length.
Result<FeedBatch> read_feed(std::string_view frame);

}  // namespace rollup::port

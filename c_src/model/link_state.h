// How a link to a broker stands.
#pragma once

namespace rollup {

enum class LinkState { connecting, connected, down };

// The words of the status (docs/PAYLOADS.md).
constexpr const char* to_string(LinkState state) {
  return state == LinkState::connected    ? "connected"
         : state == LinkState::connecting ? "connecting"
                                          : "down";
}

}  // namespace rollup

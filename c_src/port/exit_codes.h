// How the program ends, as docs/PROTOCOL.md lists it.
#pragma once

namespace rollup::port {

inline constexpr int kExitEndOfInput = 0;
// Wrong command line, or descriptors 3 and 4 are not open.
inline constexpr int kExitUsage = 64;
// A frame broke the protocol, or its version is unknown.
inline constexpr int kExitProtocol = 65;
// The history file is used by another program, or cannot be opened.
inline constexpr int kExitHistory = 66;
// A check failed, or an exception reached main.
inline constexpr int kExitBug = 70;

}  // namespace rollup::port

// The tables of the file and how an older file becomes a newer one.
//
// The ladder is a list of steps; step i brings version i to i + 1, and version 0 is an empty file.
// So a new file climbs the whole ladder, and an older one what is left of it. Each step is one
// transaction together with the version number: whatever happens in between, the file has one
// version. A step that has been released is never edited; a change is a new step.
#pragma once

#include <cstdint>
#include <span>

#include "archive/sqlite.h"
#include "base/error.h"

namespace rollup::archive {

// PRAGMA application_id, so that `file` and we know whose database it is: "mqru".
inline constexpr std::int64_t kApplicationId = 0x6d717275;

// The SQL of each step.
using Ladder = std::span<const char* const>;
Ladder schema_ladder();

// Checks whose file it is and climbs the ladder. Error unsupported: made by something else or by a
// newer program; the file is unchanged then.
Result<void> migrate(Connection& connection, Ladder ladder = schema_ladder());

}  // namespace rollup::archive

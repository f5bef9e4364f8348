// What the program tells of itself.
#pragma once

#include <string>

#include "app/clock.h"
#include "app/core.h"
#include "app/links.h"
#include "port/messages.h"

namespace rollup::app {

// Version and commit, as in "0.1.0".
std::string build_name();

port::StatusAnswer make_status(const Core& core, const Links& links, const Clock& clock,
                               const std::string& trouble);

// The same as JSON, for `rollup/status/json`. Counts only, no topics: whoever may read that topic
// may not be allowed to see those.
std::string status_json(const port::StatusAnswer& status);

}  // namespace rollup::app

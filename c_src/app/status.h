// What the program tells of itself.
#pragma once

#include <string>
#include <vector>

#include "app/clock.h"
#include "app/core.h"
#include "port/messages.h"

namespace rollup::app {

// Version and commit, as in "0.1.0".
std::string build_name();

// `brokers`: the state of every link. `trouble`: of the history; "" if there is none.
port::StatusAnswer make_status(const Core& core, std::vector<port::BrokerStatus> brokers,
                               const Clock& clock, const std::string& trouble);

// The same as JSON, for `rollup/status/json`. Counts only, no topics: whoever may read that topic
// may not be allowed to see those.
std::string status_json(const port::StatusAnswer& status);

}  // namespace rollup::app

// The configuration as it comes from Erlang: `Rules` and `[Broker]` of docs/PROTOCOL.md.
//
// Shapes, types and ranges are checked here; what the options mean is checked by engine::compile().
// Every key must be there and no other may be: both sides speak one version of the protocol.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/config.h"
#include "port/term.h"

namespace rollup::port {

struct ConfigTerms {
  Config config;  // config.brokers holds the names of `brokers`, in order
  std::vector<Broker> brokers;
};

// Error bad_config; its place is the path of the first wrong option.
Result<ConfigTerms> read_config(const Term& rules, const Term& brokers);

}  // namespace rollup::port

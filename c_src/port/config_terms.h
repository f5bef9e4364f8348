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
  // The rules and the brokers' names, without addresses or passwords: what is stored beside a
  // checkpoint. read_stored_rules() gives `config` again.
  std::string rules_bytes;
};

// Error bad_config; its place is the path of the first wrong option.
Result<ConfigTerms> read_config(const Term& rules, const Term& brokers);

// Error bad_config or unsupported if these are not the bytes of a ConfigTerms of this version.
Result<Config> read_stored_rules(std::string_view rules_bytes);

}  // namespace rollup::port

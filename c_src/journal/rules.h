// The configuration as the journal and the checkpoint keep it (journal.proto), and back.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "model/config.h"

namespace rollup::journal {

// Equal configurations give equal bytes.
std::string encode_rules(const Config& config);
// Error storage if the bytes are none of encode_rules(). Whether the rules mean something is for
// engine::compile() to say.
Result<Config> decode_rules(std::string_view bytes);

}  // namespace rollup::journal

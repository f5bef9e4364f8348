// Input: a frame. Whatever it is, it is a message or an error; what can be read can be written.
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/check.h"
#include "port/messages.h"
#include "port/term_reader.h"
#include "port/term_writer.h"

namespace {

using namespace rollup;

void check_rules(const Result<port::ConfigTerms>& terms) {
  if (!terms) {
    ROLLUP_CHECK(!terms.error().message.empty());
    return;
  }
  const Result<Config> stored = port::read_stored_rules(terms->rules_bytes);
  ROLLUP_CHECK(stored.has_value());
  ROLLUP_CHECK(stored->brokers == terms->config.brokers);
  ROLLUP_CHECK(stored->streams.size() == terms->config.streams.size());
  ROLLUP_CHECK(stored->alerts.size() == terms->config.alerts.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view frame(reinterpret_cast<const char*>(data), size);
  if (const Result<port::Term> term = port::read_term(frame)) {
    port::TermWriter writer;
    writer.term(*term);
    const Result<port::Term> again = port::read_term(writer.bytes());
    ROLLUP_CHECK(again.has_value() && *again == *term);
  }
  if (const Result<port::Incoming> message = port::decode(frame)) {
    if (const auto* configure = std::get_if<port::Configure>(&*message)) {
      check_rules(configure->terms);
    } else if (const auto* check = std::get_if<port::Check>(&*message)) {
      check_rules(check->terms);
    }
  }
  if (const Result<port::Notification> kept = port::decode_notification(frame)) {
    ROLLUP_CHECK(port::decode_notification(port::encode(*kept)) == *kept);
  }
  (void)port::read_stored_rules(frame);
  return 0;
}

#include <limits>

#include "base/text.h"
#include "publish/encode.h"
#include "publish/json_object.h"
#include "publish/payload_rules.h"

namespace rollup::publish {
namespace {

// `bytes_max`: of each text that is not ours. Texts only: a client compares JSON numbers by way of
// its locale (docs/PAYLOADS.md).
std::string state(const AlertFacts& facts, std::size_t bytes_max) {
  const auto text = [bytes_max](std::string_view whole) {
    return shortened(safe_text(whole), bytes_max);
  };
  JsonObject object;
  object.text("state", to_string(facts.state.phase));
  object.text_or_null("severity", text(facts.severity));
  object.text_or_null("value", facts.state.value
                                   ? with_unit(*facts.state.value, facts.decimals, text(facts.unit))
                                   : "");
  object.text_or_null("limit", text(facts.limit));
  object.text_or_null("alert", text(facts.alert));
  object.text_or_null("series", text(facts.series));
  object.text_or_null("since", facts.state.since ? format_rfc3339(*facts.state.since) : "");
  object.text_or_null("id", text(facts.state.id));
  object.text_or_null("ack", "");
  return object.finish();
}

}  // namespace

std::string encode(const AlertFacts& facts, std::size_t bytes_max) {
  constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();
  std::string payload;
  for (const std::size_t text_bytes_max :
       {kAny, std::size_t{1024}, std::size_t{256}, std::size_t{64}, std::size_t{16}}) {
    payload = state(facts, text_bytes_max);
    if (fits_padded(payload.size(), bytes_max)) {
      pad_payload(payload, bytes_max);
      return payload;
    }
  }
  JsonObject object;
  object.text("state", to_string(facts.state.phase));
  return object.finish();
}

}  // namespace rollup::publish

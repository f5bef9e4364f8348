// From summaries and alert states to the bytes that are published (PRODUCT 3, docs/PAYLOADS.md).
//
// Every payload made here is non-empty UTF-8 without NUL, at most `bytes_max` long, and safe for the
// clients' known traps: see pad_payload() and safe_text().
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "base/zone.h"
#include "model/alert_state.h"
#include "model/config.h"
#include "model/summary.h"

namespace rollup::publish {

struct SummaryStyle {
  OutputFormat format = OutputFormat::json;
  AggregateKind aggregate = AggregateKind::avg;  // for `number`
  std::string unit;
  int decimals = 0;  // resolution of the series' values
  std::size_t bytes_max = 4096;
};

// The payload; nothing if there is nothing to say (a `number` whose aggregate is unknown).
std::optional<std::string> encode(const Summary& summary, const SummaryStyle& style);

struct AlertFacts {
  AlertState state;
  std::string alert;   // name of the rule
  std::string series;  // name of the series
  std::string limit;   // the condition's text
  std::string unit;
  std::string title;     // of the field; may be empty
  std::string severity = "warning";
  int decimals = 0;
};

// The retained state of an alert as JSON: every value a string (a client tests them).
std::string encode(const AlertFacts& facts, std::size_t bytes_max);

// The text for people when an alarm begins (phase alarm) or ended (phase ok). `message`: the rule's
// own text, already expanded, or empty for the built-in one. Languages "en" and "de"; others read
// English. `began`: when the alarm was raised.
std::string alert_text(const AlertFacts& facts, std::string_view message, Time began, const Zone& zone,
                       std::string_view language);

// One character of ▁▂▃▄▅▆▇█ a value, scaled between the least and the greatest; a gap is a blank. All
// equal: ▄.
std::string sparkline(std::span<const std::optional<double>> values);

// How many decimals an aggregate is shown with: those of the values; averages of whole numbers get 2,
// for an average of whole numbers is seldom one.
int decimals_for(AggregateKind aggregate, int decimals);

// Text from devices made harmless in what people read: control characters are dropped, "xmpp:" is
// broken so that no client makes it a link, '<' before a letter too.
std::string safe_text(std::string_view text);

// DinoX reads past the end of payloads of 24, 40, 56 … bytes (length >= 24, length % 16 == 8): one
// blank more, and it does not. Cuts to bytes_max at a character's boundary first.
void pad_payload(std::string& payload, std::size_t bytes_max);

}  // namespace rollup::publish

// From summaries and alert states to the bytes that are published (docs/PAYLOADS.md).
//
// Every payload made here is at most `bytes_max` (at least 64) bytes long and never empty. All but
// protobuf are UTF-8 without NUL and safe for the clients' known traps: safe_text() and
// pad_payload() have been applied. Equal inputs give equal bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "base/zone.h"
#include "model/alert_state.h"
#include "model/config.h"
#include "model/summary.h"

namespace rollup::publish {

struct SummaryStyle {
  OutputFormat format = OutputFormat::json;
  Statistic statistic = Statistic::avg;  // for `number`
  std::string unit;
  int decimals = 0;  // resolution of the series' values
  std::size_t bytes_max = 4096;
};

// The payload; nothing if there is nothing to say: no knowledge at all (SEMANTICS 1.8), a `number`
// whose aggregate is unknown or has more digits than bytes_max. What does not fit is left out in
// whole parts, the sparkline first, so that JSON stays JSON.
std::optional<std::string> encode(const Summary& summary, const SummaryStyle& style);

struct AlertFacts {
  AlertState state;
  std::string alert;   // name of the rule
  std::string series;  // name of the series
  std::string limit;   // the condition's text
  std::string unit;
  std::string title;  // of the field; may be empty
  std::string severity = "warning";
  int decimals = 0;
};

// The retained state of an alert as JSON: every value a text (clients test them), or null for what
// is unknown or empty. Long texts are shortened to stay within bytes_max.
std::string encode(const AlertFacts& facts, std::size_t bytes_max);

// The text for people when an alarm begins (phase alarm) or ended (phase ok), at most 4096 bytes.
// `message`: the rule's own text, already expanded, for the beginning; if it is empty, and for the
// end, there is a built-in line. Languages "en" and "de" ("de-AT" too); others read English.
// `began`: when the alarm was raised.
std::string alert_text(const AlertFacts& facts, std::string_view message, Time began,
                       const Zone& zone, std::string_view language);

// How many decimals an aggregate is shown with: those of the values; averages of whole numbers get
// 2, for an average of whole numbers is seldom one; a count has none.
int decimals_for(Statistic statistic, int decimals);

// Text from devices made harmless in what people read: control characters and those that turn the
// direction of text are dropped; "xmpp:", which clients make a link, and '<' before what could be a
// tag are broken by a blank. Bytes that are no UTF-8 become U+FFFD. Applying it twice changes
// nothing more.
std::string safe_text(std::string_view text);

// DinoX reads past the end of payloads of 24, 40, 56 … bytes (length >= 24, length % 16 == 8): one
// blank more, and it does not. Cuts to bytes_max at a character's boundary first; where there is no
// room for the blank, cuts one character more. An empty payload becomes one blank, for an empty one
// crashes that client. Not for protobuf, where a blank means something.
void pad_payload(std::string& payload, std::size_t bytes_max);

}  // namespace rollup::publish

// What is said of an alert's instance: on its state topic, in messages, in lists.
#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "model/ids.h"

namespace rollup {

enum class AlertPhase { ok, pending, alarm };

// "OK", "PENDING", "ALARM": the words of the state topic (docs/PAYLOADS.md).
constexpr const char* to_string(AlertPhase phase) {
  return phase == AlertPhase::ok ? "OK" : phase == AlertPhase::pending ? "PENDING" : "ALARM";
}

struct AlertState {
  AlertIndex alert = 0;
  SeriesId series = 0;
  AlertPhase phase = AlertPhase::ok;
  // When the phase began: for pending and alarm the moment `raise` became true (SEMANTICS 6.1), for
  // ok the moment it ended. Nothing if it was never anything but ok.
  std::optional<Time> since;
  // The newest value; nothing if it is unknown.
  std::optional<double> value;
  // Names this alarm from its beginning to its end: unique for ever, letters, digits and '-'. Empty
  // while ok.
  std::string id;

  friend bool operator==(const AlertState&, const AlertState&) = default;
};

}  // namespace rollup

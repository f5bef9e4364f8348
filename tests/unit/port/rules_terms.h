// A configuration as terms, with every key of docs/PROTOCOL.md, to be taken and changed by tests.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "port/term.h"

namespace rollup::port {

inline Term text(std::string value) { return Term::binary(std::move(value)); }

inline Term map(std::initializer_list<std::pair<const char*, Term>> pairs) {
  std::vector<Term> items;
  for (const auto& [key, value] : pairs) {
    items.push_back(Term::atom(key));
    items.push_back(value);
  }
  return Term::map(std::move(items));
}

inline Term named(std::string name, Term value) {
  return Term::tuple({text(std::move(name)), std::move(value)});
}

inline Term output_term() {
  return map({{"topic", text("stats/{series}")},
              {"format", Term::atom("text")},
              {"window_ms", Term::integer(3'600'000)},
              {"every_ms", Term::integer(60'000)},
              {"statistic", Term::atom("max")},
              {"sparkline", Term::tuple({Term::integer(86'400'000), Term::integer(24)})},
              {"on", Term::atom("change")},
              {"deadband", Term::real(0.5)},
              {"min_interval_ms", Term::integer(1000)},
              {"heartbeat_ms", Term::integer(7'200'000)},
              {"retain", Term::atom("false")},
              {"qos", Term::integer(2)},
              {"expiry_ms", Term::atom("forever")},
              {"broker", text("other")}});
}

inline Term field_term() {
  return map({{"value", text("/temp")},
              {"unit", text("°C")},
              {"title", text("Küche")},
              {"scale", Term::real(0.1)},
              {"offset", Term::integer(-3)},
              {"kind", Term::atom("gauge")},
              {"reset", Term::atom("zero")},
              {"valid", Term::tuple({Term::integer(-40), Term::real(85.5)})}});
}

inline Term stream_term() {
  return map({{"topic", text("home/{room}/temperature")},
              {"broker", text("ejabberd")},
              {"qos", Term::integer(1)},
              {"format", Term::atom("json")},
              {"fields", Term::list({named("temp", field_term())})},
              {"time", text("/ts")},
              {"resolution_ms", Term::integer(60'000)},
              {"hold_ms", Term::integer(180'000)},
              {"lateness_ms", Term::integer(300'000)},
              {"keep", map({{"raw", Term::integer(0)},
                            {"fine", Term::integer(2'592'000'000)},
                            {"hour", Term::integer(157'680'000'000)},
                            {"day", Term::atom("forever")}})},
              {"publish", Term::list({output_term(), output_term()})}});
}

inline Term alert_term() {
  return map({{"stream", text("temperature")},
              {"match", Term::list({named("room", text("kitchen")), named("field", text("temp"))})},
              {"raise", text("value > 30")},
              {"clear", text("value < 28")},
              {"for_ms", Term::integer(60'000)},
              {"clear_for_ms", Term::integer(120'000)},
              {"notify", Term::list({text("alice@example.org"), text("bob@example.org")})},
              {"message", text("{series}: {value}")},
              {"topic", text("alerts/{alert}/{series}")}});
}

inline Term limits_term() {
  return map({{"series", Term::integer(1001)},
              {"series_per_stream", Term::integer(1002)},
              {"payload", Term::integer(1003)},
              {"new_series", Term::integer(1007)},
              {"topic", Term::integer(1008)},
              {"text", Term::integer(1004)},
              {"json_depth", Term::integer(16)},
              {"rows", Term::integer(1005)},
              {"alerts_per_rule", Term::integer(1006)}});
}

inline Term rules_term() {
  return map({{"timezone", text("Europe/Berlin")},
              {"language", text("de")},
              {"limits", limits_term()},
              {"streams", Term::list({named("temperature", stream_term())})},
              {"alerts", Term::list({named("too_warm", alert_term())})}});
}

inline Term tls_term() {
  return map({{"ca_file", text("/etc/ca.pem")},
              {"cert_file", text("/etc/cert.pem")},
              {"key_file", text("/etc/key.pem")},
              {"verify", Term::atom("false")}});
}

inline Term broker_term(const std::string& name) {
  return map({{"name", text(name)},
              {"link", Term::atom("client")},
              {"host", text("mqtt.example.org")},
              {"port", Term::integer(8883)},
              {"username", text("rollup")},
              {"password", text("s3cret")},
              {"client_id", text("mqtt_rollup-example.org")},
              {"keepalive_ms", Term::integer(30'000)},
              {"protocol", Term::integer(4)},
              {"session_expiry_ms", Term::integer(600'000)},
              {"tls", tls_term()}});
}

inline Term feed_term(const std::string& name) {
  return map({{"name", text(name)}, {"link", Term::atom("feed")}});
}

inline Term brokers_term() { return Term::list({broker_term("ejabberd"), broker_term("other")}); }

// The map `term` with `value` under `key`, in place of what is there.
inline Term with(const Term& term, std::string_view key, Term value) {
  std::vector<Term> items = *term.as_map();
  for (std::size_t index = 0; index < items.size(); index += 2) {
    if (items[index].is_atom(key)) {
      items[index + 1] = std::move(value);
      return Term::map(std::move(items));
    }
  }
  items.push_back(Term::atom(std::string(key)));
  items.push_back(std::move(value));
  return Term::map(std::move(items));
}

// The map `term` without its key number `index`.
inline Term without(const Term& term, std::size_t index) {
  std::vector<Term> items = *term.as_map();
  const auto first = items.begin() + static_cast<std::ptrdiff_t>(2 * index);
  items.erase(first, first + 2);
  return Term::map(std::move(items));
}

}  // namespace rollup::port

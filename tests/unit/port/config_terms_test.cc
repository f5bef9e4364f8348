#include "port/config_terms.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>

#include "unit/port/rules_terms.h"

namespace rollup::port {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

Term rules_with_stream(const Term& stream) {
  return with(rules_term(), "streams", Term::list({named("temperature", stream)}));
}

Term rules_with_alert(const Term& alert) {
  return with(rules_term(), "alerts", Term::list({named("too_warm", alert)}));
}

Term rules_with_output(const Term& output) {
  return rules_with_stream(with(stream_term(), "publish", Term::list({output_term(), output})));
}

Term rules_with_field(const Term& field) {
  return rules_with_stream(with(stream_term(), "fields", Term::list({named("temp", field)})));
}

Error error_of(const Term& rules, const Term& brokers = brokers_term()) {
  const Result<ConfigTerms> terms = read_config(rules, brokers);
  EXPECT_FALSE(terms);
  const Error error = terms ? Error{} : terms.error();
  EXPECT_EQ(error.code, ErrorCode::bad_config);
  return error;
}

TEST(ConfigTermsTest, EveryOptionOfTheRulesArrives) {
  const Result<ConfigTerms> terms = read_config(rules_term(), brokers_term());
  ASSERT_TRUE(terms) << terms.error().place << ": " << terms.error().message;
  const Config& config = terms->config;
  EXPECT_EQ(config.timezone, "Europe/Berlin");
  EXPECT_EQ(config.language, "de");
  EXPECT_EQ(config.brokers, (std::vector<std::string>{"ejabberd", "other"}));
  EXPECT_EQ(config.limits.series, 1001u);
  EXPECT_EQ(config.limits.series_per_stream, 1002u);
  EXPECT_EQ(config.limits.payload, 1003u);
  EXPECT_EQ(config.limits.new_series, 1007u);
  EXPECT_EQ(config.limits.topic, 1008u);
  EXPECT_EQ(config.limits.text, 1004u);
  EXPECT_EQ(config.limits.json_depth, 16u);
  EXPECT_EQ(config.limits.rows, 1005u);
  EXPECT_EQ(config.limits.alerts_per_rule, 1006u);

  ASSERT_EQ(config.streams.size(), 1u);
  const Stream& stream = config.streams[0];
  EXPECT_EQ(stream.name, "temperature");
  EXPECT_EQ(stream.topic, "home/{room}/temperature");
  EXPECT_EQ(stream.broker, "ejabberd");
  EXPECT_EQ(stream.qos, 1);
  EXPECT_EQ(stream.format, PayloadFormat::json);
  EXPECT_EQ(stream.time, "/ts");
  EXPECT_EQ(stream.resolution, minutes(1));
  EXPECT_EQ(stream.hold, Duration(minutes(3)));
  EXPECT_EQ(stream.lateness, minutes(5));
  EXPECT_EQ(stream.keep[0], Duration(0));
  EXPECT_EQ(stream.keep[1], hours(24 * 30));
  EXPECT_EQ(stream.keep[2], hours(24 * 365 * 5));
  EXPECT_EQ(stream.keep[3], kForever);

  ASSERT_EQ(stream.fields.size(), 1u);
  const Field& field = stream.fields[0];
  EXPECT_EQ(field.name, "temp");
  EXPECT_EQ(field.value, "/temp");
  EXPECT_EQ(field.unit, "°C");
  EXPECT_EQ(field.title, "Küche");
  EXPECT_EQ(field.scale, 0.1);
  EXPECT_EQ(field.offset, -3);
  EXPECT_EQ(field.valid_low, -40);
  EXPECT_EQ(field.valid_high, 85.5);

  ASSERT_EQ(stream.publish.size(), 2u);
  const Output& output = stream.publish[0];
  EXPECT_EQ(output.topic, "stats/{series}");
  EXPECT_EQ(output.format, OutputFormat::text);
  EXPECT_EQ(output.window, hours(1));
  EXPECT_EQ(output.every, minutes(1));
  EXPECT_EQ(output.statistic, Statistic::max);
  ASSERT_TRUE(output.sparkline);
  EXPECT_EQ(output.sparkline->span, hours(24));
  EXPECT_EQ(output.sparkline->points, 24u);
  EXPECT_EQ(output.on, PublishOn::change);
  EXPECT_EQ(output.deadband, 0.5);
  EXPECT_EQ(output.min_interval, seconds(1));
  EXPECT_EQ(output.heartbeat, hours(2));
  EXPECT_FALSE(output.retain);
  EXPECT_EQ(output.qos, 2);
  EXPECT_EQ(output.expiry, kForever);
  EXPECT_EQ(output.broker, "other");

  ASSERT_EQ(config.alerts.size(), 1u);
  const Alert& alert = config.alerts[0];
  EXPECT_EQ(alert.name, "too_warm");
  EXPECT_EQ(alert.stream, "temperature");
  EXPECT_EQ(alert.match,
            (std::map<std::string, std::string>{{"room", "kitchen"}, {"field", "temp"}}));
  EXPECT_EQ(alert.raise, "value > 30");
  EXPECT_EQ(alert.clear, "value < 28");
  EXPECT_EQ(alert.raise_for, minutes(1));
  EXPECT_EQ(alert.clear_for, minutes(2));
  EXPECT_EQ(alert.notify, (std::vector<std::string>{"alice@example.org", "bob@example.org"}));
  EXPECT_EQ(alert.message, "{series}: {value}");
  EXPECT_EQ(alert.topic, "alerts/{alert}/{series}");
}

TEST(ConfigTermsTest, EveryOptionOfABrokerArrives) {
  const Result<ConfigTerms> terms = read_config(rules_term(), brokers_term());
  ASSERT_TRUE(terms);
  ASSERT_EQ(terms->brokers.size(), 2u);
  const Broker& broker = terms->brokers[1];
  EXPECT_EQ(broker.name, "other");
  EXPECT_EQ(broker.host, "mqtt.example.org");
  EXPECT_EQ(broker.port, 8883);
  EXPECT_EQ(broker.username, "rollup");
  EXPECT_EQ(broker.password, "s3cret");
  EXPECT_EQ(broker.client_id, "mqtt_rollup-example.org");
  EXPECT_EQ(broker.keepalive, seconds(30));
  EXPECT_EQ(broker.protocol, 4);
  EXPECT_EQ(broker.session_expiry, minutes(10));
  EXPECT_TRUE(broker.has_tls);
  EXPECT_EQ(broker.ca_file, "/etc/ca.pem");
  EXPECT_EQ(broker.cert_file, "/etc/cert.pem");
  EXPECT_EQ(broker.key_file, "/etc/key.pem");
  EXPECT_FALSE(broker.verify);
}

TEST(ConfigTermsTest, AKindAndAResetArrive) {
  const Term field =
      with(with(field_term(), "kind", Term::atom("counter")), "reset", Term::atom("wrap64"));
  const Result<ConfigTerms> terms = read_config(rules_with_field(field), brokers_term());
  ASSERT_TRUE(terms) << terms.error().place << ": " << terms.error().message;
  EXPECT_EQ(terms->config.streams[0].fields[0].kind, Kind::counter);
  EXPECT_EQ(terms->config.streams[0].fields[0].reset, Reset::wrap64);
  EXPECT_EQ(error_of(rules_with_field(with(field_term(), "kind", Term::atom("state")))).place,
            "streams->temperature->fields->temp->kind");
}

TEST(ConfigTermsTest, OneBrokerMayBeTheNodesOwn) {
  const Result<ConfigTerms> terms =
      read_config(rules_term(), Term::list({feed_term("ejabberd"), broker_term("other")}));
  ASSERT_TRUE(terms);
  EXPECT_EQ(terms->brokers[0].link, LinkKind::feed);
  EXPECT_EQ(terms->brokers[0].name, "ejabberd");
  EXPECT_EQ(terms->brokers[1].link, LinkKind::client);
  const Result<ConfigTerms> twice =
      read_config(rules_term(), Term::list({feed_term("ejabberd"), feed_term("other")}));
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().place, "brokers");
}

TEST(ConfigTermsTest, WordsStandForWhatIsSwitchedOff) {
  Term output = with(output_term(), "sparkline", Term::atom("none"));
  output = with(output, "statistic", Term::atom("auto"));
  output = with(output, "expiry_ms", Term::integer(5000));
  Term stream = with(stream_term(), "publish", Term::list({output}));
  stream = with(stream, "hold_ms", Term::atom("auto"));
  stream = with(stream, "format", Term::atom("auto"));
  stream = with(stream, "fields",
                Term::list({named("", with(field_term(), "valid", Term::atom("none")))}));
  const Term broker = with(broker_term("x"), "tls", Term::atom("none"));
  const Result<ConfigTerms> terms = read_config(rules_with_stream(stream), Term::list({broker}));
  ASSERT_TRUE(terms) << terms.error().place << ": " << terms.error().message;
  const Stream& read = terms->config.streams[0];
  EXPECT_EQ(read.publish[0].sparkline, std::nullopt);
  EXPECT_EQ(read.publish[0].statistic, std::nullopt);
  EXPECT_EQ(read.publish[0].expiry, seconds(5));
  EXPECT_EQ(read.hold, std::nullopt);
  EXPECT_EQ(read.format, PayloadFormat::automatic);
  EXPECT_EQ(read.fields[0].valid_low, std::nullopt);
  EXPECT_EQ(read.fields[0].valid_high, std::nullopt);
  EXPECT_FALSE(terms->brokers[0].has_tls);
}

// Leaves each key out once, then adds one that nobody knows.
void expect_every_key_needed(const Term& map, const std::string& place,
                             const std::function<Error(const Term&)>& error_with) {
  const std::vector<Term>& items = *map.as_map();
  for (std::size_t index = 0; index < items.size() / 2; ++index) {
    const Error error = error_with(without(map, index));
    EXPECT_EQ(error.place, place + *items[2 * index].as_atom());
    EXPECT_EQ(error.message, "is missing");
  }
  const Error error = error_with(with(map, "colour", Term::atom("red")));
  EXPECT_EQ(error.place, place + "colour");
  EXPECT_EQ(error.message, "is not known");
}

TEST(ConfigTermsTest, EveryKeyIsNeededAndNoOtherIsTaken) {
  expect_every_key_needed(rules_term(), "", [](const Term& rules) { return error_of(rules); });
  expect_every_key_needed(limits_term(), "limits->", [](const Term& limits) {
    return error_of(with(rules_term(), "limits", limits));
  });
  expect_every_key_needed(stream_term(), "streams->temperature->",
                          [](const Term& stream) { return error_of(rules_with_stream(stream)); });
  expect_every_key_needed(*stream_term().get("keep"), "streams->temperature->keep->",
                          [](const Term& keep) {
                            return error_of(rules_with_stream(with(stream_term(), "keep", keep)));
                          });
  expect_every_key_needed(field_term(), "streams->temperature->fields->temp->",
                          [](const Term& field) { return error_of(rules_with_field(field)); });
  expect_every_key_needed(output_term(), "streams->temperature->publish->2->",
                          [](const Term& output) { return error_of(rules_with_output(output)); });
  expect_every_key_needed(alert_term(), "alerts->too_warm->",
                          [](const Term& alert) { return error_of(rules_with_alert(alert)); });
  expect_every_key_needed(broker_term("a"), "brokers->2->", [](const Term& broker) {
    return error_of(rules_term(), Term::list({broker_term("b"), broker}));
  });
  expect_every_key_needed(tls_term(), "brokers->1->tls->", [](const Term& tls) {
    return error_of(rules_term(), Term::list({with(broker_term("a"), "tls", tls)}));
  });
}

TEST(ConfigTermsTest, AWrongValueIsNamedWithItsPathAndWhatWasExpected) {
  Error error = error_of(rules_with_output(with(output_term(), "format", Term::atom("yaml"))));
  EXPECT_EQ(error.place, "streams->temperature->publish->2->format");
  EXPECT_EQ(error.message, "expected json | number | text | protobuf, got the atom yaml");

  error = error_of(rules_with_output(with(output_term(), "qos", Term::integer(3))));
  EXPECT_EQ(error.place, "streams->temperature->publish->2->qos");
  EXPECT_EQ(error.message, "expected an integer from 0 to 2, got 3");

  error = error_of(rules_with_stream(with(stream_term(), "topic", Term::list({}))));
  EXPECT_EQ(error.place, "streams->temperature->topic");
  EXPECT_EQ(error.message, "expected a binary, got a list");

  error = error_of(rules_with_alert(with(alert_term(), "message", text("\xFF"))));
  EXPECT_EQ(error.place, "alerts->too_warm->message");
  EXPECT_EQ(error.message, "expected UTF-8");
}

TEST(ConfigTermsTest, NumbersOutOfRangeAreRefused) {
  const Term huge = Term::integer(std::numeric_limits<std::int64_t>::max());
  const Term negative = Term::integer(-1);
  for (const char* key : {"resolution_ms", "hold_ms", "lateness_ms"}) {
    for (const Term& value : {huge, negative}) {
      EXPECT_EQ(error_of(rules_with_stream(with(stream_term(), key, value))).place,
                std::string("streams->temperature->") + key);
    }
  }
  EXPECT_EQ(
      error_of(rules_with_stream(with(stream_term(), "resolution_ms", Term::integer(0)))).place,
      "streams->temperature->resolution_ms");
  for (const char* key :
       {"window_ms", "every_ms", "min_interval_ms", "expiry_ms", "heartbeat_ms"}) {
    error_of(rules_with_output(with(output_term(), key, huge)));
    error_of(rules_with_output(with(output_term(), key, negative)));
  }
  for (const std::int64_t points : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 33}) {
    const Term curve = Term::tuple({Term::integer(1000), Term::integer(points)});
    EXPECT_EQ(error_of(rules_with_output(with(output_term(), "sparkline", curve))).place,
              "streams->temperature->publish->2->sparkline->points");
  }
  error_of(with(rules_term(), "limits", with(limits_term(), "series", Term::integer(0))));
  error_of(with(rules_term(), "limits", with(limits_term(), "rows", huge)));
  for (const std::int64_t port : {-1, 65'536}) {
    error_of(rules_term(), Term::list({with(broker_term("a"), "port", Term::integer(port))}));
  }
}

TEST(ConfigTermsTest, ValuesOfAnyWrongKindAreRefusedEverywhere) {
  const Term tuple = Term::tuple({Term::atom("wrong")});
  for (const char* key : {"timezone", "language", "limits", "streams", "alerts"}) {
    error_of(with(rules_term(), key, tuple));
  }
  const Term stream = stream_term();
  for (std::size_t index = 0; index < stream.as_map()->size(); index += 2) {
    error_of(rules_with_stream(with(stream, *(*stream.as_map())[index].as_atom(), tuple)));
  }
  const Term output = output_term();
  for (std::size_t index = 0; index < output.as_map()->size(); index += 2) {
    error_of(rules_with_output(with(output, *(*output.as_map())[index].as_atom(), tuple)));
  }
  const Term alert = alert_term();
  for (std::size_t index = 0; index < alert.as_map()->size(); index += 2) {
    error_of(rules_with_alert(with(alert, *(*alert.as_map())[index].as_atom(), tuple)));
  }
  const Term broker = broker_term("a");
  for (std::size_t index = 0; index < broker.as_map()->size(); index += 2) {
    error_of(rules_term(), Term::list({with(broker, *(*broker.as_map())[index].as_atom(), tuple)}));
  }
  error_of(Term::atom("rules"));
  error_of(rules_term(), Term::map({}));
  error_of(rules_term(), Term::list({Term::integer(1)}));
  error_of(rules_with_stream(Term::list({})));
  error_of(rules_with_stream(with(stream_term(), "fields", Term::list({}))));
  error_of(rules_with_alert(with(
      alert_term(), "match", Term::list({named("room", text("a")), named("room", text("b"))}))));
}

}  // namespace
}  // namespace rollup::port

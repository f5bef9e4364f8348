#include "port/config_terms.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "port/map_reader.h"
#include "port/term_reader.h"
#include "port/term_writer.h"

namespace rollup::port {
namespace {

constexpr std::int64_t kSparklinePointsMax = 10'000;

// Calls `read(name, value, place)` for each {Name, Value} of a list; its place is the name's.
template <class Read>
void read_named(Failure& failure, const Term* list, const std::string& place, const Read& read) {
  if (list == nullptr) {
    return;
  }
  for (const Term& item : read_list(failure, *list, place)) {
    if (const std::vector<Term>* pair = read_tuple(failure, item, place, 2)) {
      const std::string name = read_text(failure, (*pair)[0], place);
      read(name, (*pair)[1], join_place(place, name));
    }
  }
}

// Calls `read(value, place)` for each item of a list; its place counts from 1.
template <class Read>
void read_each(Failure& failure, const Term* list, const std::string& place, const Read& read) {
  if (list == nullptr) {
    return;
  }
  std::size_t number = 0;
  for (const Term& item : read_list(failure, *list, place)) {
    read(item, join_place(place, std::to_string(++number)));
  }
}

std::optional<Statistic> read_statistic(MapReader& reader, std::string_view key) {
  const Term* term = reader.term(key);
  if (term == nullptr || term->is_atom("auto")) {
    return std::nullopt;
  }
  const std::string* name = term->as_atom();
  const std::optional<Statistic> statistic = name ? parse_statistic(*name) : std::nullopt;
  if (!statistic) {
    reader.failure().expected(reader.place_of(key), "the name of a statistic", *term);
  }
  return statistic;
}

std::optional<Sparkline> read_sparkline(MapReader& reader) {
  const std::string place = reader.place_of("sparkline");
  const Term* term = reader.term("sparkline");
  if (term == nullptr || term->is_atom("none")) {
    return std::nullopt;
  }
  const std::vector<Term>* pair = read_tuple(reader.failure(), *term, place, 2);
  if (pair == nullptr) {
    return std::nullopt;
  }
  Sparkline sparkline;
  sparkline.span = Duration(
      read_integer(reader.failure(), (*pair)[0], join_place(place, "span"), 1, kDurationMsMax));
  sparkline.points = static_cast<std::uint32_t>(read_integer(
      reader.failure(), (*pair)[1], join_place(place, "points"), 1, kSparklinePointsMax));
  return sparkline;
}

Output read_output(Failure& failure, const Term& term, const std::string& place) {
  MapReader reader(failure, term, place);
  Output output;
  output.topic = reader.text("topic");
  output.format = reader.choice<OutputFormat>("format", {{"json", OutputFormat::json},
                                                         {"number", OutputFormat::number},
                                                         {"text", OutputFormat::text},
                                                         {"protobuf", OutputFormat::protobuf}});
  output.window = reader.duration("window_ms");
  output.every = reader.duration("every_ms");
  output.statistic = read_statistic(reader, "statistic");
  output.sparkline = read_sparkline(reader);
  output.on = reader.choice<PublishOn>("on", {{"interval", PublishOn::interval},
                                              {"change", PublishOn::change},
                                              {"close", PublishOn::close}});
  output.deadband = reader.number("deadband");
  output.min_interval = reader.duration("min_interval_ms");
  output.heartbeat = reader.duration("heartbeat_ms");
  output.retain = reader.boolean("retain");
  output.qos = static_cast<int>(reader.integer("qos", 0, 2));
  output.expiry = reader.duration_or_forever("expiry_ms");
  output.broker = reader.text("broker");
  reader.finish();
  return output;
}

Field read_field(Failure& failure, std::string name, const Term& term, const std::string& place) {
  MapReader reader(failure, term, place);
  Field field;
  field.name = std::move(name);
  field.value = reader.text("value");
  field.unit = reader.text("unit");
  field.title = reader.text("title");
  field.scale = reader.number("scale");
  field.offset = reader.number("offset");
  field.kind = reader.choice<Kind>("kind", {{"gauge", Kind::gauge}, {"counter", Kind::counter}});
  field.reset = reader.choice<Reset>(
      "reset", {{"zero", Reset::zero}, {"wrap32", Reset::wrap32}, {"wrap64", Reset::wrap64}});
  const Term* valid = reader.term("valid");
  if (valid != nullptr && !valid->is_atom("none")) {
    const std::string valid_place = reader.place_of("valid");
    if (const std::vector<Term>* pair = read_tuple(failure, *valid, valid_place, 2)) {
      field.valid_low = read_number(failure, (*pair)[0], valid_place);
      field.valid_high = read_number(failure, (*pair)[1], valid_place);
    }
  }
  reader.finish();
  return field;
}

Stream read_stream(Failure& failure, std::string name, const Term& term, const std::string& place) {
  MapReader reader(failure, term, place);
  Stream stream;
  stream.name = std::move(name);
  stream.topic = reader.text("topic");
  stream.broker = reader.text("broker");
  stream.qos = static_cast<int>(reader.integer("qos", 0, 2));
  stream.format = reader.choice<PayloadFormat>("format", {{"auto", PayloadFormat::automatic},
                                                          {"json", PayloadFormat::json},
                                                          {"text", PayloadFormat::text}});
  read_named(failure, reader.term("fields"), reader.place_of("fields"),
             [&](const std::string& field_name, const Term& field, const std::string& field_place) {
               stream.fields.push_back(read_field(failure, field_name, field, field_place));
             });
  if (stream.fields.empty()) {
    failure.set(reader.place_of("fields"), "expected at least one field");
  }
  stream.time = reader.text("time");
  stream.resolution = Duration(reader.integer("resolution_ms", 1, kDurationMsMax));
  stream.hold = reader.duration_or("hold_ms", "auto");
  stream.lateness = reader.duration("lateness_ms");
  if (const Term* keep = reader.term("keep")) {
    MapReader tiers(failure, *keep, reader.place_of("keep"));
    for (int tier = 0; tier < kTierCount; ++tier) {
      stream.keep[static_cast<std::size_t>(tier)] =
          tiers.duration_or_forever(to_string(static_cast<Tier>(tier)));
    }
    tiers.finish();
  }
  read_each(failure, reader.term("publish"), reader.place_of("publish"),
            [&](const Term& output, const std::string& output_place) {
              stream.publish.push_back(read_output(failure, output, output_place));
            });
  reader.finish();
  return stream;
}

Alert read_alert(Failure& failure, std::string name, const Term& term, const std::string& place) {
  MapReader reader(failure, term, place);
  Alert alert;
  alert.name = std::move(name);
  alert.stream = reader.text("stream");
  read_named(
      failure, reader.term("match"), reader.place_of("match"),
      [&](const std::string& match_name, const Term& value, const std::string& match_place) {
        if (!alert.match.emplace(match_name, read_text(failure, value, match_place)).second) {
          failure.set(match_place, "is given twice");
        }
      });
  alert.raise = reader.text("raise");
  alert.clear = reader.text("clear");
  alert.raise_for = reader.duration("for_ms");
  alert.clear_for = reader.duration("clear_for_ms");
  alert.notify = reader.texts("notify");
  alert.message = reader.text("message");
  alert.topic = reader.text("topic");
  reader.finish();
  return alert;
}

Limits read_limits(Failure& failure, const Term& term) {
  MapReader reader(failure, term, "limits");
  const auto limit = [&reader](std::string_view key) {
    return static_cast<std::uint32_t>(
        reader.integer(key, 1, std::numeric_limits<std::int32_t>::max()));
  };
  Limits limits;
  limits.series = limit("series");
  limits.series_per_stream = limit("series_per_stream");
  limits.new_series = limit("new_series");
  limits.topic = limit("topic");
  limits.payload = limit("payload");
  limits.text = limit("text");
  limits.json_depth = limit("json_depth");
  limits.rows = limit("rows");
  limits.alerts_per_rule = limit("alerts_per_rule");
  reader.finish();
  return limits;
}

Config read_rules(Failure& failure, const Term& term) {
  MapReader reader(failure, term, "");
  Config config;
  config.timezone = reader.text("timezone");
  config.language = reader.text("language");
  if (const Term* limits = reader.term("limits")) {
    config.limits = read_limits(failure, *limits);
  }
  read_named(failure, reader.term("streams"), "streams",
             [&](const std::string& name, const Term& stream, const std::string& place) {
               config.streams.push_back(read_stream(failure, name, stream, place));
             });
  read_named(failure, reader.term("alerts"), "alerts",
             [&](const std::string& name, const Term& alert, const std::string& place) {
               config.alerts.push_back(read_alert(failure, name, alert, place));
             });
  reader.finish();
  return config;
}

Broker read_broker(Failure& failure, const Term& term, const std::string& place) {
  MapReader reader(failure, term, place);
  Broker broker;
  broker.name = reader.text("name");
  broker.link =
      reader.choice<LinkKind>("link", {{"client", LinkKind::client}, {"feed", LinkKind::feed}});
  if (broker.link == LinkKind::feed) {
    reader.finish();
    return broker;
  }
  broker.host = reader.text("host");
  broker.port = static_cast<int>(reader.integer("port", 0, 65'535));
  broker.username = reader.text("username");
  broker.password = reader.text("password");
  broker.client_id = reader.text("client_id");
  broker.keepalive = reader.duration("keepalive_ms");
  broker.protocol = static_cast<int>(reader.integer("protocol", 4, 5));
  broker.session_expiry = reader.duration("session_expiry_ms");
  const Term* tls = reader.term("tls");
  broker.has_tls = tls != nullptr && !tls->is_atom("none");
  if (broker.has_tls) {
    MapReader files(failure, *tls, reader.place_of("tls"));
    broker.ca_file = files.text("ca_file");
    broker.cert_file = files.text("cert_file");
    broker.key_file = files.text("key_file");
    broker.verify = files.boolean("verify");
    files.finish();
  }
  reader.finish();
  return broker;
}

}  // namespace

Result<ConfigTerms> read_config(const Term& rules, const Term& brokers) {
  Failure failure(ErrorCode::bad_config);
  ConfigTerms terms;
  terms.config = read_rules(failure, rules);
  read_each(failure, &brokers, "brokers", [&](const Term& broker, const std::string& place) {
    terms.brokers.push_back(read_broker(failure, broker, place));
    terms.config.brokers.push_back(terms.brokers.back().name);
  });
  const auto feeds =
      std::count_if(terms.brokers.begin(), terms.brokers.end(),
                    [](const Broker& broker) { return broker.link == LinkKind::feed; });
  if (feeds > 1) {
    failure.set("brokers", "only one can have the link feed");
  }
  if (failure) {
    return tl::unexpected(failure.error());
  }
  return terms;
}

}  // namespace rollup::port

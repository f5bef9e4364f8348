#include "journal/rules.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <rollup/state/v1/journal.pb.h>

#include <algorithm>

namespace rollup::journal {

namespace pb = rollup::state::v1;

namespace {

// A number of a file as an enum of which `last` is the greatest; the first one for any other.
template <class Enum>
Enum enum_of(std::uint32_t number, Enum last) {
  return number <= static_cast<std::uint32_t>(last) ? static_cast<Enum>(number) : Enum{};
}

void save_output(const Output& from, pb::OutputRules& to) {
  to.set_topic(from.topic);
  to.set_format(static_cast<std::uint32_t>(from.format));
  to.set_window_ms(from.window.count());
  to.set_every_ms(from.every.count());
  if (from.statistic) {
    to.set_statistic(static_cast<std::uint32_t>(*from.statistic));
  }
  if (from.sparkline) {
    to.mutable_sparkline()->set_span_ms(from.sparkline->span.count());
    to.mutable_sparkline()->set_points(from.sparkline->points);
  }
  to.set_on(static_cast<std::uint32_t>(from.on));
  to.set_deadband(from.deadband);
  to.set_min_interval_ms(from.min_interval.count());
  to.set_heartbeat_ms(from.heartbeat.count());
  to.set_retain(from.retain);
  to.set_qos(static_cast<std::uint32_t>(from.qos));
  to.set_expiry_ms(from.expiry.count());
  to.set_broker(from.broker);
}

Output load_output(const pb::OutputRules& from) {
  Output to;
  to.topic = from.topic();
  to.format = enum_of(from.format(), OutputFormat::protobuf);
  to.window = Duration{from.window_ms()};
  to.every = Duration{from.every_ms()};
  if (from.has_statistic()) {
    to.statistic = from.statistic() < std::size(kStatistics)
                       ? static_cast<Statistic>(from.statistic())
                       : Statistic::avg;
  }
  if (from.has_sparkline()) {
    to.sparkline = Sparkline{Duration{from.sparkline().span_ms()}, from.sparkline().points()};
  }
  to.on = enum_of(from.on(), PublishOn::close);
  to.deadband = from.deadband();
  to.min_interval = Duration{from.min_interval_ms()};
  to.heartbeat = Duration{from.heartbeat_ms()};
  to.retain = from.retain();
  to.qos = static_cast<int>(from.qos());
  to.expiry = Duration{from.expiry_ms()};
  to.broker = from.broker();
  return to;
}

void save_field(const Field& from, pb::FieldRules& to) {
  to.set_name(from.name);
  to.set_value(from.value);
  to.set_unit(from.unit);
  to.set_title(from.title);
  to.set_scale(from.scale);
  to.set_offset(from.offset);
  if (from.valid_low) {
    to.set_valid_low(*from.valid_low);
  }
  if (from.valid_high) {
    to.set_valid_high(*from.valid_high);
  }
  to.set_kind(static_cast<std::uint32_t>(from.kind));
  to.set_reset(static_cast<std::uint32_t>(from.reset));
}

Field load_field(const pb::FieldRules& from) {
  Field to;
  to.name = from.name();
  to.value = from.value();
  to.unit = from.unit();
  to.title = from.title();
  to.scale = from.scale();
  to.offset = from.offset();
  if (from.has_valid_low()) {
    to.valid_low = from.valid_low();
  }
  if (from.has_valid_high()) {
    to.valid_high = from.valid_high();
  }
  to.kind = enum_of(from.kind(), Kind::counter);
  to.reset = enum_of(from.reset(), Reset::wrap64);
  return to;
}

void save_stream(const Stream& from, pb::StreamRules& to) {
  to.set_name(from.name);
  to.set_topic(from.topic);
  to.set_broker(from.broker);
  to.set_qos(static_cast<std::uint32_t>(from.qos));
  to.set_format(static_cast<std::uint32_t>(from.format));
  for (const Field& field : from.fields) {
    save_field(field, *to.add_fields());
  }
  to.set_time(from.time);
  to.set_resolution_ms(from.resolution.count());
  if (from.hold) {
    to.set_hold_ms(from.hold->count());
  }
  to.set_lateness_ms(from.lateness.count());
  for (const Duration keep : from.keep) {
    to.add_keep_ms(keep.count());
  }
  for (const Output& output : from.publish) {
    save_output(output, *to.add_publish());
  }
}

Stream load_stream(const pb::StreamRules& from) {
  Stream to;
  to.name = from.name();
  to.topic = from.topic();
  to.broker = from.broker();
  to.qos = static_cast<int>(from.qos());
  to.format = enum_of(from.format(), PayloadFormat::text);
  for (const pb::FieldRules& field : from.fields()) {
    to.fields.push_back(load_field(field));
  }
  to.time = from.time();
  to.resolution = Duration{from.resolution_ms()};
  if (from.has_hold_ms()) {
    to.hold = Duration{from.hold_ms()};
  }
  to.lateness = Duration{from.lateness_ms()};
  for (int tier = 0; tier < std::min(kTierCount, from.keep_ms_size()); ++tier) {
    to.keep[static_cast<std::size_t>(tier)] = Duration{from.keep_ms(tier)};
  }
  for (const pb::OutputRules& output : from.publish()) {
    to.publish.push_back(load_output(output));
  }
  return to;
}

void save_alert(const Alert& from, pb::AlertRules& to) {
  to.set_name(from.name);
  to.set_stream(from.stream);
  to.mutable_match()->insert(from.match.begin(), from.match.end());
  to.set_raise(from.raise);
  to.set_clear(from.clear);
  to.set_raise_for_ms(from.raise_for.count());
  to.set_clear_for_ms(from.clear_for.count());
  to.mutable_notify()->Assign(from.notify.begin(), from.notify.end());
  to.set_message(from.message);
  to.set_topic(from.topic);
}

Alert load_alert(const pb::AlertRules& from) {
  return {.name = from.name(),
          .stream = from.stream(),
          .match = {from.match().begin(), from.match().end()},
          .raise = from.raise(),
          .clear = from.clear(),
          .raise_for = Duration{from.raise_for_ms()},
          .clear_for = Duration{from.clear_for_ms()},
          .notify = {from.notify().begin(), from.notify().end()},
          .message = from.message(),
          .topic = from.topic()};
}

}  // namespace

std::string encode_rules(const Config& config) {
  pb::Rules rules;
  rules.set_timezone(config.timezone);
  rules.set_language(config.language);
  rules.mutable_brokers()->Assign(config.brokers.begin(), config.brokers.end());
  for (const Stream& stream : config.streams) {
    save_stream(stream, *rules.add_streams());
  }
  for (const Alert& alert : config.alerts) {
    save_alert(alert, *rules.add_alerts());
  }
  pb::LimitRules& limits = *rules.mutable_limits();
  limits.set_series(config.limits.series);
  limits.set_series_per_stream(config.limits.series_per_stream);
  limits.set_payload(config.limits.payload);
  limits.set_text(config.limits.text);
  limits.set_json_depth(config.limits.json_depth);
  limits.set_rows(config.limits.rows);
  limits.set_alerts_per_rule(config.limits.alerts_per_rule);
  limits.set_new_series(config.limits.new_series);
  limits.set_topic(config.limits.topic);
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    rules.SerializeToCodedStream(&out);
  }
  return bytes;
}

Result<Config> decode_rules(std::string_view bytes) {
  pb::Rules rules;
  if (!rules.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(ErrorCode::storage, "rules", "its rules cannot be read");
  }
  Config config;
  config.timezone = rules.timezone();
  config.language = rules.language();
  config.brokers.assign(rules.brokers().begin(), rules.brokers().end());
  for (const pb::StreamRules& stream : rules.streams()) {
    config.streams.push_back(load_stream(stream));
  }
  for (const pb::AlertRules& alert : rules.alerts()) {
    config.alerts.push_back(load_alert(alert));
  }
  const pb::LimitRules& limits = rules.limits();
  config.limits.series = limits.series();
  config.limits.series_per_stream = limits.series_per_stream();
  config.limits.payload = limits.payload();
  config.limits.text = limits.text();
  config.limits.json_depth = limits.json_depth();
  config.limits.rows = limits.rows();
  config.limits.alerts_per_rule = limits.alerts_per_rule();
  config.limits.new_series = limits.new_series();
  config.limits.topic = limits.topic();
  return config;
}

}  // namespace rollup::journal

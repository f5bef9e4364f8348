#include "publish/publication.h"

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "publish/encode.h"

namespace rollup::publish {

namespace {

const Field& field_of(const engine::Engine& engine, const engine::SeriesInfo& info) {
  return engine.plan().streams[info.stream].config.fields[info.field];
}

std::optional<std::uint32_t> expiry_seconds(Duration expiry) {
  if (expiry == kForever) {
    return std::nullopt;
  }
  const std::int64_t seconds = std::max<std::int64_t>(1, expiry / std::chrono::seconds(1));
  return static_cast<std::uint32_t>(
      std::min<std::int64_t>(seconds, std::numeric_limits<std::uint32_t>::max()));
}

const char* content_type(OutputFormat format) {
  switch (format) {
    case OutputFormat::json:
      return "application/json";
    case OutputFormat::number:
    case OutputFormat::text:
      return "text/plain; charset=utf-8";
    case OutputFormat::protobuf:
      return "application/x-protobuf";
  }
  return "";
}

AlertFacts facts_of(const AlertState& state, const engine::Engine& engine) {
  const engine::SeriesInfo info = engine.series(state.series);
  const engine::AlertPlan& plan = engine.plan().alerts[state.alert];
  AlertFacts facts;
  facts.state = state;
  facts.alert = plan.config.name;
  facts.series = info.name;
  facts.limit = plan.config.raise;
  facts.unit = field_of(engine, info).unit;
  facts.title = field_of(engine, info).title;
  facts.decimals = engine.current(state.series, engine.last()).decimals;
  return facts;
}

}  // namespace

std::optional<Publication> publication(const effect::Publish& effect,
                                       const engine::Engine& engine) {
  const engine::SeriesInfo info = engine.series(effect.series);
  std::string topic = engine.output_topic(effect.series, effect.output);
  if (topic.empty()) {
    return std::nullopt;
  }
  const engine::Plan& plan = engine.plan();
  const Output& output = plan.streams[info.stream].outputs[effect.output].config;
  SummaryStyle style;
  style.format = output.format;
  style.statistic =
      output.statistic.value_or(usual_statistic(parts_of(field_of(engine, info).kind)));
  style.unit = field_of(engine, info).unit;
  style.decimals = engine.current(effect.series, engine.last()).decimals;
  style.bytes_max = plan.config.limits.text;
  std::optional<std::string> payload = encode(effect.summary, style);
  if (!payload) {
    return std::nullopt;
  }
  return Publication{std::move(topic),
                     std::move(*payload),
                     output.qos,
                     output.retain && effect.is_newest,
                     expiry_seconds(output.expiry),
                     content_type(output.format),
                     output.broker};
}

std::optional<Publication> publication(const effect::PublishAlert& effect,
                                       const engine::Engine& engine) {
  const engine::Plan& plan = engine.plan();
  const engine::AlertPlan& alert = plan.alerts[effect.state.alert];
  std::string topic = engine::alert_topic(alert, engine.captures(effect.state.series));
  if (topic.empty()) {
    return std::nullopt;
  }
  return Publication{std::move(topic),
                     encode(facts_of(effect.state, engine), plan.config.limits.text),
                     1,
                     true,
                     std::nullopt,
                     "application/json",
                     plan.streams[alert.stream].config.broker};
}

std::string notification_text(const effect::Notify& effect, const engine::Engine& engine) {
  const engine::Plan& plan = engine.plan();
  const engine::AlertPlan& alert = plan.alerts[effect.state.alert];
  const AlertFacts facts = facts_of(effect.state, engine);
  std::string message;
  if (alert.message) {
    Captures names = engine.captures(effect.state.series);
    names.emplace_back("alert", facts.alert);
    names.emplace_back("limit", facts.limit);
    names.emplace_back("severity", facts.severity);
    names.emplace_back("value", effect.state.value
                                    ? format_number(*effect.state.value, facts.decimals)
                                    : std::string("?"));
    names.emplace_back(
        "since", effect.state.since ? plan.zone.format_local(*effect.state.since) : std::string());
    message = alert.message->expand(names);
  }
  return alert_text(facts, message, effect.began, plan.zone, plan.config.language);
}

}  // namespace rollup::publish

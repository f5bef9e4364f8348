// Configurations for tests of the engine: a stream, an output and an alert as ejabberd.yml's
// defaults make them, to be changed as a test needs it.
#pragma once

#include <memory>
#include <string>

#include "base/check.h"
#include "engine/plan.h"
#include "model/config.h"

namespace rollup::testing {

inline Stream make_stream(const std::string& name, const std::string& topic) {
  Stream stream;
  stream.name = name;
  stream.topic = topic;
  stream.broker = "ejabberd";
  stream.fields.emplace_back();
  stream.resolution = std::chrono::minutes(1);
  stream.lateness = std::chrono::minutes(5);
  stream.keep = {std::chrono::hours(48), std::chrono::hours(24 * 30), std::chrono::hours(24 * 365),
                 kForever};
  return stream;
}

inline Output make_output(const std::string& topic) {
  Output output;
  output.topic = topic;
  output.window = std::chrono::hours(1);
  output.every = std::chrono::minutes(1);
  output.heartbeat = std::chrono::hours(1);
  output.broker = "ejabberd";
  return output;
}

inline Alert make_alert(const std::string& name, const std::string& stream,
                        const std::string& raise) {
  Alert alert;
  alert.name = name;
  alert.stream = stream;
  alert.raise = raise;
  alert.topic = "alerts/{alert}/{series}";
  return alert;
}

inline tl::expected<engine::Plan, Errors> try_compile(const Config& config,
                                                      bool has_subscription_ids = true) {
  engine::LinkRules links;
  links.has_subscription_ids.assign(config.brokers.size(), has_subscription_ids);
  return engine::compile(config, Zone(), links);
}

inline std::shared_ptr<const engine::Plan> compile(const Config& config) {
  auto plan = try_compile(config);
  ROLLUP_CHECK(plan.has_value());
  return std::make_shared<const engine::Plan>(std::move(*plan));
}

}  // namespace rollup::testing

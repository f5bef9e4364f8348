// The summary and the alert that the examples of docs/PAYLOADS.md are about.
#pragma once

#include <rapidjson/document.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "publish/encode.h"

namespace rollup::publish {

inline Time at(std::string_view text) { return parse_rfc3339(text).value(); }

inline Summary example_summary() {
  Summary summary;
  summary.start = at("2026-04-04T12:00:00Z");
  summary.end = at("2026-04-04T13:00:00Z");
  summary.window = std::chrono::hours(1);
  summary.value = 22.1;
  summary.covered = 0.97812;
  summary.spark = {18.4, 19.0, std::nullopt, 21.5, 23.0, 25.5, 24.0, 22.1};
  Aggregate& aggregate = summary.aggregate;
  aggregate.count = 288;
  aggregate.sum = 288 * 21.0;
  aggregate.m2 = 288 * 2.3 * 2.3;
  aggregate.min = 18.4;
  aggregate.max = 25.5;
  aggregate.first = 18.4;
  aggregate.last = 22.1;
  aggregate.first_time = summary.start;
  aggregate.last_time = at("2026-04-04T12:59:50Z");
  aggregate.known = std::chrono::milliseconds(3'521'232);
  aggregate.integral = 21.5 * 3'521'232;
  return summary;
}

inline SummaryStyle style(OutputFormat format) {
  SummaryStyle style;
  style.format = format;
  style.unit = "°C";
  style.decimals = 1;
  return style;
}

inline AlertFacts example_alarm() {
  AlertFacts facts;
  facts.state.phase = AlertPhase::alarm;
  facts.state.since = at("2026-04-04T12:03:00Z");
  facts.state.value = 9.2;
  facts.state.id = "019d5860-0120-8001-8000-000000000007";
  facts.alert = "fridge";
  facts.series = "home/kitchen/fridge";
  facts.limit = "avg(5m) > 8";
  facts.unit = "°C";
  facts.decimals = 1;
  return facts;
}

inline AlertFacts example_end() {
  AlertFacts facts = example_alarm();
  facts.state.phase = AlertPhase::ok;
  facts.state.since = at("2026-04-04T12:41:00Z");
  facts.state.value = 4.1;
  facts.state.id.clear();
  return facts;
}

// The members of a JSON object in their order; empty if `text` is none.
inline std::vector<std::string> member_names(std::string_view text) {
  rapidjson::Document document;
  document.Parse(text.data(), text.size());
  std::vector<std::string> names;
  if (!document.HasParseError() && document.IsObject()) {
    for (const auto& member : document.GetObject()) {
      names.emplace_back(member.name.GetString());
    }
  }
  return names;
}

}  // namespace rollup::publish

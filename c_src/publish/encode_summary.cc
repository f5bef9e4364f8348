#include <rollup/v1/rollup.pb.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/sparkline.h"
#include "base/text.h"
#include "publish/encode.h"
#include "publish/json_object.h"
#include "publish/payload_rules.h"

namespace rollup::publish {
namespace {

// What an encoder gives up, step by step, to stay within its limit.
enum class Detail { full, without_curve, without_statistics, value_only };
constexpr Detail kDetails[] = {Detail::full, Detail::without_curve, Detail::without_statistics,
                               Detail::value_only};

// The statistics that are known: of a window that is covered by half (SEMANTICS 2.4), but the count
// always is, and what a counter counted. The sum of no samples is 0, but it says nothing.
std::optional<double> shown_value(const Summary& summary, Statistic statistic) {
  const Aggregate& aggregate = summary.aggregate;
  if (aggregate.empty() || (!summary.is_known && !row_of(statistic).is_tally) ||
      (statistic == Statistic::sum && aggregate.count == 0)) {
    return std::nullopt;
  }
  return value_of(aggregate, statistic);
}

// What a message with all members tells. While neither the value nor the window is known it has
// one more number, the newest sample or the range of what was held: clients take the first number
// for the value, and it must not be the count (docs/PAYLOADS.md).
std::optional<double> told_value(const Summary& summary, Statistic statistic) {
  const Aggregate& aggregate = summary.aggregate;
  const bool is_last = statistic == Statistic::last;
  const bool is_bound = statistic == Statistic::min || statistic == Statistic::max;
  if (!summary.is_known && !summary.value && (aggregate.count > 0 ? is_last : is_bound)) {
    return value_of(aggregate, statistic);
  }
  return shown_value(summary, statistic);
}

bool has_curve(const Summary& summary) {
  return std::any_of(summary.spark.begin(), summary.spark.end(),
                     [](const std::optional<double>& value) { return value.has_value(); });
}

// `value` stands first, null included: no number may come before it, and while it is null none but
// a statistic in its unit (docs/PAYLOADS.md).
std::string json(const Summary& summary, const SummaryStyle& style, Detail detail) {
  JsonObject object;
  object.number("value", summary.value, style.decimals);
  if (detail == Detail::value_only) {
    return object.finish();
  }
  const std::string unit = safe_text(style.unit);
  if (!unit.empty()) {
    object.text("unit", shortened(unit, detail == Detail::without_statistics ? 32 : unit.size()));
  }
  bool has_number = summary.value.has_value();
  for (const StatisticRow& row : kStatistics) {
    const std::optional<double> value =
        row.in_message ? told_value(summary, row.statistic) : std::nullopt;
    if (value && (!has_number || detail != Detail::without_statistics)) {
      object.number(row.name, value, decimals_for(row.statistic, style.decimals));
      has_number = has_number || std::isfinite(*value);
    }
  }
  object.integer("count", summary.aggregate.count);
  object.number("covered", summary.covered, 3);
  object.text("window", format_duration(summary.window));
  object.text("start", format_rfc3339(summary.start));
  object.text("end", format_rfc3339(summary.end));
  object.integer("rev", summary.rev);
  object.truth("final", summary.final);
  if (detail == Detail::full && !summary.spark.empty()) {
    object.numbers("spark", summary.spark,
                   decimals_for(usual_statistic(summary.aggregate.parts), style.decimals));
  }
  return object.finish();
}

std::optional<std::string> encode_json(const Summary& summary, const SummaryStyle& style) {
  for (const Detail detail : kDetails) {
    std::string payload = json(summary, style, detail);
    if (fits_padded(payload.size(), style.bytes_max)) {
      pad_payload(payload, style.bytes_max);
      return payload;
    }
  }
  return std::nullopt;
}

std::optional<std::string> encode_number(const Summary& summary, const SummaryStyle& style) {
  const std::optional<double> value = shown_value(summary, style.statistic);
  std::string payload =
      value ? format_number(*value, decimals_for(style.statistic, style.decimals)) : "";
  // Half a number is another number.
  if (payload.empty() || !fits_padded(payload.size(), style.bytes_max)) {
    return std::nullopt;
  }
  pad_payload(payload, style.bytes_max);
  return payload;
}

// In the order in which people read them.
constexpr Statistic kStatisticsInText[] = {Statistic::min, Statistic::mean, Statistic::max,
                                           Statistic::increase};

// Beside whole numbers an average with two decimals reads like another quantity; without any, that
// of a switch would be 0 or 1.
int decimals_in_text(Statistic statistic, int decimals) {
  return std::min(decimals_for(statistic, decimals), std::max(decimals, 1));
}

std::string first_line(const Summary& summary, const SummaryStyle& style) {
  const std::string unit = safe_text(style.unit);
  const std::string digits = summary.value ? format_fixed(*summary.value, style.decimals) : "";
  // Half a number is another number.
  std::string line = digits.empty() || !fits_padded(digits.size(), style.bytes_max) ? "?" : digits;
  if (!unit.empty()) {
    line += " " + unit;
  }
  std::string parts;
  for (const Statistic statistic : kStatisticsInText) {
    const std::optional<double> value = shown_value(summary, statistic);
    const std::string number =
        value ? format_fixed(*value, decimals_in_text(statistic, style.decimals)) : "";
    if (!number.empty()) {
      parts += (parts.empty() ? "" : " · ") + std::string(to_string(statistic)) + " " + number;
    }
  }
  if (!parts.empty()) {
    parts += " ";
  }
  const std::uint64_t count = summary.aggregate.count;
  return line + "   " + parts + "(" + duration_for_people(summary.window) + ", " +
         std::to_string(count) + (count == 1 ? " sample)" : " samples)");
}

std::string encode_text(const Summary& summary, const SummaryStyle& style) {
  std::string payload = first_line(summary, style);
  if (has_curve(summary)) {
    const std::string curve = "\n" + sparkline(summary.spark);
    if (fits_padded(payload.size() + curve.size(), style.bytes_max)) {
      payload += curve;
    }
  }
  pad_payload(payload, style.bytes_max);
  return payload;
}

v1::Summary message(const Summary& summary, const SummaryStyle& style) {
  v1::Summary message;
  if (summary.value) {
    message.set_value(*summary.value);
  }
  message.set_unit(safe_text(style.unit));
  const std::pair<Statistic, void (v1::Summary::*)(double)> setters[] = {
      {Statistic::avg, &v1::Summary::set_avg},
      {Statistic::mean, &v1::Summary::set_mean},
      {Statistic::min, &v1::Summary::set_min},
      {Statistic::max, &v1::Summary::set_max},
      {Statistic::sum, &v1::Summary::set_sum},
      {Statistic::first, &v1::Summary::set_first},
      {Statistic::last, &v1::Summary::set_last},
      {Statistic::stddev, &v1::Summary::set_stddev},
      {Statistic::increase, &v1::Summary::set_increase},
      {Statistic::rate, &v1::Summary::set_rate},
      {Statistic::resets, &v1::Summary::set_resets}};
  for (const auto& [statistic, set] : setters) {
    if (const std::optional<double> value = told_value(summary, statistic)) {
      (message.*set)(*value);
    }
  }
  message.set_count(summary.aggregate.count);
  message.set_covered(summary.covered);
  message.set_window_ms(summary.window.count());
  message.set_start_ms(to_ms(summary.start));
  message.set_end_ms(to_ms(summary.end));
  // Never 0, so the message is never empty.
  message.set_rev(std::max(summary.rev, 1U));
  message.set_final(summary.final);
  for (const std::optional<double>& value : summary.spark) {
    v1::SparkPoint* point = message.add_spark();
    if (value) {
      point->set_value(*value);
    }
  }
  return message;
}

std::optional<std::string> encode_protobuf(const Summary& summary, const SummaryStyle& style) {
  v1::Summary content = message(summary, style);
  if (content.ByteSizeLong() > style.bytes_max) {
    content.clear_spark();
  }
  if (content.ByteSizeLong() > style.bytes_max) {
    content.clear_unit();
  }
  if (content.ByteSizeLong() > style.bytes_max) {
    return std::nullopt;
  }
  return content.SerializeAsString();
}

}  // namespace

std::optional<std::string> encode(const Summary& summary, const SummaryStyle& style) {
  // A gap is no zero, and nothing is said of it (SEMANTICS 1.8).
  if (summary.aggregate.empty() && !summary.value) {
    return std::nullopt;
  }
  switch (style.format) {
    case OutputFormat::json:
      return encode_json(summary, style);
    case OutputFormat::number:
      return encode_number(summary, style);
    case OutputFormat::text:
      return encode_text(summary, style);
    case OutputFormat::protobuf:
      return encode_protobuf(summary, style);
  }
  return std::nullopt;
}

}  // namespace rollup::publish

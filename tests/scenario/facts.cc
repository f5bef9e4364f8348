#include "scenario/facts.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/text.h"
#include "scenario/notation.h"

namespace rollup::testing {

namespace {

std::string number_text(std::optional<double> number) {
  if (!number) {
    return "_";
  }
  char text[40];
  std::snprintf(text, sizeof text, "%.12g", *number);
  return text;
}

std::string time_text(Time time, Time start) {
  return time < start ? "-" + format_duration(start - time) : format_duration(time - start);
}

std::string range_text(Time from, Time to, Time start) {
  return time_text(from, start) + ".." + time_text(to, start);
}

void add_aggregates(Facts& facts, const Aggregate& aggregate) {
  for (const StatisticRow& row : kStatistics) {
    facts.emplace_back(row.name, number_text(value_of(aggregate, row.statistic)));
  }
}

Facts summary_facts(const effect::Publish& publish, Time start) {
  const Summary& summary = publish.summary;
  Facts facts = {{"", range_text(summary.start, summary.end, start)},
                 {"value", number_text(summary.value)}};
  add_aggregates(facts, summary.aggregate);
  facts.emplace_back("covered", number_text(summary.covered));
  facts.emplace_back("rev", std::to_string(summary.rev));
  facts.emplace_back("", summary.final ? "final" : "open");
  facts.emplace_back("", publish.is_newest ? "newest" : "old");
  facts.emplace_back("", summary.is_known ? "known" : "unknown");
  if (!summary.spark.empty()) {
    std::string spark;
    for (const std::optional<double>& point : summary.spark) {
      spark += (spark.empty() ? "" : ",") + number_text(point);
    }
    facts.emplace_back("spark", spark);
  }
  return facts;
}

Facts alert_facts(const AlertState& state, Time start) {
  return {{"", to_string(state.phase)},
          {"since", state.since ? time_text(*state.since, start) : "_"},
          {"value", number_text(state.value)}};
}

bool is_same_text(const std::string& expected, const std::string& got) {
  const std::size_t about = expected.find('~') == 0 ? 1 : 0;
  const std::optional<double> wanted = parse_number(expected.substr(about));
  const std::optional<double> number = parse_number(got);
  if (!wanted || !number) {
    return expected == got;
  }
  const double tolerance = (about == 1 ? 1e-2 : 1e-9) * std::max(1.0, std::abs(*wanted));
  return std::abs(*wanted - *number) <= tolerance;
}

// Also each number of a list, and times in another spelling.
bool is_same(const std::string& expected, const std::string& got, Time start) {
  if (is_same_text(expected, got)) {
    return true;
  }
  const auto comma = [](const std::string& text) { return std::min(text.find(','), text.size()); };
  if (comma(expected) < expected.size() && comma(got) < got.size()) {
    return is_same(expected.substr(0, comma(expected)), got.substr(0, comma(got)), start) &&
           is_same(expected.substr(comma(expected) + 1), got.substr(comma(got) + 1), start);
  }
  const std::size_t dots = expected.find("..");
  if (dots != std::string::npos) {
    const auto from = parse_time(expected.substr(0, dots), start);
    const auto to = parse_time(expected.substr(dots + 2), start);
    return from && to && got == range_text(*from, *to, start);
  }
  const auto time = parse_time(expected, start);
  return time && got == time_text(*time, start);
}

}  // namespace

Facts facts_of(const Bucket& bucket, Time start) {
  Facts facts = {{"", range_text(bucket.start, bucket.end, start)}};
  add_aggregates(facts, bucket.aggregate);
  facts.emplace_back("covered", number_text(covered(bucket.aggregate, bucket.end - bucket.start)));
  facts.emplace_back("rev", std::to_string(bucket.rev));
  return facts;
}

Facts facts_of(const Effect& effect, Time start) {
  if (const auto* publish = std::get_if<effect::Publish>(&effect)) {
    return summary_facts(*publish, start);
  }
  if (const auto* alert = std::get_if<effect::PublishAlert>(&effect)) {
    return alert_facts(alert->state, start);
  }
  if (const auto* notify = std::get_if<effect::Notify>(&effect)) {
    Facts facts = alert_facts(notify->state, start);
    facts.emplace_back("began", time_text(notify->began, start));
    return facts;
  }
  if (const auto* sealed = std::get_if<effect::SealBucket>(&effect)) {
    return facts_of(sealed->bucket, start);
  }
  Facts facts;
  for (const Point& point : std::get<effect::SealPoints>(effect).points) {
    facts.emplace_back(time_text(point.time, start), number_text(point.value));
  }
  return facts;
}

Facts facts_of(const Counters& counters) {
  Facts facts = {{"received", std::to_string(counters.received)},
                 {"accepted", std::to_string(counters.accepted)}};
  for (std::size_t i = 0; i < counters.dropped.size(); ++i) {
    if (counters.dropped[i] > 0) {
      facts.emplace_back(to_string(static_cast<DropReason>(i)),
                         std::to_string(counters.dropped[i]));
      facts.emplace_back("", counters.examples[i]);
    }
  }
  return facts;
}

Facts facts_of(const engine::Current& current, Time start) {
  return {{"value", number_text(current.value)},
          {"time", current.time ? time_text(*current.time, start) : "_"},
          {"", current.is_held ? "held" : "unknown"},
          {"count", std::to_string(current.count)}};
}

std::string to_text(const Facts& facts) {
  std::string text;
  for (const auto& [name, value] : facts) {
    text += (text.empty() ? "" : " ") + (name.empty() ? "" : name + "=") + value;
  }
  return text;
}

std::string mismatch(const std::vector<std::string>& expected, const Facts& facts, Time start) {
  for (const std::string& word : expected) {
    const std::size_t equals = word.find('=');
    const std::string name = equals == std::string::npos ? "" : word.substr(0, equals);
    const std::string value = equals == std::string::npos ? word : word.substr(equals + 1);
    if (std::none_of(facts.begin(), facts.end(), [&](const auto& fact) {
          return fact.first == name && is_same(value, fact.second, start);
        })) {
      return word;
    }
  }
  return "";
}

}  // namespace rollup::testing

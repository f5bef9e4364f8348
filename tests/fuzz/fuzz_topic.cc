// Input: lines. The last is a topic, the others are filters; each is also read as a template.
// Mosquitto is the judge of what matches.
#include <mosquitto.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "decode/topic_index.h"
#include "model/topic.h"

namespace {

using namespace rollup;

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> pieces(1);
  for (const char c : text) {
    if (c == separator) {
      pieces.emplace_back();
    } else {
      pieces.back() += c;
    }
  }
  return pieces;
}

bool mosquitto_matches(const std::string& filter, const std::string& topic) {
  bool is_match = false;
  ROLLUP_CHECK(mosquitto_topic_matches_sub(filter.c_str(), topic.c_str(), &is_match) ==
               MOSQ_ERR_SUCCESS);
  return is_match;
}

void check_captures(const TopicFilter& filter, const std::string& topic) {
  const auto captures = filter.capture(topic);
  ROLLUP_CHECK(captures && captures->size() == filter.names().size());
  for (const auto& [name, value] : *captures) {
    ROLLUP_CHECK(value.find('/') == std::string::npos);
  }
}

void check_template(const std::string& text, const std::string& value) {
  const std::vector<std::string> names = {"a", "room", "series"};
  const auto parsed = Template::parse(text, names);
  if (!parsed) {
    return;
  }
  Captures values;
  for (const std::string& name : names) {
    values.emplace_back(name, value);
  }
  const std::string topic = parsed->expand_topic(values);
  const auto wildcards = [](std::string_view in) {
    return std::count_if(in.begin(), in.end(), [](char c) { return c == '+' || c == '#'; });
  };
  // Names cannot hold wildcards, so those of the text are its own.
  ROLLUP_CHECK(wildcards(topic) == wildcards(text));
  if (topic.find_first_of("+#*") == std::string::npos) {
    ROLLUP_CHECK(may_overlap(parsed->level_pattern(), split(topic, '/')));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> lines =
      split(std::string_view(reinterpret_cast<const char*>(data), size), '\n');
  const std::string topic = std::move(lines.back());
  lines.pop_back();

  std::vector<TopicFilter> filters;
  for (const std::string& line : lines) {
    check_template(line, topic);
    if (const auto filter = TopicFilter::parse(line)) {
      ROLLUP_CHECK(mosquitto_sub_topic_check(filter->mqtt().c_str()) == MOSQ_ERR_SUCCESS);
      filters.push_back(*filter);
    }
  }
  const bool is_name = is_topic_name(topic);
  ROLLUP_CHECK(!is_name || mosquitto_pub_topic_check(topic.c_str()) == MOSQ_ERR_SUCCESS);

  decode::TopicIndex index;
  for (std::size_t i = 0; i < filters.size(); ++i) {
    index.add(filters[i], static_cast<StreamIndex>(i));
  }
  std::vector<StreamIndex> found;
  index.match(topic, found);

  std::vector<StreamIndex> expected;
  for (std::size_t i = 0; i < filters.size(); ++i) {
    const bool is_match = filters[i].matches(topic);
    // mosquitto reads "$share/group/" off a filter and knows no other difference.
    if (is_name && filters[i].levels().front() != "$share") {
      ROLLUP_CHECK(mosquitto_matches(filters[i].mqtt(), topic) == is_match);
    }
    if (is_match) {
      expected.push_back(static_cast<StreamIndex>(i));
      check_captures(filters[i], topic);
    }
  }
  ROLLUP_CHECK(found == expected);
  for (const TopicFilter& wide : filters) {
    for (const TopicFilter& narrow : filters) {
      const bool is_covering = covers(wide, narrow);
      ROLLUP_CHECK(!is_covering || may_overlap(wide.levels(), narrow.levels()));
      ROLLUP_CHECK(!is_covering || !narrow.matches(topic) || wide.matches(topic));
      ROLLUP_CHECK(!wide.matches(topic) || !narrow.matches(topic) ||
                   may_overlap(wide.levels(), narrow.levels()));
    }
  }
  return 0;
}

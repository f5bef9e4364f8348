// may_overlap() and covers() against all topics over a tiny alphabet.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/topic.h"

namespace rollup {
namespace {

using Levels = std::vector<std::string>;

// All sequences of 1 .. `length_max` of the words.
std::vector<Levels> sequences(const Levels& words, std::size_t length_max) {
  std::vector<Levels> all;
  std::vector<Levels> newest = {{}};
  for (std::size_t length = 1; length <= length_max; ++length) {
    std::vector<Levels> longer;
    for (const Levels& levels : newest) {
      for (const std::string& word : words) {
        longer.push_back(levels);
        longer.back().push_back(word);
      }
    }
    all.insert(all.end(), longer.begin(), longer.end());
    newest = std::move(longer);
  }
  return all;
}

std::string join(const Levels& levels) {
  std::string text;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    text += (i == 0 ? "" : "/") + levels[i];
  }
  return text;
}

bool has_hash_before_the_end(const Levels& levels) {
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
    if (levels[i] == "#") {
      return true;
    }
  }
  return false;
}

// The definition of a pattern, word for word.
bool is_matched(const Levels& pattern, std::size_t i, const Levels& topic, std::size_t j) {
  if (i == pattern.size()) {
    return j == topic.size();
  }
  if (pattern[i] == "#") {
    return true;
  }
  if (j == topic.size()) {
    return false;
  }
  if (pattern[i] == "**") {
    return is_matched(pattern, i + 1, topic, j + 1) || is_matched(pattern, i, topic, j + 1);
  }
  return (pattern[i] == "+" || pattern[i] == topic[j]) && is_matched(pattern, i + 1, topic, j + 1);
}

TEST(OverlapTest, AgreesWithTryingAllTopics) {
  // Three levels of pattern need no topic longer than six; `c` stands for every other word.
  const std::vector<Levels> topics = sequences({"a", "b", "c"}, 6);
  std::vector<Levels> patterns;
  for (const Levels& pattern : sequences({"a", "b", "+", "#", "**"}, 3)) {
    if (!has_hash_before_the_end(pattern)) {
      patterns.push_back(pattern);
    }
  }
  std::vector<std::vector<bool>> matched;
  for (const Levels& pattern : patterns) {
    matched.emplace_back();
    for (const Levels& topic : topics) {
      matched.back().push_back(is_matched(pattern, 0, topic, 0));
    }
  }
  std::size_t overlaps = 0;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    for (std::size_t j = i; j < patterns.size(); ++j) {
      bool is_shared = false;
      for (std::size_t k = 0; k < topics.size() && !is_shared; ++k) {
        is_shared = matched[i][k] && matched[j][k];
      }
      ASSERT_EQ(may_overlap(patterns[i], patterns[j]), is_shared)
          << join(patterns[i]) << " and " << join(patterns[j]);
      ASSERT_EQ(may_overlap(patterns[j], patterns[i]), is_shared)
          << join(patterns[j]) << " and " << join(patterns[i]);
      overlaps += is_shared ? 1 : 0;
    }
  }
  EXPECT_GT(overlaps, 100U);
}

TEST(OverlapTest, AHashAloneDoesNotReachReservedTopics) {
  EXPECT_FALSE(may_overlap({"#"}, {"$stats", "a"}));
  EXPECT_FALSE(may_overlap({"$stats", "**"}, {"#"}));
  EXPECT_TRUE(may_overlap({"$stats", "#"}, {"$stats", "a"}));
  // A level of a template that is or contains a name may begin with anything.
  EXPECT_TRUE(may_overlap({"+", "a"}, {"$stats", "a"}));
  EXPECT_TRUE(may_overlap({"**"}, {"$stats", "a"}));
}

TEST(OverlapTest, LongPatternsTakeNoExponentialTime) {
  const Levels many(200, "**");
  Levels other(200, "**");
  other.push_back("end");
  Levels third = many;
  third.push_back("other");
  EXPECT_TRUE(may_overlap(many, other));
  EXPECT_FALSE(may_overlap(third, other));
}

TEST(OverlapTest, CoversAgreesWithTryingAllTopics) {
  const std::vector<Levels> topics = sequences({"a", "$b", "c"}, 5);
  std::vector<TopicFilter> filters;
  for (const Levels& levels : sequences({"a", "$b", "+", "#"}, 3)) {
    if (!has_hash_before_the_end(levels)) {
      filters.push_back(TopicFilter::parse(join(levels)).value());
    }
  }
  for (const TopicFilter& wide : filters) {
    for (const TopicFilter& narrow : filters) {
      bool is_covered = true;
      for (const Levels& topic : topics) {
        const std::string name = join(topic);
        is_covered = is_covered && (!narrow.matches(name) || wide.matches(name));
      }
      ASSERT_EQ(covers(wide, narrow), is_covered) << wide.text() << " over " << narrow.text();
    }
  }
}

}  // namespace
}  // namespace rollup

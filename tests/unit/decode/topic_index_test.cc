#include "decode/topic_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mosquitto.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace rollup::decode {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TopicIndex index_of(const std::vector<std::string>& filters) {
  TopicIndex index;
  for (std::size_t i = 0; i < filters.size(); ++i) {
    index.add(TopicFilter::parse(filters[i]).value(), static_cast<StreamIndex>(i));
  }
  return index;
}

std::vector<StreamIndex> match(const TopicIndex& index, std::string_view topic) {
  std::vector<StreamIndex> streams;
  index.match(topic, streams);
  return streams;
}

TEST(TopicIndexTest, FindsEveryMatchingStreamInAscendingOrder) {
  const TopicIndex index =
      index_of({"#", "home/+/temp", "home/hall/temp", "home/#", "{a}/{b}", "x"});
  EXPECT_THAT(match(index, "home/hall/temp"), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(match(index, "home/hall"), ElementsAre(0, 3, 4));
  EXPECT_THAT(match(index, "home"), ElementsAre(0, 3));
  EXPECT_THAT(match(index, "x"), ElementsAre(0, 5));
  EXPECT_THAT(match(index, "x/y/z/u"), ElementsAre(0));
}

TEST(TopicIndexTest, AStreamIsFoundOnceForSeveralFilters) {
  TopicIndex index;
  for (const char* filter : {"a/#", "+/b", "a/b", "#"}) {
    index.add(TopicFilter::parse(filter).value(), 7);
  }
  index.add(TopicFilter::parse("a/b").value(), 3);
  EXPECT_THAT(match(index, "a/b"), ElementsAre(3, 7));
}

TEST(TopicIndexTest, AppendsToWhatIsThere) {
  const TopicIndex index = index_of({"a", "+"});
  std::vector<StreamIndex> streams = {9, 1, 1};
  index.match("a", streams);
  EXPECT_THAT(streams, ElementsAre(9, 1, 1, 0, 1));
}

TEST(TopicIndexTest, WildcardsDoNotMatchAFirstLevelWithADollar) {
  const TopicIndex index = index_of({"#", "+/x", "$SYS/#", "$SYS/+"});
  EXPECT_THAT(match(index, "$SYS/x"), ElementsAre(2, 3));
  EXPECT_THAT(match(index, "a/x"), ElementsAre(0, 1));
  EXPECT_THAT(match(index, "$SYS"), ElementsAre(2));
}

TEST(TopicIndexTest, EmptyLevelsAreLevels) {
  const TopicIndex index = index_of({"a", "a/", "a/+", "a/#", "/a", "+/+", "//"});
  EXPECT_THAT(match(index, "a/"), ElementsAre(1, 2, 3, 5));
  EXPECT_THAT(match(index, "/a"), ElementsAre(4, 5));
  EXPECT_THAT(match(index, "//"), ElementsAre(6));
  EXPECT_THAT(match(index, "/"), ElementsAre(5));
}

TEST(TopicIndexTest, TheEmptyTopicAndTheEmptyIndexMatchNothing) {
  EXPECT_THAT(match(index_of({"#", "+"}), ""), IsEmpty());
  EXPECT_THAT(match(TopicIndex(), "a/b"), IsEmpty());
}

TEST(TopicIndexTest, VeryDeepTopicsAreWalkedOnlyAsFarAsTheFiltersReach) {
  const TopicIndex index = index_of({"+/+/+/#", std::string(199, '/')});
  EXPECT_THAT(match(index, std::string(65'535, '/')), ElementsAre(0));
  EXPECT_THAT(match(index, std::string(199, '/')), ElementsAre(0, 1));
}

TEST(TopicIndexTest, ACopyAnswersAlike) {
  const TopicIndex index = index_of({"a/+"});
  const TopicIndex copy = index;  // NOLINT(performance-unnecessary-copy-initialization)
  EXPECT_THAT(match(copy, "a/b"), ElementsAre(0));
}

bool mosquitto_matches(const std::string& filter, const std::string& topic) {
  bool is_match = false;
  EXPECT_EQ(mosquitto_topic_matches_sub(filter.c_str(), topic.c_str(), &is_match), MOSQ_ERR_SUCCESS)
      << filter << " and " << topic;
  return is_match;
}

std::string random_levels(std::mt19937_64& random, const std::vector<std::string>& words) {
  std::string text = words[random() % words.size()];
  for (std::size_t count = random() % 5; count > 0; --count) {
    text += "/" + words[random() % words.size()];
  }
  return text;
}

// Filter by filter, mosquitto is the judge of both the index and TopicFilter.
TEST(TopicIndexTest, AgreesWithMosquitto) {
  constexpr unsigned kSeed = 4711;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937_64 random(kSeed);
  std::size_t matches = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> filters;
    for (int i = 0; i < 20; ++i) {
      std::string filter = random_levels(random, {"a", "b", "ab", "$x", "", "+", "+"});
      filter += random() % 4 == 0 ? "/#" : "";
      filters.push_back(random() % 20 == 0 ? "#" : filter);
    }
    const auto is_empty = [](const std::string& filter) { return filter.empty(); };
    filters.erase(std::remove_if(filters.begin(), filters.end(), is_empty), filters.end());
    const TopicIndex index = index_of(filters);
    for (int i = 0; i < 50; ++i) {
      const std::string topic = random_levels(random, {"a", "b", "ab", "$x", "$", "", "c"});
      if (topic.empty()) {
        continue;
      }
      std::vector<StreamIndex> expected;
      for (std::size_t j = 0; j < filters.size(); ++j) {
        const bool is_match = mosquitto_matches(filters[j], topic);
        ASSERT_EQ(TopicFilter::parse(filters[j]).value().matches(topic), is_match)
            << filters[j] << " and " << topic;
        if (is_match) {
          expected.push_back(static_cast<StreamIndex>(j));
        }
      }
      ASSERT_EQ(match(index, topic), expected) << topic;
      matches += expected.size();
    }
  }
  EXPECT_GT(matches, 1000U);
}

}  // namespace
}  // namespace rollup::decode

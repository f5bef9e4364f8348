#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "model/topic.h"

namespace rollup {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<std::string> kNames = {"series", "topic", "room", "value"};

Template parsed(std::string_view text) { return Template::parse(text, kNames).value(); }

std::string message_of(std::string_view text) {
  const auto result = Template::parse(text, kNames);
  return result ? "no error" : result.error().message;
}

TEST(TemplateTest, NamesAreReplaced) {
  EXPECT_EQ(parsed("{room}: {value} degrees").expand({{"room", "hall"}, {"value", "21"}}),
            "hall: 21 degrees");
  EXPECT_EQ(parsed("{room}{room}").expand({{"room", "x"}}), "xx");
  EXPECT_EQ(parsed("").expand({}), "");
}

TEST(TemplateTest, ANameWithoutAValueIsEmpty) {
  EXPECT_EQ(parsed("<{room}>").expand({{"value", "21"}}), "<>");
}

TEST(TemplateTest, DoubledBracesAreLiteral) {
  EXPECT_EQ(parsed("{{room}}").expand({{"room", "hall"}}), "{room}");
  EXPECT_EQ(parsed("{{{room}}}").expand({{"room", "hall"}}), "{hall}");
  EXPECT_EQ(parsed("{{}}").expand({}), "{}");
}

TEST(TemplateTest, ValuesAreNotExpandedAgain) {
  EXPECT_EQ(parsed("{room}").expand({{"room", "{value}"}, {"value", "21"}}), "{value}");
}

TEST(TemplateTest, AnUnknownNameIsRefusedWithTheNearest) {
  EXPECT_EQ(message_of("stats/{rom}"), "nothing is called {rom} here, did you mean {room}?");
  EXPECT_THAT(message_of("{weather}"),
              HasSubstr("expected one of {series} {topic} {room} {value}"));
  EXPECT_THAT(message_of("{}"), HasSubstr("nothing is called {}"));
  EXPECT_EQ(Template::parse("{x}", {}).error().code, ErrorCode::bad_config);
}

TEST(TemplateTest, BracesMustMatch) {
  EXPECT_THAT(message_of("a{room"), HasSubstr("'{' without '}' at byte 2"));
  EXPECT_THAT(message_of("{"), HasSubstr("'{' without '}'"));
  EXPECT_THAT(message_of("{room{value}"), HasSubstr("'{' without '}'"));
  EXPECT_THAT(message_of("room}"), HasSubstr("'}' without '{' at byte 5"));
  EXPECT_THAT(message_of("{room}}"), HasSubstr("'}' without '{'"));
}

TEST(TemplateTest, TellsWhichNamesItUses) {
  const Template text = parsed("stats/{room} and {{value}} value");
  EXPECT_TRUE(text.uses("room"));
  EXPECT_FALSE(text.uses("value"));
  EXPECT_FALSE(text.uses("stats/"));
}

TEST(TemplateTest, InTopicsNoValueMakesAWildcardOrAControlCharacter) {
  const Template topic = parsed("stats/{room}/x");
  EXPECT_EQ(topic.expand_topic({{"room", "+"}}), "stats/_/x");
  EXPECT_EQ(topic.expand_topic({{"room", "#"}}), "stats/_/x");
  EXPECT_EQ(topic.expand_topic({{"room", std::string("a\0b\x7F\n", 5)}}), "stats/a_b__/x");
  EXPECT_EQ(topic.expand_topic({{"room", "a\xC2\x85z\xC2\xA0"}}), "stats/a_z\xC2\xA0/x");
  EXPECT_EQ(topic.expand_topic({{"room", "käse"}}), "stats/käse/x");
  EXPECT_EQ(topic.expand_topic({}), "stats//x");
}

TEST(TemplateTest, OnlySeriesAndTopicBringMoreThanOneLevel) {
  EXPECT_EQ(parsed("stats/{series}").expand_topic({{"series", "home/hall"}}), "stats/home/hall");
  EXPECT_EQ(parsed("stats/{topic}").expand_topic({{"topic", "home/hall"}}), "stats/home/hall");
  EXPECT_EQ(parsed("stats/{room}").expand_topic({{"room", "km/h"}}), "stats/km_h");
  EXPECT_EQ(parsed("{room}").expand({{"room", "km/h"}}), "km/h");
}

TEST(TemplateTest, LevelPatternTellsWhichTopicsMayCome) {
  EXPECT_THAT(parsed("stats/all").level_pattern(), ElementsAre("stats", "all"));
  EXPECT_THAT(parsed("stats/{room}/x{value}y").level_pattern(), ElementsAre("stats", "+", "+"));
  EXPECT_THAT(parsed("stats/{series}").level_pattern(), ElementsAre("stats", "**"));
  EXPECT_THAT(parsed("a{topic}/{room}{series}").level_pattern(), ElementsAre("**", "**"));
  EXPECT_THAT(parsed("{series}{room}/").level_pattern(), ElementsAre("**", ""));
  EXPECT_THAT(parsed("a{{/b}}").level_pattern(), ElementsAre("a{", "b}"));
  EXPECT_THAT(parsed("").level_pattern(), ElementsAre(""));
}

// Whatever the values are, the topic is one that the pattern tells of and has no wildcards.
TEST(TemplateTest, EveryExpandedTopicLiesInItsPattern) {
  std::mt19937_64 random(31);
  const std::string alphabet = "ab/+#{}$";
  const auto text = [&](std::size_t size_max) {
    std::string result;
    for (std::size_t size = random() % (size_max + 1); size > 0; --size) {
      result += alphabet[random() % alphabet.size()];
    }
    return result;
  };
  const std::vector<std::string> pieces = {"a",       "/",        "b/",     "{room}",
                                           "{value}", "{series}", "{topic}"};
  for (int round = 0; round < 20'000; ++round) {
    std::string written;
    for (std::size_t count = 1 + random() % 6; count > 0; --count) {
      written += pieces[random() % pieces.size()];
    }
    const Template topic = parsed(written);
    const std::string expanded = topic.expand_topic(
        {{"room", text(4)}, {"value", text(4)}, {"series", text(6)}, {"topic", text(6)}});
    ASSERT_EQ(expanded.find_first_of("+#"), std::string::npos);
    std::vector<std::string> levels(1);
    for (const char c : expanded) {
      if (c == '/') {
        levels.emplace_back();
      } else {
        levels.back() += c;
      }
    }
    ASSERT_TRUE(may_overlap(topic.level_pattern(), levels)) << written << " -> " << expanded;
  }
}

}  // namespace
}  // namespace rollup

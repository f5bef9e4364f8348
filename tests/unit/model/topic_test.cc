#include "model/topic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rollup {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TopicFilter filter(std::string_view text) { return TopicFilter::parse(text).value(); }

bool is_match(std::string_view text, std::string_view topic) { return filter(text).matches(topic); }

std::string message_of(std::string_view text) {
  const auto result = TopicFilter::parse(text);
  return result ? "no error" : result.error().message;
}

TEST(TopicNameTest, TakesWhatMayBePublished) {
  for (const char* topic :
       {"a", "/", "//", "home/kitchen/temperature", "Küche/°C", "$SYS/x", " "}) {
    EXPECT_TRUE(is_topic_name(topic)) << topic;
  }
  EXPECT_TRUE(is_topic_name(std::string(65'535, 'a')));
}

TEST(TopicNameTest, RefusesWhatNoBrokerWouldTake) {
  for (const char* topic : {"", "+", "#", "a/+", "a/b#", "a\nb", "\x7F", "a\xC2\x85", "a\xC2\x9F",
                            "\xFF", "a/\xED\xA0\x80", "a/\xEF\xBF\xBE", "\xEF\xBF\xBF/b"}) {
    EXPECT_FALSE(is_topic_name(topic)) << topic;
  }
  EXPECT_FALSE(is_topic_name(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_topic_name(std::string(65'536, 'a')));
}

TEST(TopicFilterTest, NamedLevelMatchesOneLevelOnly) {
  EXPECT_TRUE(is_match("home/{room}/temperature", "home/kitchen/temperature"));
  EXPECT_TRUE(is_match("home/{room}/temperature", "home//temperature"));
  EXPECT_FALSE(is_match("home/{room}/temperature", "home/kitchen/oven/temperature"));
  EXPECT_FALSE(is_match("home/{room}/temperature", "home/temperature"));
}

TEST(TopicFilterTest, NamedLevelsArePlusForTheBroker) {
  const TopicFilter home = filter("home/{room}/{thing}/+/#");
  EXPECT_EQ(home.text(), "home/{room}/{thing}/+/#");
  EXPECT_EQ(home.mqtt(), "home/+/+/+/#");
  EXPECT_THAT(home.levels(), ElementsAre("home", "+", "+", "+", "#"));
  EXPECT_THAT(home.names(), ElementsAre("room", "thing"));
}

TEST(TopicFilterTest, EmptyLevelsAreLevels) {
  EXPECT_EQ(filter("/a//b/").mqtt(), "/a//b/");
  EXPECT_TRUE(is_match("/a//b/", "/a//b/"));
  EXPECT_FALSE(is_match("/a//b/", "a//b/"));
  EXPECT_FALSE(is_match("a", "a/"));
  EXPECT_TRUE(is_match("a/+", "a/"));
  EXPECT_FALSE(is_match("a/+", "a"));
}

TEST(TopicFilterTest, HashMatchesItsParentAndAllBelow) {
  EXPECT_TRUE(is_match("a/#", "a"));
  EXPECT_TRUE(is_match("a/#", "a/"));
  EXPECT_TRUE(is_match("a/#", "a/b/c"));
  EXPECT_FALSE(is_match("a/#", "ab"));
  EXPECT_TRUE(is_match("#", "a/b"));
  EXPECT_FALSE(is_match("+", "a/b"));
}

TEST(TopicFilterTest, WildcardsDoNotMatchAFirstLevelWithADollar) {
  EXPECT_FALSE(is_match("#", "$SYS/broker"));
  EXPECT_FALSE(is_match("+/broker", "$SYS/broker"));
  EXPECT_FALSE(is_match("{x}/broker", "$SYS/broker"));
  EXPECT_TRUE(is_match("$SYS/#", "$SYS/broker"));
  EXPECT_TRUE(is_match("a/+", "a/$b"));
}

TEST(TopicFilterTest, NothingMatchesTheEmptyTopic) {
  EXPECT_FALSE(is_match("#", ""));
  EXPECT_FALSE(is_match("+", ""));
}

TEST(TopicFilterTest, CapturesInTheOrderOfTheFilter) {
  const auto captures = filter("{a}/x/{b}/#").capture("1/x/2/3/4");
  ASSERT_TRUE(captures);
  EXPECT_EQ(*captures, (Captures{{"a", "1"}, {"b", "2"}}));
  EXPECT_THAT(filter("+/#").capture("1/2").value(), IsEmpty());
  EXPECT_EQ(filter("{a}/x").capture("1/y"), std::nullopt);
  EXPECT_EQ(filter("{a}").capture("$SYS"), std::nullopt);
}

TEST(TopicFilterTest, MistakesAreNamed) {
  EXPECT_THAT(message_of(""), HasSubstr("1 to 65535 bytes"));
  EXPECT_THAT(message_of(std::string(65'536, 'a')), HasSubstr("1 to 65535 bytes"));
  EXPECT_THAT(message_of("a/#/b"), HasSubstr("'#' may only be the last level"));
  EXPECT_THAT(message_of("a/b#"), HasSubstr("must be a whole level: 'b#'"));
  EXPECT_THAT(message_of("a+/b"), HasSubstr("must be a whole level: 'a+'"));
  EXPECT_THAT(message_of("a/{}/b"), HasSubstr("needs a name"));
  EXPECT_THAT(message_of("{a}/b/{a}"), HasSubstr("{a} is used twice"));
  EXPECT_THAT(message_of("x{a}"), HasSubstr("enclose a whole level"));
  EXPECT_THAT(message_of("{a}x"), HasSubstr("enclose a whole level"));
  EXPECT_THAT(message_of("{"), HasSubstr("enclose a whole level"));
  EXPECT_THAT(message_of("}"), HasSubstr("enclose a whole level"));
  EXPECT_THAT(message_of("{a/b}"), HasSubstr("enclose a whole level"));
  EXPECT_THAT(message_of("{{a}}"), HasSubstr("may not contain braces"));
  EXPECT_THAT(message_of("{#}"), HasSubstr("may not contain"));
  EXPECT_THAT(message_of("a\nb"), HasSubstr("control characters"));
  EXPECT_THAT(message_of("\xFF"), HasSubstr("UTF-8"));
  EXPECT_THAT(message_of(std::string(200, '/')), HasSubstr("at most 200 levels"));
  EXPECT_EQ(message_of(std::string(199, '/')), "no error");
  EXPECT_EQ(TopicFilter::parse("").error().code, ErrorCode::bad_config);
}

TEST(CoversTest, AWiderFilterCoversANarrowerOne) {
  EXPECT_TRUE(covers(filter("a/b"), filter("a/b")));
  EXPECT_TRUE(covers(filter("a/+"), filter("a/{x}")));
  EXPECT_TRUE(covers(filter("a/+"), filter("a/b")));
  EXPECT_TRUE(covers(filter("a/#"), filter("a")));
  EXPECT_TRUE(covers(filter("a/#"), filter("a/+/c")));
  EXPECT_TRUE(covers(filter("a/#"), filter("a/b/#")));
  EXPECT_TRUE(covers(filter("#"), filter("+/b/#")));
  EXPECT_TRUE(covers(filter("+/#"), filter("#")));
}

TEST(CoversTest, OtherwiseItDoesNot) {
  EXPECT_FALSE(covers(filter("a/b"), filter("a/+")));
  EXPECT_FALSE(covers(filter("a/+"), filter("a")));
  EXPECT_FALSE(covers(filter("a/+"), filter("a/#")));
  EXPECT_FALSE(covers(filter("a/+/#"), filter("a/#")));
  EXPECT_FALSE(covers(filter("a/#"), filter("#")));
  EXPECT_FALSE(covers(filter("#"), filter("$SYS/x")));
  EXPECT_FALSE(covers(filter("+/x"), filter("$SYS/x")));
}

}  // namespace
}  // namespace rollup

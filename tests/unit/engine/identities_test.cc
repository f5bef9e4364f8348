#include "engine/identities.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rollup::engine {
namespace {

using Ids = std::vector<SeriesId>;

TEST(IdentitiesTest, AKeyIsFoundByAllItsParts) {
  Identities identities;
  const SeriesKey key{"climate", "garage", "home/a", "temp"};
  EXPECT_EQ(identities.add(key), 0U);
  EXPECT_EQ(identities.find(key), 0U);
  EXPECT_EQ(identities.key(0), key);
  EXPECT_EQ(identities.topic(0), "home/a");
  EXPECT_FALSE(identities.find({"other", "garage", "home/a", "temp"}));
  EXPECT_FALSE(identities.find({"climate", "other", "home/a", "temp"}));
  EXPECT_FALSE(identities.find({"climate", "garage", "home/b", "temp"}));
  EXPECT_FALSE(identities.find({"climate", "garage", "home/a", "wind"}));
}

TEST(IdentitiesTest, SeriesOfOneTopicShareItsNumber) {
  Identities identities;
  identities.add({"climate", "garage", "home/a", "temp"});
  const auto topic = identities.find_topic("home/a");
  ASSERT_TRUE(topic);
  identities.add({"climate", "garage", "home/a", "wind"});
  identities.add({"climate", "garage", "home/b", "temp"});
  EXPECT_EQ(identities.find_topic("home/a"), topic);
  EXPECT_NE(identities.find_topic("home/b"), topic);
  EXPECT_EQ(identities.topic(0).data(), identities.topic(1).data());
}

TEST(IdentitiesTest, ANameFindsEverySeriesThatIsCalledSoInTheOrderOfTheirIds) {
  Identities identities;
  identities.add({"plain", "garage", "home/a/b", ""});
  identities.add({"named", "garage", "home/a", "b"});
  identities.add({"named", "garage", "home/a", "c"});
  identities.add({"deep", "garage", "home", "a/b"});
  identities.add({"plain", "ejabberd", "home/a/b", ""});
  EXPECT_EQ(identities.find_name("home/a/b"), (Ids{0, 1, 3, 4}));
  EXPECT_EQ(identities.find_name("home/a/c"), Ids{2});
  EXPECT_EQ(identities.find_name("home/a"), Ids{});
  EXPECT_EQ(identities.find_name("b"), Ids{});
  EXPECT_EQ(identities.find_name(""), Ids{});
}

TEST(IdentitiesTest, AnEmptyTopicIsKeptAsTheFirstToo) {
  Identities identities;
  EXPECT_EQ(identities.add({"s", "b", "", ""}), 0U);
  EXPECT_EQ(identities.add({"s", "b", "home/a", ""}), 1U);
  EXPECT_EQ(identities.find({"s", "b", "", ""}), 0U);
  EXPECT_EQ(identities.topic(0), "");
}

TEST(IdentitiesTest, TopicsStayWhatTheyAreHoweverManyAndLongTheyBecome) {
  Identities identities;
  const auto topic = [](std::size_t number) {
    return "t/" + std::to_string(number) + std::string(number % 700 == 0 ? 65'000 : 20, 'x');
  };
  for (std::size_t number = 0; number < 5000; ++number) {
    identities.add({"s", "b", topic(number), ""});
  }
  for (SeriesId id = 0; id < 5000; ++id) {
    ASSERT_EQ(identities.topic(id), topic(id));
    ASSERT_EQ(identities.find({"s", "b", topic(id), ""}), id);
  }
}

}  // namespace
}  // namespace rollup::engine

#include "query/alike_names.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/text.h"

namespace rollup::query {
namespace {

using Names = std::vector<std::string>;

Names best_of(const std::string& name, const Names& known) {
  AlikeNames alike(name);
  for (const std::string& each : known) {
    alike.offer(each);
  }
  return alike.best();
}

// `count` names that differ in two numbers, as those of a fleet do.
Names fleet(int count) {
  Names names;
  for (int i = 0; i < count; ++i) {
    names.push_back("plant/hall" + std::to_string(i % 40) + "/machine" + std::to_string(i) +
                    "/temperature");
  }
  return names;
}

// `name` after `edits` insertions, deletions, replacements and swaps.
std::string misspelt(std::string name, int edits, std::mt19937& random) {
  for (int edit = 0; edit < edits; ++edit) {
    const std::size_t at = random() % (name.size() - 1);
    const char letter = static_cast<char>('a' + random() % 26);
    switch (random() % 4) {
      case 0:
        name.insert(at, 1, letter);
        break;
      case 1:
        name.erase(at, 1);
        break;
      case 2:
        name[at] = letter;
        break;
      default:
        std::swap(name[at], name[at + 1]);
    }
  }
  return name;
}

TEST(AlikeNamesTest, WhatNoMisspellingCouldBeIsLeftOut) {
  EXPECT_EQ(best_of("kitchen", {"kitchn", "office", "", "a/kitchen/b", "nehctik", "kitchen"}),
            (Names{"kitchn", "nehctik", "kitchen"}));
  EXPECT_EQ(best_of("a", {"b", "ab", "abc", ""}), (Names{"b", "ab", ""}));
  const std::string long_name(AlikeNames::kNameBytesMax + 1, 'a');
  EXPECT_EQ(best_of(long_name, {long_name}), Names{});
}

TEST(AlikeNamesTest, OfManyAFewAreLeftAndTheNearestIsOneOfThem) {
  const Names known = fleet(5'000);
  std::mt19937 random(5);
  for (int round = 0; round < 20; ++round) {
    const int edits = 1 + round % 3;
    const std::string name = misspelt(known[random() % known.size()], edits, random);
    const Names best = best_of(name, known);
    EXPECT_LE(best.size(), AlikeNames::kNamesMax);
    // Of names that are equally near the first one is taken.
    const std::string found = nearest_name(name, best);
    EXPECT_EQ(nearest_name(name, {found, nearest_name(name, known)}), found) << name;
  }
}

TEST(AlikeNamesTest, OfFewNoneIsLeftOutThatIsNear) {
  const Names known = fleet(static_cast<int>(AlikeNames::kNamesMax));
  std::mt19937 random(6);
  for (int round = 0; round < 300; ++round) {
    const std::string name = misspelt(known[random() % known.size()], round % 16, random);
    EXPECT_EQ(nearest_name(name, best_of(name, known)), nearest_name(name, known)) << name;
  }
}

TEST(AlikeNamesTest, WorkIsBoundedByBytesNotByNames) {
  // Nothing in common at either end, so all of both has to be looked at.
  const std::string name = std::string(100, 'a') + "b";
  const std::string other = "b" + std::string(100, 'a');
  AlikeNames alike(name);
  for (std::size_t bytes = 0; bytes <= AlikeNames::kBytesMax; bytes += 2 * name.size()) {
    alike.offer(other);
  }
  alike.offer(name);
  const Names best = alike.best();
  EXPECT_EQ(std::count(best.begin(), best.end(), name), 0);
}

}  // namespace
}  // namespace rollup::query

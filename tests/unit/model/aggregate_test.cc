#include "model/aggregate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace rollup {
namespace {

using std::chrono::seconds;

Time at(std::int64_t second) { return time_from_ms(second * 1000); }

TEST(AggregateTest, AvgIsWeightedByTimeAndMeanIsNot) {  // SEMANTICS 2.2
  Aggregate aggregate;
  aggregate.add_sample(at(0), 10);
  aggregate.add_held(10, seconds(50));
  aggregate.add_sample(at(50), 20);
  aggregate.add_held(20, seconds(10));
  EXPECT_DOUBLE_EQ(value_of(aggregate, Statistic::avg).value(), (10 * 50 + 20 * 10) / 60.0);
  EXPECT_DOUBLE_EQ(value_of(aggregate, Statistic::mean).value(), 15);
  EXPECT_DOUBLE_EQ(covered(aggregate, seconds(120)), 0.5);
}

TEST(AggregateTest, ACarriedValueCountsForMinAndMaxButIsNoSample) {  // SEMANTICS 2.2
  Aggregate aggregate;
  aggregate.add_held(5, seconds(1));
  aggregate.add_sample(at(1), 7);
  EXPECT_EQ(value_of(aggregate, Statistic::min), 5);
  EXPECT_EQ(value_of(aggregate, Statistic::max), 7);
  EXPECT_EQ(value_of(aggregate, Statistic::first), 7);
  EXPECT_EQ(value_of(aggregate, Statistic::last), 7);
  EXPECT_EQ(value_of(aggregate, Statistic::count), 1);
  EXPECT_EQ(value_of(aggregate, Statistic::sum), 7);
}

TEST(AggregateTest, AValueHeldForNoTimeChangesNothing) {  // SEMANTICS 2.2
  Aggregate aggregate;
  aggregate.add_held(5, seconds(0));
  EXPECT_EQ(aggregate, Aggregate());
  EXPECT_TRUE(aggregate.empty());
}

TEST(AggregateTest, AGapKnowsNothing) {  // SEMANTICS 1.8
  const Aggregate gap;
  for (const Statistic kind : {Statistic::avg, Statistic::mean, Statistic::min, Statistic::max,
                               Statistic::first, Statistic::last, Statistic::stddev}) {
    EXPECT_EQ(value_of(gap, kind), std::nullopt) << to_string(kind);
  }
  EXPECT_EQ(value_of(gap, Statistic::count), 0);
  EXPECT_EQ(value_of(gap, Statistic::sum), 0);
  EXPECT_EQ(covered(gap, seconds(60)), 0);
}

TEST(AggregateTest, HeldTimeWithoutASampleHasAnAverageButNoMean) {
  Aggregate aggregate;
  aggregate.add_held(5, seconds(60));
  EXPECT_EQ(value_of(aggregate, Statistic::avg), 5);
  EXPECT_EQ(value_of(aggregate, Statistic::min), 5);
  EXPECT_EQ(value_of(aggregate, Statistic::mean), std::nullopt);
  EXPECT_EQ(value_of(aggregate, Statistic::stddev), std::nullopt);
  EXPECT_EQ(value_of(aggregate, Statistic::last), std::nullopt);
}

TEST(AggregateTest, WithoutKnownTimeTheAverageIsTheMean) {
  Aggregate aggregate;
  aggregate.add_sample(at(0), 1);
  aggregate.add_sample(at(0), 2);
  EXPECT_EQ(value_of(aggregate, Statistic::avg), 1.5);
}

TEST(AggregateTest, OfEqualTimesTheLaterArrivalIsTheLast) {  // SEMANTICS 1.5
  Aggregate aggregate;
  aggregate.add_sample(at(5), 1);
  aggregate.add_sample(at(5), 2);
  aggregate.add_sample(at(3), 3);
  EXPECT_EQ(aggregate.first, 3);
  EXPECT_EQ(aggregate.last, 2);
}

TEST(AggregateTest, CoveredStaysBetweenNoneAndAll) {
  Aggregate aggregate;
  aggregate.add_held(1, seconds(90));
  EXPECT_EQ(covered(aggregate, seconds(60)), 1);
  EXPECT_EQ(covered(aggregate, seconds(0)), 0);
}

TEST(AggregateTest, StddevIsThePopulationForm) {  // SEMANTICS 2.2
  Aggregate aggregate;
  for (const double value : {2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0}) {
    aggregate.add_sample(at(static_cast<std::int64_t>(aggregate.count)), value);
  }
  EXPECT_DOUBLE_EQ(value_of(aggregate, Statistic::stddev).value(), 2);
}

// The naive sum of squares loses all digits here.
TEST(AggregateTest, StddevOfSmallChangesOnALargeValueIsExact) {
  Aggregate aggregate;
  Aggregate other;
  for (int i = 0; i < 500; ++i) {
    aggregate.add_sample(at(i), 1e9 + (i % 2 == 0 ? 1 : -1));
    other.add_sample(at(500 + i), 1e9 + (i % 2 == 0 ? 1 : -1));
  }
  aggregate.merge(other);
  EXPECT_NEAR(value_of(aggregate, Statistic::stddev).value(), 1, 1e-6);
}

// A naive model: the samples and holds themselves.
struct Piece {
  std::int64_t second = 0;
  double value = 0;
  Duration held{};
};

std::vector<Piece> random_pieces(std::mt19937_64& random, std::size_t count) {
  std::uniform_real_distribution<double> value(-50, 1000);
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < count; ++i) {
    pieces.push_back({static_cast<std::int64_t>(i) * 10, value(random),
                      Duration(static_cast<std::int64_t>(random() % 10'000))});
  }
  return pieces;
}

Aggregate aggregate_of(const std::vector<Piece>& pieces, std::size_t begin, std::size_t end) {
  Aggregate aggregate;
  for (std::size_t i = begin; i < end; ++i) {
    aggregate.add_sample(at(pieces[i].second), pieces[i].value);
    aggregate.add_held(pieces[i].value, pieces[i].held);
  }
  return aggregate;
}

Aggregate merged(Aggregate a, const Aggregate& b) {
  a.merge(b);
  return a;
}

// What must agree to the last bit.
void expect_same_exactly(const Aggregate& a, const Aggregate& b) {
  EXPECT_EQ(a.count, b.count);
  EXPECT_EQ(a.known, b.known);
  EXPECT_EQ(a.min, b.min);
  EXPECT_EQ(a.max, b.max);
  EXPECT_EQ(a.first, b.first);
  EXPECT_EQ(a.last, b.last);
  EXPECT_EQ(a.first_time, b.first_time);
  EXPECT_EQ(a.last_time, b.last_time);
}

// Within n ulp of the largest sum that occurs on the way.
void expect_same_sums(const Aggregate& a, const Aggregate& b, const std::vector<Piece>& pieces) {
  double sum = 0;
  double integral = 0;
  double squares = 0;
  for (const Piece& piece : pieces) {
    sum += std::abs(piece.value);
    integral += std::abs(piece.value) * static_cast<double>(piece.held.count());
    squares += piece.value * piece.value;
  }
  const double n_ulps = static_cast<double>(pieces.size()) * std::numeric_limits<double>::epsilon();
  EXPECT_NEAR(a.sum, b.sum, sum * n_ulps);
  EXPECT_NEAR(a.integral, b.integral, integral * n_ulps);
  EXPECT_NEAR(a.m2, b.m2, squares * n_ulps);
}

TEST(AggregateMergeTest, IsCommutative) {  // SEMANTICS 2.3
  std::mt19937_64 random(11);
  for (int round = 0; round < 300; ++round) {
    const auto pieces = random_pieces(random, 2 + random() % 50);
    const std::size_t cut = random() % (pieces.size() + 1);
    const Aggregate a = aggregate_of(pieces, 0, cut);
    const Aggregate b = aggregate_of(pieces, cut, pieces.size());
    expect_same_exactly(merged(a, b), merged(b, a));
    expect_same_sums(merged(a, b), merged(b, a), pieces);
    ASSERT_FALSE(HasFailure()) << "round " << round;
  }
}

TEST(AggregateMergeTest, IsAssociative) {  // SEMANTICS 2.3
  std::mt19937_64 random(12);
  for (int round = 0; round < 300; ++round) {
    const auto pieces = random_pieces(random, 3 + random() % 50);
    std::size_t first = random() % (pieces.size() + 1);
    std::size_t second = random() % (pieces.size() + 1);
    if (first > second) {
      std::swap(first, second);
    }
    const Aggregate a = aggregate_of(pieces, 0, first);
    const Aggregate b = aggregate_of(pieces, first, second);
    const Aggregate c = aggregate_of(pieces, second, pieces.size());
    expect_same_exactly(merged(merged(a, b), c), merged(a, merged(b, c)));
    expect_same_sums(merged(merged(a, b), c), merged(a, merged(b, c)), pieces);
    ASSERT_FALSE(HasFailure()) << "round " << round;
  }
}

TEST(AggregateMergeTest, PartsInAnyOrderGiveTheWhole) {  // SEMANTICS 2.3
  std::mt19937_64 random(13);
  for (int round = 0; round < 300; ++round) {
    const auto pieces = random_pieces(random, 1 + random() % 60);
    std::vector<Aggregate> parts;
    for (std::size_t begin = 0; begin < pieces.size();) {
      const std::size_t end = std::min(pieces.size(), begin + 1 + random() % 10);
      parts.push_back(aggregate_of(pieces, begin, end));
      begin = end;
    }
    std::shuffle(parts.begin(), parts.end(), random);
    Aggregate joined;
    for (const Aggregate& part : parts) {
      joined.merge(part);
    }
    const Aggregate whole = aggregate_of(pieces, 0, pieces.size());
    expect_same_exactly(joined, whole);
    expect_same_sums(joined, whole, pieces);
    ASSERT_FALSE(HasFailure()) << "round " << round;
  }
}

TEST(AggregateMergeTest, AGapIsNeutral) {
  std::mt19937_64 random(14);
  const auto pieces = random_pieces(random, 10);
  const Aggregate aggregate = aggregate_of(pieces, 0, 10);
  EXPECT_EQ(merged(aggregate, Aggregate()), aggregate);
  EXPECT_EQ(merged(Aggregate(), aggregate), aggregate);
}

TEST(AggregateMergeTest, HeldTimeJoinsSamplesWithoutTouchingThem) {
  Aggregate held;
  held.add_held(-3, seconds(30));
  Aggregate samples;
  samples.add_sample(at(40), 4);
  for (const Aggregate& joined : {merged(held, samples), merged(samples, held)}) {
    EXPECT_EQ(joined.min, -3);
    EXPECT_EQ(joined.max, 4);
    EXPECT_EQ(joined.first, 4);
    EXPECT_EQ(joined.count, 1U);
    EXPECT_EQ(joined.known, seconds(30));
  }
}

}  // namespace
}  // namespace rollup

// SEMANTICS 3: what a counter counts, sample by sample.
#include "engine/counter.h"

#include <gtest/gtest.h>

#include <vector>

namespace rollup::engine {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kHold = minutes(10);

// Takes a value each minute.
class Meter {
 public:
  explicit Meter(Reset reset = Reset::zero, Duration hold = kHold) : reset_(reset), hold_(hold) {}

  Increase take(double value, Duration later = minutes(1)) {
    time_ += later;
    const Increase counted = Counter::add(state_, time_, value, hold_, reset_);
    total_.merge(counted);
    return counted;
  }
  const Increase& total() const { return total_; }

 private:
  Reset reset_;
  Duration hold_;
  Time time_ = time_from_ms(1'800'000'000'000);
  Counter::State state_;
  Increase total_;
};

TEST(CounterTest, TheFirstSampleAddsNothing) {  // SEMANTICS 3.4
  Meter meter;
  EXPECT_EQ(meter.take(5000), Increase{});
  EXPECT_EQ(meter.take(5003), (Increase{3, 0}));
}

TEST(CounterTest, WholeNumbersStayWholeUpTo2To53) {  // SEMANTICS 3.1
  Meter meter;
  meter.take(9'007'199'254'740'000);
  for (int i = 1; i <= 992; ++i) {
    EXPECT_EQ(meter.take(9'007'199'254'740'000.0 + i).increase, 1);
  }
  EXPECT_EQ(meter.total(), (Increase{992, 0}));
}

TEST(CounterTest, AFallToBelowNineTenthsIsAResetAndASmallerOneIsNoise) {  // SEMANTICS 3.2
  Meter meter;
  meter.take(1000);
  EXPECT_EQ(meter.take(900), Increase{});
  EXPECT_EQ(meter.take(1000), Increase{});
  EXPECT_EQ(meter.take(899), (Increase{899, 1}));
  EXPECT_EQ(meter.take(900), (Increase{1, 0}));
}

TEST(CounterTest, AFallToNothingThatReturnsWithinHoldAddsNothing) {  // SEMANTICS 3.3
  Meter meter;
  meter.take(1000);
  EXPECT_EQ(meter.take(0), Increase{});
  EXPECT_EQ(meter.take(3), Increase{});
  // Below the old value it is noise, and the old one stays the baseline.
  EXPECT_EQ(meter.take(950), Increase{});
  EXPECT_EQ(meter.take(1001), (Increase{1, 0}));
}

TEST(CounterTest, TheReturnMayComeAtTheVeryEndOfHold) {  // SEMANTICS 3.3
  Meter in_time;
  in_time.take(1000);
  in_time.take(0);
  EXPECT_EQ(in_time.take(1000, kHold), Increase{});
  Meter late;
  late.take(1000);
  late.take(0);
  // Nothing, as what it began anew with; and then all of it.
  EXPECT_EQ(late.take(1000, kHold + Duration{1}), (Increase{1000, 1}));
}

TEST(CounterTest, AFallToNothingWithoutAReturnIsAResetToldLater) {  // SEMANTICS 3.3
  Meter meter;
  meter.take(1000);
  for (const double value : {5.0, 6.0, 7.0}) {
    EXPECT_EQ(meter.take(value), Increase{});
  }
  EXPECT_EQ(meter.take(9, kHold), (Increase{9, 1}));
  EXPECT_EQ(meter.take(10), (Increase{1, 0}));
}

TEST(CounterTest, ADoubtLastsAnHourAtMost) {  // SEMANTICS 3.3
  Meter meter(Reset::zero, Duration::max());
  meter.take(1000);
  meter.take(0);
  EXPECT_EQ(meter.take(4, hours(1) + seconds(1)), (Increase{4, 1}));
}

TEST(CounterTest, ARegisterThatRunsOverIsNoReset) {  // SEMANTICS 3.2
  Meter meter(Reset::wrap32);
  meter.take(4'294'967'290);
  EXPECT_EQ(meter.take(100'000'000), (Increase{100'000'006, 0}));
  // From the lower half it can only have begun anew.
  EXPECT_EQ(meter.take(50'000'000), (Increase{50'000'000, 1}));
  Meter wide(Reset::wrap64);
  wide.take(18'446'744'073'709'549'568.0);
  EXPECT_EQ(wide.take(1'000'000'000'000'000'000.0).resets, 0U);
}

TEST(CounterTest, AGlitchOfARegisterThatMayRunOverIsOneToo) {  // SEMANTICS 3.3
  Meter meter(Reset::wrap32);
  meter.take(4'000'000'000);
  meter.take(0);
  EXPECT_EQ(meter.take(4'000'000'001), (Increase{1, 0}));
}

TEST(CounterTest, AValueAboveItsRegisterIsAResetWhenItFalls) {
  Meter meter(Reset::wrap32);
  meter.take(5'000'000'000);
  EXPECT_EQ(meter.take(1'000'000'000), (Increase{1'000'000'000, 1}));
}

}  // namespace
}  // namespace rollup::engine

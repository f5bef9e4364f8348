// Equal inputs lead to equal states and effects, whatever happens in between: more turns, restarts,
// kills. With alerts and `hold: auto`.
#include <gtest/gtest.h>

#include <string>

#include "journal/turn.h"
#include "property/random_run.h"
#include "scenario/facts.h"
#include "scenario/world.h"

namespace rollup::testing {
namespace {

engine::Engine begin(const std::shared_ptr<const engine::Plan>& plan) {
  engine::Engine engine(plan);
  for (SeriesId id = 0; id < kSeries; ++id) {
    EXPECT_EQ(engine.add_series(key_of(id)), id);
  }
  return engine;
}

Effects turn(engine::Engine& engine, const Event& event) {
  Effects effects;
  engine.observe(event.samples, event.now, effects);
  engine.advance(event.now, effects);
  return effects;
}

// Where two lists of effects part, for people; "" if they do not.
std::string difference(const Effects& one, const Effects& other) {
  const auto show = [](const Effects& effects, std::size_t i) {
    return i < effects.size() ? to_text(facts_of(effects[i], Time{})) : std::string("nothing");
  };
  for (std::size_t i = 0; i < std::max(one.size(), other.size()); ++i) {
    if (i >= one.size() || i >= other.size() || !(one[i] == other[i])) {
      return "effect " + std::to_string(i) + "\n  " + show(one, i) + "\n  " + show(other, i);
    }
  }
  return "";
}

template <class Kind>
std::vector<Kind> only(const Effects& effects) {
  std::vector<Kind> found;
  for (const Effect& effect : effects) {
    if (const auto* one = std::get_if<Kind>(&effect)) {
      found.push_back(*one);
    }
  }
  return found;
}

class PathsTest : public ::testing::Test {
 protected:
  // Plays each seed; `play` returns at the first difference.
  template <class Play>
  void for_each_seed(Play&& play) {
    for (const std::uint64_t seed : seeds(40, 5)) {
      SCOPED_TRACE(how_to_repeat(seed));
      const RandomRun run = random_run(seed, true);
      Random random(seed + 1);
      play(run, plan_of(run.config), random);
      if (HasFailure()) {
        return;
      }
    }
  }
};

TEST_F(PathsTest, EqualInputsGiveEqualEffects) {
  for_each_seed([](const RandomRun& run, const auto& plan, Random&) {
    engine::Engine one = begin(plan);
    engine::Engine other = begin(plan);
    for (const Event& event : run.events) {
      ASSERT_EQ(difference(turn(one, event), turn(other, event)), "");
    }
    EXPECT_EQ(one.save(), other.save());
  });
}

TEST_F(PathsTest, TimeMayPassInAnyNumberOfSteps) {
  for_each_seed([](const RandomRun& run, const auto& plan, Random& random) {
    engine::Engine one = begin(plan);
    engine::Engine other = begin(plan);
    Now last{run.start, run.events.front().now.uptime};
    for (const Event& event : run.events) {
      Effects by_one;
      Effects by_other;
      one.advance(event.now, by_one);
      const Duration gap = event.now.uptime - last.uptime;
      for (std::int64_t step = 1; step < 4; ++step) {
        const Duration passed{pick(random, 0, gap.count())};
        if (last.uptime + passed > other.last().uptime) {
          other.advance({event.now.wall - gap + passed, last.uptime + passed}, by_other);
        }
      }
      other.advance(event.now, by_other);
      const bool is_saved = pick(random, 1, 4) == 1;  // that takes long
      if (is_saved) {
        ASSERT_EQ(one.save(), other.save());
      }
      ASSERT_EQ(only<effect::SealBucket>(by_one), only<effect::SealBucket>(by_other));
      ASSERT_EQ(only<effect::SealPoints>(by_one), only<effect::SealPoints>(by_other));
      ASSERT_EQ(only<effect::Notify>(by_one), only<effect::Notify>(by_other));
      ASSERT_EQ(only<effect::PublishAlert>(by_one), only<effect::PublishAlert>(by_other));
      ASSERT_EQ(difference(turn(one, event), turn(other, event)), "");
      if (is_saved) {
        ASSERT_EQ(one.save(), other.save());
      }
      last = event.now;
    }
    EXPECT_EQ(one.save(), other.save());
  });
}

TEST_F(PathsTest, NothingIsDueBeforeTheDeadline) {
  for_each_seed([](const RandomRun& run, const auto& plan, Random&) {
    engine::Engine engine = begin(plan);
    for (const Event& event : run.events) {
      // As the program sleeps: from deadline to deadline.
      Now now = engine.last();
      while (now.uptime > Duration{0}) {
        const auto wait = engine.next_deadline(now);
        if (!wait || now.uptime + *wait >= event.now.uptime) {
          break;
        }
        ASSERT_GT(wait->count(), 0);
        if (wait->count() > 1) {
          const Duration early = *wait - Duration{1};
          Effects none;
          engine.advance({now.wall + early, now.uptime + early}, none);
          ASSERT_TRUE(none.empty());
        }
        now = {now.wall + *wait, now.uptime + *wait};
        Effects effects;
        engine.advance(now, effects);
      }
      turn(engine, event);
    }
  });
}

TEST_F(PathsTest, ARestartIsNotNoticed) {
  for_each_seed([](const RandomRun& run, const auto& plan, Random& random) {
    engine::Engine one = begin(plan);
    engine::Engine other = begin(plan);
    for (const Event& event : run.events) {
      ASSERT_EQ(difference(turn(one, event), turn(other, event)), "");
      if (pick(random, 1, 10) == 1) {
        const std::vector<std::string> parts = other.save();
        other = engine::Engine(plan);
        ASSERT_TRUE(other.restore(parts).has_value());
        ASSERT_EQ(other.save(), parts);
      }
    }
    EXPECT_EQ(one.save(), other.save());
  });
}

// The journal has rows for turns with samples or notifications; what passed without them is done
// again by the next.
TEST_F(PathsTest, AKillLeadsToTheSameState) {
  for_each_seed([](const RandomRun& run, const auto& plan, Random& random) {
    engine::Engine engine = begin(plan);
    std::vector<std::string> checkpoint = engine.save();
    std::vector<std::string> rows;
    journal::TurnWriter writer;
    for (const Event& event : run.events) {
      const Effects effects = turn(engine, event);
      if (!event.samples.empty() || !only<effect::Notify>(effects).empty()) {
        writer.encode(event.now, {{}, event.samples, {}, {}, {}}, engine, rows.emplace_back());
      }
      if (pick(random, 1, 15) == 1) {
        engine::Engine next(plan);
        ASSERT_TRUE(next.restore(checkpoint).has_value());
        Effects again;
        journal::TurnReader reader;
        for (const std::string& row : rows) {
          ASSERT_TRUE(reader.replay(row, next, again).has_value());
        }
        next.advance(event.now, again);
        ASSERT_EQ(next.save(), engine.save());
        engine = std::move(next);
      }
      if (pick(random, 1, 40) == 1) {
        checkpoint = engine.save();
        rows.clear();
        writer = journal::TurnWriter();
      }
    }
  });
}

}  // namespace
}  // namespace rollup::testing

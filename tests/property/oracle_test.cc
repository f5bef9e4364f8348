// Random series against the naive model: sealed buckets of every tier, published windows, counters.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <tuple>

#include "base/text.h"
#include "property/naive_model.h"
#include "property/random_run.h"
#include "scenario/world.h"

namespace rollup::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr OutputIndex kTumbling = 0;
constexpr OutputIndex kSliding = 1;
constexpr OutputIndex kClose = 2;
constexpr OutputIndex kChange = 3;

bool is_near(double a, double b) {
  return std::abs(a - b) <= 1e-9 * std::max({1.0, std::abs(a), std::abs(b)});
}

// What may differ by rounding is compared with room, everything else to the last bit.
bool is_same(const Aggregate& a, const Aggregate& b) {
  const bool is_same_range = a.empty() || (a.min == b.min && a.max == b.max);
  const bool is_same_ends =
      a.count == 0 || (a.first == b.first && a.last == b.last && a.first_time == b.first_time &&
                       a.last_time == b.last_time);
  return a.known == b.known && a.count == b.count && is_same_range && is_same_ends &&
         is_near(a.integral, b.integral) && is_near(a.sum, b.sum) && is_near(a.m2, b.m2);
}

std::string show(const Aggregate& a) {
  return "count " + std::to_string(a.count) + " known " + std::to_string(a.known.count()) +
         " sum " + std::to_string(a.sum) + " min " + std::to_string(a.min) + " max " +
         std::to_string(a.max) + " integral " + std::to_string(a.integral) + " m2 " +
         std::to_string(a.m2);
}

class OracleRun {
 public:
  explicit OracleRun(std::uint64_t seed)
      : run_(random_run(seed, false)),
        plan_(plan_of(run_.config)),
        stream_(plan_->config.streams[0]),
        engine_(plan_),
        is_in_batches_(seed % 2 == 0) {
    const NaiveModel::Rules rules{stream_.resolution, stream_.lateness, *stream_.hold,
                                  !stream_.time.empty(), plan_->zone};
    for (SeriesId id = 0; id < kSeries; ++id) {
      EXPECT_EQ(engine_.add_series(key_of(id)), id);
      models_.emplace_back(rules);
    }
  }

  void play() {
    for (const Event& event : run_.events) {
      let_pass(event.now);
      if (is_in_batches_) {
        take(event.samples, event.now);
      } else {
        for (const Sample& sample : event.samples) {
          take({sample}, event.now);
        }
      }
      check_windows(event.now);
      if (::testing::Test::HasFailure()) {
        return;
      }
    }
    Now end = run_.events.back().now;
    end.wall += hours(100);
    end.uptime += hours(100);
    let_pass(end);
    check_sealed();
    check_closed_windows();
    check_counters();
  }

 private:
  struct Sent {
    Summary summary;
    bool is_newest = false;
  };

  const Output& output(OutputIndex index) const { return stream_.publish[index]; }
  Time closed(const Now& now) const { return floor_to(now.wall - seconds(2), stream_.resolution); }

  void let_pass(const Now& now) {
    Effects effects;
    engine_.advance(now, effects);
    look_at(effects, now);
    passed_ = now;
  }

  void take(const std::vector<Sample>& samples, const Now& now) {
    for (const Sample& sample : samples) {
      const auto verdict = models_[sample.series].observe(sample.time, sample.value, now.wall);
      ++verdicts_[verdict];
    }
    Effects effects;
    engine_.observe(samples, now, effects);
    engine_.advance(now, effects);
    look_at(effects, now);
  }

  void look_at(const Effects& effects, const Now& now) {
    std::map<std::tuple<OutputIndex, SeriesId, Time>, const effect::Publish*> last;
    for (const Effect& effect : effects) {
      if (const auto* sealed = std::get_if<effect::SealBucket>(&effect)) {
        EXPECT_TRUE(sealed_[sealed->tier][sealed->series]
                        .emplace(sealed->bucket.start, sealed->bucket)
                        .second)
            << "sealed twice";
        EXPECT_GE(sealed->bucket.rev, 1U);
      } else if (const auto* points = std::get_if<effect::SealPoints>(&effect)) {
        auto& kept = points_[points->series];
        kept.insert(kept.end(), points->points.begin(), points->points.end());
      } else {
        const auto& publish = std::get<effect::Publish>(effect);
        look_at(publish, now);
        last[{publish.output, publish.series, publish.summary.end}] = &publish;
      }
    }
    // A batch may correct a window several times; in the end it is right. Of sliding windows only
    // the newest is corrected.
    for (const auto& [window, publish] : last) {
      const auto& windows = sent_[kSliding][publish->series];
      if (publish->output != kSliding || publish->summary.end == windows.rbegin()->first) {
        check_content(*publish);
      }
    }
  }

  void look_at(const effect::Publish& publish, const Now& now) {
    const Summary& summary = publish.summary;
    if (publish.output == kChange) {
      return;
    }
    ASSERT_LE(summary.end, closed(now)) << "before its end";
    if (summary.final) {
      EXPECT_LE(summary.end + stream_.lateness, now.wall);
    }
    auto& windows = sent_[publish.output][publish.series];
    const bool is_newest = windows.empty() || summary.end >= windows.rbegin()->first;
    EXPECT_EQ(publish.is_newest, is_newest);
    const auto before = windows.find(summary.end);
    if (before != windows.end()) {
      EXPECT_EQ(summary.rev, before->second.summary.rev + 1);
      EXPECT_FALSE(before->second.summary.aggregate == summary.aggregate)
          << "sent again without a change";
    } else {
      // One that was left out because a newer one was due as well counts as sent.
      EXPECT_LE(summary.rev, 2U);
    }
    windows[summary.end] = {summary, publish.is_newest};
  }

  void check_content(const effect::Publish& publish) {
    const Summary& summary = publish.summary;
    const NaiveModel& model = models_[publish.series];
    // On change it tells of a moment. In a batch, or with a sample of the future, nobody outside
    // knows of which.
    if (publish.output == kChange &&
        (is_in_batches_ || model.samples().back().time + Duration{1} >= summary.end)) {
      return;
    }
    const Aggregate known = model.window(summary.start, summary.end, summary.end);
    EXPECT_TRUE(is_same(summary.aggregate, known))
        << "output " << publish.output << " " << format_rfc3339(summary.start) << " to "
        << format_rfc3339(summary.end) << "\ngot      " << show(summary.aggregate) << "\nexpected "
        << show(known);
    EXPECT_EQ(summary.value, model.held_before(summary.end));
    const Duration span = summary.end - std::max(summary.start, *model.first_time());
    EXPECT_DOUBLE_EQ(summary.covered, covered(known, span));
    EXPECT_EQ(summary.is_known, summary.covered >= 0.5 || summary.window == stream_.resolution);
  }

  // What was sent last is what there is to say.
  void check_windows(const Now& now) {
    for (const OutputIndex index : {kTumbling, kSliding}) {
      for (SeriesId id = 0; id < kSeries; ++id) {
        const auto& windows = sent_[index][id];
        const Time newest = floor_to(closed(now), output(index).every);
        const Time oldest =
            windows.empty() ? floor_to(run_.start, output(index).every) : windows.rbegin()->first;
        for (Time end = newest; end > oldest; end -= output(index).every) {
          EXPECT_TRUE(models_[id].window(end - output(index).window, end, end).empty())
              << "window to " << format_rfc3339(end) << " of output " << index << " was not sent";
        }
        for (const auto& [end, sent] : windows) {
          if (index == kTumbling || end == oldest) {
            EXPECT_TRUE(
                is_same(sent.summary.aggregate, models_[id].window(sent.summary.start, end, end)))
                << "window to " << format_rfc3339(end) << " was not corrected";
          }
        }
      }
    }
  }

  void check_sealed() {
    for (SeriesId id = 0; id < kSeries; ++id) {
      EXPECT_EQ(points_[id], models_[id].samples());
      for (const Tier tier : {Tier::fine, Tier::hour, Tier::day}) {
        check_tier(id, tier);
      }
    }
  }

  void check_tier(SeriesId id, Tier tier) {
    const NaiveModel& model = models_[id];
    std::size_t expected = 0;
    if (model.first_time()) {
      const Time last = model.samples().back().time + *stream_.hold;
      for (Time at = *model.first_time(); at <= last;) {
        const auto [start, end] = model.bounds(tier, at);
        const Aggregate known = model.window(start, end, end);
        at = end;
        if (known.empty()) {
          continue;
        }
        ++expected;
        const auto found = sealed_[tier][id].find(start);
        ASSERT_NE(found, sealed_[tier][id].end()) << to_string(tier) << format_rfc3339(start);
        EXPECT_EQ(found->second.end, end);
        EXPECT_TRUE(is_same(found->second.aggregate, known))
            << to_string(tier) << " " << format_rfc3339(start) << "\ngot      "
            << show(found->second.aggregate) << "\nexpected " << show(known);
      }
    }
    EXPECT_EQ(sealed_[tier][id].size(), expected);
  }

  void check_closed_windows() {
    for (SeriesId id = 0; id < kSeries; ++id) {
      const NaiveModel& model = models_[id];
      std::size_t expected = 0;
      if (model.first_time()) {
        const Output& close = output(kClose);
        const Time last = model.samples().back().time + *stream_.hold + close.window;
        for (Time end = floor_to(*model.first_time(), close.every); end <= last;
             end += close.every) {
          expected += model.window(end - close.window, end, end).empty() ? 0U : 1U;
        }
      }
      EXPECT_EQ(sent_[kClose][id].size(), expected);
      for (const auto& [end, sent] : sent_[kClose][id]) {
        EXPECT_TRUE(sent.summary.final);
        EXPECT_EQ(sent.summary.rev, 1U);
      }
    }
  }

  void check_counters() {
    const engine::Counters& counters = engine_.counters(0);
    const auto dropped = [&](DropReason reason) {
      return counters.dropped[static_cast<std::size_t>(reason)];
    };
    EXPECT_EQ(counters.accepted, verdicts_[NaiveModel::Verdict::accepted]);
    EXPECT_EQ(dropped(DropReason::future), verdicts_[NaiveModel::Verdict::future]);
    EXPECT_EQ(dropped(DropReason::too_late), verdicts_[NaiveModel::Verdict::too_late]);
    EXPECT_EQ(counters.received,
              counters.accepted + dropped(DropReason::future) + dropped(DropReason::too_late));
  }

  RandomRun run_;
  std::shared_ptr<const engine::Plan> plan_;
  const Stream& stream_;
  engine::Engine engine_;
  bool is_in_batches_;
  std::vector<NaiveModel> models_;
  Now passed_;
  std::map<NaiveModel::Verdict, std::uint64_t> verdicts_;
  std::map<Tier, std::map<SeriesId, std::map<Time, Bucket>>> sealed_;
  std::map<SeriesId, std::vector<Point>> points_;
  std::map<OutputIndex, std::map<SeriesId, std::map<Time, Sent>>> sent_;
};

TEST(OracleTest, EngineAgreesWithTheNaiveModel) {
  for (const std::uint64_t seed : seeds(60, 10)) {
    SCOPED_TRACE("ROLLUP_SEED=" + std::to_string(seed));
    OracleRun(seed).play();
    if (HasFailure()) {
      return;
    }
  }
}

}  // namespace
}  // namespace rollup::testing

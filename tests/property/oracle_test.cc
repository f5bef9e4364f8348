// Random series against the naive model: open and sealed buckets of every tier, published windows,
// changes, current values, counters.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
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
         is_near(a.integral, b.integral) && is_near(a.sum, b.sum) && is_near(a.m2, b.m2) &&
         is_near(a.increase, b.increase) && a.resets == b.resets;
}

std::string show(const Aggregate& a) {
  return "count " + std::to_string(a.count) + " known " + std::to_string(a.known.count()) +
         " sum " + std::to_string(a.sum) + " min " + std::to_string(a.min) + " max " +
         std::to_string(a.max) + " integral " + std::to_string(a.integral) + " m2 " +
         std::to_string(a.m2) + " increase " + std::to_string(a.increase) + " resets " +
         std::to_string(a.resets);
}

// What the runs came across: a test of nothing finds nothing.
struct Coverage {
  int corrected = 0;  // windows that were sent again
  int replaced = 0;   // samples that took the place of another one
  int retained = 0;
  int gaps = 0;  // buckets without knowledge between two with some
  int changes = 0;
  std::uint64_t resets = 0;
  int run_over = 0;              // buckets in which a register ran over
  std::map<Duration, int> days;  // day buckets by their length
};

// SEMANTICS 8.2, of one series: what is sent when.
struct NaiveChange {
  std::optional<double> sent;
  Duration sent_at{0};
  std::deque<Summary> expected;  // not seen yet
};

class OracleRun {
 public:
  OracleRun(std::uint64_t seed, Coverage& coverage)
      : coverage_(coverage),
        run_(random_run(seed, false)),
        plan_(plan_of(run_.config)),
        stream_(plan_->config.streams[0]),
        engine_(plan_),
        is_in_batches_(seed % 2 == 0) {
    const NaiveModel::Rules rules{
        stream_.resolution,   stream_.lateness,       *stream_.hold,          !stream_.time.empty(),
        run_.config.timezone, stream_.fields[0].kind, stream_.fields[0].reset};
    for (SeriesId id = 0; id < kSeries; ++id) {
      EXPECT_EQ(engine_.add_series(key_of(id)), id);
      models_.emplace_back(rules);
      changes_.emplace_back();
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
      check_current(event.now);
      if (++event_count_ % 8 == 0) {
        check_open(event.now);
      }
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
    for (SeriesId id = 0; id < kSeries; ++id) {
      expect_changes(id, passed_.uptime, now);
    }
    passed_ = now;
    Effects effects;
    engine_.advance(now, effects);
    look_at(effects, now);
  }

  void take(const std::vector<Sample>& samples, const Now& now) {
    for (const Sample& sample : samples) {
      NaiveModel& model = models_[sample.series];
      if (sample.retained) {
        model.observe_retained(sample.value);
        ++verdicts_[NaiveModel::Verdict::accepted];
        ++coverage_.retained;
        continue;
      }
      const std::size_t count = model.samples().size();
      const auto verdict = model.observe(sample.time, sample.value, now.wall);
      ++verdicts_[verdict];
      if (verdict == NaiveModel::Verdict::accepted) {
        coverage_.replaced += model.samples().size() == count ? 1 : 0;
        if (model.samples().back().time == sample.time) {
          expect_changes(sample.series, now.uptime, now);
        }
      }
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
        coverage_.resets += sealed->bucket.aggregate.resets;
        coverage_.run_over += sealed->bucket.aggregate.increase > 4e9 ? 1 : 0;
      } else if (const auto* points = std::get_if<effect::SealPoints>(&effect)) {
        auto& kept = points_[points->series];
        kept.insert(kept.end(), points->points.begin(), points->points.end());
      } else {
        const auto& publish = std::get<effect::Publish>(effect);
        if (publish.output == kChange) {
          check_change(publish);
          continue;
        }
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
    ASSERT_LE(summary.end, closed(now)) << "before its end";
    if (summary.final) {
      EXPECT_LE(summary.end + stream_.lateness, now.wall);
    }
    auto& windows = sent_[publish.output][publish.series];
    const bool is_newest = windows.empty() || summary.end >= windows.rbegin()->first;
    EXPECT_EQ(publish.is_newest, is_newest);
    const auto before = windows.find(summary.end);
    if (before != windows.end()) {
      ++coverage_.corrected;
      EXPECT_EQ(summary.rev, before->second.summary.rev + 1);
      // What a counter counted may have moved from one bucket of the window to another.
      EXPECT_FALSE(stream_.fields[0].kind == Kind::gauge &&
                   before->second.summary.aggregate == summary.aggregate &&
                   before->second.summary.covered == summary.covered)
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

  // What is sent on a change, or for the heartbeat, in [from, now] with the newest value as it is.
  void expect_changes(SeriesId id, Duration from, const Now& now) {
    const NaiveModel& model = models_[id];
    if (model.samples().empty()) {
      return;
    }
    const Output& config = output(kChange);
    const double value = model.samples().back().value;
    NaiveChange& change = changes_[id];
    while (true) {
      const bool is_changed = !change.sent || std::abs(value - *change.sent) > config.deadband;
      const Duration wait = !change.sent ? Duration{0}
                            : is_changed ? config.min_interval
                                         : config.heartbeat;
      const Duration due = std::max(change.sent_at + wait, from);
      const Now at{now.wall - (now.uptime - due), due};
      if (due > now.uptime || (!is_changed && !model.is_held(at.wall))) {
        return;
      }
      change.sent = value;
      change.sent_at = due;
      change.expected.push_back(change_at(model, at));
      ++coverage_.changes;
    }
  }

  Summary change_at(const NaiveModel& model, const Now& at) const {
    Summary summary;
    summary.end = std::max(at.wall, model.samples().back().time + Duration{1});
    summary.window = output(kChange).window;
    summary.start = floor_to(summary.end - summary.window, stream_.resolution);
    summary.aggregate = model.window(summary.start, summary.end, at.wall);
    summary.value = model.held_before(summary.end);
    summary.covered =
        covered(summary.aggregate, summary.end - std::max(summary.start, *model.first_time()));
    return summary;
  }

  void check_change(const effect::Publish& publish) {
    NaiveChange& change = changes_[publish.series];
    const Summary& summary = publish.summary;
    ASSERT_FALSE(change.expected.empty()) << "a change was sent at " << format_rfc3339(summary.end);
    const Summary expected = change.expected.front();
    change.expected.pop_front();
    EXPECT_TRUE(publish.is_newest);
    EXPECT_EQ(summary.rev, 1U);
    EXPECT_EQ(format_rfc3339(summary.end), format_rfc3339(expected.end));
    EXPECT_EQ(summary.start, expected.start);
    EXPECT_EQ(summary.window, expected.window);
    EXPECT_EQ(summary.value, expected.value);
    EXPECT_DOUBLE_EQ(summary.covered, expected.covered);
    EXPECT_TRUE(is_same(summary.aggregate, expected.aggregate))
        << "change at " << format_rfc3339(summary.end) << "\ngot      " << show(summary.aggregate)
        << "\nexpected " << show(expected.aggregate);
  }

  void check_current(const Now& now) {
    for (SeriesId id = 0; id < kSeries; ++id) {
      const NaiveModel& model = models_[id];
      EXPECT_TRUE(changes_[id].expected.empty()) << "a change was not sent";
      const engine::Current current = engine_.current(id, now);
      EXPECT_EQ(current.value, model.newest());
      EXPECT_EQ(current.count, model.samples().size());
      EXPECT_EQ(current.is_held, model.is_held(now.wall));
      EXPECT_EQ(current.time, model.samples().empty() ? std::nullopt
                                                      : std::optional(model.samples().back().time));
    }
  }

  // What is not sealed yet.
  void check_open(const Now& now) {
    const Time sealed = floor_to(now.wall - stream_.lateness, stream_.resolution);
    for (SeriesId id = 0; id < kSeries; ++id) {
      const NaiveModel& model = models_[id];
      std::vector<Point> points;
      for (const Point& point : model.samples()) {
        if (point.time >= sealed) {
          points.push_back(point);
        }
      }
      EXPECT_EQ(engine_.open_points(id, Time::min(), Time::max()), points);
      for (const Tier tier : {Tier::fine, Tier::hour, Tier::day}) {
        std::map<Time, Aggregate> expected;
        const Time newest = points.empty() ? now.wall : std::max(now.wall, points.back().time);
        for (Time at = sealed; at <= newest;) {
          const auto [start, end] = model.bounds(tier, at);
          if (const Aggregate known = model.window(start, end, now.wall); !known.empty()) {
            expected[start] = known;
          }
          at = end;
        }
        const auto open = engine_.open_buckets(id, tier, Time::min(), Time::max(), now);
        ASSERT_EQ(open.size(), expected.size()) << to_string(tier);
        for (const Bucket& bucket : open) {
          EXPECT_EQ(format_rfc3339(bucket.end),
                    format_rfc3339(model.bounds(tier, bucket.start).second));
          EXPECT_TRUE(is_same(bucket.aggregate, expected[bucket.start]))
              << "open " << to_string(tier) << " " << format_rfc3339(bucket.start) << "\ngot      "
              << show(bucket.aggregate) << "\nexpected " << show(expected[bucket.start]);
        }
      }
    }
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
            const Time start = sent.summary.start;
            const Aggregate known = models_[id].window(start, end, end);
            EXPECT_TRUE(is_same(sent.summary.aggregate, known) &&
                        sent.summary.covered ==
                            covered(known, end - std::max(start, *models_[id].first_time())))
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
          coverage_.gaps += tier == Tier::fine && at <= last ? 1 : 0;
          continue;
        }
        ++expected;
        if (tier == Tier::day) {
          ++coverage_.days[end - start];
        }
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
    const Counters& counters = engine_.ledger().stream(0);
    const auto dropped = [&](DropReason reason) {
      return counters.dropped[static_cast<std::size_t>(reason)];
    };
    EXPECT_EQ(counters.accepted, verdicts_[NaiveModel::Verdict::accepted]);
    EXPECT_EQ(dropped(DropReason::future), verdicts_[NaiveModel::Verdict::future]);
    EXPECT_EQ(dropped(DropReason::too_late), verdicts_[NaiveModel::Verdict::too_late]);
    EXPECT_EQ(counters.received,
              counters.accepted + dropped(DropReason::future) + dropped(DropReason::too_late));
  }

  Coverage& coverage_;
  RandomRun run_;
  std::shared_ptr<const engine::Plan> plan_;
  const Stream& stream_;
  engine::Engine engine_;
  bool is_in_batches_;
  std::vector<NaiveModel> models_;
  std::vector<NaiveChange> changes_;
  Now passed_;
  int event_count_ = 0;
  std::map<NaiveModel::Verdict, std::uint64_t> verdicts_;
  std::map<Tier, std::map<SeriesId, std::map<Time, Bucket>>> sealed_;
  std::map<SeriesId, std::vector<Point>> points_;
  std::map<OutputIndex, std::map<SeriesId, std::map<Time, Sent>>> sent_;
};

TEST(OracleTest, EngineAgreesWithTheNaiveModel) {
  Coverage coverage;
  const std::vector<std::uint64_t> all = seeds(50, 5);
  for (const std::uint64_t seed : all) {
    SCOPED_TRACE(how_to_repeat(seed));
    OracleRun(seed, coverage).play();
    if (HasFailure()) {
      return;
    }
  }
  if (all.size() == 1) {
    return;
  }
  EXPECT_GT(coverage.corrected, 1000);
  EXPECT_GT(coverage.replaced, 1000);
  EXPECT_GT(coverage.retained, 1000);
  EXPECT_GT(coverage.gaps, 1000);
  EXPECT_GT(coverage.changes, 1000);
  EXPECT_GT(coverage.resets, 1000);
  EXPECT_GT(coverage.run_over, 100);
  // Of the clocks' changes both ways; by half an hour in one zone.
  for (const std::chrono::minutes length : {hours(23), hours(24), hours(25)}) {
    EXPECT_GT(coverage.days[length], 10) << length.count();
  }
  EXPECT_GT(coverage.days[std::chrono::minutes(23 * 60 + 30)], 0);
  EXPECT_GT(coverage.days[std::chrono::minutes(24 * 60 + 30)], 0);
}

}  // namespace
}  // namespace rollup::testing

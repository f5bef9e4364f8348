#include "property/random_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/text.h"

namespace rollup::testing {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

template <class T>
T one_of(Random& random, std::initializer_list<T> choices) {
  return choices.begin()[pick(random, 0, static_cast<std::int64_t>(choices.size()) - 1)];
}

// Just before the clock changes of a zone, and a day without one.
std::vector<const char*> starts_of(const std::string& timezone) {
  if (timezone == "Europe/Berlin") {
    return {"2026-03-28T20:00:00Z", "2026-10-24T19:30:00Z", "2026-07-01T12:00:00Z"};
  }
  if (timezone == "America/New_York") {
    return {"2026-03-08T02:00:00Z", "2026-11-01T01:10:10Z"};
  }
  if (timezone == "Australia/Lord_Howe") {  // by half an hour
    return {"2026-04-04T11:00:00Z", "2026-10-03T10:00:00Z"};
  }
  if (timezone == "America/Santiago") {  // at midnight, which is skipped in spring
    return {"2026-04-04T23:00:00Z", "2026-09-05T23:00:00Z"};
  }
  return {"2026-07-01T12:00:00Z", "2026-12-31T18:00:00Z"};
}

bool chance(Random& random, int percent) { return pick(random, 1, 100) <= percent; }

void add_outputs(Random& random, Stream& stream) {
  const auto add = [&](const std::string& name, Duration window, Duration every, PublishOn on) {
    Output output;
    output.topic = name + "/{series}";
    output.window = window;
    output.every = every;
    output.on = on;
    output.broker = stream.broker;
    output.heartbeat = minutes(20);
    output.min_interval = seconds(pick(random, 0, 90));
    output.deadband = static_cast<double>(pick(random, 0, 3));
    stream.publish.push_back(output);
  };
  const Duration unit = stream.resolution;
  const Duration tumbling = unit * pick(random, 1, 6);
  add("tumbling", tumbling, tumbling, PublishOn::interval);
  add("sliding", unit * pick(random, 2, 12), unit * pick(random, 1, 3), PublishOn::interval);
  add("close", tumbling, tumbling, PublishOn::close);
  add("change", unit * pick(random, 1, 5), unit, PublishOn::change);
  if (chance(random, 30)) {
    stream.publish[1].sparkline = Sparkline{unit * 8, 4};
  }
}

void add_alerts(Random& random, Config& config) {
  const bool is_counter = config.streams[0].fields[0].kind == Kind::counter;
  const auto conditions =
      is_counter ? std::array{"value > 10", "age > 77", "increase(10m) > 9.5 and count(5m) >= 1",
                              "rate(30m) < 0.01 or resets(10m) > 1", "not (value > 3)"}
                 : std::array{"value > 10", "age > 77", "avg(10m) > 9.5 and count(5m) >= 1",
                              "delta(30m) < -3 or max(10m) > 18", "not (value > 3)"};
  for (const char* raise : conditions) {
    Alert alert;
    alert.name = "a" + std::to_string(config.alerts.size());
    alert.stream = "s";
    alert.raise = raise;
    alert.raise_for = seconds(pick(random, 0, 3) * 45);
    alert.clear_for = seconds(pick(random, 0, 2) * 50);
    alert.topic = "alerts/{alert}/{series}";
    config.alerts.push_back(alert);
  }
}

Sample random_sample(Random& random, const Stream& stream, Time now, Time newest) {
  Sample sample;
  sample.series = static_cast<SeriesId>(pick(random, 0, kSeries - 1));
  sample.value = static_cast<double>(pick(random, 0, 200)) / 10;
  if (stream.fields[0].kind == Kind::counter && chance(random, 60)) {
    // Mostly it grows; sometimes it is near the end of its register.
    sample.value = chance(random, 20) ? 4'294'967'000 + sample.value
                                      : static_cast<double>(to_ms(now) % 10'000'000) / 1e4;
  }
  sample.retained = chance(random, 4);
  sample.has_event_time = !stream.time.empty();
  sample.time = now;
  if (!sample.has_event_time) {
    return sample;
  }
  const std::int64_t lateness = stream.lateness.count();
  const int kind = static_cast<int>(pick(random, 1, 100));
  if (kind <= 40) {
    sample.time = now - Duration{pick(random, 0, 3000)};
  } else if (kind <= 60) {
    sample.time = now - Duration{pick(random, 0, lateness + 3 * stream.resolution.count())};
  } else if (kind <= 70) {
    sample.time = newest;  // a duplicate of an event time
  } else if (kind <= 80) {
    sample.time = floor_to(now, stream.resolution) - Duration{pick(random, -1, 1)};
  } else if (kind <= 90) {
    sample.time = now + Duration{pick(random, 0, 61'000)};
  } else if (kind <= 97) {
    sample.time =
        floor_to(now - stream.lateness, stream.resolution) + Duration{pick(random, -1, 1)};
  } else {
    sample.time = one_of(random, {time_from_ms(0), now + hours(24 * 365 * 50), now - hours(1000)});
  }
  return sample;
}

}  // namespace

std::int64_t pick(Random& random, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(high - low + 1));
}

SeriesKey key_of(SeriesId id) { return {"s", "b", "in/" + std::to_string(id), ""}; }

RandomRun random_run(std::uint64_t seed, bool holds_auto) {
  Random random(seed);
  RandomRun run;
  run.config.brokers = {"b"};
  run.config.timezone = one_of(random, {"", "Europe/Berlin", "Asia/Kolkata", "America/New_York",
                                        "Australia/Lord_Howe", "America/Santiago"});
  Stream stream;
  stream.name = "s";
  stream.topic = "in/{id}";
  stream.broker = "b";
  stream.fields.emplace_back();
  stream.time = chance(random, 75) ? "/t" : "";
  // Zones of half an hour need buckets that end with their midnight.
  const bool is_half =
      run.config.timezone == "Asia/Kolkata" || run.config.timezone == "Australia/Lord_Howe";
  stream.resolution = one_of<Duration>(random, {seconds(10), minutes(1), minutes(5), minutes(15),
                                                is_half ? minutes(30) : minutes(60)});
  stream.lateness =
      one_of<Duration>(random, {seconds(2), seconds(90), minutes(5),
                                2 * stream.resolution + seconds(7), 9 * stream.resolution});
  stream.hold = one_of<Duration>(
      random, {seconds(0), seconds(30), stream.resolution, 3 * stream.resolution, minutes(47)});
  stream.keep.fill(kForever);
  add_outputs(random, stream);
  if (holds_auto) {
    if (chance(random, 50)) {
      stream.hold.reset();
    }
  }
  if (seed % 3 == 0) {
    stream.fields[0].kind = Kind::counter;
    stream.fields[0].reset = seed % 2 == 0 ? Reset::wrap32 : Reset::zero;
  }
  run.config.streams.push_back(stream);
  if (holds_auto) {
    add_alerts(random, run.config);
  }

  // Mostly just before a change of the clocks in the zone.
  const std::vector<const char*> starts = starts_of(run.config.timezone);
  run.start = *parse_rfc3339(starts[random() % starts.size()]);
  Now now{run.start, Duration{pick(random, 0, 1'000'000)}};
  Time newest = run.start;
  const Duration end = now.uptime + stream.resolution * 400;
  while (now.uptime < end && run.events.size() < 700) {
    Event event;
    const int kind = static_cast<int>(pick(random, 1, 100));
    const std::int64_t unit = stream.resolution.count();
    Duration step{pick(random, 0, unit / 3)};
    if (kind <= 3) {
      step = Duration{pick(random, unit, 60 * unit)};  // a gap
    } else if (kind <= 20) {
      step = Duration{pick(random, 0, 2)};  // a burst
    }
    now.wall += step;
    now.uptime += step;
    event.now = now;
    const std::int64_t count = chance(random, 70) ? pick(random, 1, 4) : 0;
    for (std::int64_t i = 0; i < count; ++i) {
      event.samples.push_back(random_sample(random, stream, now.wall, newest));
      if (event.samples.back().time <= now.wall) {
        newest = std::max(newest, event.samples.back().time);
      }
    }
    run.events.push_back(std::move(event));
  }
  return run;
}

std::string how_to_repeat(std::uint64_t seed) {
  return "to repeat this alone: ROLLUP_SEED=" + std::to_string(seed) +
         " rollup_property_tests --gtest_filter=" +
         ::testing::UnitTest::GetInstance()->current_test_suite()->name() + "." +
         ::testing::UnitTest::GetInstance()->current_test_info()->name();
}

std::vector<std::uint64_t> seeds(int fixed, int fresh) {
  if (const char* given = std::getenv("ROLLUP_SEED")) {
    return {std::strtoull(given, nullptr, 10)};
  }
  std::vector<std::uint64_t> all;
  for (int i = 1; i <= fixed; ++i) {
    all.push_back(static_cast<std::uint64_t>(i));
  }
  std::random_device device;
  for (int i = 0; i < fresh; ++i) {
    all.push_back(device());
  }
  return all;
}

}  // namespace rollup::testing

// What many series cost the engine alone: memory of each, time of a sample, what conditions add.
// Each figure stands beside its target.
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/plan.h"

namespace {

using rollup::Duration;
using rollup::Effects;
using rollup::Now;
using rollup::engine::Engine;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kTurn = 200;  // samples of one turn, as under load

rollup::Config make_config(const std::string& condition, bool has_output) {
  rollup::Config config;
  config.brokers = {"broker"};
  rollup::Stream stream;
  stream.name = "temperature";
  stream.topic = "h/{room}/temperature";
  stream.broker = "broker";
  stream.fields = {rollup::Field{}};
  stream.resolution = std::chrono::minutes(1);
  stream.lateness = std::chrono::minutes(1);
  stream.keep.fill(rollup::kForever);
  if (has_output) {
    rollup::Output output;
    output.topic = "stats/{series}";
    output.window = std::chrono::hours(1);
    output.every = std::chrono::minutes(5);
    output.broker = "broker";
    stream.publish = {output};
  }
  config.streams = {stream};
  if (!condition.empty()) {
    rollup::Alert alert;
    alert.name = "warm";
    alert.stream = "temperature";
    alert.raise = condition + " > 1000";
    config.alerts = {alert};
  }
  config.limits.series = 2'000'000;
  config.limits.series_per_stream = 2'000'000;
  return config;
}

Engine make_engine(const std::string& condition, bool has_output) {
  auto plan = rollup::engine::compile(make_config(condition, has_output), rollup::Zone(), {{true}});
  if (!plan) {
    std::fprintf(stderr, "the configuration is refused\n");
    std::exit(1);
  }
  return Engine(std::make_shared<const rollup::engine::Plan>(std::move(*plan)));
}

// A topic of 24 bytes.
rollup::SeriesId add(Engine& engine, std::size_t number) {
  std::string digits = std::to_string(number);
  digits.insert(0, 10 - digits.size(), '0');
  return engine.add_series({"temperature", "broker", "h/" + digits + "/temperature", ""}).value();
}

std::size_t heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

double resident_mib() {
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  file >> all >> resident;
  return static_cast<double>(resident) * 4096 / (1 << 20);
}

void print(const std::string& what, double figure, const char* unit, double target) {
  std::printf("  %-58s %9.0f %-8s target %s %.0f%s\n", what.c_str(), figure, unit,
              target < 0 ? ">=" : "<=", target < 0 ? -target : target,
              (target < 0 ? figure >= -target : figure <= target) ? "" : "   MISSED");
  std::fflush(stdout);
}

// Series that get a sample each (simulated) minute, and the time is advanced after each turn.
class Walk {
 public:
  Walk(Engine& engine, std::size_t series) : engine_(engine) {
    for (std::size_t i = 0; i < series; ++i) {
      ids_.push_back(add(engine, i));
    }
  }

  // One sample for each series; the nanoseconds of a sample.
  double round() {
    const auto begin = Clock::now();
    std::vector<rollup::Sample> samples;
    const Duration minute = std::chrono::minutes(1);
    for (std::size_t first = 0; first < ids_.size(); first += kTurn) {
      const std::size_t end = std::min(first + kTurn, ids_.size());
      samples.clear();
      for (std::size_t i = first; i < end; ++i) {
        rollup::Sample sample;
        sample.series = ids_[i];
        sample.time = now_.wall;
        sample.value = 20 + static_cast<double>((i * 7 + rounds_ * 3) % 100) / 10;
        samples.push_back(sample);
      }
      engine_.observe(samples, now_, effects_);
      effects_.clear();
      const Duration gone =
          minute * static_cast<std::int64_t>(end) / static_cast<std::int64_t>(ids_.size());
      advance_to(begin_ + minute * static_cast<std::int64_t>(rounds_) + gone);
    }
    ++rounds_;
    const std::chrono::duration<double, std::nano> took = Clock::now() - begin;
    return took.count() / static_cast<double>(ids_.size());
  }

  void rest(Duration silence) {
    advance_to(now_.uptime + silence);
    effects_.shrink_to_fit();  // all of the silence at once: no engine's memory
  }

 private:
  void advance_to(Duration uptime) {
    now_.wall += uptime - now_.uptime;
    now_.uptime = uptime;
    engine_.advance(now_, effects_);
    effects_.clear();
  }

  Engine& engine_;
  std::vector<rollup::SeriesId> ids_;
  const Duration begin_{0};
  Now now_{rollup::time_from_ms(1'767'225'600'000), Duration{0}};
  std::size_t rounds_ = 0;
  Effects effects_;
};

// Bytes of a series: after `rounds` minutes of samples, and then a silence.
double bytes_of_one(const std::string& condition, bool has_output, int rounds, Duration silence,
                    std::size_t series) {
  const std::size_t before = heap_bytes();
  Engine engine = make_engine(condition, has_output);
  Walk walk(engine, series);
  for (int i = 0; i < rounds; ++i) {
    walk.round();
  }
  walk.rest(silence);
  return static_cast<double>(heap_bytes() - before) / static_cast<double>(series) - 4;
}

// Of a sample, when the first windows are full of something: the median of the later rounds.
double nanoseconds_of_one(const std::string& condition, std::size_t series, int rounds) {
  Engine engine = make_engine(condition, true);
  Walk walk(engine, series);
  std::vector<double> took;
  for (int i = 0; i < rounds; ++i) {
    took.push_back(walk.round());
  }
  std::sort(took.begin() + rounds / 2, took.end());
  return took[static_cast<std::size_t>(rounds * 3 / 4)];
}

}  // namespace

int main() {
  using std::chrono::hours;
  print("resting series, one alert rule that is ok",
        bytes_of_one("value", false, 1, hours(50), 20'000), "bytes", 400);
  print("active series, no output", bytes_of_one("", false, 90, Duration(0), 20'000), "bytes", 900);
  print("active series, one output 1h every 5m", bytes_of_one("", true, 90, Duration(0), 20'000),
        "bytes", 1500);
  {
    malloc_trim(0);
    Engine engine = make_engine("value", false);
    Walk walk(engine, 1'000'000);
    walk.round();
    walk.rest(hours(50));
    malloc_trim(0);
    print("a million resting series, resident", resident_mib(), "MiB", 1024);
  }
  print("a sample at 1 k series", nanoseconds_of_one("", 1'000, 400), "ns", 125);
  print("a sample at 100 k series", nanoseconds_of_one("", 100'000, 24), "ns", 190);
  print("a sample at 1 M series", nanoseconds_of_one("", 1'000'000, 8), "ns", 250);
  const double without = nanoseconds_of_one("", 1'000, 400);
  print("condition `value` adds", nanoseconds_of_one("value", 1'000, 400) - without, "ns", 150);
  print("condition `avg(24h)` adds", nanoseconds_of_one("avg(24h)", 1'000, 400) - without, "ns",
        500);
  print("condition `avg(7d)` adds", nanoseconds_of_one("avg(7d)", 1'000, 400) - without, "ns", 500);
  return 0;
}

// The engine alone: samples, and JSON messages, per second on one core.
//
// Each series sends once a (simulated) second, in turn, and time is advanced every 100 ms as the
// shell would do, so closing, sealing and publishing buckets are paid for too.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/intake.h"
#include "engine/plan.h"

namespace {

using rollup::Duration;
using rollup::Effects;
using rollup::Now;

rollup::Config make_config(bool has_alert) {
  rollup::Config config;
  config.brokers = {"broker"};
  rollup::Stream stream;
  stream.name = "temperature";
  stream.topic = "home/{room}/temperature";
  stream.broker = "broker";
  stream.fields = {rollup::Field{}};
  stream.fields[0].value = "/value";
  stream.resolution = std::chrono::minutes(1);
  stream.lateness = std::chrono::minutes(5);
  stream.keep.fill(rollup::kForever);
  rollup::Output output;
  output.topic = "stats/{series}";
  output.window = std::chrono::hours(1);
  output.every = std::chrono::minutes(1);
  output.broker = "broker";
  output.expiry = std::chrono::hours(2);
  stream.publish = {output};
  config.streams = {stream};
  if (has_alert) {
    rollup::Alert alert;
    alert.name = "warm";
    alert.stream = "temperature";
    alert.raise = "value > 30";
    config.alerts = {alert};
  }
  config.limits.series = 200'000;
  config.limits.series_per_stream = 200'000;
  config.limits.new_series = 200'000;
  return config;
}

rollup::engine::Engine make_engine(bool has_alert) {
  auto plan = rollup::engine::compile(make_config(has_alert), rollup::Zone(), {{true}});
  if (!plan) {
    std::abort();
  }
  return rollup::engine::Engine(std::make_shared<const rollup::engine::Plan>(std::move(*plan)));
}

std::string topic_of(std::int64_t series) {
  return "home/room" + std::to_string(series) + "/temperature";
}

// As many messages make one turn, as in a program under load.
constexpr std::int64_t kTurn = 200;

// The series in turn, and the present: a second for each round of all series, advanced every 100
// ms.
class Walk {
 public:
  Walk(rollup::engine::Engine& engine, std::int64_t series) : engine_(engine), series_(series) {}

  const Now& now() const { return now_; }
  std::int64_t series() const { return next_; }
  double value() const { return 20 + static_cast<double>((next_ * 7 + round_ * 3) % 100) / 10; }

  void step() {
    if (++next_ == series_) {
      next_ = 0;
      ++round_;
    }
  }

  // Between turns.
  void catch_up() {
    const Duration gone{round_ * 1000 + next_ * 1000 / series_ / 100 * 100};
    if (gone != now_.uptime) {
      now_.wall += gone - now_.uptime;
      now_.uptime = gone;
      engine_.advance(now_, effects_);
      effects_.clear();
    }
  }

 private:
  rollup::engine::Engine& engine_;
  const std::int64_t series_;
  Now now_{rollup::time_from_ms(1'767'225'600'000), Duration{0}};
  std::int64_t next_ = 0;
  std::int64_t round_ = 0;
  Effects effects_;
};

void observe_samples(benchmark::State& state) {
  rollup::engine::Engine engine = make_engine(state.range(1) != 0);
  std::vector<rollup::SeriesId> ids;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    ids.push_back(engine.add_series({"temperature", "broker", topic_of(i), ""}).value());
  }
  Walk walk(engine, state.range(0));
  std::vector<rollup::Sample> samples(kTurn);
  Effects effects;
  while (state.KeepRunningBatch(kTurn)) {
    const Now now = walk.now();
    for (rollup::Sample& sample : samples) {
      sample.series = ids[static_cast<std::size_t>(walk.series())];
      sample.time = now.wall;
      sample.value = walk.value();
      walk.step();
    }
    engine.observe(samples, now, effects);
    effects.clear();
    walk.catch_up();
  }
  state.SetItemsProcessed(state.iterations());
}

void accept_json_messages(benchmark::State& state) {
  rollup::engine::Engine engine = make_engine(false);
  rollup::engine::Intake intake(engine);
  std::vector<rollup::Message> messages;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    rollup::Message& message = messages.emplace_back();
    message.topic = topic_of(i);
    message.payload = R"({"value":)" + std::to_string(15 + i % 17) + "." + std::to_string(i % 10) +
                      R"(,"unit":"C","battery":97})";
  }
  Walk walk(engine, state.range(0));
  std::vector<rollup::Sample> samples;
  std::vector<rollup::engine::NewSeries> created;
  Effects effects;
  const auto take_turn = [&] {
    const Now now = walk.now();
    samples.clear();
    created.clear();
    for (std::int64_t i = 0; i < kTurn; ++i) {
      rollup::Message& message = messages[static_cast<std::size_t>(walk.series())];
      message.arrival = now.wall;
      intake.accept(message, samples, created);
      walk.step();
    }
    engine.observe(samples, now, effects);
    effects.clear();
    walk.catch_up();
  };
  for (std::int64_t i = 0; i < state.range(0); i += kTurn) {
    take_turn();  // the series come into being once; what is measured is how they go on
  }
  while (state.KeepRunningBatch(kTurn)) {
    take_turn();
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(observe_samples)
    ->ArgNames({"series", "alert"})
    ->Args({1000, 0})
    ->Args({1000, 1})
    ->Args({100'000, 0})
    ->MinTime(3);
BENCHMARK(accept_json_messages)->ArgName("series")->Arg(1000)->Arg(100'000)->MinTime(3);

}  // namespace

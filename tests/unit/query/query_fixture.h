// A real engine and a real history file, fed as the program feeds them.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "archive/sealed.h"
#include "archive/sqlite_archive.h"
#include "base/text.h"
#include "engine/engine.h"
#include "query/query.h"

namespace rollup::query {

inline Time at(const std::string& text) { return parse_rfc3339(text).value(); }

inline constexpr Duration kMinute = std::chrono::minutes(1);
inline constexpr Duration kHour = std::chrono::hours(1);

inline Stream stream_of(std::string name, std::string topic) {
  Stream stream;
  stream.name = std::move(name);
  stream.topic = std::move(topic);
  stream.broker = "ejabberd";
  stream.fields = {Field{}};
  stream.resolution = kMinute;
  stream.hold = kMinute * 5;
  stream.lateness = kMinute * 2;
  stream.keep = {std::chrono::hours(48), std::chrono::hours(24 * 30), kForever, kForever};
  return stream;
}

class QueryFixture : public testing::Test {
 protected:
  QueryFixture() {
    config_.timezone = "Europe/Berlin";
    config_.brokers = {"ejabberd"};
    config_.streams = {stream_of("temperature", "home/{room}/temperature")};
  }

  ~QueryFixture() override { remove_history(); }

  // After `config_` is as the test wants it. Again: begins anew.
  void start() {
    auto plan = engine::compile(config_, Zone::locate(config_.timezone).value(),
                                {.has_subscription_ids = {true}});
    ASSERT_TRUE(plan) << plan.error().front().place << ": " << plan.error().front().message;
    engine_ =
        std::make_unique<engine::Engine>(std::make_shared<const engine::Plan>(*std::move(plan)));
    remove_history();
    std::string pattern = testing::TempDir() + "rollup_query_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    auto opened = archive::SqliteArchive::open(directory_ + "/archive.db");
    ASSERT_TRUE(opened) << opened.error().message;
    archive_ = std::move(opened->archive);
    sealed_ = std::make_unique<archive::Sealed>(*archive_);
  }

  SeriesId series(const std::string& topic, const std::string& stream = "temperature",
                  const std::string& field = "") {
    return engine_->add_series({stream, "ejabberd", topic, field}).value();
  }

  static Now now(Time time) { return {time, time.time_since_epoch()}; }

  void observe(SeriesId id, Time time, double value) {
    Effects effects;
    engine_->observe({.series = id, .time = time, .value = value}, now(time), effects);
    keep(effects);
  }

  void advance(Time time) {
    Effects effects;
    engine_->advance(now(time), effects);
    keep(effects);
  }

  // A sample each `every` in [from, to), its value counting up from `first`.
  void observe_all(SeriesId id, Time from, Time to, Duration every, double first = 0) {
    for (Time time = from; time < to; time += every) {
      advance(time);
      observe(id, time, first++);
    }
    advance(to);
  }

  // Writes what is sealed into the file.
  void flush() {
    sealed_->begin_flush();
    while (sealed_->is_flushing()) {
      ASSERT_TRUE(sealed_->flush_piece());
    }
  }

  void expire(Time time) {
    const auto& keep = config_.streams[0].keep;
    for (;;) {
      const Result<bool> more = archive_->expire(time, [&keep](const SeriesKey&) { return keep; });
      ASSERT_TRUE(more);
      if (!*more) {
        break;
      }
    }
  }

  Query query() const { return Query(*engine_, *sealed_); }

  Config config_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<archive::Archive> archive_;
  std::unique_ptr<archive::Sealed> sealed_;

 private:
  void remove_history() {
    sealed_.reset();
    archive_.reset();
    if (!directory_.empty()) {
      std::filesystem::remove_all(directory_);
    }
  }

  void keep(const Effects& effects) {
    for (const Effect& effect : effects) {
      if (const auto* bucket = std::get_if<effect::SealBucket>(&effect)) {
        sealed_->append(engine_->series(bucket->series).key, bucket->tier, bucket->bucket);
      } else if (const auto* points = std::get_if<effect::SealPoints>(&effect)) {
        sealed_->append(engine_->series(points->series).key, points->points);
      }
    }
  }

  std::string directory_;
};

}  // namespace rollup::query

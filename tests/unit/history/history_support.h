// What the tests of the history share: a directory of their own, buckets that are easy to tell
// apart.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "history/history.h"
#include "unit/archive/minutes.h"

namespace rollup::history {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = testing::TempDir() + "rollup-history-XXXXXX";
    path_ = ::mkdtemp(name.data()) == nullptr ? std::string() : name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

using archive::at_minute;
using archive::bucket_of_minute;
using archive::buckets_of_minutes;
using archive::kMinute;

inline void append_minutes(History& history, SeriesId series, std::int64_t from, std::int64_t to) {
  for (const Bucket& bucket : buckets_of_minutes(from, to)) {
    history.append(series, Tier::fine, bucket);
  }
}

inline std::vector<Bucket> read_buckets(const History& history, SeriesId series, Tier tier,
                                        Time from = Time::min(), Time to = Time::max()) {
  std::vector<Bucket> buckets;
  const auto result = history.read(series, tier, from, to, [&](const Bucket& bucket) {
    buckets.push_back(bucket);
    return true;
  });
  EXPECT_TRUE(result) << result.error().message;
  return buckets;
}

inline std::vector<Point> read_points(const History& history, SeriesId series,
                                      Time from = Time::min(), Time to = Time::max()) {
  std::vector<Point> points;
  const auto result = history.read(series, from, to, [&](const Point& point) {
    points.push_back(point);
    return true;
  });
  EXPECT_TRUE(result) << result.error().message;
  return points;
}

inline std::vector<std::string> read_journal(History& history) {
  std::vector<std::string> rows;
  const auto result = history.replay([&](std::string_view row) -> Result<void> {
    rows.emplace_back(row);
    return {};
  });
  EXPECT_TRUE(result) << result.error().message;
  return rows;
}

// Fails the test, and gives nothing, if it cannot be opened.
inline std::unique_ptr<History> open_history(const std::string& directory) {
  Result<std::unique_ptr<History>> opened = History::open({directory});
  if (!opened) {
    ADD_FAILURE() << opened.error().place << ": " << opened.error().message;
    return nullptr;
  }
  return *std::move(opened);
}

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace rollup::history

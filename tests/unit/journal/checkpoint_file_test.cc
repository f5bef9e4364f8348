#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "journal/checkpoint.h"
#include "journal/rules.h"
#include "support/plans.h"
#include "support/temp_dir.h"

namespace rollup::journal {
namespace {

using ::testing::HasSubstr;

class CheckpointFileTest : public ::testing::Test {
 protected:
  CheckpointFileTest() {
    config_.brokers = {"ejabberd"};
    config_.streams = {rollup::testing::make_stream("temp", "home/{room}/temp")};
    engine_ = std::make_unique<engine::Engine>(rollup::testing::compile(config_));
    const SeriesId id = engine_->add_series({"temp", "ejabberd", "home/a/temp", ""}).value();
    Effects effects;
    engine_->observe({.series = id, .time = now_.wall, .value = 21}, now_, effects);
    head_ = {7, encode_rules(config_), {11, 12}, "", ""};
  }

  std::string path() const { return directory_.path().string() + "/checkpoint"; }

  void write(bool at_once) {
    CheckpointWriter writer(posix_disk(), path());
    ASSERT_TRUE(writer.begin(head_, *engine_, at_once));
    EXPECT_EQ(writer.is_running(), !at_once);
    std::optional<Result<void>> done;
    while (!(done = writer.poll())) {
      std::this_thread::yield();
    }
    ASSERT_TRUE(done->has_value()) << done->error().message;
    ASSERT_TRUE(writer.put_in_place());
  }

  Config config_;
  Now now_{time_from_ms(1'770'000'000'000), Duration{1000}};
  std::unique_ptr<engine::Engine> engine_;
  CheckpointHead head_;
  rollup::testing::TempDir directory_;
};

TEST_F(CheckpointFileTest, ComesBackAsItWasWrittenByAChildAndAtOnce) {
  for (const bool at_once : {false, true}) {
    write(at_once);
    const auto read = read_checkpoint(posix_disk(), path());
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_TRUE(read->has_value());
    EXPECT_EQ((*read)->head.segment, 7U);
    EXPECT_EQ((*read)->head.feed, (FeedPosition{11, 12}));
    EXPECT_EQ((*read)->head.rules, head_.rules);
    EXPECT_EQ((*read)->engine, engine_->save());
    EXPECT_FALSE(std::filesystem::exists(path() + ".new"));
  }
}

TEST_F(CheckpointFileTest, NoFileIsNoCheckpoint) {
  const auto read = read_checkpoint(posix_disk(), path());
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->has_value());
}

TEST_F(CheckpointFileTest, EachDamageIsFound) {
  write(true);
  const std::string bytes = *posix_disk().read(path());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    std::ofstream(path(), std::ios::binary) << damaged;
    EXPECT_FALSE(read_checkpoint(posix_disk(), path())) << at;
    std::ofstream(path(), std::ios::binary) << bytes.substr(0, at);
    EXPECT_FALSE(read_checkpoint(posix_disk(), path())) << at;
  }
}

TEST_F(CheckpointFileTest, AFailureLeavesTheOldOne) {
  write(true);
  const std::string before = *posix_disk().read(path());
  std::filesystem::create_directory(path() + ".new");  // cannot be opened as a file
  CheckpointWriter writer(posix_disk(), path());
  ASSERT_TRUE(writer.begin(head_, *engine_, true));
  const auto done = writer.poll();
  ASSERT_TRUE(done.has_value());
  EXPECT_FALSE(done->has_value());
  EXPECT_EQ(*posix_disk().read(path()), before);
}

}  // namespace
}  // namespace rollup::journal

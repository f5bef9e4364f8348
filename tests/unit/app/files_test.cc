// Each file of the data directory damaged alone: what is in the others is there, and the log says
// what is lost. And files that an earlier version of the program left, which every later one reads.
#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/core.h"
#include "base/text.h"
#include "support/plans.h"
#include "support/temp_dir.h"

namespace rollup::app {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

const Time kBegin = parse_rfc3339("2026-04-04T12:00:00Z").value();
const std::string kTopic = "home/kitchen/temperature";
const SeriesKey kKey{"temperature", "ejabberd", kTopic, ""};

Config config() {
  Config config;
  config.timezone = "UTC";
  config.brokers = {"ejabberd"};
  config.streams = {rollup::testing::make_stream("temperature", "home/{room}/temperature")};
  config.streams[0].lateness = seconds(10);
  config.streams[0].keep = {kForever, kForever, kForever, kForever};
  Alert alert = rollup::testing::make_alert("hot", "temperature", "value > 30");
  alert.notify = {"alice@example.org"};
  config.alerts = {alert};
  return config;
}

// What spdlog writes while it lives.
class CapturedLog {
 public:
  CapturedLog() : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(out_)));
  }
  ~CapturedLog() { spdlog::set_default_logger(before_); }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;
  std::string text() const { return out_.str(); }

 private:
  std::ostringstream out_;
  std::shared_ptr<spdlog::logger> before_;
};

class Life {
 public:
  explicit Life(const std::string& directory) {
    auto core = Core::open({.directory = directory}, rollup::testing::compile(config()));
    EXPECT_TRUE(core) << core.error().message;
    if (core) {
      core_ = std::move(*core);
      const Now last = core_->engine().last();
      now_ = {std::max(last.wall, kBegin), last.uptime};
    }
  }

  // A sample each minute, and what comes due.
  void take(int count, double first) {
    for (int i = 0; i < count; ++i) {
      Message message;
      message.topic = kTopic;
      message.payload = std::to_string(first + i);
      message.arrival = now_.wall;
      core_->take(message);
      now_.wall += minutes(1);
      now_.uptime += minutes(1);
      EXPECT_TRUE(core_->finish_turn(now_));
      EXPECT_TRUE(core_->maintain(now_));
    }
  }

  std::size_t sealed_points() const {
    std::size_t count = 0;
    EXPECT_TRUE(core_->sealed().read(kKey, Time::min(), Time::max(), [&](const Point&) {
      ++count;
      return true;
    }));
    return count;
  }

  std::optional<double> value() const {
    const std::vector<SeriesId> found = core_->engine().find(kTopic);
    return found.empty() ? std::nullopt : core_->engine().current(found[0], now_).value;
  }

  Core& core() { return *core_; }

 private:
  std::unique_ptr<Core> core_;
  Now now_;
};

// Ten samples in archive and checkpoint, ten in the journal after it with an alarm of which nobody
// was told, a kill, another sample, and a kill.
void fill(const std::string& directory) {
  {
    Life run(directory);
    run.take(10, 11);
    EXPECT_TRUE(run.core().finish());
  }
  Life(directory).take(10, 31);
  Life(directory).take(1, 41);
}

enum class Damage { truncated, flipped, emptied, deleted };

void damage(const fs::path& file, Damage damage) {
  const auto size = fs::file_size(file);
  switch (damage) {
    case Damage::truncated:
      fs::resize_file(file, size / 2);
      return;
    case Damage::flipped: {
      // All of it that may matter: 64 bytes in the middle, and the first ones.
      std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
      out << "flipped!";
      out.seekp(static_cast<std::streamoff>(size / 2));
      out << std::string(64, '\xa5');
      return;
    }
    case Damage::emptied:
      fs::resize_file(file, 0);
      return;
    case Damage::deleted:
      fs::remove(file);
      return;
  }
}

struct Case {
  const char* file;
  std::size_t points;  // sealed samples that are there at least
};

TEST(FilesTest, EachFileDamagedAloneCostsNothingOfTheOthers) {
  // A sample is sealed ten seconds after its minute. Of 20, the archive has 9.
  const Case cases[] = {{"journal/3.log", 9}, {"checkpoint", 18}, {"archive.db", 10}};
  rollup::testing::TempDir whole;
  fill(whole.path().string());
  for (const Case& test : cases) {
    for (const Damage how :
         {Damage::truncated, Damage::flipped, Damage::emptied, Damage::deleted}) {
      SCOPED_TRACE(std::string(test.file) + " " + std::to_string(static_cast<int>(how)));
      rollup::testing::TempDir directory;
      fs::copy(whole.path(), directory.path(), fs::copy_options::recursive);
      damage(directory.path() / test.file, how);
      CapturedLog log;
      Life run(directory.path().string());
      EXPECT_GE(run.sealed_points(), test.points);
      EXPECT_EQ(run.value(), 41);  // the newest segment of the journal has it
      EXPECT_THAT(log.text(), HasSubstr(fs::path(test.file).filename().string()));
      // And it goes on.
      run.take(3, 50);
      EXPECT_TRUE(run.core().finish());
    }
  }
}

TEST(FilesTest, WholeFilesAreReadWithoutAWord) {
  rollup::testing::TempDir directory;
  fill(directory.path().string());
  CapturedLog log;
  Life run(directory.path().string());
  EXPECT_EQ(log.text(), "");
  EXPECT_EQ(run.sealed_points(), 20U);
  EXPECT_EQ(run.value(), 41);
}

TEST(FilesTest, FilesOfBeforeTheFirstReleaseAreMovedAside) {
  rollup::testing::TempDir directory;
  directory.write("history.db", "old");
  CapturedLog log;
  Life run(directory.path().string());
  EXPECT_THAT(log.text(), HasSubstr("history.db.unreadable-1"));
  EXPECT_TRUE(fs::exists(directory.file("history.db.unreadable-1")));
}

// The files in tests/data were written by the version in their name. With ROLLUP_KEEP_FILES set to
// a directory, this version's are written there.
TEST(FilesTest, FilesOfEarlierVersionsAreRead) {
  if (const char* keep = std::getenv("ROLLUP_KEEP_FILES")) {
    fill(keep);
    return;
  }
  for (const auto& version : fs::directory_iterator(ROLLUP_SOURCE_DIR "/tests/data")) {
    SCOPED_TRACE(version.path().string());
    rollup::testing::TempDir directory;
    fs::copy(version.path(), directory.path(), fs::copy_options::recursive);
    CapturedLog log;
    Life run(directory.path().string());
    EXPECT_EQ(log.text(), "");
    EXPECT_EQ(run.sealed_points(), 20U);
    EXPECT_EQ(run.value(), 41);
    ASSERT_EQ(run.core().undelivered().size(), 1U);
    EXPECT_EQ(run.core().undelivered()[0].second.to, std::vector<std::string>{"alice@example.org"});
    EXPECT_EQ(run.core().engine().alerts().size(), 1U);
  }
}

}  // namespace
}  // namespace rollup::app

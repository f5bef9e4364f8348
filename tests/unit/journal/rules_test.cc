#include "journal/rules.h"

#include <gtest/gtest.h>

#include <chrono>

namespace rollup::journal {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

// Nothing in it has the value that it would have by itself.
Config config() {
  Config config;
  config.timezone = "Europe/Berlin";
  config.language = "de";
  config.brokers = {"ejabberd", "other"};
  Output output;
  output.topic = "stats/{series}";
  output.format = OutputFormat::protobuf;
  output.window = minutes(5);
  output.every = minutes(1);
  output.statistic = Statistic::max;
  output.sparkline = Sparkline{hours(24), 48};
  output.on = PublishOn::change;
  output.deadband = 0.5;
  output.min_interval = minutes(2);
  output.heartbeat = hours(3);
  output.retain = false;
  output.qos = 0;
  output.expiry = kForever;
  output.broker = "other";
  Stream stream;
  stream.name = "temp";
  stream.topic = "home/{room}/temp";
  stream.broker = "ejabberd";
  stream.qos = 0;
  stream.format = PayloadFormat::text;
  stream.fields = {
      {"t", "/t", "°C", "Temperature", 0.1, -2, -40, 85, Kind::counter, Reset::wrap64}};
  stream.time = "/time";
  stream.resolution = minutes(1);
  stream.hold = minutes(10);
  stream.lateness = minutes(2);
  stream.keep = {hours(1), hours(2), hours(3), kForever};
  stream.publish = {output, output};
  config.streams = {stream};
  Alert alert{"hot",      "temp",     {{"room", "attic"}}, "value > 30", "value < 28",
              minutes(3), minutes(4), {"a@example.org"},   "hot!",       "alerts/{alert}"};
  config.alerts = {alert};
  config.limits = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  return config;
}

TEST(RulesTest, TheConfigurationComesBackWhole) {
  const Config before = config();
  const std::string bytes = encode_rules(before);
  const Result<Config> after = decode_rules(bytes);
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(encode_rules(*after), bytes);
  EXPECT_EQ(after->timezone, before.timezone);
  EXPECT_EQ(after->language, before.language);
  EXPECT_EQ(after->brokers, before.brokers);
  ASSERT_EQ(after->streams.size(), 1U);
  const Stream& stream = after->streams[0];
  EXPECT_EQ(stream.topic, "home/{room}/temp");
  EXPECT_EQ(stream.format, PayloadFormat::text);
  EXPECT_EQ(stream.hold, Duration(minutes(10)));
  EXPECT_EQ(stream.keep, before.streams[0].keep);
  ASSERT_EQ(stream.fields.size(), 1U);
  EXPECT_EQ(stream.fields[0].valid_low, -40);
  EXPECT_EQ(stream.fields[0].scale, 0.1);
  ASSERT_EQ(stream.publish.size(), 2U);
  EXPECT_EQ(stream.publish[0].statistic, Statistic::max);
  EXPECT_EQ(stream.publish[0].sparkline->points, 48U);
  EXPECT_EQ(stream.publish[0].expiry, kForever);
  ASSERT_EQ(after->alerts.size(), 1U);
  EXPECT_EQ(after->alerts[0].match, before.alerts[0].match);
  EXPECT_EQ(after->alerts[0].clear_for, Duration(minutes(4)));
  EXPECT_EQ(after->limits.alerts_per_rule, 9U);
  EXPECT_EQ(after->limits.topic, 4U);
}

TEST(RulesTest, OtherBytesAreAnError) {
  const Result<Config> read = decode_rules("\xff\xff\xff");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::storage);
}

}  // namespace
}  // namespace rollup::journal

// Every mistake in a configuration is told with its path and a way out.
#include "engine/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/plans.h"

namespace rollup::engine {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Field;
using ::testing::HasSubstr;
using testing::make_alert;
using testing::make_output;
using testing::make_stream;
using testing::try_compile;
using ::testing::UnorderedElementsAre;

class PlanTest : public ::testing::Test {
 protected:
  PlanTest() {
    config_.brokers = {"ejabberd", "garage"};
    config_.streams = {make_stream("temperature", "home/{room}/temperature"),
                       make_stream("door", "home/{room}/door")};
    config_.streams[0].publish = {make_output("stats/{series}")};
  }

  Stream& stream() { return config_.streams[0]; }
  Output& output() { return config_.streams[0].publish[0]; }
  Alert& add_alert(const std::string& raise) {
    return config_.alerts.emplace_back(make_alert("warm", "temperature", raise));
  }

  // The only mistake, as "path: message".
  std::string mistake(bool has_subscription_ids = true) const {
    const auto plan = try_compile(config_, has_subscription_ids);
    if (plan) {
      return "none";
    }
    std::string text;
    for (const Error& error : plan.error()) {
      EXPECT_EQ(error.code, ErrorCode::bad_config);
      text += error.place + ": " + error.message + "\n";
    }
    EXPECT_EQ(plan.error().size(), 1U) << text;
    return text;
  }

  void expect(const std::string& place, const std::vector<std::string>& parts) const {
    const std::string text = mistake();
    EXPECT_EQ(text.substr(0, place.size() + 2), place + ": ");
    for (const std::string& part : parts) {
      EXPECT_THAT(text, HasSubstr(part));
    }
  }

  Config config_;
};

TEST_F(PlanTest, AGoodConfigurationHasNone) {
  add_alert("value > 30 and door.value > 0");
  EXPECT_EQ(mistake(), "none");
}

TEST_F(PlanTest, FilterThatIsNoFilter) {
  stream().topic = "home/{room/temperature";
  expect("streams->temperature->topic", {});
}

TEST_F(PlanTest, LevelNameThatTemplatesUseOtherwise) {
  for (const std::string name :
       {"{series}", "{unit}", "{alert}", "{value}", "{limit}", "{severity}", "{since}"}) {
    stream().topic = "home/" + name + "/temperature";
    expect("streams->temperature->topic", {name});
  }
}

TEST_F(PlanTest, UnknownBrokerIsSuggested) {
  stream().broker = "garaeg";
  stream().publish.clear();
  expect("streams->temperature->broker", {"'garaeg'", "Did you mean garage?"});
}

TEST_F(PlanTest, UnknownBrokerOfAnOutput) {
  output().broker = "moon";
  expect("streams->temperature->publish->1->broker", {"'moon'", "There are: ejabberd, garage"});
}

TEST_F(PlanTest, ResolutionMustDivideAnHour) {
  stream().publish.clear();
  for (const Duration bad :
       {Duration{999}, Duration{seconds(7)}, Duration{hours(2)}, Duration{0}, Duration{-60'000}}) {
    stream().resolution = bad;
    expect("streams->temperature->resolution", {"1s to 1h"});
  }
  for (const Duration good : {Duration{seconds(1)}, Duration{minutes(12)}, Duration{hours(1)}}) {
    stream().resolution = good;
    EXPECT_EQ(mistake(), "none");
  }
}

TEST_F(PlanTest, WindowMustBeAMultipleOfTheResolution) {
  output().window = seconds(90);
  expect("streams->temperature->publish->1->window", {"multiple", "1m", "1m30s"});
}

TEST_F(PlanTest, EveryMustBeAMultipleOfTheResolution) {
  output().every = seconds(30);
  expect("streams->temperature->publish->1->every", {"multiple", "30s"});
}

TEST_F(PlanTest, EveryDoesNotMatterOnChange) {
  output().every = Duration{0};
  output().on = PublishOn::change;
  EXPECT_EQ(mistake(), "none");
}

TEST_F(PlanTest, WindowThatIsTooLongForTheMemory) {
  stream().resolution = seconds(1);
  output().every = seconds(1);
  output().window = hours(24);
  expect("streams->temperature->publish->1->window", {"1d", "20000", "coarser"});
  output().every = minutes(5);
  EXPECT_EQ(mistake(), "none");
}

TEST_F(PlanTest, SparklineMustHaveEqualPartsOfWholeBuckets) {
  output().sparkline = Sparkline{hours(24), 7};
  expect("streams->temperature->publish->1->sparkline", {"1d", "7"});
  output().sparkline = Sparkline{hours(24), 25};
  expect("streams->temperature->publish->1->sparkline", {"resolution", "57m36s"});
  output().sparkline = Sparkline{hours(1), 120};
  expect("streams->temperature->publish->1->sparkline", {"resolution"});
  output().sparkline = Sparkline{hours(1), 0};
  expect("streams->temperature->publish->1->sparkline->points", {});
  output().sparkline = Sparkline{hours(24), 24};
  EXPECT_EQ(mistake(), "none");
}

TEST_F(PlanTest, PointerWithABadEscape) {
  stream().fields[0].value = "/a~2b";
  expect("streams->temperature->value", {"'/a~2b'", "JSON Pointer"});
  stream().fields[0].value = "";
  stream().time = "~";
  expect("streams->temperature->time", {"JSON Pointer"});
}

TEST_F(PlanTest, BoundsOfValidTheWrongWayRound) {
  stream().fields[0].name = "temp";
  stream().fields[0].valid_low = 10;
  stream().fields[0].valid_high = -10;
  expect("streams->temperature->fields->temp->valid", {"above"});
}

TEST_F(PlanTest, AResetIsForCounters) {
  stream().fields[0].reset = Reset::wrap32;
  expect("streams->temperature->reset", {"kind: counter"});
  stream().fields[0].kind = Kind::counter;
  EXPECT_EQ(mistake(), "none");
}

TEST_F(PlanTest, AnOutputOfAStatisticThatTheSeriesDoesNotKeep) {  // SEMANTICS 10
  stream().fields[0].kind = Kind::counter;
  output().statistic = Statistic::avg;
  expect("streams->temperature->publish->1->statistic",
         {"a counter has no avg", "It has: count, increase, rate, resets"});
  output().statistic = Statistic::rate;
  EXPECT_EQ(mistake(), "none");
  stream().fields.emplace_back();
  stream().fields[0].name = "energy";
  stream().fields[1].name = "power";
  output().topic = "stats/{series}/{field}";
  expect("streams->temperature->publish->1->statistic", {"a gauge like 'power' has no rate"});
}

TEST_F(PlanTest, AConditionOnAStatisticThatTheSeriesDoesNotKeep) {  // SEMANTICS 10
  config_.streams[1].fields[0].kind = Kind::counter;
  Alert& alert = add_alert("increase(5m) > 3");
  expect("alerts->warm->raise", {"a gauge has no increase", "It has: avg, mean,"});
  alert.raise = "door.avg(5m) > 3";
  expect("alerts->warm->raise", {"a counter has no avg"});
  alert.raise = "value > 3 and door.resets(5m) > 3";
  alert.clear = "rate(1h) < 2";
  expect("alerts->warm->clear", {"a gauge has no rate"});
  alert.clear = "";
  EXPECT_EQ(mistake(), "none");
}

TEST_F(PlanTest, OfSeveralFieldsARuleNeedsOneThatKeepsWhatItReads) {  // SEMANTICS 10
  output().topic = "stats/{series}/{field}";
  stream().fields.emplace_back();
  stream().fields[0].name = "energy";
  stream().fields[0].kind = Kind::counter;
  stream().fields[1].name = "power";
  Alert& alert = add_alert("increase(5m) > 3");
  EXPECT_EQ(mistake(), "none");
  alert.match["field"] = "power";
  expect("alerts->warm->raise", {"a gauge like 'power' has no increase"});
}

TEST_F(PlanTest, ACounterIsNeverNegative) {  // SEMANTICS 3.2
  stream().fields[0].kind = Kind::counter;
  EXPECT_EQ(testing::compile(config_)->streams[0].config.fields[0].valid_low, 0);
  stream().fields[0].valid_low = 10;
  EXPECT_EQ(testing::compile(config_)->streams[0].config.fields[0].valid_low, 10);
}

TEST_F(PlanTest, OutputThatComesInAgain) {
  output().topic = "home/{room}/door";
  expect("streams->temperature->publish->1->topic",
         {"streams->door->topic", "come in again", "below another first level"});
}

TEST_F(PlanTest, NoOutputIsOutsideOfAFilterThatBeginsWithAWildcard) {
  config_.streams[1].topic = "{place}/{room}/door";
  output().topic = "stats/{room}/door";
  expect("streams->temperature->publish->1->topic",
         {"Begin the stream's filter with a fixed level"});
}

TEST_F(PlanTest, OutputThatMayComeInAgain) {
  config_.streams[1].topic = "stats/#";
  expect("streams->temperature->publish->1->topic", {"streams->door->topic"});
}

TEST_F(PlanTest, OutputOnAnotherBrokerDoesNotComeInAgain) {
  output().topic = "home/{room}/door";
  output().broker = "garage";
  EXPECT_EQ(mistake(), "none");
}

TEST_F(PlanTest, AlertTopicThatComesInAgain) {
  add_alert("value > 30").topic = "home/{room}/door";
  expect("alerts->warm->topic", {"streams->door->topic"});
}

TEST_F(PlanTest, OutputBelowTheModulesOwnTopics) {  // SEMANTICS 8.4
  for (const std::string topic : {"rollup/{series}", "rollup"}) {
    output().topic = topic;
    expect("streams->temperature->publish->1->topic", {"rollup/", "another first level"});
  }
}

TEST_F(PlanTest, AlertTopicBelowTheModulesOwnTopics) {  // SEMANTICS 8.4
  add_alert("value > 30").topic = "rollup/{alert}/{series}";
  expect("alerts->warm->topic", {"rollup/", "another first level"});
}

TEST_F(PlanTest, OneTopicForTwoOutputs) {
  stream().publish.push_back(output());
  stream().publish[1].window = minutes(5);
  expect("streams->temperature->publish->2->topic",
         {"stats/{series}", "streams->temperature->publish->1->topic"});
}

TEST_F(PlanTest, OneFixedTopicForOutputsOfTwoStreams) {
  output().topic = "stats/all";
  config_.streams[1].publish = {make_output("stats/all")};
  expect("streams->door->publish->1->topic", {"streams->temperature->publish->1->topic"});
}

TEST_F(PlanTest, OneTopicForAllFields) {
  stream().fields[0].name = "temp";
  stream().fields.emplace_back().name = "hum";
  output().topic = "stats/{room}";
  expect("streams->temperature->publish->1->topic", {"{field}"});
  output().topic = "stats/{room}/{field}";
  EXPECT_EQ(mistake(), "none");
}

TEST_F(PlanTest, UnknownNameInATemplate) {
  output().topic = "stats/{rom}";
  expect("streams->temperature->publish->1->topic", {"rom", "room"});
}

TEST_F(PlanTest, Mqtt311CannotTellOverlappingFiltersApart) {
  config_.streams[1].topic = "home/kitchen/+";
  EXPECT_EQ(mistake(true), "none");
  const std::string text = mistake(false);
  EXPECT_THAT(text, HasSubstr("streams->door->topic: "));
  EXPECT_THAT(text, HasSubstr("streams->temperature->topic"));
  EXPECT_THAT(text, HasSubstr("protocol: 5"));
}

TEST_F(PlanTest, Mqtt311CanTellFiltersApartOfWhichOneCoversTheOther) {
  config_.streams[1].topic = "home/kitchen/temperature";
  EXPECT_EQ(mistake(false), "none");
}

TEST_F(PlanTest, AlertOnAnUnknownStreamIsSuggested) {
  add_alert("value > 30").stream = "temprature";
  expect("alerts->warm->stream", {"'temprature'", "Did you mean temperature?"});
}

TEST_F(PlanTest, ConditionThatReadsAnUnknownStream) {
  add_alert("value > 30 and dor.value > 0");
  expect("alerts->warm->raise", {"'dor'", "Did you mean door?"});
}

TEST_F(PlanTest, ConditionThatIsNoCondition) {
  add_alert("value >");
  expect("alerts->warm->raise", {"column"});
  config_.alerts[0].raise = "value > 30";
  config_.alerts[0].clear = "valeu < 20";
  expect("alerts->warm->clear", {"value"});
}

TEST_F(PlanTest, RaiseAndClearThatMayBothBeTrue) {
  add_alert("value > 30").clear = "value < 31";
  expect("alerts->warm->clear", {"both be true", "not raise"});
  config_.alerts[0].clear = "value < 29";
  EXPECT_EQ(mistake(), "none");
}

TEST_F(PlanTest, MatchOfALevelThatTheTopicDoesNotHave) {
  add_alert("value > 30").match = {{"rom", "kitchen"}};
  expect("alerts->warm->match->rom", {"{rom}", "Did you mean room?"});
}

TEST_F(PlanTest, MatchOfATopicThatIsNoFilter) {
  add_alert("value > 30").match = {{"topic", "home/#/temperature"}};
  expect("alerts->warm->match->topic", {});
}

TEST_F(PlanTest, MatchOfAnUnknownField) {
  stream().fields[0].name = "temp";
  stream().fields.emplace_back().name = "hum";
  add_alert("value > 30").match = {{"field", "tmp"}};
  expect("alerts->warm->match->field", {"'tmp'", "Did you mean temp?"});
}

TEST_F(PlanTest, FunctionOverATimeThatIsTooLongForTheMemory) {
  add_alert("avg(1w) > 30");
  EXPECT_EQ(mistake(), "none");
  stream().resolution = seconds(1);
  stream().publish.clear();
  expect("alerts->warm->raise", {"1w", "20000"});
}

TEST_F(PlanTest, AllMistakesAreToldAtOnce) {
  stream().resolution = seconds(7);
  config_.streams[1].broker = "moon";
  config_.streams[1].topic = "home/#/door";
  const auto plan = try_compile(config_);
  ASSERT_FALSE(plan.has_value());
  EXPECT_THAT(plan.error(),
              UnorderedElementsAre(Field(&Error::place, "streams->temperature->resolution"),
                                   Field(&Error::place, "streams->door->broker"),
                                   Field(&Error::place, "streams->door->topic")));
}

TEST_F(PlanTest, ReferencesShareTheNamesOfBothTopics) {
  config_.streams[1].topic = "house/{floor}/{room}/door";
  add_alert("value > 30 and door.value > 0");
  const auto plan = try_compile(config_);
  ASSERT_TRUE(plan.has_value());
  const AlertPlan& alert = plan->alerts[0];
  ASSERT_EQ(alert.raise_references.size(), 2U);
  EXPECT_TRUE(alert.raise_references[0].is_own);
  EXPECT_FALSE(alert.raise_references[1].is_own);
  EXPECT_EQ(alert.raise_references[1].stream, 1U);
  EXPECT_EQ(alert.raise_references[1].shared_names, std::vector<std::string>{"room"});
  EXPECT_EQ(plan->streams[0].alerts, std::vector<AlertIndex>{0});
  EXPECT_EQ(plan->streams[1].readers, std::vector<AlertIndex>{0});
}

}  // namespace
}  // namespace rollup::engine

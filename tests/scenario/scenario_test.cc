// Each scenario is a test, named after its file and its title.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "scenario/run.h"

namespace rollup::testing {

void PrintTo(const Scenario& scenario, std::ostream* out) { *out << scenario.title; }

namespace {

std::vector<Scenario> all_scenarios() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(ROLLUP_SCENARIO_DIR)) {
    if (entry.path().extension() == ".scenario") {
      paths.push_back(entry.path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Scenario> all;
  for (const std::string& path : paths) {
    std::vector<Scenario> scenarios = read_scenarios(path);
    std::move(scenarios.begin(), scenarios.end(), std::back_inserter(all));
  }
  return all;
}

std::string test_name(const ::testing::TestParamInfo<Scenario>& info) {
  std::string name = info.param.file.substr(0, info.param.file.rfind('.')) + " " + info.param.title;
  for (char& c : name) {
    c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  }
  return name;
}

class ScenarioTest : public ::testing::TestWithParam<Scenario> {
 protected:
  static void run(Play how) {
    const Scenario& scenario = GetParam();
    if (!scenario.error.empty()) {
      FAIL() << scenario.error;
    }
    for (const Failure& failure : play(scenario, how)) {
      ADD_FAILURE_AT(scenario.path.c_str(), failure.line) << failure.message;
    }
  }
};

// What a kill forgets is the point of the others.
std::vector<Scenario> scenarios_without_kill() {
  std::vector<Scenario> scenarios = all_scenarios();
  std::erase_if(scenarios, [](const Scenario& scenario) {
    return std::any_of(scenario.steps.begin(), scenario.steps.end(),
                       [](const Step& step) { return step.verb == "kill"; });
  });
  return scenarios;
}

class ScenarioRestartTest : public ScenarioTest {};

TEST_P(ScenarioTest, GoesAsWritten) { run(Play::as_written); }
TEST_P(ScenarioTest, CanBeReplayed) { run(Play::with_replays); }
TEST_P(ScenarioRestartTest, GoesThatWayWithRestarts) { run(Play::with_restarts); }

INSTANTIATE_TEST_SUITE_P(Scenarios, ScenarioTest, ::testing::ValuesIn(all_scenarios()), test_name);
INSTANTIATE_TEST_SUITE_P(Scenarios, ScenarioRestartTest,
                         ::testing::ValuesIn(scenarios_without_kill()), test_name);

}  // namespace
}  // namespace rollup::testing

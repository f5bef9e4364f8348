// ROLLUP_SEED=n runs one seed, ROLLUP_SEEDS=n so many fresh ones.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "simulation/simulation.h"

namespace rollup::testing {
namespace {

std::uint64_t number_in(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void run_seed(std::uint64_t seed) {
  const std::string fault = Simulation(seed).run();
  EXPECT_EQ(fault, "") << "ROLLUP_SEED=" << seed << " runs it again";
}

class SimulationTest : public ::testing::Test {
 protected:
  void SetUp() override { spdlog::set_level(spdlog::level::off); }
};

// Seeds that once found something, and a few more.
TEST_F(SimulationTest, NothingIsLostAndNothingCountedTwiceWithKnownSeeds) {
  for (std::uint64_t seed = 1; seed <= 200 && !HasFailure(); ++seed) {
    run_seed(seed);
  }
}

// Others each day, the same all day long.
TEST_F(SimulationTest, NothingIsLostAndNothingCountedTwiceWithSeedsOfTheDay) {
  if (std::getenv("ROLLUP_SEED") != nullptr) {
    run_seed(number_in("ROLLUP_SEED", 0));
    return;
  }
  const auto day = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  const auto first = static_cast<std::uint64_t>(day.time_since_epoch().count()) * 1'000'000;
  const std::uint64_t count = number_in("ROLLUP_SEEDS", 300);
  for (std::uint64_t seed = first; seed < first + count && !HasFailure(); ++seed) {
    run_seed(seed);
  }
}

}  // namespace
}  // namespace rollup::testing

// ROLLUP_SEED=n runs one seed; ROLLUP_SEEDS=n so many fresh ones instead of 5000.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>

#include "simulation/simulation.h"

namespace rollup::testing {
namespace {

std::optional<std::uint64_t> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? std::nullopt : std::optional(std::strtoull(text, nullptr, 10));
}

void run_seed(std::uint64_t seed) {
  const std::string fault = Simulation(seed).run();
  EXPECT_EQ(fault, "") << "ROLLUP_SEED=" << seed << " runs it again";
}

// So that they run side by side.
constexpr std::uint64_t kShards = 10;

class SimulationTest : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  void SetUp() override { spdlog::set_level(spdlog::level::off); }
};

// Others each day, the same all day long.
TEST_P(SimulationTest, NothingIsLostAndNothingIsCountedTwice) {
  if (const auto seed = number_in("ROLLUP_SEED")) {
    run_seed(*seed);
    return;
  }
  const auto day = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  const auto first = static_cast<std::uint64_t>(day.time_since_epoch().count()) * 1'000'000;
  const std::uint64_t count = number_in("ROLLUP_SEEDS").value_or(5000) / kShards;
  for (std::uint64_t seed = 0; seed < count && !HasFailure(); ++seed) {
    run_seed(first + seed * kShards + GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(Shard, SimulationTest, ::testing::Range<std::uint64_t>(0, kShards));

// The same on every day. A seed that finds a bug is added here.
TEST(SimulationFixedTest, NothingIsLostAndNothingIsCountedTwice) {
  spdlog::set_level(spdlog::level::off);
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    run_seed(seed);
  }
  run_seed(20'782'000'442);
  run_seed(20'785'002'677);
}

}  // namespace
}  // namespace rollup::testing

// An engine with the shell's part around it: two clocks, turns, the journal, checkpoints, restarts.
//
//   World world(config, start);
//   world.send("home/a/temp", "21.5");
//   world.advance_to(std::chrono::minutes(2));   // event by event, as the program sleeps
//   world.log()                                  // what came out, and when
//
// Times on the outside are what a steady clock shows since the start. The wall clock is set with
// jump(); uptime stands still while the program is down.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/intake.h"
#include "journal/turn.h"
#include "model/config.h"

namespace rollup::testing {

// An effect, and by what names it is known outside. Names are taken when it comes out: numbers
// change with the configuration.
struct Recorded {
  Duration at{0};
  std::string kind;     // "publish", "alert", "notify", "seal"
  std::string subject;  // concrete topic; alert and series; tier and series
  Effect effect;
};

// Aborts the test program if the configuration has mistakes.
std::shared_ptr<const engine::Plan> plan_of(const Config& config);

class World {
 public:
  World(const Config& config, Time start);

  Duration elapsed() const { return elapsed_; }
  Now now() const { return {start_ + elapsed_ + jumped_, elapsed_ - down_}; }
  Time start() const { return start_; }

  // One message is one turn.
  void send(const std::string& topic, const std::string& payload, bool is_retained = false);

  // Lets time pass, and does what is due at its very time; `stepping` false: only at the end.
  void advance_to(Duration elapsed, bool stepping = true);

  // Sets the wall clock forward or back.
  void jump(Duration by);

  // A clean end and a new start, `down` later.
  void restart(Duration down);
  // A new start from the last checkpoint (the beginning, if there was none) and the journal since
  // then.
  void kill(Duration down);
  void checkpoint();
  // The engine goes on with another configuration.
  void reload(const Config& config);
  void republish();

  // What a new program would make of the last checkpoint and the journal, if it started now.
  engine::Engine replayed() const;

  engine::Engine& engine() { return *engine_; }
  const engine::Engine& engine() const { return *engine_; }
  const std::vector<Recorded>& log() const { return log_; }
  // Mistakes that every engine must be free of, found on the way.
  const std::vector<std::string>& faults() const { return faults_; }

 private:
  void turn();
  void replace_engine(std::unique_ptr<engine::Engine> engine);
  void record(const Effects& effects);
  void check_counters();

  std::shared_ptr<const engine::Plan> plan_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<engine::Intake> intake_;
  Time start_;
  Duration elapsed_{0};
  Duration jumped_{0};
  Duration down_{0};
  std::vector<Sample> samples_;
  std::vector<engine::NewSeries> created_;
  Effects effects_;
  std::vector<std::string> checkpoint_;
  std::vector<std::string> journal_;
  journal::TurnWriter writer_;
  std::vector<Recorded> log_;
  std::vector<std::string> faults_;
};

}  // namespace rollup::testing

// One run of the production program, all but its descriptors and clocks, against a simulated node,
// clock, disk and pipe, with faults; everything follows from the seed. In the end the faults stop,
// everything is let through, and what the history answers is compared with what was published.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "app/session.h"
#include "simulation/disk.h"
#include "simulation/erlang_side.h"
#include "support/temp_dir.h"

namespace rollup::testing {

// What a seed may do to the program. Each seed has some of them, so that rare pairs meet.
struct Chaos {
  bool kills = false;        // also in the middle of a write
  bool power_cuts = false;   // with what was not synced
  bool disk_faults = false;  // full, and short writes
  bool stops = false;        // the program is not scheduled for a while
  bool slow_pipe = false;    // bytes trickle, frames are cut
  bool slow_reader = false;  // what the program writes is not read for a while
  bool slow_node = false;    // the feed's process does nothing for a while
  bool reloads = false;
  bool node_restarts = false;  // in order: the queue is kept
  bool clock_steps = false;    // the wall clock is set
  bool full_sync = false;
  bool losses = false;        // Erlang's queue is full now and then
  bool feed_crashes = false;  // the feed begins anew while the program runs
  bool gaps = false;          // numbers of the feed are left out
  bool singles = false;       // some runs get their backlog one by one
  bool retained = false;      // some messages are retained copies
};

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed);
  ~Simulation();

  // The first thing that was wrong, or "".
  std::string run();

 private:
  class SimClock;
  class SimOutlet;
  class SimLinks;

  struct Sent {
    std::uint64_t epoch = 0;
    std::uint64_t number = 0;
    std::string topic;
    double value = 0;
    Time arrival;
  };

  std::int64_t pick(std::int64_t low, std::int64_t high);
  bool chance(int percent);
  Time wall() const { return start_ + now_ + jumped_; }

  port::Term config() const;
  void start_program();
  void end_program(bool in_order);
  void act();
  void publish();
  void publish_other();
  void pass(Duration time);
  // Moves bytes and lets the program work.
  void step();
  void handle_death();
  void cut_power();
  void forget_what_was_not_committed();
  // A new program says what it has of the other broker; later, what it can lose no more.
  void count_others();
  void settle();

  void check();
  void check_series(const std::string& topic, const std::vector<Sent>& all, bool is_exact);
  void check_alarms();
  void check_publications();
  void check_counters();
  std::optional<port::Term> ask(const port::Term& question);
  // Past the pipe: answered at once, and the program is as before.
  port::Term ask_at_once(const port::Term& question);
  void fault(const std::string& what);

  std::mt19937_64 random_;
  Chaos chaos_;
  TempDir directory_;
  Time start_;
  Duration now_{0};
  Duration jumped_{0};
  Duration resolution_{1000};
  Duration lateness_{2000};
  std::uint64_t epoch_ = 1;
  std::uint64_t number_ = 0;  // of the newest message in the epoch
  bool is_reloaded_ = false;
  bool is_feed_first_ = true;  // of the brokers
  bool has_other_ = true;      // a broker beside the feed

  std::unique_ptr<SimClock> clock_;
  std::unique_ptr<SimOutlet> outlet_;
  std::unique_ptr<SimLinks> links_;
  std::unique_ptr<mqtt::Inbox> inbox_;
  std::unique_ptr<app::Session> session_;
  ErlangSide erlang_;
  port::FrameSplitter splitter_;
  Duration stopped_until_{0};
  Duration unread_until_{0};
  Duration held_until_{0};  // Erlang's side
  Duration down_until_{0};
  bool is_settling_ = false;
  bool had_power_cut_ = false;
  bool lost_order_ = false;  // an oracle that needs every message in its time has no say
  bool was_clock_set_ = false;
  bool is_cut_ = false;  // the next program says what is left

  std::vector<Sent> sent_;
  // What came from the other broker, without what ends of the program took.
  std::vector<Sent> others_;
  std::size_t others_safe_ = 0;    // of them, the first so many are committed
  bool are_others_known_ = false;  // this program has said what it has
  std::string refusal_;            // the last error of an answer
  std::string fault_;
};

}  // namespace rollup::testing

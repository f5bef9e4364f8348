#include "scenario/run.h"

#include <map>

#include "base/text.h"
#include "scenario/facts.h"
#include "scenario/world.h"

namespace rollup::testing {

namespace {

using Kind = std::pair<std::string, std::string>;

class Player {
 public:
  Player(const Scenario& scenario, Play how)
      : scenario_(scenario),
        how_(how),
        config_(scenario.config),
        world_(scenario.config, scenario.start) {}

  std::vector<Failure> play() {
    for (const Step& step : scenario_.steps) {
      pass_time(step.at);
      if (const std::string error = perform(step); !error.empty()) {
        failures_.push_back({step.line, error});
      }
      if (how_ == Play::with_restarts) {
        world_.restart(Duration{0});
      } else if (how_ == Play::with_replays) {
        compare_replay(step);
      }
    }
    if (!scenario_.expectations.empty()) {
      pass_time(scenario_.expectations.back().at);
    }
    compare();
    for (const std::string& fault : world_.faults()) {
      failures_.push_back({scenario_.line, fault});
    }
    return failures_;
  }

 private:
  void pass_time(Duration to) {
    while (how_ == Play::with_restarts) {
      const auto wait = world_.engine().next_deadline(world_.now());
      if (!wait || world_.elapsed() + *wait >= to || !world_.faults().empty()) {
        break;
      }
      world_.advance_to(world_.elapsed() + *wait);
      world_.restart(Duration{0});
    }
    world_.advance_to(to);
  }

  std::string perform(const Step& step) {
    const std::string& verb = step.verb;
    const std::vector<std::string>& words = step.words;
    if (verb == "send" || verb == "retained") {
      world_.send(words.at(0), with_times(step.rest), verb == "retained");
    } else if (verb == "clock") {
      const bool is_back = words.at(0)[0] == '-';
      const Duration by = parse_duration(words[0].substr(1)).value();
      world_.jump(is_back ? -by : by);
    } else if (verb == "restart" || verb == "kill") {
      const Duration down = words.empty() ? Duration{0} : parse_duration(words.at(1)).value();
      verb == "kill" ? world_.kill(down) : world_.restart(down);
    } else if (verb == "checkpoint") {
      world_.checkpoint();
    } else if (verb == "republish") {
      world_.republish();
    } else if (verb == "reload") {
      const std::string error = configure(config_, words);
      world_.reload(config_);
      return error;
    } else if (verb == "end") {
      return "";
    } else {
      return ask(verb, words);
    }
    return "";
  }

  // When a clock was set is in no journal.
  void compare_replay(const Step& step) {
    is_clock_set_ |= step.verb == "clock";
    if (is_clock_set_) {
      return;
    }
    engine::Engine replayed = world_.replayed();
    Effects effects;
    replayed.advance(world_.now(), effects);
    if (replayed.save() != world_.engine().save()) {
      failures_.push_back({step.line, "the journal leads to another state"});
    }
  }

  // Facts that are asked for, rather than told by an effect.
  std::string ask(const std::string& verb, const std::vector<std::string>& words) {
    if (verb == "counters" && how_ == Play::with_restarts) {
      return "";  // they count from the start of the program
    }
    if (verb == "counters") {
      const Counters* counters = counters_of(words.at(0));
      return counters == nullptr ? "no stream is called '" + words[0] + "'"
                                 : compared(words, 1, facts_of(*counters));
    }
    if (verb == "current") {
      return compared(
          words, 1,
          facts_of(world_.engine().current(series(words.at(0)), world_.now()), world_.start()));
    }
    if (verb == "open") {
      return open(words);
    }
    if (verb == "alerts") {
      const std::size_t count = world_.engine().alerts().size();
      return std::to_string(count) == words.at(0) ? "" : "got " + std::to_string(count);
    }
    if (verb == "series") {
      const bool is_there = !world_.engine().find(words.at(0)).empty();
      return is_there ? "" : "it does not exist";
    }
    return "no line has the verb '" + verb + "'";
  }

  // "open fine home/a/temp 0s..1m count=3", or "... none".
  std::string open(const std::vector<std::string>& words) {
    const Tier tier = words.at(0) == "day"    ? Tier::day
                      : words.at(0) == "hour" ? Tier::hour
                                              : Tier::fine;
    const auto buckets = world_.engine().open_buckets(series(words.at(1)), tier, Time::min(),
                                                      Time::max(), world_.now());
    std::string got;
    for (const Bucket& bucket : buckets) {
      const Facts facts = facts_of(bucket, world_.start());
      if (mismatch({words.at(2)}, facts, world_.start()).empty()) {
        return compared(words, 3, facts);
      }
      got += "\n  " + to_text(facts);
    }
    return words.at(2) == "none" && got.empty() ? "" : "got" + (got.empty() ? " none" : got);
  }

  std::string compared(const std::vector<std::string>& words, std::size_t first,
                       const Facts& facts) const {
    const std::vector<std::string> expected(words.begin() + static_cast<std::ptrdiff_t>(first),
                                            words.end());
    const std::string wrong = mismatch(expected, facts, world_.start());
    return wrong.empty() ? "" : "expected " + wrong + "\ngot " + to_text(facts);
  }

  const Counters* counters_of(const std::string& stream) const {
    const engine::Engine& engine = world_.engine();
    for (StreamIndex i = 0; i < engine.plan().streams.size(); ++i) {
      if (engine.plan().streams[i].config.name == stream) {
        return &engine.ledger().stream(i);
      }
    }
    return stream == "-" ? &engine.ledger().unrouted() : nullptr;
  }

  SeriesId series(const std::string& name) const {
    const std::vector<SeriesId> found = world_.engine().find(name);
    return found.at(0);
  }

  // "@30s" becomes the RFC 3339 time 30 s after the start.
  std::string with_times(const std::string& payload) const {
    std::string text;
    for (std::size_t at = 0; at < payload.size(); ++at) {
      if (payload[at] != '@') {
        text += payload[at];
        continue;
      }
      const std::size_t end =
          std::min(payload.find_first_not_of("-0123456789smhd", at + 1), payload.size());
      const auto time = parse_time(payload.substr(at + 1, end - at - 1), world_.start());
      text += time ? format_rfc3339(*time) : payload.substr(at, end - at);
      at = end - 1;
    }
    return text;
  }

  std::string told(const Recorded& recorded) const {
    return format_duration(recorded.at) + " " + recorded.kind + " " + recorded.subject + " " +
           to_text(facts_of(recorded.effect, world_.start()));
  }

  void compare() {
    std::map<Kind, std::vector<const Expectation*>> expected;
    std::map<Kind, std::vector<const Recorded*>> got;
    for (const Expectation& each : scenario_.expectations) {
      expected[{each.kind, each.subject}].push_back(&each);
    }
    for (const Kind& kind : scenario_.never) {
      expected[kind];
    }
    for (const Recorded& each : world_.log()) {
      got[{each.kind, each.subject}].push_back(&each);
    }
    for (const auto& [kind, lines] : expected) {
      compare(kind, lines, got[kind]);
    }
  }

  void compare(const Kind& kind, const std::vector<const Expectation*>& expected,
               const std::vector<const Recorded*>& got) {
    for (std::size_t i = 0; i < std::max(expected.size(), got.size()); ++i) {
      if (i == got.size()) {
        failures_.push_back(
            {expected[i]->line, "nothing more of " + kind.first + " " + kind.second + " came out"});
        return;
      }
      if (i == expected.size()) {
        failures_.push_back({expected.empty() ? scenario_.line : expected.back()->line,
                             "not expected after this: " + told(*got[i])});
        return;
      }
      const std::string wrong =
          expected[i]->at != got[i]->at
              ? format_duration(expected[i]->at)
              : mismatch(expected[i]->facts, facts_of(got[i]->effect, world_.start()),
                         world_.start());
      if (!wrong.empty()) {
        failures_.push_back({expected[i]->line, "expected " + wrong + "\ngot " + told(*got[i])});
        return;
      }
    }
  }

  const Scenario& scenario_;
  Play how_;
  Config config_;
  World world_;
  bool is_clock_set_ = false;
  std::vector<Failure> failures_;
};

}  // namespace

std::vector<Failure> play(const Scenario& scenario, Play how) {
  return Player(scenario, how).play();
}

}  // namespace rollup::testing

// The language of scenario files; README.md describes it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/config.h"

namespace rollup::testing {

// A line that begins with a time: something that is done, or a fact that is asked for.
struct Step {
  int line = 0;
  Duration at{0};
  std::string verb;
  std::vector<std::string> words;  // after the verb
  std::string rest;                // of the line, after the first word
};

// A line that tells an effect, with the time at which it comes out.
struct Expectation {
  int line = 0;
  Duration at{0};
  std::string kind;     // as Recorded::kind
  std::string subject;  // as Recorded::subject
  std::vector<std::string> facts;
};

struct Scenario {
  std::string file;  // base name
  std::string path;
  int line = 0;
  std::string title;
  Config config;
  Time start;
  std::vector<Step> steps;  // ascending in time
  std::vector<Expectation> expectations;
  // Kinds with their subjects of which nothing may come out, beyond what is expected.
  std::set<std::pair<std::string, std::string>> never;
  // Why it cannot be read, with the place; empty if it can.
  std::string error;
};

// All scenarios of a file. What cannot be read is a scenario with an error.
std::vector<Scenario> read_scenarios(const std::string& path);

// Changes a configuration as a line of it says: "stream temp topic ...", "output ...", "alert ...".
// The error, or "".
std::string configure(Config& config, const std::vector<std::string>& words);

// "1m30s" after `start`, "-5m", or an RFC 3339 time.
std::optional<Time> parse_time(const std::string& text, Time start);

std::optional<double> parse_number(const std::string& text);

}  // namespace rollup::testing

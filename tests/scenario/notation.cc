#include "scenario/notation.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>

#include "base/text.h"

namespace rollup::testing {

namespace {

using std::chrono::hours;

// Blanks separate words; a word may stand in double quotes.
std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == ' ') {
      ++at;
      continue;
    }
    const bool is_quoted = text[at] == '"';
    const std::size_t begin = is_quoted ? at + 1 : at;
    const std::size_t end = std::min(text.find(is_quoted ? '"' : ' ', begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    at = end + 1;
  }
  return words;
}

// What follows the first `count` words.
std::string after(const std::string& text, int count) {
  std::size_t at = text.find_first_not_of(' ');
  for (int i = 0; i < count && at != std::string::npos; ++i) {
    at = text.find_first_not_of(' ', text.find(' ', at));
  }
  return at == std::string::npos ? "" : text.substr(at);
}

using Setters = std::map<std::string, std::function<bool(const std::string&)>>;

bool set_duration(Duration& to, const std::string& text) {
  const std::optional<Duration> duration = parse_duration(text);
  to = duration.value_or(Duration{0});
  return duration.has_value();
}

bool set_number(double& to, const std::string& text) {
  const std::optional<double> number = parse_number(text);
  to = number.value_or(0);
  return number.has_value();
}

// `words` from `first` on: options, each with its value.
std::string set_options(const Setters& setters, const std::vector<std::string>& words,
                        std::size_t first) {
  for (std::size_t i = first; i < words.size(); i += 2) {
    const auto setter = setters.find(words[i]);
    if (setter == setters.end()) {
      return "no option is called '" + words[i] + "'";
    }
    if (i + 1 == words.size() || !setter->second(words[i + 1])) {
      return "'" + words[i] + "' has no value, or a wrong one";
    }
  }
  return "";
}

std::string configure_stream(Config& config, const std::vector<std::string>& words) {
  const auto is_same = [&](const Stream& stream) { return stream.name == words[1]; };
  auto found = std::find_if(config.streams.begin(), config.streams.end(), is_same);
  if (found == config.streams.end()) {
    Stream stream;
    stream.name = words[1];
    stream.broker = config.brokers.front();
    stream.resolution = std::chrono::minutes(1);
    stream.lateness = std::chrono::minutes(5);
    stream.keep = {hours(48), hours(24 * 30), hours(24 * 365), kForever};
    stream.fields.emplace_back();
    found = config.streams.insert(config.streams.end(), stream);
  }
  Stream& stream = *found;
  Field& field = stream.fields.front();
  return set_options(
      {{"topic", [&](const auto& v) { return !(stream.topic = v).empty(); }},
       {"resolution", [&](const auto& v) { return set_duration(stream.resolution, v); }},
       {"lateness", [&](const auto& v) { return set_duration(stream.lateness, v); }},
       {"hold",
        [&](const auto& v) {
          stream.hold = v == "auto" ? std::nullopt : parse_duration(v);
          return v == "auto" || stream.hold;
        }},
       {"value", [&](const auto& v) { return !(field.value = v).empty(); }},
       {"time", [&](const auto& v) { return !(stream.time = v).empty(); }},
       {"kind",
        [&](const auto& v) {
          field.kind = v == "counter" ? Kind::counter : Kind::gauge;
          return true;
        }},
       {"reset",
        [&](const auto& v) {
          field.reset = v == "wrap32" ? Reset::wrap32 : v == "wrap64" ? Reset::wrap64 : Reset::zero;
          return true;
        }},
       {"scale", [&](const auto& v) { return set_number(field.scale, v); }},
       {"offset", [&](const auto& v) { return set_number(field.offset, v); }},
       {"format",
        [&](const auto& v) {
          stream.format = v == "json"   ? PayloadFormat::json
                          : v == "text" ? PayloadFormat::text
                                        : PayloadFormat::automatic;
          return true;
        }},
       {"valid",
        [&](const auto& v) {
          const std::size_t dots = v.find("..");
          if (dots == std::string::npos) {
            return false;
          }
          field.valid_low = parse_number(v.substr(0, dots));
          field.valid_high = parse_number(v.substr(dots + 2));
          return field.valid_low && field.valid_high;
        }},
       {"fields",
        [&](const auto& v) {
          stream.fields.clear();
          for (std::size_t at = 0; at < v.size();) {
            const std::size_t comma = std::min(v.find(',', at), v.size());
            Field& named = stream.fields.emplace_back();
            named.name = v.substr(at, comma - at);
            named.value = "/" + named.name;
            at = comma + 1;
          }
          return !stream.fields.empty();
        }}},
      words, 2);
}

std::string configure_output(Config& config, const std::vector<std::string>& words) {
  if (words.size() < 3) {
    return "an output needs a stream and a topic";
  }
  const auto stream = std::find_if(config.streams.begin(), config.streams.end(),
                                   [&](const Stream& each) { return each.name == words[1]; });
  if (stream == config.streams.end()) {
    return "no stream is called '" + words[1] + "'";
  }
  auto found = std::find_if(stream->publish.begin(), stream->publish.end(),
                            [&](const Output& each) { return each.topic == words[2]; });
  if (found == stream->publish.end()) {
    Output output;
    output.topic = words[2];
    output.window = hours(1);
    output.every = stream->resolution;
    output.heartbeat = hours(1);
    output.broker = stream->broker;
    found = stream->publish.insert(stream->publish.end(), output);
  }
  Output& output = *found;
  return set_options(
      {{"window", [&](const auto& v) { return set_duration(output.window, v); }},
       {"every", [&](const auto& v) { return set_duration(output.every, v); }},
       {"deadband", [&](const auto& v) { return set_number(output.deadband, v); }},
       {"min_interval", [&](const auto& v) { return set_duration(output.min_interval, v); }},
       {"heartbeat", [&](const auto& v) { return set_duration(output.heartbeat, v); }},
       {"on",
        [&](const auto& v) {
          output.on = v == "change"  ? PublishOn::change
                      : v == "close" ? PublishOn::close
                                     : PublishOn::interval;
          return v == "change" || v == "close" || v == "interval";
        }},
       {"sparkline",
        [&](const auto& v) {
          const std::size_t slash = v.find('/');
          Sparkline& sparkline = output.sparkline.emplace();
          sparkline.points = static_cast<std::uint32_t>(std::atoi(v.c_str() + slash + 1));
          return slash != std::string::npos && set_duration(sparkline.span, v.substr(0, slash));
        }}},
      words, 3);
}

std::string configure_alert(Config& config, const std::vector<std::string>& words) {
  auto found = std::find_if(config.alerts.begin(), config.alerts.end(),
                            [&](const Alert& each) { return each.name == words[1]; });
  if (found == config.alerts.end()) {
    Alert alert;
    alert.name = words[1];
    alert.topic = "alerts/{alert}/{series}";
    found = config.alerts.insert(config.alerts.end(), alert);
  }
  Alert& alert = *found;
  return set_options(
      {{"stream", [&](const auto& v) { return !(alert.stream = v).empty(); }},
       {"raise", [&](const auto& v) { return !(alert.raise = v).empty(); }},
       {"clear", [&](const auto& v) { return !(alert.clear = v).empty(); }},
       {"topic", [&](const auto& v) { return !(alert.topic = v).empty(); }},
       {"for", [&](const auto& v) { return set_duration(alert.raise_for, v); }},
       {"clear_for", [&](const auto& v) { return set_duration(alert.clear_for, v); }},
       {"match",
        [&](const auto& v) {
          const std::size_t equals = v.find('=');
          alert.match[v.substr(0, equals)] = v.substr(equals + 1);
          return equals != std::string::npos;
        }}},
      words, 2);
}

// "20" "_" "20x3" (three times 20) "20+1.5x3" (20 21.5 23) "20-1x3".
std::optional<std::vector<std::optional<double>>> parse_values(const std::string& word) {
  const std::size_t times = word.find('x');
  const int count = times == std::string::npos ? 1 : std::atoi(word.c_str() + times + 1);
  const std::string pattern = word.substr(0, times);
  if (count < 1) {
    return std::nullopt;
  }
  if (pattern == "_") {
    return std::vector<std::optional<double>>(static_cast<std::size_t>(count));
  }
  const std::size_t sign = pattern.find_first_of("+-", 1);
  const std::optional<double> first = parse_number(pattern.substr(0, sign));
  const std::optional<double> step =
      sign == std::string::npos ? std::optional<double>(0) : parse_number(pattern.substr(sign));
  if (!first || !step) {
    return std::nullopt;
  }
  std::vector<std::optional<double>> values;
  for (int i = 0; i < count; ++i) {
    values.emplace_back(*first + *step * i);
  }
  return values;
}

class Reader {
 public:
  Reader(std::string path, std::vector<Scenario>& scenarios)
      : path_(std::move(path)), scenarios_(scenarios) {
    common_.path = path_;
    common_.file = path_.substr(path_.rfind('/') + 1);
    common_.start = *parse_rfc3339("2026-01-05T00:00:00Z");
    common_.config.brokers = {"ejabberd"};
  }

  void read() {
    std::ifstream in(path_);
    for (std::string line; std::getline(in, line);) {
      ++line_;
      const std::string text = after(line, 0);
      if (!text.empty() && text[0] != '#') {
        read_line(text);
      }
    }
    for (Scenario& scenario : scenarios_) {
      std::stable_sort(scenario.steps.begin(), scenario.steps.end(),
                       [](const Step& a, const Step& b) { return a.at < b.at; });
    }
  }

 private:
  void read_line(const std::string& text) {
    const std::vector<std::string> words = split(text);
    if (words[0] == "scenario") {
      scenarios_.push_back(common_);
      scenarios_.back().line = line_;
      scenarios_.back().title = after(text, 1);
      last_ = Duration{0};
      return;
    }
    Scenario& scenario = scenarios_.empty() ? common_ : scenarios_.back();
    const std::optional<Duration> at = parse_duration(words[0]);
    std::string error;
    if (at) {
      error = *at < last_ ? "the time goes back" : read_event(scenario, *at, words, text);
      last_ = std::max(last_, *at);
    } else {
      error = read_setting(scenario, words);
    }
    if (!error.empty() && scenario.error.empty()) {
      scenario.error = path_ + ":" + std::to_string(line_) + ": " + error + ": " + text;
    }
  }

  static std::string read_setting(Scenario& scenario, const std::vector<std::string>& words) {
    if (words.size() < 2) {
      return "the line says nothing";
    }
    if (words[0] == "start") {
      const std::optional<Time> start = parse_rfc3339(words[1]);
      scenario.start = start.value_or(Time{});
      return start ? "" : "expected an RFC 3339 time";
    }
    if (words[0] == "never") {
      scenario.never.emplace(words[1], words[2] + (words.size() > 3 ? " " + words[3] : ""));
      return "";
    }
    return configure(scenario.config, words);
  }

  std::string read_event(Scenario& scenario, Duration at, const std::vector<std::string>& words,
                         const std::string& text) {
    if (words.size() < 2) {
      return "nothing happens";
    }
    const std::string& verb = words[1];
    std::vector<std::string> others(words.begin() + 2, words.end());
    if (verb == "publish" || verb == "alert" || verb == "notify" || verb == "seal") {
      const std::size_t names = verb == "publish" ? 1 : 2;
      if (others.size() < names) {
        return "of what?";
      }
      std::string subject = others[0] + (names == 2 ? " " + others[1] : "");
      others.erase(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(names));
      scenario.expectations.push_back({line_, at, verb, subject, others});
      return "";
    }
    if (verb == "load") {
      return read_load(scenario, at, others);
    }
    scenario.steps.push_back({line_, at, verb, others, after(text, 3)});
    return "";
  }

  // "load <topic> every <duration> <values>": the messages one by one.
  std::string read_load(Scenario& scenario, Duration at, const std::vector<std::string>& words) {
    Duration every{0};
    if (words.size() < 4 || words[1] != "every" || !set_duration(every, words[2])) {
      return "expected: load <topic> every <duration> <values>";
    }
    for (std::size_t i = 3; i < words.size(); ++i) {
      const auto values = parse_values(words[i]);
      if (!values) {
        return "'" + words[i] + "' is no series of values";
      }
      for (const std::optional<double>& value : *values) {
        if (value) {
          scenario.steps.push_back({line_, at, "send", {words[0]}, format_number(*value, 9)});
        }
        at += every;
      }
    }
    return "";
  }

  std::string path_;
  std::vector<Scenario>& scenarios_;
  Scenario common_;
  int line_ = 0;
  Duration last_{0};
};

}  // namespace

std::optional<double> parse_number(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0' ? std::optional(number) : std::nullopt;
}

std::optional<Time> parse_time(const std::string& text, Time start) {
  if (const std::optional<Time> time = parse_rfc3339(text)) {
    return time;
  }
  const bool is_before = !text.empty() && text[0] == '-';
  const std::optional<Duration> offset = parse_duration(text.substr(is_before ? 1 : 0));
  return offset ? std::optional(is_before ? start - *offset : start + *offset) : std::nullopt;
}

std::string configure(Config& config, const std::vector<std::string>& words) {
  if (words[0] == "stream") {
    return configure_stream(config, words);
  }
  if (words[0] == "output") {
    return configure_output(config, words);
  }
  if (words[0] == "alert") {
    return configure_alert(config, words);
  }
  if (words[0] == "timezone") {
    config.timezone = words[1];
    return "";
  }
  if (words[0] == "limits") {
    double series = 0;
    const std::string error =
        set_options({{"series", [&](const auto& v) { return set_number(series, v); }}}, words, 1);
    config.limits.series = static_cast<std::uint32_t>(series);
    return error;
  }
  if (words[0] == "without" && words.size() == 3) {
    if (words[1] == "alert") {
      std::erase_if(config.alerts, [&](const Alert& alert) { return alert.name == words[2]; });
    } else {
      std::erase_if(config.streams, [&](const Stream& stream) { return stream.name == words[2]; });
    }
    return "";
  }
  return "no line begins with '" + words[0] + "'";
}

std::vector<Scenario> read_scenarios(const std::string& path) {
  std::vector<Scenario> scenarios;
  Reader(path, scenarios).read();
  return scenarios;
}

}  // namespace rollup::testing

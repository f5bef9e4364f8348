// MQTT topic names, filters with named levels, and templates.
//
//   filter    home/{room}/temperature     `{name}` matches one level as `+` does, and names it
//   template  stats/{series}              `{name}` is replaced; `{{` and `}}` are literal braces
//
// Rules of matching: MQTT 5.0 section 4.7. `#` and `+` do not match a first level that begins with
// `$`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace rollup {

// Whether `topic` may be published to: 1 .. 65535 bytes of UTF-8, no NUL, no control characters
// (U+0000..U+001F, U+007F..U+009F), no U+FFFE or U+FFFF (no XML may have them), no '+' or '#'.
bool is_topic_name(std::string_view topic);

// Captured level names and their values, in the order of the filter.
using Captures = std::vector<std::pair<std::string, std::string>>;

// A parsed filter. Immutable.
class TopicFilter {
 public:
  // Error bad_config without a place: empty level names, a name used twice, '#' not last, braces
  // inside a level, bytes that no topic may have, more than 200 levels.
  static Result<TopicFilter> parse(std::string_view text);

  // As it was written.
  const std::string& text() const { return text_; }
  // As MQTT wants it: each named level is a '+'.
  const std::string& mqtt() const { return mqtt_; }
  // The levels of mqtt().
  const std::vector<std::string>& levels() const { return levels_; }
  // The captured names, in order.
  const std::vector<std::string>& names() const { return names_; }

  bool matches(std::string_view topic) const;
  // The captured levels, if it matches.
  std::optional<Captures> capture(std::string_view topic) const;

 private:
  std::string text_;
  std::string mqtt_;
  std::vector<std::string> levels_;
  std::vector<std::string> level_names_;  // "" where a level has no name
  std::vector<std::string> names_;
};

// A parsed template. Immutable.
class Template {
 public:
  // `known`: the names that may stand in braces. Error bad_config without a place, naming the
  // unknown name and the nearest known one, or the unclosed brace.
  static Result<Template> parse(std::string_view text, const std::vector<std::string>& known);

  const std::string& text() const { return text_; }

  // Whether `{name}` occurs.
  bool uses(std::string_view name) const;

  // The text with each name replaced by what `values` holds for it; "" for a name it does not hold.
  std::string expand(const Captures& values) const;

  // As expand(), for the parts of a topic: a value's characters that no topic may have ('+', '#',
  // NUL and control characters) become '_'. So does '/' except in {series} and {topic}, so that the
  // topic always has the form that level_pattern() tells.
  std::string expand_topic(const Captures& values) const;

  // A pattern of levels for may_overlap(): literal levels, "+" for a level that is or contains a
  // single-level name, and "**" where `{series}` or `{topic}` may bring any number (>= 1) of
  // levels.
  std::vector<std::string> level_pattern() const;

 private:
  struct Part {
    bool is_name = false;
    std::string text;
  };
  std::string text_;
  std::vector<Part> parts_;
};

// Whether some topic is matched by both. Patterns: levels, "+" one level, "#" (last) any number of
// levels including none, "**" one or more levels. A "#" that stands alone shares nothing with a
// pattern that begins with "$"; a "+" may, because in a template it stands for any text.
bool may_overlap(const std::vector<std::string>& pattern, const std::vector<std::string>& other);

// Whether every topic that `narrow` matches is matched by `wide` too.
bool covers(const TopicFilter& wide, const TopicFilter& narrow);

}  // namespace rollup

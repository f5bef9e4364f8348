#include <algorithm>
#include <cstddef>

#include "base/text.h"
#include "model/topic.h"

namespace rollup {

namespace {

// Names whose values are whole topics; all others stand for a part of one level.
bool spans_levels(std::string_view name) { return name == "series" || name == "topic"; }

std::string_view value_in(const Captures& values, std::string_view name) {
  const auto found = std::find_if(values.begin(), values.end(),
                                  [&](const auto& value) { return value.first == name; });
  return found == values.end() ? std::string_view() : std::string_view(found->second);
}

void append_topic_part(std::string& topic, std::string_view value, bool keeps_slashes) {
  for (std::size_t at = 0; at < value.size(); ++at) {
    const std::size_t control = control_character_size(value, at);
    const char c = value[at];
    if (control > 0 || c == '+' || c == '#' || (c == '/' && !keeps_slashes)) {
      topic += '_';
      at += control > 1 ? control - 1 : 0;
    } else {
      topic += c;
    }
  }
}

Error bad_template(std::string message) { return {ErrorCode::bad_config, "", std::move(message)}; }

std::string unknown_name(std::string_view name, const std::vector<std::string>& known) {
  const std::string nearest = nearest_name(name, known);
  std::string message = "nothing is called {" + std::string(name) + "} here";
  if (!nearest.empty()) {
    return message + ", did you mean {" + nearest + "}?";
  }
  for (std::size_t i = 0; i < known.size(); ++i) {
    message += (i == 0 ? ", expected one of {" : " {") + known[i] + "}";
  }
  return message;
}

}  // namespace

Result<Template> Template::parse(std::string_view text, const std::vector<std::string>& known) {
  Template result;
  result.text_ = text;
  std::string literal;
  const auto end_literal = [&] {
    if (!literal.empty()) {
      result.parts_.push_back({false, std::move(literal)});
      literal.clear();
    }
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c != '{' && c != '}') {
      literal += c;
      continue;
    }
    if (at + 1 < text.size() && text[at + 1] == c) {
      literal += c;
      ++at;
      continue;
    }
    if (c == '}') {
      return tl::unexpected(bad_template("'}' without '{' at byte " + std::to_string(at + 1) +
                                         ", a literal brace is written }}: '" + std::string(text) +
                                         "'"));
    }
    const std::size_t end = text.find_first_of("{}", at + 1);
    if (end == std::string_view::npos || text[end] == '{') {
      return tl::unexpected(bad_template("'{' without '}' at byte " + std::to_string(at + 1) +
                                         ", a literal brace is written {{: '" + std::string(text) +
                                         "'"));
    }
    const std::string_view name = text.substr(at + 1, end - at - 1);
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return tl::unexpected(bad_template(unknown_name(name, known)));
    }
    end_literal();
    result.parts_.push_back({true, std::string(name)});
    at = end;
  }
  end_literal();
  return result;
}

bool Template::uses(std::string_view name) const {
  return std::any_of(parts_.begin(), parts_.end(),
                     [&](const Part& part) { return part.is_name && part.text == name; });
}

std::string Template::expand(const Captures& values) const {
  std::string expanded;
  for (const Part& part : parts_) {
    expanded += part.is_name ? value_in(values, part.text) : std::string_view(part.text);
  }
  return expanded;
}

std::string Template::expand_topic(const Captures& values) const {
  std::string topic;
  for (const Part& part : parts_) {
    if (part.is_name) {
      append_topic_part(topic, value_in(values, part.text), spans_levels(part.text));
    } else {
      topic += part.text;
    }
  }
  return topic;
}

std::vector<std::string> Template::level_pattern() const {
  std::vector<std::string> levels(1);
  // Of the level that is being read: whether a name in it makes it a wildcard.
  std::string wildcard;
  const auto end_level = [&] {
    if (!wildcard.empty()) {
      levels.back() = wildcard;
      wildcard.clear();
    }
  };
  for (const Part& part : parts_) {
    if (part.is_name) {
      wildcard = spans_levels(part.text) || wildcard == "**" ? "**" : "+";
      continue;
    }
    for (const char c : part.text) {
      if (c == '/') {
        end_level();
        levels.emplace_back();
      } else {
        levels.back() += c;
      }
    }
  }
  end_level();
  return levels;
}

}  // namespace rollup

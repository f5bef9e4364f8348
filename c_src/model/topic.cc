#include "model/topic.h"

#include <algorithm>
#include <cstddef>

#include "base/text.h"

namespace rollup {

namespace {

constexpr std::size_t kTopicBytesMax = 65'535;
// As mosquitto has it. Bounds every walk over the levels of a filter.
constexpr std::size_t kFilterLevelsMax = 200;

bool has_controls(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (control_character_size(text, at) != 0) {
      return true;
    }
  }
  return false;
}

// U+FFFE and U+FFFF: no XML may have them, so no stanza could name such a topic.
bool has_noncharacters(std::string_view text) {
  return text.find("\xEF\xBF\xBE") != std::string_view::npos ||
         text.find("\xEF\xBF\xBF") != std::string_view::npos;
}

// Takes the levels of a topic off one by one, also empty ones.
class LevelReader {
 public:
  explicit LevelReader(std::string_view topic) : rest_(topic) {}

  bool at_end() const { return at_end_; }

  std::string_view next() {
    const std::size_t slash = rest_.find('/');
    const std::string_view level = rest_.substr(0, slash);
    if (slash == std::string_view::npos) {
      at_end_ = true;
    } else {
      rest_.remove_prefix(slash + 1);
    }
    return level;
  }

 private:
  std::string_view rest_;
  bool at_end_ = false;
};

tl::unexpected<Error> bad_topic(std::string message) {
  return fail(ErrorCode::bad_config, "", std::move(message));
}

bool is_wildcard(std::string_view level) { return level == "+" || level == "#"; }

bool is_reserved(std::string_view level) { return !level.empty() && level.front() == '$'; }

// The name of a level "{name}"; empty if it is an ordinary level.
Result<std::string> level_name(std::string_view level) {
  if (level.find_first_of("{}") == std::string_view::npos) {
    return std::string();
  }
  if (level.front() != '{' || level.back() != '}' || level.size() < 2) {
    return bad_topic("braces must enclose a whole level, as in home/{room}/temperature: '" +
                     std::string(level) + "'");
  }
  const std::string_view name = level.substr(1, level.size() - 2);
  if (name.empty()) {
    return bad_topic("a level in braces needs a name, as in home/{room}/temperature");
  }
  if (name.find_first_of("{}+#") != std::string_view::npos) {
    return bad_topic("a level's name may not contain braces, '+' or '#': '" + std::string(level) +
                     "'");
  }
  return std::string(name);
}

}  // namespace

bool is_topic_name(std::string_view topic) {
  if (topic.empty() || topic.size() > kTopicBytesMax) {
    return false;
  }
  // Asked for every message, and most topics are ASCII.
  bool is_ascii = true;
  for (const char c : topic) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20U || byte == 0x7FU || c == '+' || c == '#') {
      return false;
    }
    is_ascii = is_ascii && byte < 0x80U;
  }
  return is_ascii || (is_utf8(topic) && !has_controls(topic) && !has_noncharacters(topic));
}

Result<TopicFilter> TopicFilter::parse(std::string_view text) {
  if (text.empty() || text.size() > kTopicBytesMax) {
    return bad_topic("a topic filter has 1 to 65535 bytes");
  }
  if (!is_utf8(text) || has_controls(text) || has_noncharacters(text)) {
    return bad_topic("a topic filter is UTF-8 without control characters, U+FFFE and U+FFFF");
  }
  TopicFilter filter;
  filter.text_ = text;
  LevelReader reader(text);
  while (!reader.at_end()) {
    const std::string_view level = reader.next();
    if (filter.levels_.size() == kFilterLevelsMax) {
      return bad_topic("a topic filter has at most 200 levels");
    }
    const Result<std::string> name = level_name(level);
    if (!name) {
      return tl::unexpected(name.error());
    }
    if (level == "#" && !reader.at_end()) {
      return bad_topic("'#' may only be the last level");
    }
    if (name->empty() && !is_wildcard(level) &&
        level.find_first_of("+#") != std::string_view::npos) {
      return bad_topic("'+' and '#' must be a whole level: '" + std::string(level) + "'");
    }
    if (!name->empty()) {
      if (std::find(filter.names_.begin(), filter.names_.end(), *name) != filter.names_.end()) {
        return bad_topic("the name {" + *name + "} is used twice");
      }
      filter.names_.push_back(*name);
    }
    filter.mqtt_ += filter.levels_.empty() ? "" : "/";
    filter.levels_.emplace_back(name->empty() ? level : "+");
    filter.mqtt_ += filter.levels_.back();
    filter.level_names_.push_back(*name);
  }
  return filter;
}

bool TopicFilter::matches(std::string_view topic) const {
  if (topic.empty() || (is_reserved(topic) && is_wildcard(levels_.front()))) {
    return false;
  }
  LevelReader reader(topic);
  for (const std::string& level : levels_) {
    if (level == "#") {
      return true;
    }
    if (reader.at_end()) {
      return false;
    }
    const std::string_view topic_level = reader.next();
    if (level != "+" && level != topic_level) {
      return false;
    }
  }
  return reader.at_end();
}

std::optional<Captures> TopicFilter::capture(std::string_view topic) const {
  if (!matches(topic)) {
    return std::nullopt;
  }
  Captures captures;
  captures.reserve(names_.size());
  LevelReader reader(topic);
  for (const std::string& name : level_names_) {
    if (captures.size() == names_.size()) {
      break;
    }
    const std::string_view level = reader.next();
    if (!name.empty()) {
      captures.emplace_back(name, level);
    }
  }
  return captures;
}

namespace {

// What a pattern's level stands for when "**" is taken apart: one level, and then any number of
// them.
enum class Token { literal, one, any };

struct PatternToken {
  Token kind = Token::literal;
  std::string_view text;
};

std::vector<PatternToken> tokens_of(const std::vector<std::string>& pattern) {
  std::vector<PatternToken> tokens;
  for (const std::string& level : pattern) {
    const bool is_open = level == "#" || level == "**";
    if (level == "+" || level == "**") {
      tokens.push_back({Token::one, {}});
    }
    if (is_open) {
      tokens.push_back({Token::any, {}});
    } else if (level != "+") {
      tokens.push_back({Token::literal, level});
    }
  }
  return tokens;
}

bool begins_with_hash(const std::vector<std::string>& pattern) {
  return !pattern.empty() && pattern.front() == "#";
}

bool begins_reserved(const std::vector<std::string>& pattern) {
  return !pattern.empty() && is_reserved(pattern.front());
}

}  // namespace

bool may_overlap(const std::vector<std::string>& pattern, const std::vector<std::string>& other) {
  if ((begins_with_hash(pattern) && begins_reserved(other)) ||
      (begins_with_hash(other) && begins_reserved(pattern))) {
    return false;
  }
  const std::vector<PatternToken> a = tokens_of(pattern);
  const std::vector<PatternToken> b = tokens_of(other);
  // below[j], row[j]: whether the rest of `a` from i + 1, from i, and the rest of `b` from j share
  // a topic.
  std::vector<char> below(b.size() + 1);
  std::vector<char> row(b.size() + 1);
  for (std::size_t i = a.size() + 1; i-- > 0;) {
    for (std::size_t j = b.size() + 1; j-- > 0;) {
      const bool a_ends = i == a.size();
      const bool b_ends = j == b.size();
      bool is_shared = a_ends && b_ends;
      if (!a_ends && a[i].kind == Token::any) {
        is_shared = is_shared || below[j] != 0 || (!b_ends && row[j + 1] != 0);
      }
      if (!b_ends && b[j].kind == Token::any) {
        is_shared = is_shared || row[j + 1] != 0 || (!a_ends && below[j] != 0);
      }
      if (!a_ends && !b_ends && a[i].kind != Token::any && b[j].kind != Token::any) {
        const bool is_same =
            a[i].kind == Token::one || b[j].kind == Token::one || a[i].text == b[j].text;
        is_shared = is_same && below[j + 1] != 0;
      }
      row[j] = is_shared ? 1 : 0;
    }
    below.swap(row);
  }
  return below[0] != 0;
}

bool covers(const TopicFilter& wide, const TopicFilter& narrow) {
  // A filter is a number of single levels and perhaps an open end; "#" alone is "+" with an open
  // end.
  struct Shape {
    std::vector<std::string> levels;
    bool is_open = false;
  };
  const auto shape_of = [](const TopicFilter& filter) {
    Shape shape{filter.levels(), filter.levels().back() == "#"};
    if (shape.is_open) {
      shape.levels.pop_back();
    }
    if (shape.levels.empty()) {
      shape.levels.emplace_back("+");
    }
    return shape;
  };
  const Shape outer = shape_of(wide);
  const Shape inner = shape_of(narrow);
  const std::size_t count = outer.levels.size();
  if (inner.levels.size() < count || (!outer.is_open && inner.levels.size() > count) ||
      (!outer.is_open && inner.is_open)) {
    return false;
  }
  if (outer.levels.front() == "+" && is_reserved(inner.levels.front())) {
    return false;
  }
  return std::equal(outer.levels.begin(), outer.levels.end(), inner.levels.begin(),
                    [](const std::string& a, const std::string& b) { return a == "+" || a == b; });
}

}  // namespace rollup

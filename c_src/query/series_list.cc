// Query::names() and Query::series(): which series there are, and what is known of them now.
#include <algorithm>
#include <functional>
#include <string_view>
#include <tuple>
#include <utility>

#include "model/topic.h"
#include "query/query.h"

namespace rollup::query {
namespace {

// What a slip of the finger changes: so many bytes in one place, left out, added or other ones.
constexpr std::size_t kMistypedMax = 2;

using Matcher = std::function<bool(const engine::SeriesInfo&)>;

bool is_alike(std::string_view text, std::string_view known) {
  const std::size_t shorter = std::min(text.size(), known.size());
  const std::size_t longer = std::max(text.size(), known.size());
  if (longer - shorter <= kMistypedMax) {
    const auto ends = std::mismatch(
        text.begin(), text.begin() + static_cast<std::ptrdiff_t>(shorter), known.begin());
    const auto begun = static_cast<std::size_t>(ends.first - text.begin());
    const auto rest = static_cast<std::ptrdiff_t>(shorter - begun);
    const auto ended = static_cast<std::size_t>(
        std::mismatch(text.rbegin(), text.rbegin() + rest, known.rbegin()).first - text.rbegin());
    if (longer - begun - ended <= kMistypedMax) {
      return true;
    }
  }
  return known.find(text) != std::string_view::npos;
}

Result<Matcher> matcher_of(const std::string& filter, Match match) {
  if (match == Match::alike) {
    return [&filter](const engine::SeriesInfo& info) {
      return !filter.empty() && is_alike(filter, info.name);
    };
  }
  if (filter.empty() || filter == "#") {
    return [](const engine::SeriesInfo&) { return true; };
  }
  if (filter.find_first_of("+#") != std::string::npos) {
    Result<TopicFilter> parsed = TopicFilter::parse(filter);
    if (!parsed) {
      return fail(ErrorCode::bad_request, "filter", parsed.error().message);
    }
    return [parsed = *std::move(parsed)](const engine::SeriesInfo& info) {
      return parsed.matches(info.key.topic) || parsed.matches(info.name);
    };
  }
  return [&filter](const engine::SeriesInfo& info) {
    return info.name.find(filter) != std::string::npos;
  };
}

// Looked up, so that the time of an answer does not depend on how many series there are.
std::vector<SeriesId> find_exactly(const engine::Engine& engine, const std::string& text) {
  std::vector<SeriesId> found = engine.find(text);
  const auto add = [&](const std::string& name, StreamIndex stream, const auto& is_meant) {
    for (const SeriesId id : engine.find(name)) {
      if (engine.series(id).stream == stream && is_meant(engine.series(id))) {
        found.push_back(id);
      }
    }
  };
  for (StreamIndex stream = 0; stream < engine.plan().streams.size(); ++stream) {
    const Stream& config = engine.plan().streams[stream].config;
    if (text.starts_with(config.name + ":")) {
      add(text.substr(config.name.size() + 1), stream, [](const auto&) { return true; });
    }
    for (const Field& field : config.fields) {
      add(SeriesKey{"", "", text, field.name}.name(), stream,
          [&text](const engine::SeriesInfo& info) { return info.key.topic == text; });
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

// Names are listed in this order; it belongs to keys, so that a page goes on where the last one
// ended even if that series is gone.
bool is_before(const SeriesKey& a, std::string_view a_name, const SeriesKey& b,
               std::string_view b_name) {
  return std::tie(a_name, a.stream, a.topic, a.broker) <
         std::tie(b_name, b.stream, b.topic, b.broker);
}

}  // namespace

Result<NamesAnswer> Query::names(const NamesRequest& request) const {
  if (request.max == 0) {
    return fail(ErrorCode::bad_request, "max", "expected at least 1");
  }
  const std::string after_name = request.after ? request.after->name() : "";
  const auto is_after = [&](const engine::SeriesInfo& info) {
    return !request.after || is_before(*request.after, after_name, info.key, info.name);
  };
  const auto precedes = [](const engine::SeriesInfo& a, const engine::SeriesInfo& b) {
    return is_before(a.key, a.name, b.key, b.name);
  };
  const std::size_t size = std::min<std::size_t>(request.max, engine_.plan().config.limits.rows);
  std::vector<engine::SeriesInfo> first;  // a heap of the first `size` that were found
  std::size_t found = 0;
  const auto take = [&](engine::SeriesInfo info) {
    if (!is_after(info)) {
      return;
    }
    ++found;
    first.push_back(std::move(info));
    std::push_heap(first.begin(), first.end(), precedes);
    if (first.size() > size) {
      std::pop_heap(first.begin(), first.end(), precedes);
      first.pop_back();
    }
  };
  if (request.match == Match::exact) {
    for (const SeriesId id : find_exactly(engine_, request.filter)) {
      take(engine_.series(id));
    }
  } else {
    const Result<Matcher> matches = matcher_of(request.filter, request.match);
    if (!matches) {
      return tl::unexpected(matches.error());
    }
    for (SeriesId id = 0; id < engine_.series_count(); ++id) {
      if (!engine_.is_live(id)) {
        continue;
      }
      engine::SeriesInfo info = engine_.series(id);
      if ((*matches)(info)) {
        take(std::move(info));
      }
    }
  }
  std::sort_heap(first.begin(), first.end(), precedes);

  NamesAnswer answer;
  std::size_t bytes = 0;
  for (engine::SeriesInfo& info : first) {
    SeriesKey& key = info.key;
    bytes += key.stream.size() + key.broker.size() + key.topic.size() + key.field.size();
    if (bytes > kKeyBytesMax && !answer.keys.empty()) {
      break;
    }
    answer.keys.push_back(std::move(key));
  }
  answer.has_more = answer.keys.size() < found;
  return answer;
}

SeriesAnswer Query::series(const SeriesRequest& request, const Now& now) const {
  SeriesAnswer answer;
  answer.rows.reserve(request.keys.size());
  for (const SeriesKey& key : request.keys) {
    const std::optional<SeriesId> id = find(key);
    if (!id) {
      continue;
    }
    const engine::Current current = engine_.current(*id, now);
    SeriesRow row;
    row.label = label_of(engine_, *id);
    row.value = current.value;
    row.count = current.count;
    if (current.time) {
      row.age = std::max(now.wall - *current.time, Duration(0));
    }
    answer.rows.push_back(std::move(row));
  }
  return answer;
}

}  // namespace rollup::query

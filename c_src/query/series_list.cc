// Query::series(): the list of series, page by page.
#include <algorithm>
#include <charconv>
#include <functional>
#include <string_view>
#include <tuple>
#include <utility>

#include "model/topic.h"
#include "query/query.h"

namespace rollup::query {
namespace {

using Matcher = std::function<bool(const engine::SeriesInfo&)>;

Result<Matcher> matcher_of(const engine::Engine& engine, const std::string& filter) {
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
  const auto is_exact = [filter](const engine::SeriesInfo& info) {
    return info.name == filter || info.key.topic == filter;
  };
  for (SeriesId id = 0; id < engine.series_count(); ++id) {
    if (engine.is_live(id) && is_exact(engine.series(id))) {
      return is_exact;
    }
  }
  return [filter](const engine::SeriesInfo& info) {
    return info.name.find(filter) != std::string::npos;
  };
}

// The cursor is the number of the last row's series: short, and unique where two series of a stream
// are called the same.
Result<SeriesId> read_cursor(const engine::Engine& engine, const std::string& text) {
  SeriesId id = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, id);
  if (error != std::errc() || stop != end || id >= engine.series_count() || !engine.is_live(id)) {
    return fail(ErrorCode::bad_request, "after",
                "this is not where a page of this answer ended, begin again without it");
  }
  return id;
}

}  // namespace

Result<SeriesAnswer> Query::series(const SeriesRequest& request, const Now& now) const {
  if (request.max == 0) {
    return fail(ErrorCode::bad_request, "max", "expected at least 1");
  }
  const Result<Matcher> matches = matcher_of(engine_, request.filter);
  if (!matches) {
    return tl::unexpected(matches.error());
  }
  const auto is_before = [this](SeriesId left, SeriesId right) {
    const engine::SeriesInfo& a = engine_.series(left);
    const engine::SeriesInfo& b = engine_.series(right);
    return std::tie(a.name, a.key.stream, left) < std::tie(b.name, b.key.stream, right);
  };
  std::optional<SeriesId> after;
  if (!request.after.empty()) {
    const Result<SeriesId> cursor = read_cursor(engine_, request.after);
    if (!cursor) {
      return tl::unexpected(cursor.error());
    }
    after = *cursor;
  }

  std::vector<SeriesId> found;
  for (SeriesId id = 0; id < engine_.series_count(); ++id) {
    if (engine_.is_live(id) && (*matches)(engine_.series(id)) &&
        (!after || is_before(*after, id))) {
      found.push_back(id);
    }
  }
  const std::size_t rows_max =
      std::min<std::size_t>(request.max, engine_.plan().config.limits.rows);
  const bool has_more = found.size() > rows_max;
  if (has_more) {
    const auto page_end = found.begin() + static_cast<std::ptrdiff_t>(rows_max);
    std::nth_element(found.begin(), page_end, found.end(), is_before);
    found.erase(page_end, found.end());
  }
  std::sort(found.begin(), found.end(), is_before);

  SeriesAnswer answer;
  answer.rows.reserve(found.size());
  for (const SeriesId id : found) {
    const engine::Current current = engine_.current(id, now);
    SeriesRow row;
    row.label = label_of(engine_, id);
    row.value = current.value;
    row.count = current.count;
    if (current.time) {
      row.age = std::max(now.wall - *current.time, Duration(0));
    }
    answer.rows.push_back(std::move(row));
  }
  if (has_more) {
    answer.next = std::to_string(found.back());
  }
  return answer;
}

}  // namespace rollup::query

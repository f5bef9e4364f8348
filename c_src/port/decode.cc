// From frames to messages.
#include <limits>
#include <utility>

#include "port/feed_reader.h"
#include "port/map_reader.h"
#include "port/messages.h"
#include "port/term_reader.h"

namespace rollup::port {
namespace {

constexpr std::int64_t kIntegerMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kIntegerMax = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kStatisticsMax = std::size(kStatistics);

template <class T>
Result<T> checked(const Failure& failure, T value) {
  if (failure) {
    return tl::unexpected(failure.error());
  }
  return value;
}

std::optional<std::int64_t> optional_integer(MapReader& reader, std::string_view key) {
  const Term* term = reader.term(key);
  if (term == nullptr || term->is_atom("null")) {
    return std::nullopt;
  }
  if (!term->as_integer()) {
    reader.failure().expected(reader.place_of(key), "an integer or null", *term);
  }
  return term->as_integer();
}

// {Stream, Broker, Topic, Field}
SeriesKey read_key(Failure& failure, const Term& term, const std::string& place) {
  const std::vector<Term>* items = read_tuple(failure, term, place, 4);
  if (items == nullptr) {
    return {};
  }
  SeriesKey key;
  key.stream = read_text(failure, (*items)[0], place);
  key.broker = read_text(failure, (*items)[1], place);
  key.topic = read_text(failure, (*items)[2], place);
  key.field = read_text(failure, (*items)[3], place);
  return key;
}

query::NamesRequest read_names_request(Failure& failure, const Term& term) {
  MapReader reader(failure, term, "");
  query::NamesRequest request;
  request.filter = reader.text("filter");
  request.match = reader.choice<query::Match>("match", {{"exact", query::Match::exact},
                                                        {"part", query::Match::part},
                                                        {"alike", query::Match::alike}});
  if (const Term* after = reader.term("after"); after != nullptr && !after->is_atom("null")) {
    request.after = read_key(failure, *after, "after");
  }
  request.max = static_cast<std::size_t>(reader.integer("max", 0, kIntegerMax));
  reader.finish();
  return request;
}

query::SeriesRequest read_series_request(Failure& failure, const Term& term) {
  query::SeriesRequest request;
  for (const Term& key : read_list(failure, term, "series")) {
    request.keys.push_back(read_key(failure, key, "series"));
  }
  return request;
}

query::HistoryRequest read_history_request(Failure& failure, const Term& term) {
  MapReader reader(failure, term, "");
  query::HistoryRequest request;
  if (const Term* series = reader.term("series")) {
    request.series = read_key(failure, *series, "series");
  }
  if (const auto from = optional_integer(reader, "from_ms")) {
    request.from = time_from_ms(*from);
  }
  if (const auto to = optional_integer(reader, "to_ms")) {
    request.to = time_from_ms(*to);
  }
  if (const auto last = optional_integer(reader, "last_ms")) {
    request.last = Duration(*last);
  }
  if (const auto step = optional_integer(reader, "step_ms")) {
    request.step = Duration(*step);
  }
  if (const Term* aggregates = reader.term("aggregates")) {
    const std::string place = reader.place_of("aggregates");
    const std::vector<Term>& items = read_list(failure, *aggregates, place);
    if (items.size() > kStatisticsMax) {
      failure.set(place, "each aggregate at most once");
    }
    for (const Term& item : items) {
      const std::string* name = item.as_atom();
      if (const auto statistic = name == nullptr ? std::nullopt : parse_statistic(*name)) {
        request.statistics.push_back(*statistic);
      } else {
        failure.expected(place, "names of aggregates", item);
      }
    }
  }
  request.max = static_cast<std::size_t>(reader.integer("max", 0, kIntegerMax));
  request.after = reader.text("after");
  reader.finish();
  return request;
}

Result<Question> read_question(const Term& term) {
  if (term.is_atom("status")) {
    return StatusRequest{};
  }
  Failure failure(ErrorCode::bad_request);
  const std::vector<Term>* pair = term.as_tuple();
  if (pair != nullptr && pair->size() == 2 && (*pair)[0].is_atom("names")) {
    query::NamesRequest request = read_names_request(failure, (*pair)[1]);
    return checked<Question>(failure, std::move(request));
  }
  if (pair != nullptr && pair->size() == 2 && (*pair)[0].is_atom("series")) {
    query::SeriesRequest request = read_series_request(failure, (*pair)[1]);
    return checked<Question>(failure, std::move(request));
  }
  if (pair != nullptr && pair->size() == 2 && (*pair)[0].is_atom("history")) {
    query::HistoryRequest request = read_history_request(failure, (*pair)[1]);
    return checked<Question>(failure, std::move(request));
  }
  return fail(ErrorCode::unsupported, "", "this program does not know the question");
}

Result<Incoming> read_hello(const std::vector<Term>& items) {
  Failure failure(ErrorCode::unsupported);
  MapReader reader(failure, items[1], "hello");
  Hello hello;
  hello.protocol = reader.integer("protocol", kIntegerMin, kIntegerMax);
  // A later protocol may say hello in another way; its version is all that matters then.
  if (hello.protocol == kProtocolVersion) {
    hello.vhost = reader.text("vhost");
    reader.finish();
  }
  return checked<Incoming>(failure, std::move(hello));
}

// What is left to read of the map: the configuration.
template <class Message>
Result<Incoming> with_terms(const Failure& failure, MapReader& reader, Message message) {
  const Term* rules = reader.term("rules");
  const Term* brokers = reader.term("brokers");
  reader.finish();
  if (failure) {
    return tl::unexpected(failure.error());
  }
  message.terms = read_config(*rules, *brokers);
  return message;
}

Result<Incoming> read_configure(const std::vector<Term>& items) {
  Failure failure(ErrorCode::unsupported);
  Configure configure;
  configure.id = read_integer(failure, items[1], "configure", kIntegerMin, kIntegerMax);
  MapReader reader(failure, items[2], "configure");
  configure.data_dir = reader.text("data_dir");
  if (configure.data_dir.find('\0') != std::string::npos) {
    failure.set("configure->data_dir", "expected a path");
  }
  configure.full_sync = reader.choice<bool>("durability", {{"normal", false}, {"full", true}});
  return with_terms(failure, reader, std::move(configure));
}

Result<Incoming> read_check(const std::vector<Term>& items) {
  Failure failure(ErrorCode::unsupported);
  Check check;
  check.id = read_integer(failure, items[1], "check", kIntegerMin, kIntegerMax);
  MapReader reader(failure, items[2], "check");
  return with_terms(failure, reader, std::move(check));
}

Result<Incoming> read_request(const std::vector<Term>& items) {
  Failure failure(ErrorCode::unsupported);
  Request request;
  request.id = read_integer(failure, items[1], "request", kIntegerMin, kIntegerMax);
  request.deadline = Duration(read_integer(failure, items[2], "request", 0, kDurationMsMax));
  if (failure) {
    return tl::unexpected(failure.error());
  }
  request.question = read_question(items[3]);
  return request;
}

Result<Incoming> read_credit(const std::vector<Term>& items) {
  Failure failure(ErrorCode::unsupported);
  const std::int64_t events = read_integer(failure, items[1], "credit", 0, kIntegerMax);
  return checked<Incoming>(failure, Credit{events});
}

Result<Incoming> read_notified(const std::vector<Term>& items) {
  Failure failure(ErrorCode::unsupported);
  const std::int64_t id = read_integer(failure, items[1], "notified", 0, kIntegerMax);
  return checked<Incoming>(failure, Notified{static_cast<std::uint64_t>(id)});
}

Result<Incoming> read_feed_since(const std::vector<Term>& items) {
  Failure failure(ErrorCode::unsupported);
  const std::int64_t ms = read_integer(failure, items[1], "feed_since", 0, kDurationMsMax);
  return checked<Incoming>(failure, FeedSince{time_from_ms(ms)});
}

Result<Incoming> read_published(const std::vector<Term>& items) {
  Failure failure(ErrorCode::unsupported);
  Published published;
  published.count =
      static_cast<std::uint64_t>(read_integer(failure, items[1], "published", 0, kIntegerMax));
  published.refused =
      static_cast<std::uint64_t>(read_integer(failure, items[2], "published", 0, kIntegerMax));
  return checked<Incoming>(failure, published);
}

struct Shape {
  std::string_view tag;
  std::size_t size;
  Result<Incoming> (*read)(const std::vector<Term>& items);
};

constexpr Shape kShapes[] = {
    {"hello", 2, read_hello},         {"configure", 3, read_configure},
    {"check", 3, read_check},         {"request", 4, read_request},
    {"credit", 2, read_credit},       {"notified", 2, read_notified},
    {"published", 3, read_published}, {"feed_since", 2, read_feed_since},
};

}  // namespace

Result<Incoming> decode(std::string_view frame) {
  if (is_feed(frame)) {
    Result<FeedBatch> batch = read_feed(frame);
    if (!batch) {
      return tl::unexpected(batch.error());
    }
    return Incoming(*std::move(batch));
  }
  const Result<Term> term = read_term(frame);
  if (!term) {
    return tl::unexpected(term.error());
  }
  if (const std::vector<Term>* items = term->as_tuple(); items != nullptr && !items->empty()) {
    for (const Shape& shape : kShapes) {
      if (items->size() == shape.size && items->front().is_atom(shape.tag)) {
        return shape.read(*items);
      }
    }
  }
  return fail(ErrorCode::unsupported, "", "a message that the protocol does not have");
}

}  // namespace rollup::port

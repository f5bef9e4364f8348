// Messages to the program.
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <random>
#include <string>

#include "port/messages.h"
#include "port/term_reader.h"
#include "port/term_writer.h"
#include "unit/port/rules_terms.h"

namespace rollup::port {
namespace {

using std::chrono::hours;

std::string frame_of(const Term& term) {
  TermWriter writer;
  writer.term(term);
  return std::string(writer.bytes());
}

Result<Incoming> decode_term(const Term& term) { return decode(frame_of(term)); }

template <class T>
T decoded(const Term& term) {
  Result<Incoming> message = decode_term(term);
  EXPECT_TRUE(message) << message.error().place << ": " << message.error().message;
  return std::get<T>(*std::move(message));
}

Term hello_term(std::int64_t protocol) {
  return Term::tuple({Term::atom("hello"), map({{"protocol", Term::integer(protocol)},
                                                {"vhost", text("example.org")}})});
}

Term configure_body() {
  return map({{"data_dir", text("/var/lib/x")},
              {"durability", Term::atom("full")},
              {"rules", rules_term()},
              {"brokers", brokers_term()}});
}

Term configure_term(const Term& body) {
  return Term::tuple({Term::atom("configure"), Term::integer(7), body});
}

Term check_term() {
  return Term::tuple({Term::atom("check"), Term::integer(8),
                      map({{"rules", rules_term()}, {"brokers", brokers_term()}})});
}

Term request_term(const Term& question) {
  return Term::tuple({Term::atom("request"), Term::integer(9), Term::integer(10'000), question});
}

Term key_term() {
  return Term::tuple({text("weather"), text("ejabberd"), text("home/kitchen"), text("temp")});
}

const SeriesKey kKey{"weather", "ejabberd", "home/kitchen", "temp"};

Term history_body() {
  return map({{"series", key_term()},
              {"from_ms", Term::atom("null")},
              {"to_ms", Term::integer(1'775'304'180'000)},
              {"last_ms", Term::integer(86'400'000)},
              {"step_ms", Term::integer(3'600'000)},
              {"aggregates", Term::list({Term::atom("max"), Term::atom("count")})},
              {"max", Term::integer(60)},
              {"after", text("1.2.3.4")}});
}

Term history_term(const Term& body) {
  return request_term(Term::tuple({Term::atom("history"), body}));
}

Term names_body() {
  return map({{"filter", text("home/#")},
              {"match", Term::atom("part")},
              {"after", key_term()},
              {"max", Term::integer(50)}});
}

Term names_term(const Term& body) { return request_term(Term::tuple({Term::atom("names"), body})); }

Term series_term(const Term& body) {
  return request_term(Term::tuple({Term::atom("series"), body}));
}

TEST(DecodeTest, HelloIsReadInEveryProtocolVersion) {
  EXPECT_EQ(decoded<Hello>(hello_term(1)).vhost, "example.org");
  EXPECT_EQ(decoded<Hello>(hello_term(2)).protocol, 2);
  const Term later = Term::tuple(
      {Term::atom("hello"), map({{"protocol", Term::integer(99)}, {"shape", Term::list({})}})});
  EXPECT_EQ(decoded<Hello>(later).protocol, 99);
}

TEST(DecodeTest, ConfigureBringsTheConfiguration) {
  const Configure configure = decoded<Configure>(configure_term(configure_body()));
  EXPECT_EQ(configure.id, 7);
  EXPECT_EQ(configure.data_dir, "/var/lib/x");
  EXPECT_TRUE(configure.full_sync);
  ASSERT_TRUE(configure.terms);
  EXPECT_EQ(configure.terms->config.streams.at(0).name, "temperature");
  EXPECT_EQ(configure.terms->brokers.at(0).password, "s3cret");
  const Term normal = with(configure_body(), "durability", Term::atom("normal"));
  EXPECT_FALSE(decoded<Configure>(configure_term(normal)).full_sync);
}

TEST(DecodeTest, AWrongOptionIsAnAnswerAndNoViolation) {
  const Term rules = with(rules_term(), "timezone", Term::integer(1));
  const Configure configure =
      decoded<Configure>(configure_term(with(configure_body(), "rules", rules)));
  EXPECT_EQ(configure.id, 7);
  ASSERT_FALSE(configure.terms);
  EXPECT_EQ(configure.terms.error().code, ErrorCode::bad_config);
  EXPECT_EQ(configure.terms.error().place, "timezone");
}

TEST(DecodeTest, CheckBringsTheConfigurationToo) {
  const Check check = decoded<Check>(check_term());
  EXPECT_EQ(check.id, 8);
  ASSERT_TRUE(check.terms);
  EXPECT_EQ(check.terms->config.alerts.at(0).name, "too_warm");
}

TEST(DecodeTest, QuestionsAreRead) {
  const Request status = decoded<Request>(request_term(Term::atom("status")));
  EXPECT_EQ(status.id, 9);
  EXPECT_EQ(status.deadline, std::chrono::seconds(10));
  EXPECT_TRUE(std::holds_alternative<StatusRequest>(status.question.value()));

  const Request names = decoded<Request>(names_term(names_body()));
  const auto& list = std::get<query::NamesRequest>(names.question.value());
  EXPECT_EQ(list.filter, "home/#");
  EXPECT_EQ(list.match, query::Match::part);
  EXPECT_EQ(list.after, kKey);
  EXPECT_EQ(list.max, 50u);
  const Term first = with(names_body(), "after", Term::atom("null"));
  EXPECT_EQ(
      std::get<query::NamesRequest>(decoded<Request>(names_term(first)).question.value()).after,
      std::nullopt);

  const Request series = decoded<Request>(series_term(Term::list({key_term(), key_term()})));
  EXPECT_EQ(std::get<query::SeriesRequest>(series.question.value()).keys,
            (std::vector{kKey, kKey}));

  const Request history = decoded<Request>(history_term(history_body()));
  const auto& past = std::get<query::HistoryRequest>(history.question.value());
  EXPECT_EQ(past.series, kKey);
  EXPECT_EQ(past.from, std::nullopt);
  EXPECT_EQ(past.to, time_from_ms(1'775'304'180'000));
  EXPECT_EQ(past.last, Duration(hours(24)));
  EXPECT_EQ(past.step, Duration(hours(1)));
  EXPECT_EQ(past.statistics, (std::vector{Statistic::max, Statistic::count}));
  EXPECT_EQ(past.max, 60u);
  EXPECT_EQ(past.after, "1.2.3.4");
}

Error question_error(const Term& term) {
  const Request request = decoded<Request>(term);
  EXPECT_EQ(request.id, 9);
  EXPECT_FALSE(request.question);
  return request.question ? Error{} : request.question.error();
}

TEST(DecodeTest, AWrongQuestionIsAnAnswerAndNoViolation) {
  EXPECT_EQ(question_error(request_term(Term::atom("weather"))).code, ErrorCode::unsupported);
  EXPECT_EQ(question_error(names_term(with(names_body(), "max", Term::integer(-1)))),
            (Error{ErrorCode::bad_request, "max",
                   "expected an integer from 0 to 9223372036854775807, got -1"}));
  EXPECT_EQ(question_error(names_term(with(names_body(), "filter", text("\xC0")))),
            (Error{ErrorCode::bad_request, "filter", "expected UTF-8"}));
  EXPECT_EQ(
      question_error(history_term(with(history_body(), "from_ms", text("now")))),
      (Error{ErrorCode::bad_request, "from_ms", "expected an integer or null, got a binary"}));
  const Term aggregates = Term::list({Term::atom("median")});
  EXPECT_EQ(question_error(history_term(with(history_body(), "aggregates", aggregates))).place,
            "aggregates");
  const Term many = Term::list(std::vector<Term>(std::size(kStatistics) + 1, Term::atom("avg")));
  EXPECT_EQ(question_error(history_term(with(history_body(), "aggregates", many))).place,
            "aggregates");
  EXPECT_EQ(question_error(history_term(with(history_body(), "colour", text("")))).place, "colour");
  EXPECT_EQ(question_error(names_term(with(names_body(), "match", Term::atom("any")))).place,
            "match");
  EXPECT_EQ(question_error(names_term(with(names_body(), "after", text("12")))).place, "after");
  EXPECT_EQ(question_error(series_term(Term::list({text("home/kitchen")}))).place, "series");
  EXPECT_EQ(question_error(history_term(with(history_body(), "series", text("home")))).place,
            "series");
  EXPECT_EQ(question_error(history_term(Term::list({}))).code, ErrorCode::bad_request);
}

TEST(DecodeTest, CreditAndNotifiedAreRead) {
  EXPECT_EQ(decoded<Credit>(Term::tuple({Term::atom("credit"), Term::integer(5)})).events, 5);
  EXPECT_EQ(decoded<Notified>(Term::tuple({Term::atom("notified"), Term::integer(77)})).outbox_id,
            77u);
}

TEST(DecodeTest, WhatTheProtocolDoesNotHaveIsAViolation) {
  const Term violations[] = {
      Term::atom("hello"),
      Term::tuple({}),
      Term::list({Term::atom("credit"), Term::integer(1)}),
      Term::tuple({Term::atom("credit")}),
      Term::tuple({Term::atom("credit"), Term::integer(1), Term::integer(1)}),
      Term::tuple({Term::atom("credit"), Term::integer(-1)}),
      Term::tuple({Term::atom("credit"), Term::real(1)}),
      Term::tuple({Term::binary("credit"), Term::integer(1)}),
      Term::tuple({Term::atom("notified"), Term::integer(-1)}),
      Term::tuple({Term::atom("hello"), Term::list({})}),
      Term::tuple({Term::atom("hello"), map({{"protocol", text("1")}})}),
      Term::tuple({Term::atom("hello"), map({{"protocol", Term::integer(1)}})}),
      configure_term(Term::atom("all")),
      configure_term(with(configure_body(), "durability", Term::atom("none"))),
      configure_term(with(configure_body(), "data_dir", text(std::string("/x\0y", 4)))),
      configure_term(without(configure_body(), 2)),
      Term::tuple({Term::atom("configure"), Term::atom("id"), configure_body()}),
      Term::tuple({Term::atom("check"), Term::integer(1), Term::map({})}),
      Term::tuple(
          {Term::atom("request"), Term::integer(1), Term::integer(-1), Term::atom("status")}),
  };
  for (const Term& violation : violations) {
    const Result<Incoming> message = decode_term(violation);
    EXPECT_FALSE(message) << frame_of(violation);
  }
  EXPECT_FALSE(decode(""));
  EXPECT_FALSE(decode("GET / HTTP/1.1\r\n"));
}

TEST(DecodeTest, ChangedFramesNeverDoHarm) {
  const std::string frames[] = {frame_of(hello_term(1)),
                                frame_of(configure_term(configure_body())),
                                frame_of(check_term()),
                                frame_of(names_term(names_body())),
                                frame_of(series_term(Term::list({key_term()}))),
                                frame_of(history_term(history_body()))};
  std::mt19937 random(20'260'405);
  std::size_t refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string changed = frames[random() % std::size(frames)];
    for (int change = 0; change < 2; ++change) {
      changed[random() % changed.size()] = static_cast<char>(random());
    }
    refused += decode(changed) ? 0u : 1u;
  }
  EXPECT_GT(refused, 0u);
}

Term message_term(const std::string& topic, const std::string& payload, std::int64_t flags = 0) {
  return Term::tuple({text(topic), text(payload), Term::integer(1'775'000'000'123),
                      Term::integer(flags), text("alice@example.org/phone")});
}

Term batch_term(std::vector<Term> messages, std::int64_t epoch = 0x0fff'ffff'ffff'ffff) {
  return Term::tuple({Term::atom("feed"), Term::integer(epoch), Term::integer(41),
                      Term::integer(1'775'000'000'500), Term::integer(3), text("lost/one"),
                      Term::list(std::move(messages))});
}

TEST(FeedReaderTest, ABatchArrivesWhole) {
  const std::string binary("\0\xff", 2);
  const auto batch = decoded<FeedBatch>(
      batch_term({message_term("home/a", "21.5"), message_term("home/b", binary, 1)}));
  EXPECT_EQ(batch.epoch, 0x0fff'ffff'ffff'ffffU);
  EXPECT_EQ(batch.first, 41U);
  EXPECT_EQ(batch.up_to, time_from_ms(1'775'000'000'500));
  EXPECT_EQ(batch.lost, 3U);
  EXPECT_EQ(batch.lost_topic, "lost/one");
  ASSERT_EQ(batch.messages.size(), 2U);
  EXPECT_EQ(batch.messages[0].topic, "home/a");
  EXPECT_EQ(batch.messages[0].payload, "21.5");
  EXPECT_EQ(batch.messages[0].arrival, time_from_ms(1'775'000'000'123));
  EXPECT_EQ(batch.messages[0].publisher, "alice@example.org/phone");
  EXPECT_FALSE(batch.messages[0].retained);
  EXPECT_TRUE(batch.messages[1].retained);
  EXPECT_EQ(batch.messages[1].payload, binary);
  EXPECT_TRUE(decoded<FeedBatch>(batch_term({})).messages.empty());
}

TEST(FeedReaderTest, WhatIsNoBatchIsRefused) {
  const auto refused = [](const Term& term) { return !decode_term(term).has_value(); };
  EXPECT_TRUE(refused(batch_term({}, 0)));
  EXPECT_TRUE(refused(batch_term({}, -1)));
  EXPECT_TRUE(refused(batch_term({message_term("a", "b", 2)})));
  EXPECT_TRUE(refused(batch_term({text("a")})));
  EXPECT_TRUE(refused(batch_term({Term::tuple({text("a"), text("b")})})));
  EXPECT_TRUE(refused(Term::tuple({Term::atom("feed"), Term::integer(1)})));
  EXPECT_TRUE(refused(Term::tuple({Term::atom("feed"), Term::integer(1), Term::integer(0),
                                   Term::integer(0), Term::integer(0), text(""), Term::list({})})));
}

TEST(FeedReaderTest, ACutOffBatchIsRefusedAtEveryByte) {
  const std::string frame = frame_of(batch_term({message_term("a", "b"), message_term("c", "d")}));
  ASSERT_TRUE(decode(frame));
  for (std::size_t size = 0; size < frame.size(); ++size) {
    EXPECT_FALSE(decode(std::string_view(frame).substr(0, size))) << size;
  }
  EXPECT_FALSE(decode(frame + '\0'));
}

// Its end could be missing, and nobody would see it.
TEST(FeedReaderTest, AnEmptyListInTheLongFormIsRefused) {
  std::string frame = frame_of(batch_term({}));
  ASSERT_TRUE(decode(frame));
  ASSERT_EQ(frame.back(), '\x6a');
  frame.pop_back();
  const std::string list("\x6c\0\0\0\0", 5);
  EXPECT_FALSE(decode(frame + list));
  EXPECT_FALSE(decode(frame + list + '\x6a'));
}

TEST(DecodeTest, AnswersToPublicationsArrive) {
  const auto published = decoded<Published>(
      Term::tuple({Term::atom("published"), Term::integer(12), Term::integer(2)}));
  EXPECT_EQ(published.count, 12U);
  EXPECT_EQ(published.refused, 2U);
  EXPECT_FALSE(
      decode_term(Term::tuple({Term::atom("published"), Term::integer(-1), Term::integer(0)})));
}

}  // namespace
}  // namespace rollup::port

// Messages from the program.
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <string>

#include "port/frame_splitter.h"
#include "port/messages.h"
#include "port/term_reader.h"
#include "unit/port/rules_terms.h"

namespace rollup::port {
namespace {

Term read_back(const std::string& frame) {
  Result<Term> term = read_term(frame);
  EXPECT_TRUE(term) << term.error().message;
  return *term;
}

Term ok_reply(std::int64_t id, Term answer) {
  return Term::tuple(
      {Term::atom("reply"), Term::integer(id), Term::tuple({Term::atom("ok"), std::move(answer)})});
}

TEST(EncodeTest, HelloNamesTheProgram) {
  EXPECT_EQ(read_back(encode(ProgramHello{"0.1.0", 4711})),
            Term::tuple({Term::atom("hello"),
                         map({{"protocol", Term::integer(1)},
                              {"build", text("0.1.0")},
                              {"pid", Term::integer(4711)},
                              {"frame_bytes_max", Term::integer(16 * 1024 * 1024)}})}));
}

TEST(EncodeTest, ConfiguredAndCheckedSayOkOrEveryError) {
  EXPECT_EQ(read_back(encode_configured(3, {})),
            Term::tuple({Term::atom("configured"), Term::integer(3), Term::atom("ok")}));
  const Errors errors = {{ErrorCode::bad_config, "streams->a", "is wrong"},
                         {ErrorCode::unavailable, "", "later"}};
  EXPECT_EQ(
      read_back(encode_checked(4, tl::unexpected(errors))),
      Term::tuple(
          {Term::atom("checked"), Term::integer(4),
           Term::tuple(
               {Term::atom("error"),
                Term::list(
                    {Term::tuple({Term::atom("bad_config"), text("streams->a"), text("is wrong")}),
                     Term::tuple({Term::atom("unavailable"), text(""), text("later")})})})}));
}

TEST(EncodeTest, AnErrorIsAReplyToo) {
  const Result<Answer> answer = fail(ErrorCode::not_found, "series", "there is none");
  EXPECT_EQ(read_back(encode_reply(5, answer)),
            Term::tuple({Term::atom("reply"), Term::integer(5),
                         Term::tuple({Term::atom("error"),
                                      Term::tuple({Term::atom("not_found"), text("series"),
                                                   text("there is none")})})}));
}

TEST(EncodeTest, StatusNamesOnlyReasonsThatOccurred) {
  StatusAnswer status;
  status.build = "0.1.0";
  status.uptime = Duration(5000);
  status.started = time_from_ms(1'775'304'180'000);
  status.series = 1;
  status.alerts = 2;
  status.alarms = 3;
  status.received = 12;
  status.accepted = 10;
  status.dropped[static_cast<std::size_t>(DropReason::too_late)] = 2;
  status.dropped[static_cast<std::size_t>(DropReason::alerts_per_rule)] = 3;
  StreamStatus stream;
  stream.name = "temperature";
  stream.series = 1;
  stream.received = 12;
  stream.accepted = 10;
  stream.dropped = status.dropped;
  stream.examples[static_cast<std::size_t>(DropReason::too_late)] = "home/a";
  status.streams = {stream};
  status.brokers = {{.name = "ejabberd",
                     .state = LinkState::connecting,
                     .since = time_from_ms(7),
                     .received = 10,
                     .redelivered = 11,
                     .unwanted = 12,
                     .filters_missing = 13,
                     .sessions_lost = 14,
                     .published = 8,
                     .unpublished = 15,
                     .queued = 9,
                     .last_error = "refused"}};
  status.history_bytes = 4096;
  status.history_journal_rows = 6;
  status.history_outbox = 1;
  status.history_last_commit = time_from_ms(1'775'304'181'000);

  const Term dropped = map({{"too_late", Term::integer(2)}});
  const Term refused = map({{"alerts_per_rule", Term::integer(3)}});
  const auto expected = [&](Term last_commit) {
    return ok_reply(
        1, map({{"build", text("0.1.0")},
                {"uptime_ms", Term::integer(5000)},
                {"started_ms", Term::integer(1'775'304'180'000)},
                {"series", Term::integer(1)},
                {"alerts", Term::integer(2)},
                {"alarms", Term::integer(3)},
                {"received", Term::integer(12)},
                {"accepted", Term::integer(10)},
                {"dropped", dropped},
                {"refused", refused},
                {"streams", Term::list({map({{"name", text("temperature")},
                                             {"series", Term::integer(1)},
                                             {"received", Term::integer(12)},
                                             {"accepted", Term::integer(10)},
                                             {"dropped", dropped},
                                             {"refused", refused},
                                             {"examples", map({{"too_late", text("home/a")}})}})})},
                {"brokers", Term::list({map({{"name", text("ejabberd")},
                                             {"state", Term::atom("connecting")},
                                             {"since_ms", Term::integer(7)},
                                             {"received", Term::integer(10)},
                                             {"redelivered", Term::integer(11)},
                                             {"unwanted", Term::integer(12)},
                                             {"filters_missing", Term::integer(13)},
                                             {"sessions_lost", Term::integer(14)},
                                             {"published", Term::integer(8)},
                                             {"unpublished", Term::integer(15)},
                                             {"queued", Term::integer(9)},
                                             {"last_error", text("refused")}})})},
                {"history", map({{"bytes", Term::integer(4096)},
                                 {"journal_rows", Term::integer(6)},
                                 {"outbox", Term::integer(1)},
                                 {"last_commit_ms", std::move(last_commit)},
                                 {"error", text("")}})}}));
  };
  EXPECT_EQ(read_back(encode_reply(1, Answer(status))), expected(Term::integer(1'775'304'181'000)));
  status.history_last_commit.reset();
  EXPECT_EQ(read_back(encode_reply(1, Answer(status))), expected(Term::atom("null")));
}

const query::SeriesLabel kLabel = {"home/a/temp", "temperature", "ejabberd", "home/a",
                                   "temp",        "°C",          "Küche"};

TEST(EncodeTest, NamesAreKeys) {
  const query::NamesAnswer answer{{{"temperature", "ejabberd", "home/a", "temp"}}, true};
  EXPECT_EQ(
      read_back(encode_reply(2, Answer(answer))),
      ok_reply(2, map({{"names", Term::list({Term::tuple({text("temperature"), text("ejabberd"),
                                                          text("home/a"), text("temp")})})},
                       {"more", Term::atom("true")}})));
}

TEST(EncodeTest, SeriesRowsCarryWhatIsUnknownAsNull) {
  query::SeriesAnswer answer;
  answer.rows = {{kLabel, 21.5, Duration(1500), 12}, {kLabel, std::nullopt, std::nullopt, 0}};
  const auto row = [](Term value, Term age, std::int64_t count) {
    return map({{"series", text("home/a/temp")},
                {"stream", text("temperature")},
                {"broker", text("ejabberd")},
                {"topic", text("home/a")},
                {"field", text("temp")},
                {"unit", text("°C")},
                {"title", text("Küche")},
                {"value", std::move(value)},
                {"age_ms", std::move(age)},
                {"count", Term::integer(count)}});
  };
  EXPECT_EQ(
      read_back(encode_reply(2, Answer(answer))),
      ok_reply(2, map({{"rows", Term::list({row(Term::real(21.5), Term::integer(1500), 12),
                                            row(Term::atom("null"), Term::atom("null"), 0)})}})));
}

TEST(EncodeTest, HistoryRowsKeepTheOrderOfTheAggregatesAndCountsAreIntegers) {
  query::HistoryAnswer answer;
  answer.label = kLabel;
  answer.decimals = 2;
  answer.from = time_from_ms(0);
  answer.to = time_from_ms(120'000);
  answer.step = std::chrono::minutes(1);
  answer.statistics = {Statistic::max, Statistic::count};
  answer.rows = {{time_from_ms(0), {21.37, 4.0}}, {time_from_ms(60'000), {std::nullopt, 0.0}}};
  answer.spark = "▄ ";
  answer.next = "x";
  EXPECT_EQ(
      read_back(encode_reply(2, Answer(answer))),
      ok_reply(
          2, map({{"series", text("home/a/temp")},
                  {"stream", text("temperature")},
                  {"broker", text("ejabberd")},
                  {"topic", text("home/a")},
                  {"field", text("temp")},
                  {"unit", text("°C")},
                  {"title", text("Küche")},
                  {"decimals", Term::integer(2)},
                  {"from_ms", Term::integer(0)},
                  {"to_ms", Term::integer(120'000)},
                  {"step_ms", Term::integer(60'000)},
                  {"aggregates", Term::list({Term::atom("max"), Term::atom("count")})},
                  {"rows",
                   Term::list({Term::tuple({Term::integer(0),
                                            Term::list({Term::real(21.37), Term::integer(4)})}),
                               Term::tuple({Term::integer(60'000),
                                            Term::list({Term::atom("null"), Term::integer(0)})})})},
                  {"spark", text("▄ ")},
                  {"next", text("x")}})));
}

TEST(EncodeTest, AnAnswerThatIsTooLongForAFrameBecomesAnError) {
  query::SeriesAnswer answer;
  query::SeriesLabel label = kLabel;
  label.title = std::string(1024 * 1024, 'x');
  answer.rows.assign(17, {label, std::nullopt, std::nullopt, 0});
  const std::string frame = encode_reply(6, Answer(answer));
  EXPECT_LE(frame.size(), kFrameBytesMax);
  const Term reply = read_back(frame);
  const Term& error = (*reply.as_tuple())[2];
  ASSERT_TRUE((*error.as_tuple())[0].is_atom("error"));
  EXPECT_TRUE((*(*error.as_tuple())[1].as_tuple())[0].is_atom("too_large"));
}

Notification notification() {
  return {"id-1",     "too_warm",
          "home/a",   "home/a",
          false,      {"alice@example.org", "bob@example.org"},
          "it ended", "id-0",
          true,       time_from_ms(1'775'304'180'000)};
}

TEST(EncodeTest, NotifyNamesTheOutboxEntry) {
  EXPECT_EQ(
      read_back(encode_notify(5, notification())),
      Term::tuple({Term::atom("notify"), Term::integer(5),
                   map({{"id", text("id-1")},
                        {"alert", text("too_warm")},
                        {"series", text("home/a")},
                        {"topic", text("home/a")},
                        {"phase", Term::atom("ok")},
                        {"to", Term::list({text("alice@example.org"), text("bob@example.org")})},
                        {"body", text("it ended")},
                        {"replaces", text("id-0")},
                        {"fresh", Term::atom("true")},
                        {"at_ms", Term::integer(1'775'304'180'000)}})}));
}

TEST(EncodeTest, LogLinesAreCutBetweenCharacters) {
  EXPECT_EQ(read_back(encode_log(LogLevel::warning, "disk full")),
            Term::tuple({Term::atom("log"), Term::atom("warning"), text("disk full")}));
  std::string line(kLogBytesMax - 1, 'x');
  EXPECT_EQ(read_back(encode_log(LogLevel::debug, line + "ä")),
            Term::tuple({Term::atom("log"), Term::atom("debug"), text(line)}));
  const std::string garbage(kLogBytesMax + 1, '\x80');
  EXPECT_EQ(read_back(encode_log(LogLevel::error, garbage)),
            Term::tuple({Term::atom("log"), Term::atom("error"),
                         text(std::string(kLogBytesMax - 3, '?'))}));
}

TEST(EncodeTest, TheFeedIsToldItsPosition) {
  const Result<Term> term = read_term(encode_committed({77, 1'000'000'000'000}));
  ASSERT_TRUE(term);
  EXPECT_EQ(*term, Term::tuple({Term::atom("committed"), Term::integer(77),
                                Term::integer(1'000'000'000'000)}));
}

TEST(EncodeTest, PublicationsGoByteForByte) {
  const std::string binary("\0\xff", 2);
  const Result<Term> term = read_term(encode_publish({{.topic = "stats/a",
                                                       .payload = binary,
                                                       .qos = 2,
                                                       .retain = true,
                                                       .expiry_s = 60,
                                                       .content_type = "application/x-protobuf"},
                                                      {.topic = "b",
                                                       .payload = "1",
                                                       .qos = 0,
                                                       .retain = false,
                                                       .expiry_s = {},
                                                       .content_type = ""}}));
  ASSERT_TRUE(term);
  const Term first =
      Term::tuple({Term::binary("stats/a"), Term::binary(binary), Term::integer(2),
                   Term::atom("true"), Term::integer(60), Term::binary("application/x-protobuf")});
  const Term second = Term::tuple({Term::binary("b"), Term::binary("1"), Term::integer(0),
                                   Term::atom("false"), Term::atom("none"), Term::binary("")});
  EXPECT_EQ(*term, Term::tuple({Term::atom("publish"), Term::list({first, second})}));
}

}  // namespace
}  // namespace rollup::port

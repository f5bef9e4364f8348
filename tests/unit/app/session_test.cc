#include "app/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "port/term_reader.h"
#include "port/term_writer.h"
#include "support/temp_dir.h"
#include "unit/port/rules_terms.h"

namespace rollup::app {
namespace {

using port::Term;
using std::chrono::hours;
using std::chrono::seconds;

class TestClock final : public Clock {
 public:
  void pass(Duration time) { steady_ += time; }
  // From now on each look at the time takes so long.
  void set_look(Duration time) { look_ = time; }
  Time today() const { return wall(); }

 private:
  Time wall() const override { return time_from_ms(1'790'000'000'000) + steady_; }
  Duration steady() const override { return steady_ += look_; }

  mutable Duration steady_{0};
  Duration look_{0};
};

class TestOutlet final : public port::Outlet {
 public:
  void send(std::string_view frame) override { sent.push_back(port::read_term(frame).value()); }

  std::size_t count(std::string_view tag) const {
    return static_cast<std::size_t>(std::count_if(sent.begin(), sent.end(), [&](const Term& term) {
      return term.as_tuple()->front().is_atom(tag);
    }));
  }

  std::vector<Term> sent;
};

// Links that do nothing; all of them are one broker's, "other", which is not configured.
class NoLinks final : public Links {
 public:
  void configure(const std::vector<Broker>&, const engine::Plan&) override {}
  void work(const Deliveries&) override {}
  Duration until_next_work() const override { return hours(1); }
  std::string_view broker_of(std::uint32_t) const override { return "other"; }
  void appended(std::uint32_t link, std::uint64_t number) override {
    appended_up_to.emplace_back(link, number);
  }
  void publish(Publication) override {}
  std::vector<std::string> newly_connected() override { return {}; }
  std::vector<port::BrokerStatus> status() const override { return {}; }
  std::vector<std::string> names() const override { return {}; }
  void stop(const std::function<void()>&) override {}

  std::vector<std::pair<std::uint32_t, std::uint64_t>> appended_up_to;
};

// A session with the feed alone, a stream of plain numbers, and an alert above 100.
class SessionTest : public ::testing::Test {
 protected:
  SessionTest() {
    give(Term::tuple({Term::atom("hello"), port::map({{"protocol", Term::integer(1)},
                                                      {"vhost", port::text("localhost")}})}));
    const Term field =
        with(with(port::field_term(), "value", port::text("")), "valid", Term::atom("none"));
    Term stream = with(port::stream_term(), "fields",
                       Term::list({port::named("", with(field, "scale", Term::integer(1)))}));
    stream = with(with(stream, "time", port::text("")), "format", Term::atom("text"));
    stream = with(stream, "publish", Term::list({}));
    Term alert =
        with(with(port::alert_term(), "match", Term::list({})), "raise", port::text("value > 100"));
    alert = with(with(with(alert, "clear", port::text("")), "for_ms", Term::integer(0)),
                 "clear_for_ms", Term::integer(0));
    const Term rules = with(with(port::rules_term(), "streams",
                                 Term::list({port::named("temperature", std::move(stream))})),
                            "alerts", Term::list({port::named("too_warm", std::move(alert))}));
    give(Term::tuple({Term::atom("configure"), Term::integer(1),
                      port::map({{"data_dir", port::text(directory_.path().string())},
                                 {"durability", Term::atom("normal")},
                                 {"rules", rules},
                                 {"brokers", Term::list({port::feed_term("ejabberd")})}})}));
    EXPECT_EQ(outlet_.count("committed"), 1U);
    give(Term::tuple({Term::atom("credit"), Term::integer(10)}));
  }

  void give(const Term& term) {
    port::TermWriter writer;
    writer.term(term);
    ASSERT_TRUE(session_.receive(writer.bytes()));
  }

  Term ask(const Term& question) {
    give(Term::tuple({Term::atom("request"), Term::integer(1), Term::integer(10'000), question}));
    return (*(*outlet_.sent.back().as_tuple())[2].as_tuple())[1];
  }

  // All that arrived until `up_to` is there: this, or nothing.
  void feed(Time up_to, const std::vector<std::string>& payloads = {}) {
    std::vector<Term> messages;
    for (const std::string& payload : payloads) {
      messages.push_back(Term::tuple({port::text("home/kitchen/temperature"), port::text(payload),
                                      Term::integer(to_ms(up_to)), Term::integer(0),
                                      port::text("alice@localhost")}));
    }
    const auto count = static_cast<std::int64_t>(messages.size());
    give(Term::tuple({Term::atom("feed"), Term::integer(7), Term::integer(next_),
                      Term::integer(to_ms(up_to)), Term::integer(0), port::text(""),
                      Term::list(std::move(messages))}));
    next_ += count;
    session_.work();
  }

  rollup::testing::TempDir directory_;
  TestClock clock_;
  TestOutlet outlet_;
  NoLinks links_;
  mqtt::Inbox inbox_;
  Session session_{outlet_, links_, inbox_, clock_};
  std::int64_t next_ = 1;
};

TEST_F(SessionTest, AnAlarmThatIsOverAtTheEndOfABacklogIsToldOnce) {
  const Time then = clock_.today() - hours(1);
  feed(then, {"201"});
  clock_.pass(seconds(1));
  feed(then + hours(1), {"20"});
  clock_.pass(seconds(20));
  feed(clock_.today());
  EXPECT_EQ(outlet_.count("notify"), 1U);
}

class SessionQuestionTest : public SessionTest {
 protected:
  void ask(std::int64_t id, Duration deadline) {
    give(Term::tuple({Term::atom("request"), Term::integer(id), Term::integer(deadline.count()),
                      Term::atom("status")}));
  }
};

TEST_F(SessionQuestionTest, OneIsAnsweredAtOnceAndOthersBetweenTurnsInTheirOrder) {
  clock_.set_look(Session::kAnswerBudget);
  for (std::int64_t id = 1; id <= 3; ++id) {
    ask(id, seconds(10));
    EXPECT_EQ(outlet_.count("reply"), 1U);
  }
  EXPECT_EQ(session_.until_next_work(), Duration(0));
  clock_.set_look(Duration(0));
  outlet_.sent.clear();
  session_.work();
  std::erase_if(outlet_.sent,
                [](const Term& frame) { return !frame.as_tuple()->front().is_atom("reply"); });
  ASSERT_EQ(outlet_.sent.size(), 2U);
  EXPECT_EQ((*outlet_.sent[0].as_tuple())[1], Term::integer(2));
  EXPECT_EQ((*outlet_.sent[1].as_tuple())[1], Term::integer(3));
  EXPECT_GT(session_.until_next_work(), Duration(0));
}

TEST_F(SessionQuestionTest, AQuestionWhoseDeadlineIsOverIsNotAnswered) {
  clock_.set_look(Session::kAnswerBudget);
  ask(1, seconds(10));
  ask(2, seconds(1));
  ask(3, seconds(10));
  clock_.set_look(Duration(0));
  clock_.pass(seconds(1));
  session_.work();
  ASSERT_EQ(outlet_.count("reply"), 2U);
  EXPECT_EQ((*outlet_.sent.back().as_tuple())[1], Term::integer(3));
}

TEST_F(SessionQuestionTest, TurnsGoOnWhileQuestionsTakeLong) {
  // One question takes more than the budget.
  clock_.set_look(Session::kAnswerBudget);
  for (std::int64_t id = 0; id < 100; ++id) {
    ask(id, hours(1));
  }
  for (std::size_t turn = 1; turn < 10; ++turn) {
    const std::size_t committed = outlet_.count("committed");
    feed(clock_.today(), {"20"});
    EXPECT_GT(outlet_.count("committed"), committed);
    EXPECT_EQ(outlet_.count("reply"), turn + 1);
  }
}

// What the session logs when it ends `silence` after the feed's last word, with a message of
// another broker in the inbox.
class SessionEndTest : public SessionTest {
 protected:
  std::string log_of_end(Duration silence) {
    feed(clock_.today());
    clock_.pass(silence);
    session_.work();
    Message message;
    message.topic = "home/kitchen/temperature";
    message.payload = "21";
    message.arrival = clock_.today();
    inbox_.push(std::move(message), 0);
    const auto before = spdlog::default_logger();
    std::ostringstream log;
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "", std::make_shared<spdlog::sinks::ostream_sink_st>(log)));
    session_.end();
    spdlog::set_default_logger(before);
    return log.str();
  }
};

TEST_F(SessionEndTest, MessagesThatWaitForASilentFeedAreToldAsLost) {
  EXPECT_THAT(
      log_of_end(seconds(10)),
      ::testing::HasSubstr("came while nothing was heard of ejabberd's side and are lost: 1"));
}

TEST_F(SessionEndTest, OtherMessagesAreTakenBeforeTheEnd) { EXPECT_EQ(log_of_end(seconds(1)), ""); }

// The program does not keep up: each second brings a second of what is an hour old.
TEST_F(SessionTest, AnAlarmIsToldWithinTenSecondsHoweverLongTheBacklogLasts) {
  Time then = clock_.today() - hours(1);
  feed(then, {"201"});
  int waited_s = 0;
  while (outlet_.count("notify") == 0 && waited_s < 60) {
    ++waited_s;
    clock_.pass(seconds(1));
    then += seconds(1);
    feed(then, {"202"});
  }
  EXPECT_EQ(waited_s, 10);
}

// A message waited while its broker was taken out of the configuration: it is nobody else's.
TEST_F(SessionTest, AMessageOfABrokerThatIsGoneIsNoOthersAndIsDoneWith) {
  feed(clock_.today());
  Message message;
  message.topic = "home/kitchen/temperature";
  message.payload = "21";
  message.arrival = clock_.today();
  message.link = 7;
  message.number = 3;
  inbox_.push(std::move(message), 1);
  clock_.pass(seconds(1));
  session_.work();
  EXPECT_THAT(links_.appended_up_to, ::testing::ElementsAre(std::pair(7U, std::uint64_t{3})));
  const Term status = ask(Term::atom("status"));
  EXPECT_EQ(status.get("accepted")->as_integer(), 0);
  EXPECT_EQ(status.get("dropped")->get("bad_topic")->as_integer(), 1);
}

// Within the commit interval only a link whose broker waits gets a turn.
TEST_F(SessionTest, ABrokerThatWaitsEndsTheCommitInterval) {
  feed(clock_.today());
  Message message;
  message.topic = "t";
  message.arrival = clock_.today();
  message.link = 1;
  message.number = 1;
  inbox_.push(std::move(message), 1);
  session_.work();
  EXPECT_TRUE(links_.appended_up_to.empty());
  EXPECT_GT(session_.until_next_work(), Duration{0});
  inbox_.hurry();
  EXPECT_EQ(session_.until_next_work(), Duration{0});
  session_.work();
  EXPECT_EQ(links_.appended_up_to.size(), 1U);
}

}  // namespace
}  // namespace rollup::app

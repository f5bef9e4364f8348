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
  Time today() const { return wall(); }

 private:
  Time wall() const override { return time_from_ms(1'790'000'000'000) + steady_; }
  Duration steady() const override { return steady_; }

  Duration steady_{0};
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

class NoLinks final : public Links {
 public:
  void configure(const std::vector<Broker>&, const engine::Plan&) override {}
  void publish(Publication) override {}
  std::vector<std::string> newly_connected() override { return {}; }
  std::vector<port::BrokerStatus> status() const override { return {}; }
  std::vector<std::string> names() const override { return {}; }
  void stop() override {}
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

}  // namespace
}  // namespace rollup::app

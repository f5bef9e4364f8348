#include "simulation/erlang_side.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "port/term_reader.h"
#include "port/term_writer.h"

namespace rollup::testing {

namespace {

using port::Term;

constexpr std::size_t kBatchMax = 20;
constexpr std::size_t kWindow = 4;
constexpr Duration kHeartbeatEvery{1000};

Term text(const std::string& value) { return Term::binary(value); }

std::string text_of(const Term* term) {
  const std::string* bytes = term == nullptr ? nullptr : term->as_binary();
  return bytes == nullptr ? "" : *bytes;
}

// Batches are kept whole: what is sent again may begin before what is missing.
std::uint64_t batch_start(std::uint64_t number) { return number - number % kBatchMax; }

std::uint64_t count_of(const Term& term) {
  return static_cast<std::uint64_t>(term.as_integer().value_or(0));
}

}  // namespace

void ErlangSide::publish(const std::string& topic, const std::string& payload, Time wall,
                         bool was_retained) {
  queue_.push_back({next_number_++, topic, payload, wall, was_retained});
}

void ErlangSide::lose(const std::string& topic) {
  ++lost_;
  ++lost_total_;
  lost_topic_ = topic;
}

void ErlangSide::restart(std::uint64_t epoch, bool is_synced, Time wall) {
  close();
  since_ = wall;
  if (!is_synced) {
    committed_ = {};
  }
  epoch_ = epoch;
  next_number_ = 1;
  queue_.clear();
  single_up_to_ = 0;
  lost_ = 0;
}

void ErlangSide::crash_feed(std::uint64_t epoch, Time wall) {
  epoch_ = epoch;
  since_ = wall;
  next_number_ = 1;
  queue_.clear();
  sent_up_to_ = 0;
  single_up_to_ = 0;
  under_way_ = 0;
  ends_.clear();
}

void ErlangSide::go_one_by_one() { single_up_to_ = queue_.empty() ? 0 : queue_.back().number; }

bool ErlangSide::goes_one_by_one() const {
  return single_up_to_ > (committed_.epoch == epoch_ ? committed_.number : 0);
}

void ErlangSide::open(const Term& config) {
  close();
  send(Term::tuple({Term::atom("hello"), Term::map({Term::atom("protocol"), Term::integer(1),
                                                    Term::atom("vhost"), text("localhost")})}));
  reconfigure(config);
}

void ErlangSide::reconfigure(const Term& config) {
  send(Term::tuple({Term::atom("configure"), Term::integer(next_id_++), config}));
}

void ErlangSide::close() {
  output_.clear();
  splitter_ = port::FrameSplitter();
  may_feed_ = false;
  is_configured_ = false;
  is_refused_ = false;
  is_telling_ = false;
  under_way_ = 0;
  ends_.clear();
  heartbeat_at_.reset();
  answer_.reset();
}

std::string ErlangSide::take_output(std::size_t bytes) {
  const std::size_t size = std::min(bytes, output_.size());
  std::string taken = output_.substr(0, size);
  output_.erase(0, size);
  return taken;
}

void ErlangSide::read(std::string_view bytes) {
  std::vector<std::string> frames;
  ROLLUP_CHECK(splitter_.feed(bytes, frames).has_value());
  for (const std::string& frame : frames) {
    const Result<Term> term = port::read_term(frame);
    ROLLUP_CHECK(term.has_value());
    on_frame(*term);
  }
}

void ErlangSide::start_telling() {
  if (is_configured_ && !std::exchange(is_telling_, true)) {
    send(Term::tuple({Term::atom("credit"), Term::integer(5)}));
  }
}

void ErlangSide::work(Time wall, Duration steady) {
  if (!may_feed_) {
    return;
  }
  for (;;) {
    const auto first = std::find_if(queue_.begin(), queue_.end(), [&](const Message& message) {
      return message.number > sent_up_to_;
    });
    const auto waiting = static_cast<std::size_t>(queue_.end() - first);
    const bool may_send =
        under_way_ == 0 || (under_way_ < kWindow && waiting >= kBatchMax && !goes_one_by_one());
    if (waiting == 0 || !may_send) {
      break;
    }
    send_batch(goes_one_by_one() ? 1 : kBatchMax);
  }
  const bool is_all_sent = queue_.empty() || queue_.back().number <= sent_up_to_;
  if (is_all_sent && (!heartbeat_at_ || steady >= *heartbeat_at_)) {
    heartbeat_at_ = steady + kHeartbeatEvery;
    send(Term::tuple({Term::atom("feed"), Term::integer(static_cast<std::int64_t>(epoch_)),
                      Term::integer(static_cast<std::int64_t>(next_number_)),
                      Term::integer(to_ms(wall)), Term::integer(0), text(""), Term::list({})}));
  }
}

// Up to where a number was left out.
void ErlangSide::send_batch(std::size_t max) {
  auto message = std::find_if(queue_.begin(), queue_.end(),
                              [&](const Message& one) { return one.number > sent_up_to_; });
  const std::uint64_t first = message->number;
  std::vector<Term> messages;
  Time up_to;
  for (; message != queue_.end() && messages.size() < max &&
         message->number == first + messages.size();
       ++message) {
    messages.push_back(Term::tuple(
        {text(message->topic), text(message->payload), Term::integer(to_ms(message->arrival)),
         Term::integer(message->was_retained ? 1 : 0), text("alice@localhost/phone")}));
    up_to = message->arrival;
    sent_up_to_ = message->number;
  }
  ++under_way_;
  ends_.push_back(sent_up_to_);
  send(Term::tuple({Term::atom("feed"), Term::integer(static_cast<std::int64_t>(epoch_)),
                    Term::integer(static_cast<std::int64_t>(first)), Term::integer(to_ms(up_to)),
                    Term::integer(static_cast<std::int64_t>(std::exchange(lost_, 0))),
                    text(lost_topic_), Term::list(std::move(messages))}));
}

void ErlangSide::send(const Term& term) {
  port::TermWriter writer;
  writer.term(term);
  send(std::string(writer.bytes()));
}

void ErlangSide::send(std::string frame) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    output_.push_back(static_cast<char>((frame.size() >> shift) & 0xFF));
  }
  output_ += frame;
}

void ErlangSide::ask(const Term& question) {
  answer_.reset();
  send(Term::tuple(
      {Term::atom("request"), Term::integer(next_id_++), Term::integer(10'000), question}));
}

std::optional<Term> ErlangSide::take_answer() { return std::exchange(answer_, std::nullopt); }

void ErlangSide::on_frame(const Term& frame) {
  const std::vector<Term>& items = *frame.as_tuple();
  const std::string& word = *items[0].as_atom();
  if (word == "configured") {
    is_configured_ = items[2].is_atom("ok");
    is_refused_ = !is_configured_;
  } else if (word == "committed") {
    on_committed(items);
  } else if (word == "publish") {
    const std::vector<Term>& publications = *items[1].as_list();
    for (const Term& publication : publications) {
      const std::vector<Term>& parts = *publication.as_tuple();
      published_.push_back({*parts[0].as_binary(), *parts[1].as_binary()});
    }
    send(Term::tuple({Term::atom("published"),
                      Term::integer(static_cast<std::int64_t>(publications.size())),
                      Term::integer(0)}));
  } else if (word == "notify") {
    told_.push_back({text_of(items[2].get("id")), items[2].get("phase")->is_atom("alarm"),
                     text_of(items[2].get("replaces")),
                     time_from_ms(*items[2].get("at_ms")->as_integer())});
    send(Term::tuple({Term::atom("notified"), items[1]}));
    send(Term::tuple({Term::atom("credit"), Term::integer(1)}));
  } else if (word == "reply") {
    answer_ = items[2];
  }
}

void ErlangSide::on_committed(const std::vector<Term>& items) {
  const FeedPosition position{count_of(items[1]), count_of(items[2])};
  if (!std::exchange(may_feed_, true)) {
    // Where the program stands: everything after that goes to it again.
    send(Term::tuple({Term::atom("feed_since"), Term::integer(to_ms(since_))}));
    sent_up_to_ = position.epoch == epoch_ ? batch_start(position.number) : 0;
    if (position.epoch == committed_.epoch && position.number < committed_.number) {
      faults.push_back("what was acknowledged is not there after a restart");
    }
  } else if (position.epoch == committed_.epoch && position.number < committed_.number) {
    faults.push_back("an acknowledgement went back");
  }
  committed_ = position;
  if (position.epoch != epoch_) {
    return;
  }
  if (position.number >= next_number_) {
    faults.push_back("a message was acknowledged that was never sent");
  }
  while (!queue_.empty() && queue_.front().number <= batch_start(position.number)) {
    queue_.pop_front();
  }
  while (!ends_.empty() && ends_.front() <= position.number) {
    ends_.pop_front();
    --under_way_;
  }
}

}  // namespace rollup::testing

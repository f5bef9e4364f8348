#include "simulation/simulation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "port/term_reader.h"
#include "port/term_writer.h"
#include "unit/port/rules_terms.h"

namespace rollup::testing {

namespace {

using port::map;
using port::Term;
using port::text;
using port::with;

constexpr double kHot = 100;
constexpr int kRooms = 3;
constexpr std::int64_t kDayMs = 86'400'000;

Term integer(std::int64_t value) { return Term::integer(value); }

constexpr const char* kOtherTopic = "other/0";

// The key of a series, which is in the stream of its topic's first level.
Term key_of(const std::string& topic) {
  const bool is_other = topic == kOtherTopic;
  return Term::tuple({text(is_other ? "other" : "in"), text(is_other ? "other" : "ejabberd"),
                      text(topic), text("")});
}

std::string room_topic(std::int64_t room) { return "in/" + std::to_string(room); }

}  // namespace

class Simulation::SimClock final : public app::Clock {
 public:
  explicit SimClock(const Simulation& simulation) : simulation_(simulation) {}

 private:
  Time wall() const override { return simulation_.wall(); }
  Duration steady() const override { return simulation_.now_; }

  const Simulation& simulation_;
};

// What the program wrote and nobody has read.
class Simulation::SimOutlet final : public port::Outlet {
 public:
  void send(std::string_view frame) override {
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes.push_back(static_cast<char>((frame.size() >> shift) & 0xFF));
    }
    bytes += frame;
  }

  std::string bytes;
};

// One more broker, whose messages are put into the inbox by hand.
class Simulation::SimLinks final : public app::Links {
 public:
  void configure(const std::vector<Broker>& brokers, const engine::Plan&) override {
    names_.clear();
    for (const Broker& broker : brokers) {
      if (broker.link == LinkKind::client) {
        names_.push_back(broker.name);
      }
    }
  }
  void work(const app::Deliveries&) override {}
  Duration until_next_work() const override { return std::chrono::hours(1); }
  std::string_view broker_of(std::uint32_t) const override { return names_.front(); }
  void appended(std::uint32_t, std::uint64_t) override {}
  void publish(Publication) override {}
  std::vector<std::string> newly_connected() override {
    return std::exchange(is_new_, false) ? names() : std::vector<std::string>();
  }
  std::vector<port::BrokerStatus> status() const override { return {}; }
  std::vector<std::string> names() const override { return names_; }
  void stop(const std::function<void()>&) override {}

 private:
  std::vector<std::string> names_;
  bool is_new_ = true;
};

Simulation::Simulation(std::uint64_t seed)
    : random_(seed), start_(time_from_ms(1'790'000'000'000)), erlang_(1) {
  Disk::instance().reset();
  const auto some = [this](int percent) { return chance(percent); };
  chaos_.kills = some(60);
  chaos_.power_cuts = some(15);
  chaos_.disk_faults = some(25);
  chaos_.stops = some(40);
  chaos_.slow_pipe = some(40);
  chaos_.slow_reader = some(30);
  chaos_.slow_node = some(30);
  chaos_.reloads = some(30);
  chaos_.node_restarts = some(25);
  chaos_.clock_steps = some(10);
  chaos_.full_sync = some(30);
  chaos_.losses = some(20);
  chaos_.feed_crashes = some(10);
  chaos_.gaps = some(30);
  chaos_.singles = some(30);
  chaos_.retained = some(20);
  is_feed_first_ = some(50);
  has_other_ = some(70);
  start_ += Duration{pick(0, 100'000)};
  resolution_ = Duration{chance(50) ? 1000 : 10'000};
  lateness_ = Duration{chance(50) ? 2000 : pick(2000, 60'000)};
}

Simulation::~Simulation() {
  session_.reset();
  Disk::instance().reset();
}

std::int64_t Simulation::pick(std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(high - low + 1));
}

bool Simulation::chance(int percent) { return pick(1, 100) <= percent; }

void Simulation::fault(const std::string& what) {
  if (fault_.empty()) {
    fault_ = "at " + std::to_string(now_.count()) + " ms: " + what;
  }
}

Term Simulation::config() const {
  const Term output =
      with(with(with(with(with(with(port::output_term(), "format", Term::atom("json")), "window_ms",
                               integer(resolution_.count())),
                          "every_ms", integer(resolution_.count())),
                     "sparkline", Term::atom("none")),
                "on", Term::atom("interval")),
           "broker", text("ejabberd"));
  const Term field = map({{"value", text("")},
                          {"unit", text("")},
                          {"title", text("")},
                          {"scale", integer(1)},
                          {"offset", integer(0)},
                          {"kind", Term::atom("gauge")},
                          {"reset", Term::atom("zero")},
                          {"valid", Term::atom("none")}});
  const auto stream = [&](const char* topic, const char* broker, std::vector<Term> outputs) {
    return map({{"topic", text(topic)},
                {"broker", text(broker)},
                {"qos", integer(1)},
                {"format", Term::atom("text")},
                {"fields", Term::list({port::named("", field)})},
                {"time", text("")},
                {"resolution_ms", integer(resolution_.count())},
                {"hold_ms", integer(3 * resolution_.count())},
                {"lateness_ms", integer(lateness_.count())},
                // Longer than a run, but not longer than some steps of the clock.
                {"keep", map({{"raw", integer(is_reloaded_ ? kDayMs : 0)},
                              {"fine", integer(2 * kDayMs)},
                              {"hour", integer(2 * kDayMs)},
                              {"day", integer(2 * kDayMs)}})},
                {"publish", Term::list(std::move(outputs))}});
  };
  const Term alert = map({{"stream", text("in")},
                          {"match", Term::list({})},
                          {"raise", text("value > 100")},
                          {"clear", text("")},
                          {"for_ms", integer(0)},
                          {"clear_for_ms", integer(0)},
                          {"notify", Term::list({text("alice@localhost")})},
                          {"message", text("")},
                          {"topic", text("alerts/{alert}/{series}")}});
  std::vector<Term> streams = {port::named("in", stream("in/{room}", "ejabberd", {output}))};
  std::vector<Term> brokers = {port::feed_term("ejabberd")};
  if (has_other_) {
    streams.push_back(port::named("other", stream("other/{room}", "other", {})));
    brokers.insert(is_feed_first_ ? brokers.end() : brokers.begin(), port::broker_term("other"));
  }
  const Term rules = map({{"timezone", text("UTC")},
                          {"language", text("en")},
                          {"limits", with(with(port::limits_term(), "rows", integer(50'000)),
                                          "alerts_per_rule", integer(1000))},
                          {"streams", Term::list(std::move(streams))},
                          {"alerts", Term::list({port::named("hot", alert)})}});
  return map({{"data_dir", text(directory_.path().string())},
              {"durability", Term::atom(chaos_.full_sync ? "full" : "normal")},
              {"rules", rules},
              {"brokers", Term::list(std::move(brokers))}});
}

void Simulation::start_program() {
  clock_ = std::make_unique<SimClock>(*this);
  outlet_ = std::make_unique<SimOutlet>();
  links_ = std::make_unique<SimLinks>();
  inbox_ = std::make_unique<mqtt::Inbox>();
  session_ =
      std::make_unique<app::Session>(*outlet_, *links_, *inbox_, *clock_, Disk::instance().files());
  splitter_ = port::FrameSplitter();
  are_others_known_ = false;
  if (chaos_.singles && chance(50)) {
    erlang_.go_one_by_one();
  }
  erlang_.open(config());
}

void Simulation::end_program(bool in_order) {
  if (session_ == nullptr) {
    return;
  }
  if (in_order) {
    session_->end();
    if (are_others_known_ && session_->takes_messages()) {
      others_safe_ = others_.size();  // or the feed, or the disk, kept it from taking them
    }
  }
  session_.reset();
  erlang_.close();
}

std::string Simulation::run() {
  start_program();
  const std::int64_t actions = pick(40, 160);
  for (std::int64_t i = 0; i < actions && fault_.empty(); ++i) {
    act();
    pass(Duration{chance(60) ? pick(0, 60) : chance(70) ? pick(0, 900) : pick(0, 5000)});
  }
  settle();
  check();
  return fault_;
}

void Simulation::act() {
  for (std::int64_t count = pick(0, 3) * pick(0, 4); count > 0; --count) {
    publish();
  }
  if (chance(30)) {
    publish_other();
  }
  if (chaos_.gaps && chance(10)) {
    const std::int64_t gap = chance(80) ? pick(1, 50) : std::int64_t{1} << 40;
    number_ += static_cast<std::uint64_t>(gap);
    erlang_.skip_numbers(static_cast<std::uint64_t>(gap));
  }
  if (chaos_.losses && chance(5)) {
    erlang_.lose(room_topic(0));
  }
  if (chance(50)) {
    erlang_.start_telling();
  }
  if (chaos_.feed_crashes && chance(4) && !is_cut_) {
    // Nobody knows what of the messages before comes to be counted; none may be twice.
    lost_order_ = true;
    ++epoch_;
    number_ = 0;
    erlang_.crash_feed(epoch_, wall());
  }
  if (chaos_.stops && chance(6)) {
    stopped_until_ = now_ + Duration{pick(100, 20'000)};
  }
  // Never so long that the feed counts as gone, if there is somebody who does not wait for it.
  if (chaos_.slow_reader && chance(6) && now_ > unread_until_ + Duration{2000}) {
    unread_until_ = now_ + Duration{pick(100, has_other_ ? 8000 : 60'000)};
  }
  if (chaos_.slow_node && chance(4) && now_ > held_until_ + Duration{2000}) {
    held_until_ = now_ + Duration{pick(100, has_other_ ? 4000 : 60'000)};
  }
  if (chaos_.reloads && chance(4) && erlang_.is_configured()) {
    is_reloaded_ = !is_reloaded_;
    erlang_.reconfigure(config());
  }
  if (chaos_.clock_steps && chance(3)) {
    lost_order_ = true;
    was_clock_set_ = true;
    // By some minutes, or to where a machine without a battery begins, and back.
    jumped_ = chance(70)               ? jumped_ + Duration{pick(-100'000, 100'000)}
              : jumped_ == Duration{0} ? std::chrono::hours(24 * pick(-7000, 7000))
                                       : Duration{0};
  }
  Disk& disk = Disk::instance();
  if (chaos_.disk_faults && chance(8)) {
    if (chance(50)) {
      disk.set_full(chance(60));
    } else {
      disk.cut_short_after(static_cast<std::uint64_t>(pick(0, 8)));
    }
  }
  if (session_ == nullptr) {
    return;
  }
  if (chaos_.kills && chance(8)) {
    if (chance(50)) {
      disk.die_after(static_cast<std::uint64_t>(pick(0, 12)));
    } else {
      disk.die();
    }
  }
  if (chaos_.power_cuts && chance(3)) {
    cut_power();
  }
  if (chaos_.node_restarts && chance(4) && !disk.is_dead()) {
    end_program(true);
    down_until_ = now_ + Duration{pick(0, 10'000)};
  }
}

void Simulation::publish() {
  const std::string topic = room_topic(pick(0, kRooms - 1));
  const auto value = static_cast<double>(chance(85) ? pick(0, 90) : pick(101, 130));
  // A copy from before is no sample, and alarms nobody (SEMANTICS 1.7).
  const bool was_retained = chaos_.retained && chance(10);
  ++number_;
  if (!was_retained) {
    sent_.push_back({epoch_, number_, topic, value, wall()});
  }
  erlang_.publish(topic, format_number(value, 0), wall(), was_retained);
}

void Simulation::publish_other() {
  if (!has_other_ || session_ == nullptr || !erlang_.is_configured()) {
    return;
  }
  Message message;
  message.topic = kOtherTopic;
  message.payload = std::to_string(pick(0, 50));
  message.arrival = wall();
  others_.push_back({0, 0, message.topic, std::stod(message.payload), message.arrival});
  inbox_->push(std::move(message), 0);
}

void Simulation::pass(Duration time) {
  const Duration end = now_ + time;
  do {
    Duration next = end;
    if (session_ != nullptr && now_ >= stopped_until_) {
      // What waits in the pipe wakes it up.
      const Duration sleep = erlang_.has_output() ? Duration{1} : session_->until_next_work();
      next = std::min(next, now_ + std::max(Duration{1}, sleep));
    }
    now_ = std::min(end, std::max(next, now_ + Duration{pick(0, 40)}));
    step();
  } while (now_ < end && fault_.empty());
}

void Simulation::step() {
  if (session_ == nullptr) {
    if (now_ >= down_until_) {
      start_program();
    } else {
      return;
    }
  }
  if (now_ >= held_until_) {
    erlang_.work(wall(), now_);
  }
  if (now_ >= stopped_until_) {
    const auto bytes = static_cast<std::size_t>(
        chaos_.slow_pipe && !is_settling_ ? pick(1, 400) : std::int64_t{1} << 20);
    std::vector<std::string> frames;
    if (!splitter_.feed(erlang_.take_output(bytes), frames)) {
      fault("a frame that is too long");
    }
    for (const std::string& frame : frames) {
      if (!session_->receive(frame)) {
        fault("the program ended with " + std::to_string(session_->exit_code()));
        return;
      }
    }
    count_others();
    session_->work();
    count_others();
  }
  if (Disk::instance().is_dead()) {
    handle_death();
    return;
  }
  if (now_ >= unread_until_) {
    erlang_.read(std::exchange(outlet_->bytes, {}));
    forget_what_was_not_committed();
    if (now_ >= held_until_) {
      erlang_.work(wall(), now_);  // what waited for the answer
    }
  }
  if (erlang_.is_refused()) {
    end_program(false);
    down_until_ = now_ + Duration{1000};
  }
  for (const std::string& what : erlang_.faults) {
    fault(what);
  }
  erlang_.faults.clear();
}

void Simulation::handle_death() {
  // What was written to the pipe before is still read.
  erlang_.read(std::exchange(outlet_->bytes, {}));
  forget_what_was_not_committed();
  end_program(false);
  Disk::instance().revive(Disk::Loss::nothing);
  down_until_ = now_ + Duration{chance(50) ? 0 : pick(0, 15'000)};
}

// The whole machine: Erlang's memory goes too.
void Simulation::cut_power() {
  forget_what_was_not_committed();
  Disk::instance().die();
  erlang_.read(std::exchange(outlet_->bytes, {}));
  end_program(false);
  Disk::instance().revive(Disk::Loss::unsynced, random_());
  had_power_cut_ = true;
  is_cut_ = true;
  others_safe_ = chaos_.full_sync ? others_safe_ : 0;
  ++epoch_;
  number_ = 0;
  erlang_.restart(epoch_, chaos_.full_sync, wall());
  down_until_ = now_ + Duration{pick(0, 5000)};
}

// After a power cut only what the history has of the messages before counts.
void Simulation::forget_what_was_not_committed() {
  if (!is_cut_ || !erlang_.is_configured()) {
    return;
  }
  is_cut_ = false;
  const FeedPosition left = erlang_.committed();
  std::erase_if(sent_, [&](const Sent& sent) {
    return sent.epoch < epoch_ &&
           (sent.epoch > left.epoch || (sent.epoch == left.epoch && sent.number > left.number));
  });
}

// Nobody sends again what a client link had when the program ended, but it may only be what came
// after the last commit. What is left are the first ones, as they are taken in their order.
void Simulation::count_others() {
  if (!has_other_ || was_clock_set_ || !session_->is_configured() ||
      (are_others_known_ && (others_safe_ == others_.size() || !session_->takes_messages()))) {
    return;
  }
  const Term answer =
      ask_at_once(Term::tuple({Term::atom("series"), Term::list({key_of(kOtherTopic)})}));
  const std::vector<Term>& rows = *answer.get("rows")->as_list();
  const auto count =
      rows.empty() ? 0 : static_cast<std::size_t>(*rows[0].get("count")->as_integer());
  if (count > others_.size() || count < others_safe_) {
    fault("the program has " + std::to_string(count) + " messages of the other broker of " +
          std::to_string(others_.size()) + ", " + std::to_string(others_safe_) +
          " of which it had committed");
    return;
  }
  others_safe_ = count;
  if (!std::exchange(are_others_known_, true)) {
    others_.resize(count);
  }
}

void Simulation::settle() {
  is_settling_ = true;
  if (jumped_ > std::chrono::hours(24) || jumped_ < -std::chrono::hours(24)) {
    jumped_ = Duration{0};
  }
  Disk::instance().revive(Disk::Loss::nothing);
  stopped_until_ = unread_until_ = held_until_ = down_until_ = now_;
  for (int i = 0; i < 400 && fault_.empty(); ++i) {
    pass(Duration{250});
    if (erlang_.is_everything_committed() && erlang_.is_configured() && i > 8) {
      break;
    }
  }
  if (!erlang_.is_everything_committed()) {
    fault("messages are left that nobody commits");
  }
  // Everything is sealed and told.
  pass(2 * lateness_ + 8 * resolution_ + Duration{5000});
  erlang_.start_telling();
  for (int i = 0; i < 40; ++i) {
    pass(Duration{100});
  }
}

std::optional<Term> Simulation::ask(const Term& question) {
  erlang_.ask(question);
  for (int i = 0; i < 100; ++i) {
    pass(Duration{20});
    if (std::optional<Term> answer = erlang_.take_answer()) {
      const std::vector<Term>& pair = *answer->as_tuple();
      if (!pair[0].is_atom("ok")) {
        refusal_ = *(*pair[1].as_tuple())[2].as_binary();
        return std::nullopt;
      }
      return pair[1];
    }
  }
  fault("a question was not answered");
  return std::nullopt;
}

Term Simulation::ask_at_once(const Term& question) {
  const std::size_t before = outlet_->bytes.size();
  port::TermWriter writer;
  writer.term(Term::tuple({Term::atom("request"), integer(0), integer(10'000), question}));
  ROLLUP_CHECK(session_->receive(writer.bytes()));
  const Result<Term> reply = port::read_term(outlet_->bytes.substr(before + 4));
  outlet_->bytes.resize(before);
  return (*(*reply->as_tuple())[2].as_tuple())[1];
}

void Simulation::check() {
  if (!fault_.empty()) {
    return;
  }
  check_counters();
  for (int room = 0; room < kRooms; ++room) {
    check_series(room_topic(room), sent_, !lost_order_);
  }
  if (has_other_) {
    check_series(kOtherTopic, others_, !was_clock_set_);
  }
  if (!lost_order_ && !had_power_cut_) {
    check_alarms();
  }
  check_publications();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path())) {
    if (entry.path().filename().string().find("unreadable") != std::string::npos) {
      fault("the history was moved aside");
    }
  }
}

void Simulation::check_series(const std::string& topic, const std::vector<Sent>& all,
                              bool is_exact) {
  std::map<Time, std::pair<std::int64_t, double>> expected;
  std::int64_t count = 0;
  for (const Sent& sent : all) {
    if (sent.topic == topic) {
      auto& [bucket_count, sum] = expected[floor_to(sent.arrival, resolution_)];
      ++bucket_count;
      sum += sent.value;
      ++count;
    }
  }
  const std::optional<Term> answer =
      ask(Term::tuple({Term::atom("history"),
                       map({{"series", key_of(topic)},
                            {"from_ms", integer(to_ms(start_) - 2'000'000)},
                            {"to_ms", integer(to_ms(start_) + now_.count() + 2'000'000)},
                            {"last_ms", Term::atom("null")},
                            {"step_ms", integer(resolution_.count())},
                            {"aggregates", Term::list({Term::atom("count"), Term::atom("sum")})},
                            {"max", integer(50'000)},
                            {"after", text("")}})}));
  std::int64_t got_count = 0;
  if (answer) {
    for (const Term& row : *answer->get("rows")->as_list()) {
      const std::vector<Term>& parts = *row.as_tuple();
      const std::vector<Term>& values = *parts[1].as_list();
      const Time start = time_from_ms(*parts[0].as_integer());
      const std::int64_t got = values[0].as_integer().value_or(0);
      got_count += got;
      const auto found = expected.find(start);
      const auto wanted =
          found == expected.end() ? std::pair<std::int64_t, double>() : found->second;
      if (is_exact && got != wanted.first) {
        fault(topic + " at " + format_rfc3339(start) + " has " + std::to_string(got) +
              " samples of " + std::to_string(wanted.first));
      }
      if (is_exact && values[1].as_number() &&
          std::abs(*values[1].as_number() - wanted.second) > 1e-6) {
        fault(topic + " at " + format_rfc3339(start) + " has a wrong sum");
      }
    }
  } else if (count > 0 && is_exact) {
    fault(topic + " has no history: " + refusal_);
  }
  if (is_exact ? got_count != count : got_count > count) {
    fault(topic + " has " + std::to_string(got_count) + " samples of " + std::to_string(count));
  }
}

void Simulation::check_alarms() {
  std::map<std::string, bool> is_hot;
  std::size_t begun = 0;
  std::size_t ended = 0;
  for (const Sent& sent : sent_) {
    bool& hot = is_hot[sent.topic];
    const bool now_hot = sent.value > kHot;
    begun += now_hot && !hot ? 1U : 0U;
    ended += !now_hot && hot ? 1U : 0U;
    hot = now_hot;
  }
  std::set<std::string> alarms;
  std::set<std::string> ends;
  for (const ErlangSide::Told& told : erlang_.told()) {
    if (told.is_alarm) {
      alarms.insert(told.id);
    } else {
      ends.insert(told.id.substr(0, told.id.rfind("-ok")));
    }
  }
  for (const std::string& id : ends) {
    alarms.insert(id);  // told once, as past
  }
  if (alarms.size() != begun || ends.size() != ended) {
    fault("told of " + std::to_string(alarms.size()) + " alarms of " + std::to_string(begun) +
          " and " + std::to_string(ends.size()) + " ends of " + std::to_string(ended));
  }
}

void Simulation::check_publications() {
  // One window with one revision has one content, however often it is sent.
  std::map<std::string, std::string> by_revision;
  for (const ErlangSide::Published& published : erlang_.published()) {
    const std::string& payload = published.payload;
    const auto part = [&](const std::string& key) {
      const std::size_t at = payload.find("\"" + key + "\":");
      return at == std::string::npos ? std::string()
                                     : payload.substr(at, payload.find_first_of(",}", at) - at);
    };
    if (payload.empty()) {
      fault("an empty payload on " + published.topic);
    }
    if (published.topic.rfind("stats/", 0) != 0 || part("rev").empty() || had_power_cut_ ||
        lost_order_) {
      continue;
    }
    const std::string key = published.topic + part("end") + part("rev");
    const std::string content = part("count") + part("sum") + part("avg");
    const auto [at, is_new] = by_revision.emplace(key, content);
    if (!is_new && at->second != content) {
      fault(key + " was sent with " + at->second + " and " + content);
    }
  }
}

void Simulation::check_counters() {
  const std::optional<Term> status = ask(Term::atom("status"));
  if (!status) {
    return;
  }
  std::int64_t sum = *status->get("accepted")->as_integer();
  const std::vector<Term>& dropped = *status->get("dropped")->as_map();
  for (std::size_t i = 1; i < dropped.size(); i += 2) {
    sum += *dropped[i].as_integer();
  }
  const Term* lost = status->get("dropped")->get("queue_full");
  if (lost != nullptr && static_cast<std::uint64_t>(*lost->as_integer()) > erlang_.lost()) {
    fault("more was counted as lost than Erlang lost");
  }
  if (*status->get("received")->as_integer() != sum) {
    fault("received is not accepted and dropped");
  }
  if (!lost_order_ && status->get("dropped")->get("too_late") != nullptr) {
    fault("a message was too late");
  }
}

}  // namespace rollup::testing

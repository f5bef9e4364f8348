#include "app/session.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "app/status.h"
#include "base/text.h"
#include "port/exit_codes.h"

namespace rollup::app {

namespace {

// A clock that a time server corrected by less is nothing to speak of.
constexpr Duration kClockBackMax = std::chrono::minutes(1);

// Where a broker stands in the configuration; behind all if it has been taken out: nobody wants its
// messages then.
std::uint32_t place_of(std::string_view broker, const engine::Plan& plan) {
  const std::vector<std::string>& names = plan.config.brokers;
  return static_cast<std::uint32_t>(std::find(names.begin(), names.end(), broker) - names.begin());
}

tl::expected<std::shared_ptr<const engine::Plan>, Errors> plan_of(
    const Result<port::ConfigTerms>& terms) {
  if (!terms) {
    return tl::unexpected(Errors{terms.error()});
  }
  return make_plan(terms->config, terms->brokers);
}

}  // namespace

bool Session::receive(std::string_view frame) {
  Result<port::Incoming> message = port::decode(frame);
  if (!message) {
    return violates(message.error().message);
  }
  return handle(std::move(*message));
}

bool Session::violates(std::string_view what) {
  spdlog::error("protocol violation: {}", what);
  exit_code_ = port::kExitProtocol;
  return false;
}

bool Session::handle(port::Incoming message) {
  if (!has_hello_ && !std::holds_alternative<port::Hello>(message)) {
    return violates("the first message is not hello");
  }
  return std::visit([this](auto& part) { return take(std::move(part)); }, message);
}

bool Session::take(const port::Configure& message) {
  configure(message);
  return true;
}

bool Session::take(const port::Check& message) {
  port::ConfigOutcome outcome;
  if (auto plan = plan_of(message.terms); !plan) {
    outcome = tl::unexpected(std::move(plan.error()));
  }
  outlet_.send(port::encode_checked(message.id, outcome));
  return true;
}

bool Session::take(port::Request request) {
  if (!request.question) {
    outlet_.send(port::encode_reply(request.id, tl::unexpected(request.question.error())));
  } else if (core_ == nullptr) {
    outlet_.send(port::encode_reply(
        request.id, fail(ErrorCode::unavailable, "", "the program is not configured yet")));
  } else {
    questions_.push_back(
        {request.id, *std::move(request.question), clock_.running() + request.deadline});
    answer_questions();
  }
  return true;
}

bool Session::take(const port::Credit& credit) {
  outlet_.add_credit(credit.events);
  send_notifications();
  return true;
}

bool Session::take(const port::FeedSince& since) {
  feed_since_ = since.time;
  return true;
}

bool Session::take(const port::Notified& notified) {
  if (core_ == nullptr) {
    return true;
  }
  core_->delivered(notified.outbox_id);
  if (const auto with = told_with_.find(notified.outbox_id); with != told_with_.end()) {
    core_->delivered(with->second);
    told_with_.erase(with);
  }
  delivered_ = true;
  return true;
}

bool Session::take(const port::Published& answer) {
  if (answer.count > under_way_ || answer.refused > answer.count) {
    return violates("an answer to publications that were not sent");
  }
  under_way_ -= answer.count;
  // A reload may have taken the link away meanwhile.
  if (feed_) {
    feed_->count(answer);
    send_publications();
  }
  return true;
}

bool Session::take(const port::Hello& hello) {
  if (hello.protocol != port::kProtocolVersion) {
    spdlog::error("Erlang speaks protocol {}, this program {}: install both from one package",
                  hello.protocol, port::kProtocolVersion);
    exit_code_ = port::kExitProtocol;
    return false;
  }
  has_hello_ = true;
  outlet_.send(port::encode(port::ProgramHello{build_name(), ::getpid()}));
  return true;
}

void Session::configure(const port::Configure& message) {
  port::ConfigOutcome outcome;
  if (auto plan = plan_of(message.terms); !plan) {
    outcome = tl::unexpected(std::move(plan.error()));
  } else if (core_ == nullptr) {
    outcome = start(message, *plan, *message.terms);
  } else if (message.data_dir != data_dir_) {
    outcome = tl::unexpected(
        Errors{{ErrorCode::bad_config, "data_dir", "cannot change while the program runs"}});
  } else {
    outcome = reconfigure(*plan, *message.terms);
  }
  outlet_.send(port::encode_configured(message.id, outcome));
  if (outcome && feed_) {
    outlet_.send(port::encode_committed(committed_));
    send_publications();
  }
}

port::ConfigOutcome Session::start(const port::Configure& message,
                                   const std::shared_ptr<const engine::Plan>& plan,
                                   const port::ConfigTerms& terms) {
  auto core = Core::open(
      {.directory = message.data_dir, .full_sync = message.full_sync, .disk = &disk_}, plan);
  if (!core) {
    return tl::unexpected(Errors{core.error()});
  }
  core_ = std::move(*core);
  data_dir_ = message.data_dir;
  clock_.start(core_->engine().last().uptime);
  const Now now = clock_.now();
  if (now.wall + kClockBackMax < core_->engine().last().wall) {
    spdlog::error(
        "the clock of this machine is at {}, but the history goes to {}: is it set? What comes in "
        "before that time is dropped as too_late",
        format_rfc3339(now.wall), format_rfc3339(core_->engine().last().wall));
  }
  next_turn_ = now.uptime;
  status_at_ = now.uptime;
  committed_ = core_->feed_position();
  looked_at_ = clock_.running();
  set_feed(terms.brokers, committed_);
  for (auto& [id, notification] : core_->undelivered()) {
    queue_notification(id, std::move(notification));
  }
  links_.configure(terms.brokers, *plan);
  links_.work(core_->deliveries());
  publish(core_->take_ended());
  send_notifications();
  return {};
}

port::ConfigOutcome Session::reconfigure(const std::shared_ptr<const engine::Plan>& plan,
                                         const port::ConfigTerms& terms) {
  // What came before was meant for the rules before, as far as it can be taken by now.
  for (int turns = 0; turns < kTurnsBeforeReload; turns += kTurnsAtOnce) {
    run_turns();
    if (!has_messages() || core_->is_stuck() || hold(clock_.now())) {
      break;
    }
  }
  if (core_->is_stuck()) {
    return tl::unexpected(Errors{{ErrorCode::storage, "", trouble_}});
  }
  Result<Turn> changed = core_->reconfigure(plan);
  if (!changed) {
    return tl::unexpected(Errors{changed.error()});
  }
  set_feed(terms.brokers, committed_);
  links_.configure(terms.brokers, *plan);
  links_.work(core_->deliveries());
  perform(std::move(*changed));
  for (const std::string& broker : links_.names()) {
    republish(broker);
  }
  if (feed_ && feed_->has_begun()) {
    republish(feed_->broker());
  }
  return {};
}

void Session::set_feed(const std::vector<Broker>& brokers, const FeedPosition& committed) {
  const auto found = std::find_if(brokers.begin(), brokers.end(), [](const Broker& broker) {
    return broker.link == LinkKind::feed;
  });
  if (found == brokers.end()) {
    feed_.reset();
    return;
  }
  feed_index_ = static_cast<std::uint32_t>(found - brokers.begin());
  if (!feed_ || feed_->broker() != found->name) {
    feed_.emplace(found->name, committed, under_way_);
    feed_silence_ = Duration{0};
  }
}

bool Session::take(port::FeedBatch batch) {
  if (!feed_) {
    // A batch that was on its way when the link was taken out of the configuration.
    return true;
  }
  feed_silence_ = Duration{0};
  const bool is_first = !feed_->has_begun();
  if (is_first) {
    count_run_since({batch.epoch, batch.first});
  }
  if (!batch.messages.empty() && batch.epoch == committed_.epoch &&
      batch.first + batch.messages.size() - 1 <= committed_.number) {
    outlet_.send(port::encode_committed(committed_));  // or it would be waited for in vain
  }
  const std::string lost_topic = batch.lost_topic;
  const std::uint64_t lost = feed_->take(std::move(batch));
  core_->engine().ledger().drop(std::nullopt, DropReason::queue_full, lost_topic, lost);
  if (is_first) {
    republish(feed_->broker());
    status_at_ = clock_.now().uptime;
  }
  return true;
}

// The program was away, but from feed_since_ on nothing that was published is missing: as if it had
// run.
void Session::count_run_since(const FeedPosition& position) {
  if (position.epoch != committed_.epoch || !feed_since_) {
    return;
  }
  const Now now = clock_.now();
  const Now last = core_->engine().last();
  const Duration away = now.wall - std::max(last.wall, *feed_since_);
  clock_.add_run(std::max(Duration{0}, away - (now.uptime - last.uptime)));
}

// Turns wait for questions no longer than for the budget and one of them. What nobody waits for any
// more is not computed.
void Session::answer_questions() {
  while (!questions_.empty() && answering_ < kAnswerBudget) {
    const Asked asked = std::move(questions_.front());
    questions_.pop_front();
    const Duration began = clock_.running();
    if (began < asked.until) {
      const auto reply = [this](const auto& question) { return answer(question); };
      outlet_.send(port::encode_reply(asked.id, std::visit(reply, asked.question)));
    }
    answering_ += clock_.running() - began;
  }
}

Result<port::Answer> Session::answer(const port::StatusRequest&) const { return status(); }

Result<port::Answer> Session::answer(const query::NamesRequest& request) const {
  return core_->query().names(request);
}

Result<port::Answer> Session::answer(const query::SeriesRequest& request) const {
  return core_->query().series(request, clock_.now());
}

Result<port::Answer> Session::answer(const query::HistoryRequest& request) const {
  return core_->query().history(request, clock_.now());
}

port::StatusAnswer Session::status() const {
  std::vector<port::BrokerStatus> brokers = links_.status();
  if (feed_) {
    brokers.insert(brokers.begin(), feed_->status());
  }
  return make_status(*core_, std::move(brokers), clock_, trouble_);
}

Duration Session::until_next_work() {
  constexpr Duration kLong = std::chrono::hours(1);
  if (core_ == nullptr) {
    return kLong;
  }
  if (!questions_.empty()) {
    return Duration{0};
  }
  const Now now = clock_.now();
  const Duration until_turn = std::max(Duration{0}, next_turn_ - now.uptime);
  if (core_->is_stuck() || delivered_) {
    return until_turn;
  }
  // While the feed is silent only its next batch makes a difference.
  const bool is_held = hold(now).has_value();
  if (has_messages() && !is_held) {
    return inbox_.is_hurried() ? Duration{0} : until_turn;
  }
  const Duration until_deadline = is_held ? kLookEvery : core_->next_deadline(now).value_or(kLong);
  const Duration until_status = std::max(Duration{0}, status_at_ - now.uptime);
  return std::max(until_turn, std::min({until_deadline, until_status, links_.until_next_work()}));
}

bool Session::takes_messages() const {
  return core_ != nullptr && !core_->is_stuck() &&
         (!hold(clock_.now()) || count_client_messages() == 0);
}

void Session::watch_feed() {
  const Duration running = clock_.running();
  const Duration before = feed_silence_;
  feed_silence_ += std::min(running - looked_at_, kLookEvery);
  looked_at_ = running;
  // Erlang waits for an answer itself.
  if (feed_ && core_ != nullptr && (core_->is_stuck() || !feed_->empty())) {
    feed_silence_ = Duration{0};
  }
  if (feed_ && before < kFeedGoneAfter && feed_silence_ >= kFeedGoneAfter) {
    spdlog::error("broker {}: nothing comes from ejabberd's side of the link; {}", feed_->broker(),
                  is_feed_waited_for() ? "waiting for it" : "the other brokers go on without it");
  }
}

// What other brokers send must not wait for a feed that is gone. Without them there is nothing that
// could not wait, and what comes after all is not too late.
bool Session::is_feed_waited_for() const {
  return feed_silence_ < kFeedGoneAfter || links_.names().empty();
}

void Session::work() {
  watch_feed();
  if (core_ == nullptr) {
    return;
  }
  links_.work(core_->deliveries());
  const bool is_hurried = inbox_.is_hurried() && !core_->is_stuck();
  if (clock_.now().uptime >= next_turn_ || is_hurried) {
    run_next_turns();
  }
  answering_ = Duration{0};
  answer_questions();
}

void Session::run_next_turns() {
  for (const std::string& broker : links_.newly_connected()) {
    republish(broker);
    status_at_ = clock_.now().uptime;
  }
  run_turns();
  if (!core_->is_stuck() && clock_.now().uptime >= status_at_) {
    publish_status();
  }
}

std::size_t Session::count_client_messages() const {
  return batch_.size() - next_ + inbox_.counts().waiting;
}

bool Session::has_messages() const {
  return (feed_ && !feed_->empty()) || count_client_messages() > 0;
}

std::optional<Time> Session::hold(const Now& now) const {
  return feed_ && is_feed_waited_for() ? feed_->hold(now.wall) : std::nullopt;
}

// One turn, and when there is a backlog some more.
void Session::run_turns() {
  for (int turn = 0; turn < kTurnsAtOnce; ++turn) {
    if (core_->is_stuck()) {
      finish_turn(clock_.now());  // what is open is tried again, at its own time
    } else if (const std::optional<Now> now = begin_turn(clock_.now())) {
      finish_turn(*now);
    } else {
      next_turn_ = clock_.now().uptime + kCommitInterval;
      return;
    }
    const bool has_backlog = (feed_ && !feed_->empty()) || next_ < batch_.size();
    if (core_->is_stuck() || !has_backlog) {
      return;
    }
    next_turn_ = clock_.now().uptime;
  }
}

void Session::count_dropped_messages() {
  for (const mqtt::Inbox::Dropped& dropped : inbox_.take_dropped()) {
    core_->engine().ledger().drop(std::nullopt, DropReason::queue_full, dropped.newest_topic,
                                  dropped.count);
  }
}

std::optional<Now> Session::begin_turn(const Now& now) {
  if (next_ == batch_.size()) {
    batch_.clear();
    next_ = 0;
    inbox_.drain(batch_);
    count_dropped_messages();
  }
  const std::optional<Time> held_at = hold(now);
  // Not in the future, should the wall clock have been set back since.
  const auto arrival_of = [&now](const Message& message) {
    return std::min(message.arrival, now.wall);
  };
  const auto has_client_message = [&](Time until) {
    return next_ < batch_.size() &&
           arrival_of(batch_[next_]) <= std::min(until, held_at.value_or(until));
  };
  const auto has_feed_message = [&](Time until) {
    return feed_ && !feed_->empty() && arrival_of(feed_->front()) <= until;
  };

  Time oldest = now.wall;
  if (has_client_message(oldest)) {
    oldest = arrival_of(batch_[next_]);
  }
  if (has_feed_message(oldest)) {
    oldest = arrival_of(feed_->front());
  }
  const Time until = oldest + kTurnSpan;
  Time newest = oldest;
  std::size_t count = 0;
  const auto take = [&](Message& message) {
    message.arrival = arrival_of(message);
    newest = std::max(newest, message.arrival);
    core_->take(message);
    ++count;
  };
  while (count < kMessagesPerTurn && has_feed_message(until)) {
    Message message = feed_->pop();
    message.broker = feed_index_;
    take(message);
  }
  for (; has_client_message(until); ++next_) {
    Message& message = batch_[next_];
    message.broker = place_of(links_.broker_of(message.link), core_->engine().plan());
    if (message.number > 0) {
      taken_[message.link] = message.number;
    }
    take(message);
  }

  const Now last = core_->engine().last();
  const bool is_all = (!feed_ || feed_->empty()) && next_ == batch_.size();
  if (is_all && !held_at && now.wall <= until) {
    return now;
  }
  if (count > 0) {
    return at_wall(newest, now, last);
  }
  if (held_at && *held_at > last.wall) {
    return at_wall(*held_at, now, last);
  }
  return delivered_ ? std::optional(at_wall(last.wall, now, last)) : std::nullopt;
}

void Session::finish_turn(const Now& now) {
  std::optional<FeedPosition> position;
  if (feed_ && feed_->handed_out() != committed_) {
    position = feed_->handed_out();
  }
  Result<Turn> done = core_->finish_turn(now, position);
  std::string trouble;
  if (!done) {
    trouble = done.error().message;
  } else if (Result<void> maintained = core_->maintain(now); !maintained) {
    trouble = maintained.error().message;
  }
  tell_trouble(trouble);
  // A turn that took long does not eat the time of the next one's messages.
  next_turn_ = clock_.now().uptime + (core_->is_stuck() ? kRetryEvery : kCommitInterval);
  delivered_ = delivered_ && core_->is_stuck();
  if (!done) {
    return;
  }
  if (position) {
    committed_ = *position;
    outlet_.send(port::encode_committed(committed_));
  }
  for (const auto& [link, number] : std::exchange(taken_, {})) {
    links_.appended(link, number);
  }
  perform(std::move(*done));
}

void Session::perform(Turn turn) {
  publish(std::move(turn.publications));
  for (auto& [id, notification] : turn.notifications) {
    queue_notification(id, std::move(notification));
  }
  send_notifications();
}

void Session::tell_trouble(const std::string& trouble) {
  if (trouble == trouble_) {
    return;
  }
  if (trouble.empty()) {
    spdlog::info("the history can be written again");
  } else {
    spdlog::error("{}. Messages wait at the brokers until it can be written", trouble);
  }
  trouble_ = trouble;
}

void Session::publish(std::vector<Publication> publications) {
  for (Publication& publication : publications) {
    if (feed_ && publication.broker == feed_->broker()) {
      feed_->publish(std::move(publication), clock_.running());
    } else {
      links_.publish(std::move(publication));
    }
  }
  send_publications();
}

void Session::republish(const std::string& broker) {
  publish(core_->republish(broker, core_->engine().last()));
}

void Session::publish_status() {
  status_at_ = clock_.now().uptime + kStatusEvery;
  const std::string json = status_json(status());
  std::vector<std::string> brokers = links_.names();
  if (feed_) {
    brokers.push_back(feed_->broker());
  }
  std::vector<Publication> publications;
  for (const std::string& broker : brokers) {
    Publication& publication = publications.emplace_back();
    publication.broker = broker;
    publication.topic = "rollup/status/json";
    publication.payload = json;
    publication.retain = true;
    publication.content_type = "application/json";
  }
  publish(std::move(publications));
}

void Session::send_publications() {
  if (!feed_) {
    return;
  }
  while (const std::optional<std::string> frame = feed_->next_publish(clock_.running())) {
    outlet_.send(*frame);
  }
}

// An alarm that is over before anybody was told of it is told once, as past: the text of an end
// says from when to when it was.
void Session::queue_notification(std::uint64_t outbox_id, port::Notification notification) {
  if (notification.is_alarm) {
    untold_alarms_[notification.id] = outbox_id;
  } else if (const auto alarm = untold_alarms_.find(notification.replaces);
             alarm != untold_alarms_.end()) {
    told_with_[outbox_id] = alarm->second;
    left_out_.insert(alarm->second);
    untold_alarms_.erase(alarm);
    notification.replaces.clear();
    notification.is_fresh = false;
  }
  notifications_.push_back({outbox_id, std::move(notification), clock_.running()});
}

void Session::send_notifications() {
  if (core_ == nullptr) {
    return;
  }
  const bool has_backlog = hold(clock_.now()) || (feed_ && !feed_->empty());
  while (!notifications_.empty() && outlet_.credit() > 0) {
    const auto& [id, notification, queued_at] = notifications_.front();
    if (has_backlog && clock_.running() < queued_at + kTellAfter) {
      return;
    }
    untold_alarms_.erase(notification.id);
    if (left_out_.erase(id) == 0) {
      outlet_.send_event(port::encode_notify(id, notification));
    }
    notifications_.pop_front();
  }
}

void Session::end() {
  if (core_ == nullptr) {
    return;
  }
  // What is here first: a broker that hangs may take the time that is left.
  run_turns();
  links_.stop([this] { run_turns(); });
  do {
    run_turns();
  } while (has_messages() && !core_->is_stuck() && !hold(clock_.now()));
  if (const std::size_t lost = count_client_messages(); lost > 0) {
    spdlog::error("messages of other brokers that came while {} and are lost: {}",
                  core_->is_stuck() ? "the history could not be written"
                                    : "nothing was heard of ejabberd's side",
                  lost);
  }
  if (core_->is_stuck()) {
    spdlog::error("what came in last could not be stored: {}", trouble_);
  } else if (Result<void> written = core_->finish(); !written) {
    spdlog::error("no checkpoint at the end, the next start takes longer: {}",
                  written.error().message);
  }
}

}  // namespace rollup::app

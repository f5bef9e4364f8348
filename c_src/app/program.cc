#include "app/program.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "app/status.h"
#include "port/exit_codes.h"

namespace rollup::app {

Program::Program(port::Channel channel, LogQueue& logs)
    : channel_(std::move(channel)), logs_(logs) {
  logs_.set_wake([this] { inbox_.wake(); });
}

Program::~Program() { logs_.set_wake(nullptr); }

int Program::run() {
  while (true) {
    send_logs();
    if (channel_.wants_write()) {
      if (Result<void> written = channel_.write_some(); !written) {
        break;  // nobody reads: the virtual machine is gone
      }
    }
    if (!wait()) {
      break;
    }
    work();
  }
  say_goodbye();
  return exit_code_;
}

// Sleeps until there is something to do, and takes in what Erlang says. False: the end.
bool Program::wait() {
  const Duration sleep = until_next_work(clock_.now());
  // Within a commit interval messages may pile up without waking anybody.
  const bool is_armed = core_ == nullptr || (sleep > kCommitInterval && inbox_.prepare_to_sleep());
  std::array<pollfd, 3> polls = {{{channel_.input(), POLLIN, 0},
                                  {channel_.wants_write() ? channel_.output() : -1, POLLOUT, 0},
                                  {is_armed ? inbox_.fd() : -1, POLLIN, 0}}};
  int timeout = static_cast<int>(std::min<std::int64_t>(sleep.count(), 60'000));
  if (!is_armed && sleep > kCommitInterval) {
    timeout = 0;
  }
  if (::poll(polls.data(), polls.size(), timeout) < 0 && errno != EINTR) {
    spdlog::error("poll: errno {}", errno);
    exit_code_ = port::kExitBug;
    return false;
  }
  return (polls[0].revents & (POLLIN | POLLHUP | POLLERR)) == 0 || read_channel();
}

Duration Program::until_next_work(const Now& now) {
  constexpr Duration kLong = std::chrono::hours(1);
  if (core_ == nullptr) {
    return kLong;
  }
  const Duration until_turn = std::max(Duration{0}, next_turn_ - now.uptime);
  if (core_->is_stuck() || delivered_ || inbox_.counts().waiting > 0) {
    return until_turn;
  }
  const Duration until_deadline = std::min(core_->next_deadline(now).value_or(kLong),
                                           std::max(Duration{0}, status_at_ - now.uptime));
  return std::max(until_turn, until_deadline);
}

bool Program::read_channel() {
  std::vector<std::string> frames;
  Result<bool> read = channel_.read_some(frames);
  for (const std::string& frame : frames) {
    Result<port::Incoming> message = port::decode(frame);
    if (!message) {
      spdlog::error("protocol violation: {}", message.error().message);
      exit_code_ = port::kExitProtocol;
      return false;
    }
    if (!handle(std::move(*message))) {
      return false;
    }
  }
  if (!read) {
    spdlog::error("protocol violation: {}", read.error().message);
    exit_code_ = port::kExitProtocol;
    return false;
  }
  return *read;
}

bool Program::handle(port::Incoming message) {
  if (const auto* hello = std::get_if<port::Hello>(&message)) {
    if (hello->protocol != port::kProtocolVersion) {
      spdlog::error("Erlang speaks protocol {}, this program {}: install both from one package",
                    hello->protocol, port::kProtocolVersion);
      exit_code_ = port::kExitProtocol;
      return false;
    }
    has_hello_ = true;
    channel_.send(port::encode(port::ProgramHello{build_name(), ::getpid()}));
    log_to_queue(logs_);
    return true;
  }
  if (!has_hello_) {
    spdlog::error("protocol violation: the first message is not hello");
    exit_code_ = port::kExitProtocol;
    return false;
  }
  if (auto* configuration = std::get_if<port::Configure>(&message)) {
    configure(std::move(*configuration));
  } else if (auto* check = std::get_if<port::Check>(&message)) {
    port::ConfigOutcome outcome;
    if (!check->terms) {
      outcome = tl::unexpected(Errors{check->terms.error()});
    } else if (auto plan = make_plan(check->terms->config, check->terms->brokers); !plan) {
      outcome = tl::unexpected(std::move(plan.error()));
    }
    channel_.send(port::encode_checked(check->id, outcome));
  } else if (auto* request = std::get_if<port::Request>(&message)) {
    channel_.send(port::encode_reply(request->id, request->question
                                                      ? answer(*request->question, clock_.now())
                                                      : tl::unexpected(request->question.error())));
  } else if (const auto* credit = std::get_if<port::Credit>(&message)) {
    channel_.add_credit(credit->events);
    send_notifications();
  } else if (const auto* notified = std::get_if<port::Notified>(&message);
             notified != nullptr && core_ != nullptr) {
    core_->delivered(notified->outbox_id);
    delivered_ = true;
  }
  return true;
}

void Program::configure(port::Configure message) {
  port::ConfigOutcome outcome;
  if (!message.terms) {
    outcome = tl::unexpected(Errors{message.terms.error()});
  } else if (auto plan = make_plan(message.terms->config, message.terms->brokers); !plan) {
    outcome = tl::unexpected(std::move(plan.error()));
  } else if (core_ == nullptr) {
    outcome = start(message, *plan, std::move(*message.terms));
  } else if (message.data_dir != data_dir_) {
    outcome = tl::unexpected(
        Errors{{ErrorCode::bad_config, "data_dir", "cannot change while the program runs"}});
  } else {
    outcome = reconfigure(*plan, std::move(*message.terms));
  }
  channel_.send(port::encode_configured(message.id, outcome));
}

port::ConfigOutcome Program::start(const port::Configure& message,
                                   const std::shared_ptr<const engine::Plan>& plan,
                                   port::ConfigTerms terms) {
  auto core = Core::open({.directory = message.data_dir, .full_sync = message.full_sync}, plan,
                         std::move(terms.rules_bytes), clock_);
  if (!core) {
    return tl::unexpected(Errors{core.error()});
  }
  core_ = std::move(*core);
  data_dir_ = message.data_dir;
  const Now now = clock_.now();
  next_turn_ = now.uptime;
  status_at_ = now.uptime;
  if (auto undelivered = core_->undelivered()) {
    notifications_.assign(undelivered->begin(), undelivered->end());
  } else {
    spdlog::error("{}", undelivered.error().message);
  }
  links_.configure(terms.brokers, *plan);
  send_notifications();
  return {};
}

port::ConfigOutcome Program::reconfigure(const std::shared_ptr<const engine::Plan>& plan,
                                         port::ConfigTerms terms) {
  turn(clock_.now());
  if (core_->is_stuck()) {
    return tl::unexpected(Errors{{ErrorCode::storage, "", trouble_}});
  }
  if (Result<void> changed = core_->reconfigure(plan, std::move(terms.rules_bytes)); !changed) {
    return tl::unexpected(Errors{changed.error()});
  }
  links_.configure(terms.brokers, *plan);
  for (const std::string& broker : links_.names()) {
    publish(core_->republish(broker, clock_.now()));
  }
  return {};
}

Result<port::Answer> Program::answer(const port::Question& question, const Now& now) const {
  if (core_ == nullptr) {
    return fail(ErrorCode::unavailable, "", "the program is not configured yet");
  }
  if (const auto* series = std::get_if<query::SeriesRequest>(&question)) {
    return core_->query().series(*series, now);
  }
  if (const auto* history = std::get_if<query::HistoryRequest>(&question)) {
    return core_->query().history(*history, now);
  }
  return make_status(*core_, links_, clock_, trouble_);
}

void Program::work() {
  if (core_ == nullptr) {
    return;
  }
  const Now now = clock_.now();
  if (now.uptime < next_turn_) {
    return;
  }
  for (const std::string& broker : links_.newly_connected()) {
    publish(core_->republish(broker, now));
    status_at_ = now.uptime;
  }
  turn(now);
  if (!core_->is_stuck() && now.uptime >= status_at_) {
    publish_status(now);
  }
}

void Program::turn(const Now& now) {
  if (!core_->is_stuck()) {
    batch_.clear();
    inbox_.drain(batch_, kMessagesPerTurn);
    for (const Message& message : batch_) {
      core_->take(message);
    }
    for (const mqtt::Inbox::Dropped& dropped : inbox_.take_dropped()) {
      for (std::uint64_t i = 0; i < dropped.count; ++i) {
        core_->engine().count_dropped(std::nullopt, DropReason::queue_full, dropped.newest_topic);
      }
    }
  }
  Result<Turn> done = core_->finish_turn(now);
  std::string trouble;
  if (!done) {
    trouble = done.error().message;
  } else if (Result<void> maintained = core_->maintain(now, false); !maintained) {
    trouble = maintained.error().message;
  }
  if (trouble != trouble_) {
    if (trouble.empty()) {
      spdlog::info("the history can be written again");
    } else {
      spdlog::error("{}. Messages wait at the brokers until it can be written", trouble);
    }
    trouble_ = trouble;
  }
  // A turn that took long does not eat the time of the next one's messages.
  next_turn_ = clock_.now().uptime + (core_->is_stuck() ? kRetryEvery : kCommitInterval);
  delivered_ = delivered_ && core_->is_stuck();
  if (!done) {
    return;
  }
  publish(std::move(done->publications));
  for (auto& notification : done->notifications) {
    notifications_.push_back(std::move(notification));
  }
  send_notifications();
}

void Program::publish(std::vector<publish::Publication> publications) {
  for (publish::Publication& publication : publications) {
    links_.publish(std::move(publication));
  }
}

void Program::publish_status(const Now& now) {
  status_at_ = now.uptime + kStatusEvery;
  const std::string json = status_json(make_status(*core_, links_, clock_, trouble_));
  for (const std::string& broker : links_.names()) {
    publish::Publication publication;
    publication.broker = broker;
    publication.topic = "rollup/status/json";
    publication.payload = json;
    publication.content_type = "application/json";
    links_.publish(std::move(publication));
  }
}

void Program::send_notifications() {
  while (!notifications_.empty() && channel_.credit() > 0) {
    const auto& [id, notification] = notifications_.front();
    channel_.send_event(port::encode_notify(id, notification));
    notifications_.pop_front();
  }
}

void Program::send_logs() {
  if (!has_hello_) {
    return;
  }
  for (const LogLine& line : logs_.take()) {
    channel_.log(line.level, line.text, clock_.running());
  }
}

void Program::say_goodbye() {
  logs_.set_wake(nullptr);
  log_to_stderr();
  if (core_ == nullptr) {
    return;
  }
  // What is here first: a broker that hangs may take the time that is left.
  turn(clock_.now());
  links_.stop();
  const Now now = clock_.now();
  turn(now);
  if (core_->is_stuck()) {
    spdlog::error("what came in last could not be stored: {}", trouble_);
  } else if (Result<void> written = core_->maintain(now, true); !written) {
    spdlog::error("no checkpoint at the end, the next start takes longer: {}",
                  written.error().message);
  }
}

}  // namespace rollup::app

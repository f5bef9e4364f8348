#include "app/core.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/text.h"
#include "base/zone.h"
#include "port/config_terms.h"

namespace rollup::app {

namespace {

// A start replays the journal since the last checkpoint: about a second for this much.
constexpr std::uint64_t kJournalBytesMax = std::uint64_t{64} * 1024 * 1024;
constexpr Duration kCheckpointEvery = std::chrono::minutes(5);
constexpr Duration kExpireEvery = std::chrono::minutes(1);
// What a clock that goes ahead by more than this says is believed when it has said so for a while:
// what is deleted cannot be had back.
constexpr Duration kClockStep = std::chrono::hours(24);
constexpr Duration kClockHolds = std::chrono::hours(1);
// What a kill may take from a time that `for` or `clear_for` counts.
constexpr Duration kNoteEvery = std::chrono::seconds(2);
// A shorter alarm's end corrects its message without a sound (SEMANTICS 6.10).
constexpr Duration kFreshEndAfter = std::chrono::minutes(5);

engine::LinkRules link_rules(const std::vector<Broker>& brokers) {
  engine::LinkRules rules;
  for (const Broker& broker : brokers) {
    // The feed hands every message over once, for all streams.
    rules.has_subscription_ids.push_back(broker.link == LinkKind::feed || broker.protocol == 5);
  }
  return rules;
}

port::Notification notification_of(const effect::Notify& notify, const engine::Engine& engine) {
  const engine::SeriesInfo& info = engine.series(notify.state.series);
  const Alert& alert = engine.plan().alerts[notify.state.alert].config;
  port::Notification notification;
  notification.alert = alert.name;
  notification.series = info.name;
  notification.topic = info.key.topic;
  notification.to = alert.notify;
  notification.body = publish::notification_text(notify, engine);
  notification.is_alarm = notify.state.phase == AlertPhase::alarm;
  notification.id = notify.state.id;
  notification.at = notify.began;
  if (!notification.is_alarm) {
    notification.replaces = notify.state.id;
    notification.id += "-ok";
    notification.at = notify.state.since.value_or(notify.began);
    notification.is_fresh = notification.at - notify.began > kFreshEndAfter;
  }
  return notification;
}

std::vector<std::string> outbox_of(const std::vector<port::Notification>& notifications) {
  std::vector<std::string> outbox;
  outbox.reserve(notifications.size());
  for (const port::Notification& notification : notifications) {
    outbox.push_back(port::encode(notification));
  }
  return outbox;
}

// Sorts effects by what becomes of them. The only visitor of effects: the compiler tells when one
// was forgotten.
class Sorter {
 public:
  Sorter(const engine::Engine& engine, Core::Telling telling, Core::Outcome& outcome)
      : engine_(engine), telling_(telling), outcome_(outcome) {}

  void operator()(const effect::Publish& effect) { add_publication(effect); }
  void operator()(const effect::PublishAlert& effect) { add_publication(effect); }
  void operator()(const effect::Notify& effect) {
    if (telling_ == Core::Telling::nothing) {
      return;
    }
    if (port::Notification notification = notification_of(effect, engine_);
        !notification.to.empty()) {
      outcome_.notifications.push_back(std::move(notification));
    }
  }
  void operator()(effect::SealBucket& effect) { outcome_.buckets.push_back(effect); }
  void operator()(effect::SealPoints& effect) { outcome_.points.push_back(std::move(effect)); }

 private:
  template <class Told>
  void add_publication(const Told& effect) {
    if (telling_ == Core::Telling::nothing) {
      return;
    }
    if (std::optional<Publication> publication = publish::publication(effect, engine_)) {
      outcome_.publications.push_back(*std::move(publication));
    }
  }

  const engine::Engine& engine_;
  Core::Telling telling_;
  Core::Outcome& outcome_;
};

Core::Outcome outcome_of(Effects&& effects, const engine::Engine& engine,
                         Core::Telling telling = Core::Telling::all) {
  Core::Outcome outcome;
  Sorter sorter(engine, telling, outcome);
  for (Effect& effect : effects) {
    std::visit(sorter, effect);
  }
  effects.clear();
  return outcome;
}

const char* consequence_of(DropReason reason) {
  switch (reason) {
    case DropReason::too_many_series:
      return "no more series are taken, `limits: series` or `series_per_stream` is reached";
    case DropReason::too_many_new_series:
      return "new series are not taken, more than `limits: new_series` come in a second";
    case DropReason::alerts_per_rule:
      return "no more series are watched, `limits: alerts_per_rule` is reached";
    case DropReason::topic_collision:
      return "not published, as the topic has an owner";
    case DropReason::bad_template:
      return "not published, as the template makes no topic";
    default:
      return "refused";
  }
}

std::vector<std::pair<std::uint64_t, port::Notification>> with_ids(
    const std::vector<std::uint64_t>& ids, std::vector<port::Notification> notifications) {
  std::vector<std::pair<std::uint64_t, port::Notification>> both;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    both.emplace_back(ids[i], std::move(notifications[i]));
  }
  return both;
}

}  // namespace

tl::expected<std::shared_ptr<const engine::Plan>, Errors> make_plan(
    const Config& config, const std::vector<Broker>& brokers) {
  Result<Zone> zone = Zone::locate(config.timezone);
  if (!zone) {
    return tl::unexpected(Errors{zone.error()});
  }
  tl::expected<engine::Plan, Errors> plan = engine::compile(config, *zone, link_rules(brokers));
  if (!plan) {
    return tl::unexpected(std::move(plan.error()));
  }
  return std::make_shared<const engine::Plan>(std::move(*plan));
}

Result<std::unique_ptr<Core>> Core::open(const history::Options& options,
                                         std::shared_ptr<const engine::Plan> plan,
                                         std::string rules_bytes) {
  auto history = history::History::open(options);
  if (!history) {
    return tl::unexpected(history.error());
  }
  std::unique_ptr<Core> core(new Core);
  core->history_ = std::move(*history);
  core->plan_ = std::move(plan);
  core->rules_bytes_ = std::move(rules_bytes);
  Result<void> restored = core->restore();
  if (!restored &&
      (restored.error().code == ErrorCode::unsupported || restored.error().place == "checkpoint" ||
       restored.error().place == "journal")) {
    history = history::History::begin_anew(std::move(core->history_), options, restored.error());
    if (!history) {
      return tl::unexpected(history.error());
    }
    core->history_ = std::move(*history);
    restored = core->restore();
  }
  if (!restored) {
    return tl::unexpected(restored.error());
  }
  if (!core->history_->moved_aside().empty()) {
    spdlog::error("the history could not be read and a new one was begun; the old file is {}",
                  core->history_->moved_aside());
  }
  return core;
}

Result<void> Core::restore() {
  engine_ = std::make_unique<engine::Engine>(plan_);
  auto checkpoint = history_->load_checkpoint();
  if (!checkpoint) {
    return tl::unexpected(checkpoint.error());
  }
  Outcome ended;
  if (*checkpoint) {
    Result<Outcome> restored = restore_as(plan_, **checkpoint);
    if (!restored) {
      return tl::unexpected(restored.error());
    }
    ended = std::move(*restored);
  }
  Result<std::string> links = history_->links();
  if (!links) {
    return tl::unexpected(links.error());
  }
  if (Result<Deliveries> deliveries = Deliveries::decode(*links)) {
    deliveries_ = std::move(*deliveries);
  } else {
    spdlog::error("{}: what comes again of it is counted twice", deliveries.error().message);
  }
  engine_->ledger().clear_values();
  intake_ = std::make_unique<engine::Intake>(*engine_);
  // The rules of the journal that begins now stand in the checkpoint before it.
  if (auto written = write_checkpoint(outbox_of(ended.notifications)); !written) {
    return tl::unexpected(written.error());
  }
  ended_ = std::move(ended.publications);
  clock_seen_ = engine_->last();
  return {};
}

// The journal is run with the rules that it was written under, then the state goes to today's.
Result<Core::Outcome> Core::restore_as(const std::shared_ptr<const engine::Plan>& plan,
                                       const history::History::Checkpoint& checkpoint) {
  std::shared_ptr<const engine::Plan> written_under = plan;
  if (checkpoint.config != rules_bytes_) {
    Result<Config> config = port::read_stored_rules(checkpoint.config);
    if (config) {
      // Filters that overlap were told apart when they were taken in; the journal knows no filters.
      const std::vector<Broker> brokers(config->brokers.size());
      if (auto compiled = make_plan(*config, brokers)) {
        written_under = std::move(*compiled);
      }
    }
  }
  engine_ = std::make_unique<engine::Engine>(written_under);
  if (Result<void> restored = engine_->restore(checkpoint.engine); !restored) {
    return tl::unexpected(restored.error());
  }
  if (Result<void> replayed = replay(); !replayed) {
    return tl::unexpected(replayed.error());
  }
  if (written_under != plan) {
    auto next = std::make_unique<engine::Engine>(plan);
    if (Result<void> restored = next->restore(engine_->save()); !restored) {
      return tl::unexpected(restored.error());
    }
    Outcome ended = end_missing(*next);
    std::swap(engine_, next);
    return ended;
  }
  return Outcome();
}

// Whoever was told of an alarm is told of its end, also when it is the rule that has ended.
Core::Outcome Core::end_missing(const engine::Engine& next) const {
  Effects effects;
  engine_->end_missing(next, effects);
  return outcome_of(std::move(effects), *engine_);
}

Result<void> Core::replay() {
  Effects effects;
  return history_->replay([&](std::string_view row) {
    effects.clear();
    Result<void> replayed = engine::replay_turn(row, *engine_, effects);
    append_sealed(outcome_of(std::move(effects), *engine_, Telling::nothing));
    return replayed;
  });
}

Result<Turn> Core::reconfigure(std::shared_ptr<const engine::Plan> plan, std::string rules_bytes) {
  auto next = std::make_unique<engine::Engine>(plan);
  if (Result<void> restored = next->restore(engine_->save()); !restored) {
    return tl::unexpected(restored.error());
  }
  Outcome ended = end_missing(*next);
  next->take_counters(*engine_);
  std::swap(plan_, plan);
  std::swap(rules_bytes_, rules_bytes);
  std::swap(engine_, next);
  auto ids = write_checkpoint(outbox_of(ended.notifications));
  if (!ids) {
    std::swap(plan_, plan);
    std::swap(rules_bytes_, rules_bytes);
    std::swap(engine_, next);
    return tl::unexpected(ids.error());
  }
  intake_ = std::make_unique<engine::Intake>(*engine_);
  return Turn{std::move(ended.publications), with_ids(*ids, std::move(ended.notifications))};
}

void Core::take(const Message& message) {
  intake_->accept(message, samples_, created_);
  // A broker that was taken out of the configuration is nobody's to remember.
  if (message.number > 0 && message.broker < plan_->config.brokers.size()) {
    deliveries_.add(plan_->config.brokers[message.broker], message.delivery);
    has_deliveries_ = true;
  }
}

// What is sealed waits in the history's memory for the next checkpoint.
void Core::append_sealed(const Outcome& outcome) {
  for (const effect::SealBucket& bucket : outcome.buckets) {
    history_->append(bucket.series, bucket.tier, bucket.bucket);
  }
  for (const effect::SealPoints& points : outcome.points) {
    history_->append(points.series, points.points);
  }
}

Result<Turn> Core::finish_turn(const Now& now, const std::optional<FeedPosition>& feed) {
  if (!is_stuck_) {
    feed_ = feed;
    links_ = has_deliveries_ ? deliveries_.encode() : std::string();
    engine_->observe(samples_, now, effects_);
    engine_->advance(now, effects_);
    row_.clear();
    outcome_ = outcome_of(std::move(effects_), *engine_);
    outbox_ = outbox_of(outcome_.notifications);
    const bool is_time_noted = !engine_->counts_time() || now.uptime < noted_at_ + kNoteEvery;
    if (!samples_.empty() || !created_.empty() || !outbox_.empty() || !is_time_noted) {
      engine::encode_turn(now, created_, samples_, row_);
    }
  }
  Turn turn;
  if (!row_.empty() || !delivered_.empty() || feed_ || !links_.empty()) {
    auto ids = history_->commit_turn(row_, outbox_, delivered_, feed_, links_);
    is_stuck_ = !ids;
    if (!ids) {
      return tl::unexpected(ids.error());
    }
    last_commit_ = now.wall;
    journal_bytes_ += row_.size();
    noted_at_ = row_.empty() ? noted_at_ : engine_->last().uptime;
    turn.notifications = with_ids(*ids, std::move(outcome_.notifications));
  }
  tell_limits();
  append_sealed(outcome_);
  turn.publications = std::move(outcome_.publications);
  outcome_ = {};
  samples_.clear();
  created_.clear();
  has_deliveries_ = false;
  delivered_.clear();
  return turn;
}

// PRODUCT 2.10: what a limit refuses is counted, and told once.
void Core::tell_limits() {
  for (const LimitNotice& notice : engine_->ledger().take_notices()) {
    spdlog::warn("{}: {}, first for {}. The status counts from now on; OPERATIONS.md has a remedy",
                 notice.what, consequence_of(notice.reason), notice.topic);
  }
}

std::vector<Publication> Core::republish(std::string_view broker, const Now& now) const {
  Effects effects;
  engine_->republish(now, effects);
  std::vector<Publication> publications = outcome_of(std::move(effects), *engine_).publications;
  std::erase_if(publications, [&](const Publication& publication) {
    return publication.broker != broker || !publication.retain;
  });
  return publications;
}

Result<std::vector<std::uint64_t>> Core::write_checkpoint(std::span<const std::string> outbox) {
  auto ids = history_->checkpoint(rules_bytes_, engine_->save(), outbox);
  if (ids) {
    journal_bytes_ = 0;
  }
  return ids;
}

void Core::watch_clock(const Now& now) {
  const Duration step = (now.wall - clock_seen_.wall) - (now.uptime - clock_seen_.uptime);
  const bool is_known = clock_seen_.wall > time_from_ms(0);
  if (is_known && step >= kClockStep) {
    spdlog::warn(
        "the clock of this machine went from {} to {}. Should that be wrong, set it right within "
        "an hour: until then nothing is deleted that has been kept for long enough",
        format_rfc3339(clock_seen_.wall), format_rfc3339(now.wall));
    expire_at_ = now.uptime + kClockHolds;
  }
  clock_seen_ = now;
}

Result<void> Core::maintain(const Now& now, bool force) {
  watch_clock(now);
  if (force || journal_bytes_ >= kJournalBytesMax || now.uptime >= checkpoint_at_) {
    checkpoint_at_ = now.uptime + kCheckpointEvery;
    if (force || history_->counts().journal_rows > 0) {
      if (auto written = write_checkpoint({}); !written) {
        return tl::unexpected(written.error());
      }
    }
  }
  if (now.uptime >= expire_at_) {
    const auto keep_of = [this](SeriesId id) {
      // A series that the configuration does not have keeps what it had.
      history::Keep keep;
      keep.fill(kForever);
      return engine_->is_live(id) ? engine_->plan().streams[engine_->series(id).stream].config.keep
                                  : keep;
    };
    Result<bool> more = history_->expire(now.wall, keep_of);
    if (!more) {
      return tl::unexpected(more.error());
    }
    expire_at_ = *more ? now.uptime : now.uptime + kExpireEvery;
  }
  return {};
}

Result<std::vector<std::pair<std::uint64_t, port::Notification>>> Core::undelivered() const {
  auto entries = history_->outbox();
  if (!entries) {
    return tl::unexpected(entries.error());
  }
  std::vector<std::pair<std::uint64_t, port::Notification>> notifications;
  for (const history::OutboxEntry& entry : *entries) {
    Result<port::Notification> notification = port::decode_notification(entry.data);
    if (notification) {
      notifications.emplace_back(entry.id, std::move(*notification));
    } else {
      spdlog::error("a message of the outbox cannot be read and is left there: {}",
                    notification.error().message);
    }
  }
  return notifications;
}

std::optional<Duration> Core::next_deadline(const Now& now) const {
  Duration housekeeping = std::min(checkpoint_at_, expire_at_);
  if (engine_->counts_time()) {
    housekeeping = std::min(housekeeping, noted_at_ + kNoteEvery);
  }
  housekeeping = std::max(Duration{0}, housekeeping - now.uptime);
  return std::min(engine_->next_deadline(now).value_or(housekeeping), housekeeping);
}

}  // namespace rollup::app

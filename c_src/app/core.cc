#include "app/core.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/text.h"
#include "base/zone.h"
#include "journal/rules.h"

namespace rollup::app {

namespace {

// A start replays the journal since the last checkpoint: some seconds for this much.
constexpr std::uint64_t kJournalBytesMax = std::uint64_t{64} * 1024 * 1024;
// After a checkpoint or a piece of a flush that failed.
constexpr Duration kTryAgainAfter = std::chrono::seconds(10);
// How often a child that writes a checkpoint is looked at.
constexpr Duration kPollEvery{100};
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
  const engine::SeriesInfo info = engine.series(notify.state.series);
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

// Sorts effects by what becomes of them. The only visitor of effects: the compiler tells when one
// was forgotten.
class Sorter {
 public:
  Sorter(const engine::Engine& engine, Core::Telling telling, Core::Outcome& outcome)
      : engine_(engine), telling_(telling), outcome_(outcome) {}

  void operator()(const effect::Publish& effect) { add_publication(effect); }
  void operator()(const effect::PublishAlert& effect) { add_publication(effect); }
  void operator()(const effect::Notify& effect) {
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
    if (telling_ == Core::Telling::people) {
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

Result<std::unique_ptr<Core>> Core::open(const StorageOptions& options,
                                         std::shared_ptr<const engine::Plan> plan) {
  if (auto made = journal::make_directory(options.directory); !made) {
    return tl::unexpected(made.error());
  }
  Result<journal::FileLock> lock = journal::FileLock::take(options.directory + "/history.lock");
  if (!lock) {
    return tl::unexpected(lock.error());
  }
  std::unique_ptr<Core> core(new Core(*std::move(lock)));
  core->directory_ = options.directory;
  core->disk_ = options.disk;
  core->plan_ = std::move(plan);
  core->rules_ = journal::encode_rules(core->plan_->config);
  core->move_old_files_aside();
  const bool had_archive = core->disk_->exists(core->path_of("archive.db"));
  if (auto opened = core->open_archive(); !opened) {
    return tl::unexpected(opened.error());
  }
  auto journal = journal::Journal::open(*core->disk_, core->path_of("journal"), options.full_sync);
  if (!journal) {
    return tl::unexpected(journal.error());
  }
  core->journal_ = std::move(*journal);
  core->checkpoint_.emplace(*core->disk_, core->path_of("checkpoint"));
  core->tell_missing(had_archive, core->disk_->exists(core->path_of("checkpoint")));
  if (auto restored = core->restore(); !restored) {
    return tl::unexpected(restored.error());
  }
  return core;
}

Core::~Core() = default;

// What versions before the first release kept.
void Core::move_old_files_aside() {
  const std::string path = path_of("history.db");
  if (!disk_->exists(path)) {
    return;
  }
  if (const Result<std::string> aside = journal::move_aside(path)) {
    spdlog::error("{} is of an earlier version, which is not read any more: it is {} now", path,
                  *aside);
  } else {
    spdlog::error("{}: {}", path, aside.error().message);
  }
}

Result<void> Core::open_archive() {
  Result<archive::SqliteArchive::Opened> opened =
      archive::SqliteArchive::open(path_of("archive.db"));
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  for (const std::string& told : opened->told) {
    spdlog::error("{}", told);
  }
  archive_ = std::move(opened->archive);
  sealed_.emplace(*archive_);
  return {};
}

void Core::tell_missing(bool had_archive, bool has_checkpoint) const {
  const std::vector<std::uint64_t>& segments = journal_->segments();
  if (!had_archive && (has_checkpoint || !segments.empty())) {
    spdlog::error("{} is missing: what had been sealed and kept in it is lost",
                  path_of("archive.db"));
  }
  if (!has_checkpoint && (segments.empty() ? had_archive : segments.front() > 1)) {
    spdlog::error("{} is missing: what was known before its time is lost, but for the archive",
                  path_of(segments.empty() ? "journal" : "checkpoint"));
  }
}

std::shared_ptr<const engine::Plan> Core::plan_of(std::string_view rules) const {
  const Result<Config> config = journal::decode_rules(rules);
  if (!config || journal::encode_rules(*config) == rules_) {
    return plan_;
  }
  // Filters that overlap were told apart when they were taken in; the journal knows no filters.
  auto compiled = make_plan(*config, std::vector<Broker>(config->brokers.size()));
  if (!compiled) {
    spdlog::error(
        "the rules that a part of the journal was written under are refused by this version, it is "
        "run under those of today: {}: {}",
        compiled.error().front().place, compiled.error().front().message);
    return plan_;
  }
  return std::move(*compiled);
}

std::optional<journal::CheckpointHead> Core::load_checkpoint() {
  const std::string path = path_of("checkpoint");
  Result<std::optional<journal::Checkpoint>> read = journal::read_checkpoint(*disk_, path);
  Result<void> restored = read ? Result<void>() : tl::unexpected(read.error());
  if (read && !*read) {
    return std::nullopt;
  }
  if (read) {
    engine_ = std::make_unique<engine::Engine>(plan_of((*read)->head.rules));
    restored = engine_->restore((*read)->engine);
    if (restored) {
      restored = outbox_.restore((*read)->head.outbox);
    }
    if (Result<Deliveries> taken = Deliveries::decode((*read)->head.links); restored && taken) {
      deliveries_ = std::move(*taken);
    }
  }
  if (restored) {
    feed_position_ = (*read)->head.feed;
    return std::move((*read)->head);
  }
  engine_.reset();
  outbox_ = Outbox();
  const std::string aside = journal::unreadable_name(*disk_, path);
  const Result<void> moved = disk_->rename(path, aside);
  spdlog::error(
      "the checkpoint could not be read ({}); the file is {}. The state begins with what the "
      "journal "
      "has; the archive is as it was",
      restored.error().message, moved ? aside : path);
  return std::nullopt;
}

// The journal is run with the rules that it was written under, then the state goes to today's.
Result<void> Core::restore() {
  const std::optional<journal::CheckpointHead> head = load_checkpoint();
  first_segment_ = head ? head->segment : 1;
  const std::uint64_t first =
      journal_->segments().empty() ? first_segment_ : journal_->segments().front();
  const auto each = [this](std::uint64_t segment, journal::RecordType type,
                           std::string_view bytes) -> Result<void> {
    if (std::exchange(reading_, segment) != segment) {
      reader_ = journal::TurnReader();
    }
    journal_bytes_ += bytes.size();
    return type == journal::RecordType::rules ? enter_rules(bytes) : replay(type, bytes);
  };
  for (const std::string& loss : journal_->replay(head ? head->segment : first, each)) {
    spdlog::error("{}", loss);
  }
  if (engine_ == nullptr) {
    engine_ = std::make_unique<engine::Engine>(plan_);
  }
  if (&engine_->plan() != plan_.get()) {
    Result<Turn> entered = enter_plan(plan_);
    if (!entered) {
      return tl::unexpected(entered.error());
    }
    ended_ = std::move(entered->publications);
  }
  engine_->ledger().clear_values();
  intake_ = std::make_unique<engine::Intake>(*engine_);
  clock_seen_ = engine_->last();
  if (journal_->segments().empty()) {
    // Tried again with the first turn.
    (void)begin_segment(rules_);
  }
  return {};
}

Result<void> Core::enter_rules(std::string_view rules) {
  const std::shared_ptr<const engine::Plan> plan = plan_of(rules);
  if (engine_ == nullptr) {
    engine_ = std::make_unique<engine::Engine>(plan);
    return {};
  }
  if (journal::encode_rules(engine_->plan().config) == journal::encode_rules(plan->config)) {
    return {};
  }
  if (Result<Turn> entered = enter_plan(plan); !entered) {
    return tl::unexpected(entered.error());
  }
  return {};
}

Result<Turn> Core::enter_plan(const std::shared_ptr<const engine::Plan>& plan) {
  auto next = std::make_unique<engine::Engine>(plan);
  if (Result<void> restored = next->restore(engine_->save()); !restored) {
    return tl::unexpected(restored.error());
  }
  Effects effects;
  engine_->end_missing(*next, effects);
  Outcome ended = outcome_of(std::move(effects), *engine_);
  next->take_counters(*engine_);
  std::swap(engine_, next);
  return Turn{std::move(ended.publications), put_in_outbox(std::move(ended.notifications))};
}

Result<void> Core::replay(journal::RecordType type, std::string_view record) {
  Effects effects;
  Result<journal::TurnReader::Record> turn =
      type == journal::RecordType::turn_version_1
          ? reader_.replay_version_1(record, *engine_, effects)
          : reader_.replay(record, *engine_, effects);
  if (!turn) {
    return tl::unexpected(turn.error());
  }
  ++journal_turns_;
  Outcome outcome = outcome_of(std::move(effects), *engine_, Telling::people);
  append_sealed(outcome);
  put_in_outbox(std::move(outcome.notifications));
  for (const std::uint64_t id : turn->delivered) {
    outbox_.remove(id);
  }
  feed_position_ = turn->feed.value_or(feed_position_);
  for (const journal::TakenDelivery& taken : turn->taken) {
    deliveries_.add(taken.broker, taken.begins_session, taken.delivery);
  }
  if (sealed_->is_full()) {
    sealed_->begin_flush();
    if (auto flushed = flush_all(); !flushed) {
      spdlog::error("{}", flushed.error().message);
    }
  }
  return {};
}

Result<Turn> Core::reconfigure(const std::shared_ptr<const engine::Plan>& plan) {
  std::string rules = journal::encode_rules(plan->config);
  if (auto begun = begin_segment(rules); !begun) {
    return tl::unexpected(begun.error());
  }
  Result<Turn> turn = enter_plan(plan);
  if (!turn) {
    return turn;
  }
  plan_ = plan;
  rules_ = std::move(rules);
  intake_ = std::make_unique<engine::Intake>(*engine_);
  return turn;
}

std::vector<std::pair<std::uint64_t, port::Notification>> Core::put_in_outbox(
    std::vector<port::Notification> notifications) {
  std::vector<std::pair<std::uint64_t, port::Notification>> added;
  for (port::Notification& notification : notifications) {
    const std::uint64_t id = outbox_.add(notification);
    added.emplace_back(id, std::move(notification));
  }
  return added;
}

void Core::take(const Message& message) {
  intake_->accept(message, samples_, created_);
  // A broker that was taken out of the configuration is nobody's to remember.
  if (message.number > 0 && message.broker < plan_->config.brokers.size()) {
    const std::string& broker = plan_->config.brokers[message.broker];
    deliveries_.add(broker, message.begins_session, message.delivery);
    taken_.push_back({broker, message.begins_session, message.delivery});
  }
}

// What is sealed waits in memory until there is enough of it for the archive.
void Core::append_sealed(const Outcome& outcome) {
  for (const effect::SealBucket& bucket : outcome.buckets) {
    sealed_->append(engine_->key(bucket.series), bucket.tier, bucket.bucket);
  }
  for (const effect::SealPoints& points : outcome.points) {
    sealed_->append(engine_->key(points.series), points.points);
  }
}

Result<Turn> Core::finish_turn(const Now& now, const std::optional<FeedPosition>& feed) {
  if (!is_stuck_) {
    feed_ = feed;
    turn_now_ = now;
    engine_->observe(samples_, now, effects_);
    engine_->advance(now, effects_);
    outcome_ = outcome_of(std::move(effects_), *engine_);
    notifications_ = put_in_outbox(std::move(outcome_.notifications));
    now_delivered_ = std::exchange(delivered_, {});
    record_.clear();
  }
  if (auto appended = append_turn(); !appended) {
    is_stuck_ = true;
    return tl::unexpected(appended.error());
  }
  is_stuck_ = false;
  for (const std::uint64_t id : now_delivered_) {
    outbox_.remove(id);
  }
  feed_position_ = feed_.value_or(feed_position_);
  tell_limits();
  append_sealed(outcome_);
  Turn turn{std::move(outcome_.publications), std::exchange(notifications_, {})};
  outcome_ = {};
  samples_.clear();
  created_.clear();
  taken_.clear();
  return turn;
}

// Nothing is written of a turn in which only time passed: it passes again by itself.
Result<void> Core::append_turn() {
  const bool is_time_noted = !engine_->counts_time() || turn_now_.uptime < noted_at_ + kNoteEvery;
  if (samples_.empty() && created_.empty() && notifications_.empty() && now_delivered_.empty() &&
      !feed_ && taken_.empty() && is_time_noted) {
    return {};
  }
  if (!journal_->has_segment()) {
    if (auto begun = begin_segment(rules_); !begun) {
      return begun;
    }
  }
  if (record_.empty()) {
    writer_.encode(turn_now_, {created_, samples_, now_delivered_, feed_, taken_}, *engine_,
                   record_);
  }
  if (auto appended = journal_->append(record_, turn_now_.uptime); !appended) {
    return appended;
  }
  last_commit_ = turn_now_.wall;
  journal_bytes_ += record_.size();
  ++journal_turns_;
  noted_at_ = engine_->last().uptime;
  return {};
}

Result<void> Core::begin_segment(std::string_view rules) {
  if (auto begun = journal_->begin_segment(rules, first_segment_); !begun) {
    return begun;
  }
  writer_ = journal::TurnWriter();
  return {};
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

Result<void> Core::maintain(const Now& now) {
  watch_clock(now);
  if (auto synced = journal_->sync_if_due(now.uptime); !synced) {
    return synced;
  }
  if (auto flushed = flush_piece(now); !flushed) {
    flush_at_ = now.uptime + kTryAgainAfter;
    return flushed;
  }
  if (now.uptime >= checkpoint_at_) {
    Result<void> made;
    if (checkpoint_segment_ != 0) {
      made = work_on_checkpoint();
    } else if (journal_bytes_ >= kJournalBytesMax && !sealed_->is_flushing()) {
      made = begin_checkpoint(false);
    }
    if (!made) {
      checkpoint_segment_ = 0;
      checkpoint_at_ = now.uptime + kTryAgainAfter;
      return made;
    }
  }
  return expire(now);
}

Result<void> Core::finish() {
  if (checkpoint_segment_ == 0) {
    if (auto flushed = flush_all(); !flushed) {
      return flushed;
    }
  }
  // One that is being made would be older, and its child may take long.
  checkpoint_.emplace(*disk_, path_of("checkpoint"));
  if (auto begun = begin_checkpoint(true); !begun) {
    return begun;
  }
  if (auto flushed = flush_all(); !flushed) {
    return flushed;
  }
  return work_on_checkpoint();
}

// All pieces of a flush that was begun.
Result<void> Core::flush_all() {
  while (sealed_->is_flushing()) {
    if (auto flushed = sealed_->flush_piece(); !flushed) {
      return flushed;
    }
  }
  return {};
}

// The journal goes on in a new segment, so what is written now is the state at its beginning. What
// is sealed by now goes to the archive meanwhile.
Result<void> Core::begin_checkpoint(bool at_once) {
  if (auto begun = begin_segment(rules_); !begun) {
    return begun;
  }
  const journal::CheckpointHead head{journal_->segment(), rules_, feed_position_, outbox_.save(),
                                     deliveries_.encode()};
  if (auto begun = checkpoint_->begin(head, *engine_, at_once); !begun) {
    return begun;
  }
  checkpoint_segment_ = head.segment;
  sealed_->begin_flush();
  journal_bytes_ = 0;
  journal_turns_ = 0;
  return {};
}

// Nothing of the journal may go before the archive has what was sealed in its time.
Result<void> Core::work_on_checkpoint() {
  std::optional<Result<void>> written = checkpoint_->poll();
  if (written && !*written) {
    journal_bytes_ = kJournalBytesMax;  // so that it is tried again
    return *written;
  }
  if (!written || sealed_->is_flushing()) {
    return {};
  }
  const std::uint64_t segment = std::exchange(checkpoint_segment_, 0);
  if (auto put = checkpoint_->put_in_place(); !put) {
    journal_bytes_ = kJournalBytesMax;
    return put;
  }
  first_segment_ = segment;
  journal_->remove_before(segment);
  return {};
}

Result<void> Core::flush_piece(const Now& now) {
  if (now.uptime < flush_at_) {
    return {};
  }
  if (sealed_->is_full()) {
    sealed_->begin_flush();
  }
  return sealed_->is_flushing() ? sealed_->flush_piece() : Result<void>();
}

Result<void> Core::expire(const Now& now) {
  if (now.uptime < expire_at_) {
    return {};
  }
  const auto keep_of = [this](const SeriesKey& key) {
    for (const engine::StreamPlan& stream : engine_->plan().streams) {
      const Stream& config = stream.config;
      const bool has_field =
          std::any_of(config.fields.begin(), config.fields.end(),
                      [&](const Field& field) { return field.name == key.field; });
      if (config.name == key.stream && has_field) {
        return config.keep;
      }
    }
    // A series that the configuration does not have keeps what it had.
    archive::Keep keep;
    keep.fill(kForever);
    return keep;
  };
  Result<bool> more = archive_->expire(now.wall, keep_of);
  if (!more) {
    expire_at_ = now.uptime + kTryAgainAfter;
    return tl::unexpected(more.error());
  }
  expire_at_ = *more ? now.uptime : now.uptime + kExpireEvery;
  return {};
}

StorageCounts Core::counts() const {
  return {archive_->counts().bytes + journal_bytes_, journal_turns_, outbox_.size()};
}

std::optional<Duration> Core::next_deadline(const Now& now) const {
  Duration housekeeping = expire_at_;
  if (engine_->counts_time()) {
    housekeeping = std::min(housekeeping, noted_at_ + kNoteEvery);
  }
  if (journal_->is_dirty()) {
    housekeeping = std::min(housekeeping, journal_->sync_at());
  }
  if (sealed_->is_flushing() || sealed_->is_full()) {
    housekeeping = std::min(housekeeping, flush_at_);
  } else if (checkpoint_segment_ != 0) {
    housekeeping = std::min(housekeeping, std::max(checkpoint_at_, now.uptime + kPollEvery));
  } else if (journal_bytes_ >= kJournalBytesMax) {
    housekeeping = std::min(housekeeping, checkpoint_at_);
  }
  housekeeping = std::max(Duration{0}, housekeeping - now.uptime);
  return std::min(engine_->next_deadline(now).value_or(housekeeping), housekeeping);
}

}  // namespace rollup::app

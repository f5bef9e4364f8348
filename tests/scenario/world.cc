#include "scenario/world.h"

#include <cstdio>
#include <cstdlib>

#include "base/check.h"
#include "base/text.h"
#include "base/zone.h"

namespace rollup::testing {

std::shared_ptr<const engine::Plan> plan_of(const Config& config) {
  Zone zone;
  if (!config.timezone.empty()) {
    zone = Zone::locate(config.timezone).value();
  }
  engine::LinkRules links;
  links.has_subscription_ids.assign(config.brokers.size(), true);
  auto plan = engine::compile(config, zone, links);
  if (!plan) {
    for (const Error& error : plan.error()) {
      std::fprintf(stderr, "%s: %s\n", error.place.c_str(), error.message.c_str());
    }
    std::abort();
  }
  return std::make_shared<const engine::Plan>(std::move(*plan));
}

World::World(const Config& config, Time start) : plan_(plan_of(config)), start_(start) {
  replace_engine(std::make_unique<engine::Engine>(plan_));
  checkpoint_ = engine_->save();
}

void World::replace_engine(std::unique_ptr<engine::Engine> engine) {
  engine_ = std::move(engine);
  intake_ = std::make_unique<engine::Intake>(*engine_);
}

void World::send(const std::string& topic, const std::string& payload, bool is_retained) {
  Message message;
  message.topic = topic;
  message.payload = payload;
  message.arrival = now().wall;
  message.retained = is_retained;
  intake_->accept(message, samples_, created_);
  engine_->observe(samples_, now(), effects_);
  turn();
}

void World::turn() {
  engine_->advance(now(), effects_);
  // A turn in which only time passed needs no row: the next one does all that was due.
  bool has_notify = false;
  for (const Effect& effect : effects_) {
    has_notify |= std::holds_alternative<effect::Notify>(effect);
  }
  if (!samples_.empty() || !created_.empty() || has_notify) {
    writer_.encode(now(), {created_, samples_, {}, {}, {}}, *engine_, journal_.emplace_back());
  }
  record(effects_);
  check_counters();
  samples_.clear();
  created_.clear();
  effects_.clear();
  if (engine_->next_deadline(now()) == Duration{0}) {
    faults_.push_back("at " + format_duration(elapsed_) + " the engine wants to be called again");
  }
}

void World::advance_to(Duration elapsed, bool stepping) {
  for (int guard = 0; stepping && guard < 10'000'000; ++guard) {
    const std::optional<Duration> wait = engine_->next_deadline(now());
    if (!wait || elapsed_ + *wait > elapsed || !faults_.empty()) {
      break;
    }
    elapsed_ += *wait;
    turn();
  }
  if (elapsed > elapsed_) {
    elapsed_ = elapsed;
    turn();
  }
}

void World::jump(Duration by) {
  jumped_ += by;
  turn();
}

void World::checkpoint() {
  checkpoint_ = engine_->save();
  journal_.clear();
  writer_ = journal::TurnWriter();
}

engine::Engine World::replayed() const {
  engine::Engine engine(plan_);
  ROLLUP_CHECK(engine.restore(checkpoint_).has_value());
  Effects effects;
  journal::TurnReader reader;
  for (const std::string& row : journal_) {
    ROLLUP_CHECK(reader.replay(row, engine, effects).has_value());
  }
  return engine;
}

void World::restart(Duration down) {
  checkpoint();
  kill(down);
}

void World::kill(Duration down) {
  replace_engine(std::make_unique<engine::Engine>(replayed()));
  checkpoint();
  // The clock of the new program goes on from where the engine stands.
  elapsed_ += down;
  down_ = elapsed_ - engine_->last().uptime;
  turn();
}

void World::reload(const Config& config) {
  plan_ = plan_of(config);
  auto engine = std::make_unique<engine::Engine>(plan_);
  ROLLUP_CHECK(engine->restore(engine_->save()).has_value());
  replace_engine(std::move(engine));
  checkpoint();
  turn();
}

void World::republish() {
  engine_->republish(now(), effects_);
  turn();
}

void World::record(const Effects& effects) {
  for (const Effect& effect : effects) {
    Recorded recorded{elapsed_, "", "", effect};
    if (const auto* publish = std::get_if<effect::Publish>(&effect)) {
      recorded.kind = "publish";
      recorded.subject = engine_->output_topic(publish->series, publish->output);
    } else if (const auto* buckets = std::get_if<effect::SealBucket>(&effect)) {
      recorded.kind = "seal";
      recorded.subject =
          std::string(to_string(buckets->tier)) + " " + engine_->series(buckets->series).name;
    } else if (const auto* points = std::get_if<effect::SealPoints>(&effect)) {
      recorded.kind = "seal";
      recorded.subject = "raw " + engine_->series(points->series).name;
    } else {
      const auto* notify = std::get_if<effect::Notify>(&effect);
      const AlertState& state =
          notify != nullptr ? notify->state : std::get<effect::PublishAlert>(effect).state;
      recorded.kind = notify != nullptr ? "notify" : "alert";
      recorded.subject =
          plan_->alerts[state.alert].config.name + " " + engine_->series(state.series).name;
    }
    log_.push_back(std::move(recorded));
  }
}

// SEMANTICS 9: received = accepted + sum(dropped).
void World::check_counters() {
  for (StreamIndex stream = 0; stream <= plan_->streams.size(); ++stream) {
    const Counters& counters = stream < plan_->streams.size() ? engine_->ledger().stream(stream)
                                                              : engine_->ledger().unrouted();
    std::uint64_t dropped = 0;
    for (std::size_t i = 0; i < kDropReasonCount; ++i) {
      dropped += is_of_values(static_cast<DropReason>(i)) ? counters.dropped[i] : 0;
    }
    if (counters.received != counters.accepted + dropped) {
      faults_.push_back("at " + format_duration(elapsed_) + " received " +
                        std::to_string(counters.received) + " is not accepted " +
                        std::to_string(counters.accepted) + " + dropped " +
                        std::to_string(dropped));
    }
  }
}

}  // namespace rollup::testing

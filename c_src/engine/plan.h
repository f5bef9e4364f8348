// The configuration made ready for work: filters, templates and conditions parsed, references
// between streams, outputs and alerts resolved. Immutable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/zone.h"
#include "decode/topic_index.h"
#include "expression/condition.h"
#include "model/config.h"
#include "model/ids.h"
#include "model/topic.h"

namespace rollup::engine {

struct OutputPlan {
  Output config;
  Template topic;
  // A common measure of `window` and `every`: sealed data is kept in slots of this size.
  Duration slot{};
};

// Sealed fine buckets, merged into slots and kept as long as a window may ask for them.
struct RingPlan {
  Duration slot{};
  std::uint32_t length = 0;  // slots
  Parts parts = 0;           // what is asked of them
};

struct StreamPlan {
  Stream config;
  // Names the stream in Message::subscriptions, where its place would not outlive a reload. Never
  // 0.
  std::uint32_t tag = 0;
  TopicFilter filter;
  std::uint32_t broker = 0;
  std::vector<OutputPlan> outputs;
  std::vector<RingPlan> rings;  // ascending slot
  // Alerts on this stream's series, and alerts that read it from elsewhere.
  std::vector<AlertIndex> alerts;
  std::vector<AlertIndex> readers;
};

struct AlertReference {
  expression::Reference reference;
  StreamIndex stream = 0;  // whose series is read
  // Names captured by both streams: the read series must agree in them (SEMANTICS 5). Empty for the
  // alert's own series.
  std::vector<std::string> shared_names;
  bool is_own = true;
};

struct AlertPlan {
  Alert config;
  StreamIndex stream = 0;
  expression::Condition raise;
  expression::Condition clear;
  bool has_clear = false;
  std::vector<AlertReference> raise_references;  // as raise.references()
  std::vector<AlertReference> clear_references;
  std::optional<TopicFilter> match_topic;
  std::optional<Template> topic;
  std::optional<Template> message;
  // Some reference is a function over a time, so the passing of a bucket boundary may change it.
  bool reads_windows = false;
};

// Where the rule's state of a series with these captures (Engine::captures()) is published; "" if
// nowhere.
std::string alert_topic(const AlertPlan& alert, const Captures& captures);

struct Plan {
  Config config;
  Zone zone;
  std::vector<StreamPlan> streams;
  std::vector<AlertPlan> alerts;
  std::vector<decode::TopicIndex> topics;  // per broker

  // Series that no output window can shift: slots a ring may have at most.
  static constexpr std::uint32_t kRingLengthMax = 20'000;
};

// What the broker links allow, for the checks that depend on it.
struct LinkRules {
  // Per broker of Config::brokers: MQTT 3.1.1 has no subscription identifiers, so two filters that
  // overlap without one covering the other cannot be told apart and are refused.
  std::vector<bool> has_subscription_ids;
};

// All mistakes at once, each with its path. Checks: filters, templates, conditions; that names
// exist (streams, brokers, aggregates, captured names); that windows fit the resolution; that no
// output or alert topic may match a stream's filter on the same broker (no feedback loops); that
// two outputs cannot have one topic, and none the module's own, where that can be seen.
tl::expected<Plan, Errors> compile(const Config& config, const Zone& zone, const LinkRules& links);

}  // namespace rollup::engine

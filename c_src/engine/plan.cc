#include "engine/plan.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <set>

#include "base/hash.h"
#include "base/text.h"
#include "decode/payload.h"
#include "engine/layout.h"

namespace rollup::engine {

namespace {

// Names that templates may use beside the captured ones; those of messages are all there are.
const std::vector<std::string> kOutputNames = {"topic", "series", "stream", "field", "unit"};
const std::vector<std::string> kAlertTopicNames = {"alert", "topic", "series", "stream", "field"};
const std::vector<std::string> kMessageNames = {"alert", "topic", "series", "stream",   "field",
                                                "unit",  "value", "limit",  "severity", "since"};

class Compiler {
 public:
  Compiler(const Config& config, const Zone& zone, const LinkRules& links) : links_(links) {
    plan_.config = config;
    plan_.zone = zone;
  }

  tl::expected<Plan, Errors> run() {
    plan_.topics.resize(plan_.config.brokers.size());
    for (const Stream& stream : plan_.config.streams) {
      add_stream(stream);
    }
    if (errors_.empty()) {
      check_overlaps();
      for (const Alert& alert : plan_.config.alerts) {
        add_alert(alert);
      }
      check_topics();
    }
    if (!errors_.empty()) {
      return tl::unexpected(std::move(errors_));
    }
    return std::move(plan_);
  }

 private:
  void error(const std::string& place, std::string message) {
    errors_.push_back({ErrorCode::bad_config, place, std::move(message)});
  }

  template <class T>
  std::optional<T> take(Result<T> result, const std::string& place) {
    if (!result) {
      error(place, result.error().message);
      return std::nullopt;
    }
    return std::move(*result);
  }

  std::string suggestion(const std::string& name, const std::vector<std::string>& known) const {
    const std::string nearest = nearest_name(name, known);
    if (!nearest.empty()) {
      return ". Did you mean " + nearest + "?";
    }
    std::string all = known.empty() ? ". There is none" : ". There are: ";
    for (const std::string& each : known) {
      all += (&each == &known.front() ? "" : ", ") + each;
    }
    return all;
  }

  std::optional<std::uint32_t> broker_index(const std::string& name, const std::string& place) {
    const std::vector<std::string>& names = plan_.config.brokers;
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      error(place, "unknown broker '" + name + "'" + suggestion(name, names));
      return std::nullopt;
    }
    return static_cast<std::uint32_t>(found - names.begin());
  }

  void check_pointer(const std::string& pointer, const std::string& place) {
    if (!decode::full_pointer(pointer)) {
      error(place, "'" + pointer +
                       "' is no JSON Pointer: after '~' comes 0 (for ~) or 1 (for /), as in /a~1b");
    }
  }

  // Whole multiples only: sealed buckets cannot be divided.
  bool check_multiple(Duration duration, Duration unit, const std::string& place,
                      const std::string& what) {
    if (duration <= Duration{0} || duration % unit != Duration{0}) {
      error(place, "expected a multiple of " + what + " " + format_duration(unit) + ", got " +
                       format_duration(duration));
      return false;
    }
    return true;
  }

  void want_ring(StreamPlan& stream, Duration slot, Duration span, Parts parts,
                 const std::string& place) {
    // One more for the slot that is being filled.
    const std::int64_t length = span / slot + 2;
    if (length > Plan::kRingLengthMax) {
      error(place, format_duration(span) + " in steps of " + format_duration(slot) +
                       " is more than can be kept in memory (" +
                       std::to_string(Plan::kRingLengthMax) +
                       " steps). Take a shorter time, or a coarser resolution or `every`");
      return;
    }
    const auto ring =
        std::find_if(stream.rings.begin(), stream.rings.end(),
                     [&](const RingPlan& candidate) { return candidate.slot == slot; });
    if (ring != stream.rings.end()) {
      ring->length = std::max(ring->length, static_cast<std::uint32_t>(length));
      ring->parts |= parts;
      return;
    }
    stream.rings.push_back({slot, static_cast<std::uint32_t>(length), parts});
    std::sort(stream.rings.begin(), stream.rings.end(),
              [](const RingPlan& a, const RingPlan& b) { return a.slot < b.slot; });
  }

  // What a message says, of a series of any kind.
  static Parts parts_told(const Output& output) {
    if (output.format == OutputFormat::number) {
      return output.statistic ? parts_for(*output.statistic)
                              : parts_for(Statistic::avg) | parts_for(Statistic::increase);
    }
    return output.format == OutputFormat::text ? kPresence | kMoments | kRange | kIncrease
                                               : kAllParts;
  }

  static bool keeps(const Field& field, Statistic statistic) {
    return has_all(parts_of(field.kind), parts_for(statistic));
  }

  // What the field does not keep nobody can tell (SEMANTICS 10).
  void refuse_statistic(Statistic statistic, const Field& field, const std::string& place) {
    const Parts parts = parts_of(field.kind);
    error(place, "a " + std::string(to_string(field.kind)) +
                     (field.name.empty() ? "" : " like '" + field.name + "'") + " has no " +
                     std::string(to_string(statistic)) +
                     ". It has: " + list_of(statistics_of(parts)));
  }

  // The longest part of `measure` that a row may have.
  static Duration row_slot(Duration measure, Duration resolution) {
    Duration slot = measure;
    for (std::int64_t parts = 2; slot > kRowSpanMax; ++parts) {
      if (const Duration part = measure / parts;
          part * parts == measure && part % resolution == Duration{0}) {
        slot = part;
      }
    }
    return slot;
  }

  void add_output(StreamPlan& stream, const Output& output, const std::string& place) {
    std::vector<std::string> names = kOutputNames;
    names.insert(names.end(), stream.filter.names().begin(), stream.filter.names().end());
    std::optional<Template> topic = take(Template::parse(output.topic, names), place + "->topic");
    broker_index(output.broker, place + "->broker");
    const auto lacks = [&](const Field& field) {
      return output.statistic && !keeps(field, *output.statistic);
    };
    const std::vector<Field>& fields = stream.config.fields;
    if (const auto field = std::find_if(fields.begin(), fields.end(), lacks);
        field != fields.end()) {
      refuse_statistic(*output.statistic, *field, place + "->statistic");
    }
    const Duration resolution = stream.config.resolution;
    bool fits = check_multiple(output.window, resolution, place + "->window", "the resolution");
    Duration slot = resolution;
    if (output.on != PublishOn::change) {
      fits = check_multiple(output.every, resolution, place + "->every", "the resolution") && fits;
      if (fits) {
        slot =
            row_slot(Duration{std::gcd(output.window.count(), output.every.count())}, resolution);
      }
    }
    if (fits) {
      // The newest window can be asked for again until the next one is over.
      const Duration reach = output.on == PublishOn::change ? Duration{0} : output.every;
      want_ring(stream, slot, output.window + reach, parts_told(output), place + "->window");
    }
    if (output.sparkline) {
      const Sparkline& sparkline = *output.sparkline;
      if (sparkline.points == 0 || sparkline.points > 500) {
        error(place + "->sparkline->points", "expected 1 to 500 points");
      } else if (sparkline.span % sparkline.points != Duration{0}) {
        error(place + "->sparkline", format_duration(sparkline.span) + " cannot be divided into " +
                                         std::to_string(sparkline.points) + " equal parts");
      } else if (const Duration part = sparkline.span / sparkline.points; check_multiple(
                     part, resolution, place + "->sparkline", "the resolution as span / points,")) {
        want_ring(stream, part, sparkline.span, kPresence | kHeld | kIncrease,
                  place + "->sparkline");
      }
    }
    if (topic) {
      stream.outputs.push_back({output, std::move(*topic), slot});
    }
  }

  void add_stream(const Stream& stream) {
    const std::string place = "streams->" + stream.name;
    std::optional<TopicFilter> filter = take(TopicFilter::parse(stream.topic), place + "->topic");
    const std::optional<std::uint32_t> broker = broker_index(stream.broker, place + "->broker");
    const Duration hour = std::chrono::hours(1);
    if (stream.resolution < std::chrono::seconds(1) || stream.resolution > hour ||
        hour % stream.resolution != Duration{0}) {
      error(place + "->resolution",
            "expected 1s to 1h that divides 1h, got " + format_duration(stream.resolution));
      return;
    }
    for (const Field& field : stream.fields) {
      const std::string at = field.name.empty() ? place : place + "->fields->" + field.name;
      check_pointer(field.value, at + "->value");
      if (field.valid_low && field.valid_high && *field.valid_low > *field.valid_high) {
        error(at + "->valid", "the lower bound is above the upper one");
      }
      if (field.kind != Kind::counter && field.reset != Reset::zero) {
        error(at + "->reset", "only a counter runs over; expected `kind: counter` beside it");
      }
    }
    check_pointer(stream.time, place + "->time");
    if (!filter || !broker) {
      return;
    }
    for (const std::string& name : filter->names()) {
      if (std::find(kMessageNames.begin(), kMessageNames.end(), name) != kMessageNames.end()) {
        error(place + "->topic", "the level name {" + name + "} has a meaning of its own");
      }
    }
    const std::uint32_t tag = std::max(1U, stable_hash(stream.name));
    const auto same = std::find_if(plan_.streams.begin(), plan_.streams.end(),
                                   [&](const StreamPlan& other) { return other.tag == tag; });
    if (same != plan_.streams.end()) {
      error(place, "the name cannot be told from '" + same->config.name + "'; choose another one");
      return;
    }
    StreamPlan plan{stream, tag, std::move(*filter), *broker, {}, {}, {}, {}};
    for (Field& field : plan.config.fields) {
      if (field.kind == Kind::counter) {
        field.valid_low = std::max(0.0, field.valid_low.value_or(0));
      }
    }
    for (std::size_t i = 0; i < stream.publish.size(); ++i) {
      add_output(plan, stream.publish[i], place + "->publish->" + std::to_string(i + 1));
    }
    plan_.topics[*broker].add(plan.filter, static_cast<StreamIndex>(plan_.streams.size()));
    plan_.streams.push_back(std::move(plan));
  }

  // MQTT 3.1.1 does not say for which of two overlapping filters a message came.
  void check_overlaps() {
    for (std::size_t i = 0; i < plan_.streams.size(); ++i) {
      for (std::size_t j = i + 1; j < plan_.streams.size(); ++j) {
        const StreamPlan& one = plan_.streams[i];
        const StreamPlan& other = plan_.streams[j];
        if (one.broker != other.broker || links_.has_subscription_ids.at(one.broker) ||
            !may_overlap(one.filter.levels(), other.filter.levels()) ||
            covers(one.filter, other.filter) || covers(other.filter, one.filter)) {
          continue;
        }
        error("streams->" + other.config.name + "->topic",
              "overlaps with streams->" + one.config.name + "->topic ('" + one.config.topic +
                  "'), and with MQTT 3.1.1 a message of both cannot be told from two messages. "
                  "Use `protocol: 5`, or filters of which one covers the other");
      }
    }
  }

  std::optional<AlertReference> resolve(const expression::Reference& reference, StreamIndex own,
                                        const std::string& place) {
    AlertReference resolved{reference, own, {}, true};
    if (reference.stream.empty()) {
      return resolved;
    }
    const std::optional<StreamIndex> stream = stream_index(reference.stream, place);
    if (!stream) {
      return std::nullopt;
    }
    resolved.stream = *stream;
    resolved.is_own = false;
    const std::vector<std::string>& mine = plan_.streams[own].filter.names();
    for (const std::string& name : plan_.streams[*stream].filter.names()) {
      if (std::find(mine.begin(), mine.end(), name) != mine.end()) {
        resolved.shared_names.push_back(name);
      }
    }
    std::sort(resolved.shared_names.begin(), resolved.shared_names.end());
    return resolved;
  }

  std::optional<StreamIndex> stream_index(const std::string& name, const std::string& place) {
    std::vector<std::string> names;
    for (const StreamPlan& stream : plan_.streams) {
      if (stream.config.name == name) {
        return static_cast<StreamIndex>(names.size());
      }
      names.push_back(stream.config.name);
    }
    error(place, "unknown stream '" + name + "'" + suggestion(name, names));
    return std::nullopt;
  }

  std::vector<AlertReference> resolve_all(const expression::Condition& condition, StreamIndex own,
                                          const std::string& place) {
    std::vector<AlertReference> resolved;
    for (const expression::Reference& reference : condition.references()) {
      if (std::optional<AlertReference> found = resolve(reference, own, place)) {
        if (reference.over > Duration{0}) {
          StreamPlan& stream = plan_.streams[found->stream];
          want_ring(stream, stream.config.resolution, reference.over,
                    parts_for(reference.statistic), place);
        }
        resolved.push_back(std::move(*found));
      }
    }
    return resolved;
  }

  // Of a stream with several fields some must have the statistic: those that the rule looks at.
  void check_statistics(const std::vector<AlertReference>& references, const Alert& alert,
                        const std::string& place) {
    const auto only = alert.match.find("field");
    for (const AlertReference& each : references) {
      const Field* refused = nullptr;
      for (const Field& field : plan_.streams[each.stream].config.fields) {
        if (each.is_own && only != alert.match.end() && field.name != only->second) {
          continue;
        }
        if (each.reference.over == Duration{0} || keeps(field, each.reference.statistic)) {
          refused = nullptr;
          break;
        }
        refused = &field;
      }
      if (refused != nullptr) {
        refuse_statistic(each.reference.statistic, *refused, place);
      }
    }
  }

  void check_match(const Alert& alert, const StreamPlan& stream, AlertPlan& plan,
                   const std::string& place) {
    std::vector<std::string> names = stream.filter.names();
    names.insert(names.end(), {"topic", "field"});
    const std::string match = place + "->match->";
    for (const auto& [name, value] : alert.match) {
      const std::string at = match + name;
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        error(at, "streams->" + stream.config.name + "->topic has no level {" + name + "}" +
                      suggestion(name, names));
      } else if (name == "topic") {
        plan.match_topic = take(TopicFilter::parse(value), at);
      } else if (name == "field" &&
                 std::none_of(stream.config.fields.begin(), stream.config.fields.end(),
                              [&value = value](const Field& f) { return f.name == value; })) {
        std::vector<std::string> fields;
        for (const Field& field : stream.config.fields) {
          fields.push_back(field.name);
        }
        error(at, "unknown field '" + value + "'" + suggestion(value, fields));
      }
    }
  }

  void add_alert(const Alert& alert) {
    const std::string place = "alerts->" + alert.name;
    const std::optional<StreamIndex> own = stream_index(alert.stream, place + "->stream");
    std::optional<expression::Condition> raise =
        take(expression::Condition::parse(alert.raise), place + "->raise");
    std::optional<expression::Condition> clear =
        alert.clear.empty() ? raise
                            : take(expression::Condition::parse(alert.clear), place + "->clear");
    if (!own || !raise || !clear) {
      return;
    }
    AlertPlan plan{
        alert, *own, std::move(*raise), std::move(*clear), !alert.clear.empty(), {}, {}, {},
        {},    {}};
    plan.raise_references = resolve_all(plan.raise, *own, place + "->raise");
    check_statistics(plan.raise_references, alert, place + "->raise");
    if (plan.has_clear) {
      plan.clear_references = resolve_all(plan.clear, *own, place + "->clear");
      check_statistics(plan.clear_references, alert, place + "->clear");
      if (expression::surely_overlap(plan.raise, plan.clear)) {
        error(place + "->clear", "'" + alert.clear + "' and raise '" + alert.raise +
                                     "' can both be true. Leave a gap between them, or leave "
                                     "`clear` out: it is `not raise` then");
      }
    }
    StreamPlan& stream = plan_.streams[*own];
    check_match(alert, stream, plan, place);
    const auto parse_with = [&](const std::string& text, std::vector<std::string> names,
                                const std::string& at) {
      names.insert(names.end(), stream.filter.names().begin(), stream.filter.names().end());
      return take(Template::parse(text, names), at);
    };
    if (!alert.topic.empty()) {
      plan.topic = parse_with(alert.topic, kAlertTopicNames, place + "->topic");
    }
    if (!alert.message.empty()) {
      plan.message = parse_with(alert.message, kMessageNames, place + "->message");
    }
    const auto index = static_cast<AlertIndex>(plan_.alerts.size());
    stream.alerts.push_back(index);
    std::set<StreamIndex> read;
    for (const auto* references : {&plan.raise_references, &plan.clear_references}) {
      for (const AlertReference& reference : *references) {
        if (!reference.is_own) {
          read.insert(reference.stream);
        }
      }
    }
    for (const StreamIndex reader_of : read) {
      plan_.streams[reader_of].readers.push_back(index);
    }
    plan_.alerts.push_back(std::move(plan));
  }

  // What is published may not come in again, and may not hide something else that is published.
  void check_topics() {
    struct Published {
      std::string place;
      std::string broker;
      std::string text;
      const Template* topic;
    };
    std::vector<Published> published;
    for (const StreamPlan& stream : plan_.streams) {
      for (std::size_t i = 0; i < stream.outputs.size(); ++i) {
        published.push_back(
            {"streams->" + stream.config.name + "->publish->" + std::to_string(i + 1) + "->topic",
             stream.outputs[i].config.broker, stream.config.name, &stream.outputs[i].topic});
        check_fields_told_apart(stream, stream.outputs[i], published.back().place);
      }
    }
    for (const AlertPlan& alert : plan_.alerts) {
      if (alert.topic) {
        published.push_back({"alerts->" + alert.config.name + "->topic",
                             plan_.streams[alert.stream].config.broker, alert.config.name,
                             &*alert.topic});
      }
    }
    for (const Published& each : published) {
      if (each.topic->level_pattern().front() == "rollup") {
        error(each.place, "'" + each.topic->text() +
                              "' is below rollup/, where the module tells of itself. Publish below "
                              "another first level, as stats/{series}");
      }
      check_loop(each.place, each.broker, *each.topic);
      for (const Published& other : published) {
        if (&other == &each) {
          break;
        }
        const bool is_same_source =
            other.text == each.text && other.topic->text() == each.topic->text();
        const bool is_constant = other.topic->text() == each.topic->text() &&
                                 other.topic->level_pattern() == each.topic->level_pattern() &&
                                 is_literal(*each.topic);
        if (other.broker == each.broker && (is_same_source || is_constant)) {
          error(each.place, "'" + each.topic->text() + "' is the topic of " + other.place + " too");
        }
      }
    }
  }

  static bool is_literal(const Template& topic) {
    for (const std::string& level : topic.level_pattern()) {
      if (level == "+" || level == "**") {
        return false;
      }
    }
    return true;
  }

  void check_fields_told_apart(const StreamPlan& stream, const OutputPlan& output,
                               const std::string& place) {
    if (stream.config.fields.size() > 1 && !output.topic.uses("series") &&
        !output.topic.uses("field")) {
      error(place, "the stream has several fields, and '" + output.config.topic +
                       "' is one topic for all of them. Add {field}, or use {series}");
    }
  }

  void check_loop(const std::string& place, const std::string& broker, const Template& topic) {
    for (const StreamPlan& stream : plan_.streams) {
      if (stream.config.broker == broker &&
          may_overlap(topic.level_pattern(), stream.filter.levels())) {
        const std::string& first = stream.filter.levels().front();
        error(place, "'" + topic.text() + "' may match streams->" + stream.config.name +
                         "->topic ('" + stream.config.topic +
                         "'): what is published would come in again. " +
                         (first == "+" || first == "#"
                              ? "Begin the stream's filter with a fixed level, as home/"
                              : "Publish below another first level, as stats/{series}"));
      }
    }
  }

  Plan plan_;
  const LinkRules& links_;
  Errors errors_;
};

}  // namespace

std::string alert_topic(const AlertPlan& alert, const Captures& captures) {
  if (!alert.topic) {
    return {};
  }
  Captures names = captures;
  names.emplace_back("alert", alert.config.name);
  return alert.topic->expand_topic(names);
}

tl::expected<Plan, Errors> compile(const Config& config, const Zone& zone, const LinkRules& links) {
  return Compiler(config, zone, links).run();
}

}  // namespace rollup::engine

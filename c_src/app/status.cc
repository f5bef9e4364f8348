#include "app/status.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <limits>
#include <utility>

#include "base/text.h"
#include "publish/encode.h"

namespace rollup::app {

namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void write(Writer& json, const char* key, const std::string& value) {
  json.Key(key);
  json.String(value.c_str(), static_cast<rapidjson::SizeType>(value.size()));
}

void write(Writer& json, const char* key, std::uint64_t value) {
  json.Key(key);
  json.Uint64(value);
}

void write_counts(Writer& json, const char* key, const port::DropCounts& counts, bool of_values) {
  json.Key(key);
  json.StartObject();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const auto reason = static_cast<DropReason>(i);
    if (counts[i] > 0 && is_of_values(reason) == of_values) {
      write(json, std::string(to_string(reason)).c_str(), counts[i]);
    }
  }
  json.EndObject();
}

void add(const Counters& counters, port::StatusAnswer& status) {
  status.received += counters.received;
  status.accepted += counters.accepted;
  for (std::size_t i = 0; i < counters.dropped.size(); ++i) {
    status.dropped[i] += counters.dropped[i];
  }
}

}  // namespace

std::string build_name() { return ROLLUP_BUILD; }

port::StatusAnswer make_status(const Core& core, std::vector<port::BrokerStatus> brokers,
                               const Clock& clock, const std::string& trouble) {
  const engine::Engine& engine = core.engine();
  port::StatusAnswer status;
  status.build = build_name();
  status.uptime = clock.running();
  status.started = clock.now().wall - clock.running();
  for (SeriesId id = 0; id < engine.series_count(); ++id) {
    status.series += engine.is_live(id) ? 1U : 0U;
  }
  status.alerts = engine.alert_count();
  for (const AlertState& alert : engine.alerts()) {
    status.alarms += alert.phase == AlertPhase::alarm ? 1U : 0U;
  }
  for (StreamIndex index = 0; index < engine.plan().streams.size(); ++index) {
    const Counters& counters = engine.ledger().stream(index);
    add(counters, status);
    port::StreamStatus& stream = status.streams.emplace_back();
    stream.name = engine.plan().streams[index].config.name;
    stream.series = engine.series_count(index);
    stream.received = counters.received;
    stream.accepted = counters.accepted;
    stream.dropped = counters.dropped;
    stream.examples = counters.examples;
  }
  add(engine.ledger().unrouted(), status);
  status.brokers = std::move(brokers);
  const StorageCounts counts = core.counts();
  status.history_bytes = counts.bytes;
  status.history_journal_rows = counts.journal_turns;
  status.history_outbox = counts.outbox;
  status.history_last_commit = core.last_commit();
  status.history_error = trouble;
  return status;
}

std::string status_json(const port::StatusAnswer& status) {
  rapidjson::StringBuffer buffer;
  Writer json(buffer);
  json.StartObject();
  write(json, "received", status.received);
  write(json, "accepted", status.accepted);
  write_counts(json, "dropped", status.dropped, true);
  write_counts(json, "refused", status.dropped, false);
  write(json, "series", status.series);
  write(json, "alerts", status.alerts);
  write(json, "alarms", status.alarms);
  write(json, "uptime", format_duration(std::chrono::floor<std::chrono::seconds>(status.uptime)));
  write(json, "started", format_rfc3339(std::chrono::floor<std::chrono::seconds>(status.started)));
  json.Key("brokers");
  json.StartObject();
  for (const port::BrokerStatus& broker : status.brokers) {
    write(json, broker.name.c_str(), std::string(to_string(broker.state)));
  }
  json.EndObject();
  write(json, "history_bytes", status.history_bytes);
  write(json, "history_error", status.history_error);
  write(json, "build", status.build);
  json.EndObject();
  std::string text(buffer.GetString(), buffer.GetSize());
  publish::pad_payload(text, std::numeric_limits<std::size_t>::max());
  return text;
}

}  // namespace rollup::app

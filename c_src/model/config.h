// The configuration as the program works with it: every option of ejabberd.yml that concerns it,
// with defaults filled in and durations in milliseconds. The Erlang side has checked shapes and
// types; engine::compile() checks what they mean.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/aggregate.h"
#include "model/bucket.h"

namespace rollup {

// Never: kept for ever, or never expires.
inline constexpr Duration kForever = Duration::max();

enum class PayloadFormat { automatic, json, text };
enum class OutputFormat { json, number, text, protobuf };
enum class PublishOn { interval, change, close };
// What the numbers of a series are (SEMANTICS 2, 3), and what a fall of a counter means: that it
// began anew, or that its register of so many bits ran over.
enum class Kind { gauge, counter };
enum class Reset { zero, wrap32, wrap64 };

constexpr std::string_view to_string(Kind kind) {
  return kind == Kind::counter ? "counter" : "gauge";
}
constexpr Parts parts_of(Kind kind) { return kind == Kind::counter ? kCounterParts : kGaugeParts; }

struct Sparkline {
  Duration span{};
  std::uint32_t points = 0;
};

// Options: ejabberd/README.md.
struct Output {
  std::string topic;  // template
  OutputFormat format = OutputFormat::json;
  Duration window{};
  Duration every{};
  std::optional<Statistic> statistic;  // nothing: the usual one of the kind
  std::optional<Sparkline> sparkline;
  PublishOn on = PublishOn::interval;
  double deadband = 0;
  Duration min_interval{};
  Duration heartbeat{};
  bool retain = true;
  int qos = 1;
  Duration expiry{};  // kForever: none
  std::string broker;
};

// One value in a payload: the stream's only one (name empty), or one of its `fields`.
struct Field {
  std::string name;
  std::string value;  // JSON Pointer; empty: the whole payload
  std::string unit;
  std::string title;
  double scale = 1;
  double offset = 0;
  std::optional<double> valid_low;
  std::optional<double> valid_high;
  Kind kind = Kind::gauge;
  Reset reset = Reset::zero;
};

// Options: ejabberd/README.md.
struct Stream {
  std::string name;
  std::string topic;  // filter with named levels
  std::string broker;
  int qos = 1;
  PayloadFormat format = PayloadFormat::automatic;
  std::vector<Field> fields;  // at least one
  std::string time;           // JSON Pointer of the event time; empty: arrival
  Duration resolution{};
  std::optional<Duration> hold;  // nothing: auto (SEMANTICS 2.1)
  Duration lateness{};
  // Retention per Tier; kForever: never deleted; 0: not kept.
  std::array<Duration, kTierCount> keep{};
  std::vector<Output> publish;
};

// Options: ejabberd/README.md.
struct Alert {
  std::string name;
  std::string stream;
  // Captured names (and `topic`, a filter; `field`) that a series must match, value by value.
  std::map<std::string, std::string> match;
  std::string raise;  // condition
  std::string clear;  // condition; empty: not raise
  Duration raise_for{};
  Duration clear_for{};
  std::vector<std::string> notify;  // bare or full JIDs
  std::string message;              // template; empty: the built-in one
  std::string topic;                // template; empty: none
};

struct Limits {
  std::uint32_t series = 100'000;
  std::uint32_t series_per_stream = 50'000;
  std::uint32_t new_series = 1000;     // per second and stream
  std::uint32_t topic = 1024;          // bytes in
  std::uint32_t payload = 256 * 1024;  // bytes in
  std::uint32_t text = 4096;           // bytes out
  std::uint32_t json_depth = 64;
  std::uint32_t rows = 5000;  // per answer
  std::uint32_t alerts_per_rule = 10'000;
};

// How a broker is reached: with libmosquitto, or inside ejabberd, through the port.
enum class LinkKind { client, feed };

// Options: ejabberd/README.md. Not part of Config: it holds secrets and is never written to the
// history file.
struct Broker {
  std::string name;
  LinkKind link = LinkKind::client;
  // The rest is for clients.
  std::string host;  // or the path of a unix socket, beginning with '/'
  int port = 1883;
  std::string username;
  std::string password;
  std::string client_id;
  Duration keepalive{std::chrono::seconds(60)};
  int protocol = 5;  // 5, or 4 for 3.1.1
  bool has_tls = false;
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
  bool verify = true;
  Duration session_expiry{std::chrono::hours(1)};

  friend bool operator==(const Broker&, const Broker&) = default;
};

struct Config {
  std::string timezone;
  std::string language;
  // Names only, in order; Message::broker and Broker::name refer to them.
  std::vector<std::string> brokers;
  std::vector<Stream> streams;
  std::vector<Alert> alerts;
  Limits limits;
};

}  // namespace rollup

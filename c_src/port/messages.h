// The messages of docs/PROTOCOL.md as structs, both ways, so that nothing outside this folder sees
// a term. Frames here are without their 4 bytes of length.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "model/drop_reason.h"
#include "model/feed_position.h"
#include "model/link_state.h"
#include "model/log_level.h"
#include "model/message.h"
#include "model/publication.h"
#include "port/config_terms.h"
#include "query/questions.h"

namespace rollup::port {

inline constexpr std::int64_t kProtocolVersion = 1;

// -- to the program --

struct Hello {
  std::int64_t protocol = 0;
  std::string vhost;
};

struct Configure {
  std::int64_t id = 0;
  std::string data_dir;
  bool full_sync = false;
  Result<ConfigTerms> terms;  // an Error belongs into the answer
};

struct Check {
  std::int64_t id = 0;
  Result<ConfigTerms> terms;
};

struct StatusRequest {};
using Question =
    std::variant<StatusRequest, query::NamesRequest, query::SeriesRequest, query::HistoryRequest>;

struct Request {
  std::int64_t id = 0;
  Duration deadline{};        // from its arrival
  Result<Question> question;  // an Error belongs into the answer
};

struct Credit {
  std::int64_t events = 0;
};

struct Notified {
  std::uint64_t outbox_id = 0;
};

// Messages of the in-node link, numbered `first`, `first` + 1, …
struct FeedBatch {
  std::uint64_t epoch = 0;
  std::uint64_t first = 0;
  // All that arrived until then is in this batch or in earlier ones.
  Time up_to;
  // Dropped by Erlang, because its queue was full, since the batch before.
  std::uint64_t lost = 0;
  std::string lost_topic;
  std::vector<Message> messages;  // Message::broker is not set
};

// Since when Erlang has been collecting messages for the link without a gap.
struct FeedSince {
  Time time;
};

struct Published {
  std::uint64_t count = 0;
  std::uint64_t refused = 0;  // of `count`
};

using Incoming = std::variant<Hello, Configure, Check, Request, Credit, Notified, FeedBatch,
                              FeedSince, Published>;

// Any bytes are answered with a message or an Error; an Error is a violation of the protocol. A
// hello of any protocol version is read, so that its version can be named when it is refused.
Result<Incoming> decode(std::string_view frame);

// -- from the program --

struct ProgramHello {
  std::string build;
  std::int64_t pid = 0;
};
std::string encode(const ProgramHello& hello);

using ConfigOutcome = tl::expected<void, Errors>;
std::string encode_configured(std::int64_t id, const ConfigOutcome& outcome);
std::string encode_checked(std::int64_t id, const ConfigOutcome& outcome);

using DropCounts = std::array<std::uint64_t, kDropReasonCount>;

struct StreamStatus {
  std::string name;
  std::uint64_t series = 0;
  std::uint64_t received = 0;
  std::uint64_t accepted = 0;
  DropCounts dropped{};
  std::array<std::string, kDropReasonCount> examples;  // "" if there is none
};

struct BrokerStatus {
  std::string name;
  LinkState state = LinkState::down;
  Time since;  // it has been in this state
  // Messages that came, and of these: delivered again and recognised, for no stream of today.
  std::uint64_t received = 0;
  std::uint64_t redelivered = 0;
  std::uint64_t unwanted = 0;
  // Filters that the broker has not granted.
  std::uint64_t filters_missing = 0;
  // How often the broker had forgotten the session.
  std::uint64_t sessions_lost = 0;
  // Publications: gone out, given up (refused, expired, crowded out), waiting.
  std::uint64_t published = 0;
  std::uint64_t unpublished = 0;
  std::uint64_t queued = 0;
  std::string last_error;
};

struct StatusAnswer {
  std::string build;
  Duration uptime{};
  Time started;
  std::uint64_t series = 0;
  std::uint64_t alerts = 0;
  std::uint64_t alarms = 0;
  std::uint64_t received = 0;
  std::uint64_t accepted = 0;
  DropCounts dropped{};
  std::vector<StreamStatus> streams;
  std::vector<BrokerStatus> brokers;
  std::uint64_t history_bytes = 0;
  std::uint64_t history_journal_rows = 0;
  std::uint64_t history_outbox = 0;
  std::optional<Time> history_last_commit;
  std::string history_error;
};

using Answer =
    std::variant<StatusAnswer, query::NamesAnswer, query::SeriesAnswer, query::HistoryAnswer>;
// An answer that is too long for a frame becomes the error too_large.
std::string encode_reply(std::int64_t id, const Result<Answer>& answer);

struct Notification {
  std::string id;
  std::string alert;
  std::string series;
  std::string topic;
  bool is_alarm = true;  // false: it ended
  std::vector<std::string> to;
  std::string body;
  std::string replaces;
  bool is_fresh = false;
  Time at;

  friend bool operator==(const Notification&, const Notification&) = default;
};

std::string encode_notify(std::uint64_t outbox_id, const Notification& notification);

std::string encode_committed(const FeedPosition& position);

std::string encode_publish(const std::vector<Publication>& publications);

// A longer text is cut.
inline constexpr std::size_t kLogBytesMax = 4096;
std::string encode_log(LogLevel level, std::string_view text);

}  // namespace rollup::port

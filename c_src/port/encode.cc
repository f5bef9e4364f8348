// From messages to frames.
#include <algorithm>
#include <string_view>

#include "port/frame_splitter.h"
#include "port/messages.h"
#include "port/term_writer.h"

namespace rollup::port {
namespace {

std::string finished(const TermWriter& writer) { return std::string(writer.bytes()); }

void write(TermWriter& writer, const std::optional<double>& value) {
  if (value) {
    writer.real(*value);
  } else {
    writer.null();
  }
}

void write(TermWriter& writer, const Error& error) {
  writer.tuple(3).atom(to_string(error.code)).text(error.place).text(error.message);
}

std::string encode_outcome(std::string_view tag, std::int64_t id, const ConfigOutcome& outcome) {
  TermWriter writer;
  writer.tuple(3).atom(tag).integer(id);
  if (outcome) {
    writer.atom("ok");
  } else {
    writer.tuple(2).atom("error").list(outcome.error().size());
    for (const Error& error : outcome.error()) {
      write(writer, error);
    }
    writer.end_list();
  }
  return finished(writer);
}

template <class Range, class T>
std::size_t number_of(const Range& range, const T& value) {
  return static_cast<std::size_t>(std::count(range.begin(), range.end(), value));
}

// The reasons of values, or the others; those that did not occur are left out.
void write_counts(TermWriter& writer, const DropCounts& counts, bool of_values) {
  std::vector<DropReason> reasons;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const auto reason = static_cast<DropReason>(i);
    if (counts[i] > 0 && is_of_values(reason) == of_values) {
      reasons.push_back(reason);
    }
  }
  writer.map(reasons.size());
  for (const DropReason reason : reasons) {
    writer.atom(to_string(reason)).count(counts[static_cast<std::size_t>(reason)]);
  }
}

void write(TermWriter& writer, const DropCounts& dropped) {
  writer.atom("dropped");
  write_counts(writer, dropped, true);
  writer.atom("refused");
  write_counts(writer, dropped, false);
}

void write(TermWriter& writer, const StreamStatus& stream) {
  writer.map(7);
  writer.atom("name").text(stream.name);
  writer.atom("series").count(stream.series);
  writer.atom("received").count(stream.received);
  writer.atom("accepted").count(stream.accepted);
  write(writer, stream.dropped);
  writer.atom("examples");
  writer.map(stream.examples.size() - number_of(stream.examples, std::string()));
  for (std::size_t reason = 0; reason < stream.examples.size(); ++reason) {
    if (!stream.examples[reason].empty()) {
      writer.atom(to_string(static_cast<DropReason>(reason))).text(stream.examples[reason]);
    }
  }
}

void write(TermWriter& writer, const BrokerStatus& broker) {
  writer.map(12);
  writer.atom("name").text(broker.name);
  writer.atom("state").atom(to_string(broker.state));
  writer.atom("since_ms").integer(to_ms(broker.since));
  writer.atom("received").count(broker.received);
  writer.atom("redelivered").count(broker.redelivered);
  writer.atom("unwanted").count(broker.unwanted);
  writer.atom("filters_missing").count(broker.filters_missing);
  writer.atom("sessions_lost").count(broker.sessions_lost);
  writer.atom("published").count(broker.published);
  writer.atom("unpublished").count(broker.unpublished);
  writer.atom("queued").count(broker.queued);
  writer.atom("last_error").text(broker.last_error);
}

void write(TermWriter& writer, const StatusAnswer& answer) {
  writer.map(13);
  writer.atom("build").text(answer.build);
  writer.atom("uptime_ms").integer(answer.uptime.count());
  writer.atom("started_ms").integer(to_ms(answer.started));
  writer.atom("series").count(answer.series);
  writer.atom("alerts").count(answer.alerts);
  writer.atom("alarms").count(answer.alarms);
  writer.atom("received").count(answer.received);
  writer.atom("accepted").count(answer.accepted);
  write(writer, answer.dropped);
  writer.atom("streams").list(answer.streams.size());
  for (const StreamStatus& stream : answer.streams) {
    write(writer, stream);
  }
  writer.end_list();
  writer.atom("brokers").list(answer.brokers.size());
  for (const BrokerStatus& broker : answer.brokers) {
    write(writer, broker);
  }
  writer.end_list();
  writer.atom("history").map(5);
  writer.atom("bytes").count(answer.history_bytes);
  writer.atom("journal_rows").count(answer.history_journal_rows);
  writer.atom("outbox").count(answer.history_outbox);
  writer.atom("last_commit_ms");
  if (answer.history_last_commit) {
    writer.integer(to_ms(*answer.history_last_commit));
  } else {
    writer.null();
  }
  writer.atom("error").text(answer.history_error);
}

constexpr std::size_t kLabelKeys = 7;

void write(TermWriter& writer, const query::SeriesLabel& label) {
  writer.atom("series").text(label.series);
  writer.atom("stream").text(label.stream);
  writer.atom("broker").text(label.broker);
  writer.atom("topic").text(label.topic);
  writer.atom("field").text(label.field);
  writer.atom("unit").text(label.unit);
  writer.atom("title").text(label.title);
}

void write(TermWriter& writer, const query::NamesAnswer& answer) {
  writer.map(2).atom("names").list(answer.keys.size());
  for (const SeriesKey& key : answer.keys) {
    writer.tuple(4).text(key.stream).text(key.broker).text(key.topic).text(key.field);
  }
  writer.end_list().atom("more").boolean(answer.has_more);
}

void write(TermWriter& writer, const query::SeriesAnswer& answer) {
  writer.map(1).atom("rows").list(answer.rows.size());
  for (const query::SeriesRow& row : answer.rows) {
    writer.map(kLabelKeys + 3);
    write(writer, row.label);
    writer.atom("value");
    write(writer, row.value);
    writer.atom("age_ms");
    if (row.age) {
      writer.integer(row.age->count());
    } else {
      writer.null();
    }
    writer.atom("count").count(row.count);
  }
  writer.end_list();
}

void write(TermWriter& writer, const query::HistoryAnswer& answer) {
  writer.map(kLabelKeys + 8);
  write(writer, answer.label);
  writer.atom("decimals").integer(answer.decimals);
  writer.atom("from_ms").integer(to_ms(answer.from));
  writer.atom("to_ms").integer(to_ms(answer.to));
  writer.atom("step_ms").integer(answer.step.count());
  writer.atom("aggregates").list(answer.statistics.size());
  for (const Statistic statistic : answer.statistics) {
    writer.atom(to_string(statistic));
  }
  writer.end_list();
  writer.atom("rows").list(answer.rows.size());
  for (const query::HistoryRow& row : answer.rows) {
    writer.tuple(2).integer(to_ms(row.start)).list(row.values.size());
    for (std::size_t column = 0; column < row.values.size(); ++column) {
      const std::optional<double>& value = row.values[column];
      if (value && row_of(answer.statistics[column]).decimals == Decimals::none) {
        writer.count(static_cast<std::uint64_t>(*value));
      } else {
        write(writer, value);
      }
    }
    writer.end_list();
  }
  writer.end_list();
  writer.atom("spark").text(answer.spark);
  writer.atom("next").text(answer.next);
}

void write(TermWriter& writer, const Notification& notification) {
  writer.map(10);
  writer.atom("id").text(notification.id);
  writer.atom("alert").text(notification.alert);
  writer.atom("series").text(notification.series);
  writer.atom("topic").text(notification.topic);
  writer.atom("phase").atom(notification.is_alarm ? "alarm" : "ok");
  writer.atom("to").list(notification.to.size());
  for (const std::string& jid : notification.to) {
    writer.text(jid);
  }
  writer.end_list();
  writer.atom("body").text(notification.body);
  writer.atom("replaces").text(notification.replaces);
  writer.atom("fresh").boolean(notification.is_fresh);
  writer.atom("at_ms").integer(to_ms(notification.at));
}

}  // namespace

std::string encode(const ProgramHello& hello) {
  TermWriter writer;
  writer.tuple(2).atom("hello").map(4);
  writer.atom("protocol").integer(kProtocolVersion);
  writer.atom("build").text(hello.build);
  writer.atom("pid").integer(hello.pid);
  writer.atom("frame_bytes_max").count(kFrameBytesMax);
  return finished(writer);
}

std::string encode_configured(std::int64_t id, const ConfigOutcome& outcome) {
  return encode_outcome("configured", id, outcome);
}

std::string encode_checked(std::int64_t id, const ConfigOutcome& outcome) {
  return encode_outcome("checked", id, outcome);
}

std::string encode_reply(std::int64_t id, const Result<Answer>& answer) {
  TermWriter writer;
  writer.tuple(3).atom("reply").integer(id).tuple(2);
  if (answer) {
    writer.atom("ok");
    std::visit([&writer](const auto& content) { write(writer, content); }, *answer);
  } else {
    writer.atom("error");
    write(writer, answer.error());
  }
  if (writer.bytes().size() > kFrameBytesMax) {
    return encode_reply(id, fail(ErrorCode::too_large, "max",
                                 "the answer is longer than a frame may be, ask for fewer rows"));
  }
  return finished(writer);
}

std::string encode_notify(std::uint64_t outbox_id, const Notification& notification) {
  TermWriter writer;
  writer.tuple(3).atom("notify").count(outbox_id);
  write(writer, notification);
  return finished(writer);
}

std::string encode_committed(const FeedPosition& position) {
  TermWriter writer;
  writer.tuple(3).atom("committed").count(position.epoch).count(position.number);
  return finished(writer);
}

std::string encode_publish(const std::vector<Publication>& publications) {
  TermWriter writer;
  writer.tuple(2).atom("publish").list(publications.size());
  for (const Publication& publication : publications) {
    writer.tuple(6).binary(publication.topic).binary(publication.payload);
    writer.integer(publication.qos).boolean(publication.retain);
    if (publication.expiry_s) {
      writer.count(*publication.expiry_s);
    } else {
      writer.atom("none");
    }
    writer.text(publication.content_type);
  }
  writer.end_list();
  return finished(writer);
}

std::string encode_log(LogLevel level, std::string_view text) {
  std::size_t size = std::min(text.size(), kLogBytesMax);
  // Not in the middle of a character, which has at most 3 bytes after its first.
  for (int step = 0;
       step < 3 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80;
       ++step) {
    --size;
  }
  TermWriter writer;
  writer.tuple(3).atom("log").atom(to_string(level)).text(text.substr(0, size));
  return finished(writer);
}

}  // namespace rollup::port

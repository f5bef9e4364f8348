#include "journal/turn.h"

#include <rollup/state/v1/journal.pb.h>
#include <rollup/state/v1/state.pb.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "base/text.h"

namespace rollup::journal {

namespace pb = rollup::state::v1;

namespace {

// What a turn has, in its first byte.
constexpr std::uint8_t kHasUptime = 1;
constexpr std::uint8_t kHasSeries = 2;
constexpr std::uint8_t kHasSamples = 4;
constexpr std::uint8_t kHasEpoch = 8;
constexpr std::uint8_t kHasFeed = 16;
constexpr std::uint8_t kHasDelivered = 32;
constexpr std::uint8_t kHasTaken = 64;
constexpr std::uint8_t kHasAll = 127;

// Of a sample.
constexpr std::uint8_t kEventTime = 1;
constexpr std::uint8_t kRetained = 2;
constexpr int kDecimalsShift = 2;
// As many decimals are tried; more, and the bits are as short.
constexpr int kDecimalsMax = 6;
constexpr int kNoDecimals = 15;
constexpr std::array<double, kDecimalsMax + 1> kPowers = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
// Larger whole numbers take as much room as the bits of a double.
constexpr double kWholeMax = 1e15;
// Times and uptimes beyond this (the year 10889) are a sign of a damaged record; arithmetic with
// those before it is safe.
constexpr std::int64_t kMsMax = std::int64_t{1} << 48;

void put(std::string& out, std::int64_t number) {
  put_varint(out, zigzag(static_cast<std::uint64_t>(number)));
}

template <class Number>
void put_fixed(std::string& out, Number number) {
  static_assert(std::endian::native == std::endian::little, "the journal is little endian");
  const auto bytes = std::bit_cast<std::array<char, sizeof(Number)>>(number);
  out.append(bytes.data(), bytes.size());
}

template <class Number>
Number read_fixed(ByteReader& in) {
  std::array<std::uint8_t, sizeof(Number)> bytes{};
  for (std::uint8_t& byte : bytes) {
    byte = in.byte();
  }
  return std::bit_cast<Number>(bytes);
}

void put_text(std::string& out, std::string_view text) {
  put_varint(out, text.size());
  out += text;
}

std::string read_text(ByteReader& in) {
  const std::string_view text = in.bytes(static_cast<std::size_t>(in.varint()));
  if (!is_utf8(text)) {  // nothing else was ever taken
    in.set_bad();
  }
  return std::string(text);
}

// A number of things of which each takes a byte at least.
std::size_t read_count(ByteReader& in) {
  const std::uint64_t count = in.varint();
  if (count > in.rest().size()) {
    in.set_bad();
    return 0;
  }
  return static_cast<std::size_t>(count);
}

// The decimals with which `value` is a whole number to the last bit; kNoDecimals if there are none.
int decimals_of(double value) {
  for (int decimals = 0; decimals <= kDecimalsMax; ++decimals) {
    const double power = kPowers[static_cast<std::size_t>(decimals)];
    const double whole = std::round(value * power);
    if (std::abs(whole) > kWholeMax) {
      break;
    }
    if (std::bit_cast<std::uint64_t>(whole / power) == std::bit_cast<std::uint64_t>(value)) {
      // The sign of a zero does not survive.
      return std::signbit(whole) && whole == 0 ? kNoDecimals : decimals;
    }
  }
  return kNoDecimals;
}

void put_value(std::string& out, double value, int decimals) {
  if (decimals != kNoDecimals) {
    put(out,
        static_cast<std::int64_t>(std::round(value * kPowers[static_cast<std::size_t>(decimals)])));
    return;
  }
  put_fixed(out, value);
}

std::int64_t read_number(ByteReader& in) {
  return static_cast<std::int64_t>(unzigzag(in.varint()));
}

double read_value(ByteReader& in, int decimals) {
  if (decimals <= kDecimalsMax) {
    return static_cast<double>(read_number(in)) / kPowers[static_cast<std::size_t>(decimals)];
  }
  if (decimals != kNoDecimals) {
    in.set_bad();
  }
  return read_fixed<double>(in);
}

tl::unexpected<Error> unreadable() {
  return fail(ErrorCode::storage, "journal", "a turn of it cannot be read");
}

bool is_in_range(std::int64_t value, std::int64_t low, std::int64_t high) {
  return value >= low && value <= high;
}

}  // namespace

// Whether it was not yet.
bool TurnWriter::declare(SeriesId id, const engine::Engine& engine, std::string& series) {
  if (declared_.size() <= id) {
    declared_.resize(engine.series_count());
  }
  if (declared_[id]) {
    return false;
  }
  declared_[id] = true;
  const SeriesKey key = engine.key(id);
  put_varint(series, id);
  put_text(series, key.stream);
  put_text(series, key.broker);
  put_text(series, key.topic);
  put_text(series, key.field);
  return true;
}

void TurnWriter::put_taken(std::span<const TakenDelivery> taken, std::string& record) {
  put_varint(record, taken.size());
  for (const TakenDelivery& message : taken) {
    const auto [broker, is_new] = brokers_.emplace(message.broker, brokers_.size());
    put_varint(record, broker->second << 1 | (message.begins_session ? 1U : 0U));
    if (is_new) {
      put_text(record, message.broker);
    }
    put(record, std::int64_t{message.delivery.packet_id} - packet_id_);
    packet_id_ = message.delivery.packet_id;
    put_fixed(record, message.delivery.content);
  }
}

void TurnWriter::encode(const Now& now, const TurnInput& input, const engine::Engine& engine,
                        std::string& record) {
  std::uint64_t count = 0;
  std::string series;
  for (const engine::NewSeries& created : input.created) {
    count += declare(created.id, engine, series) ? 1U : 0U;
  }
  for (const Sample& sample : input.samples) {
    count += declare(sample.series, engine, series) ? 1U : 0U;
  }
  const std::int64_t wall = (now.wall - last_.wall).count();
  const std::int64_t uptime = (now.uptime - last_.uptime).count();
  last_ = now;
  const bool is_new_epoch = input.feed && input.feed->epoch != feed_.epoch;
  const auto flag = [](bool has, std::uint8_t bit) { return has ? bit : 0; };
  record.push_back(static_cast<char>(
      flag(uptime != wall, kHasUptime) | flag(count > 0, kHasSeries) |
      flag(!input.samples.empty(), kHasSamples) | flag(is_new_epoch, kHasEpoch) |
      flag(input.feed.has_value(), kHasFeed) | flag(!input.delivered.empty(), kHasDelivered) |
      flag(!input.taken.empty(), kHasTaken)));
  put(record, wall);
  if (uptime != wall) {
    put(record, uptime - wall);
  }
  if (count > 0) {
    put_varint(record, count);
    record += series;
  }
  if (!input.samples.empty()) {
    put_varint(record, input.samples.size());
    std::int64_t previous = 0;
    for (const Sample& sample : input.samples) {
      const int decimals = decimals_of(sample.value);
      put(record, static_cast<std::int64_t>(sample.series) - previous);
      previous = sample.series;
      record.push_back(static_cast<char>((decimals << kDecimalsShift) |
                                         (sample.has_event_time ? kEventTime : 0) |
                                         (sample.retained ? kRetained : 0)));
      put(record, (sample.time - now.wall).count());
      put_value(record, sample.value, decimals);
    }
  }
  if (is_new_epoch) {
    put_fixed(record, input.feed->epoch);
    feed_ = {input.feed->epoch, 0};
  }
  if (input.feed) {
    // Unsigned: numbers may be as large as there are.
    put_varint(record, zigzag(input.feed->number - feed_.number));
    feed_.number = input.feed->number;
  }
  if (!input.delivered.empty()) {
    put_varint(record, input.delivered.size());
    for (const std::uint64_t id : input.delivered) {
      put_varint(record, id);
    }
  }
  if (!input.taken.empty()) {
    put_taken(input.taken, record);
  }
}

// False: no clock shows that.
bool TurnReader::pass_time(Now& now, std::int64_t wall, std::int64_t uptime) {
  if (!is_in_range(wall, -kMsMax, kMsMax) || !is_in_range(uptime, -kMsMax, kMsMax) ||
      !is_in_range(to_ms(now.wall) + wall, 0, kMsMax) ||
      !is_in_range(now.uptime.count() + uptime, 0, kMsMax)) {
    return false;
  }
  now = {now.wall + Duration{wall}, now.uptime + Duration{uptime}};
  return true;
}

// `count` of them, or all up to the end if that comes before.
bool TurnReader::read_samples(ByteReader& in, std::size_t count, Turn& turn) {
  std::int64_t label = 0;
  while (turn.samples.size() < count && !in.rest().empty()) {
    const std::int64_t step = read_number(in);
    const std::uint8_t flags = in.byte();
    const std::int64_t from_now = read_number(in);
    const double value = read_value(in, flags >> kDecimalsShift);
    if (!in.ok() || !std::isfinite(value) || !is_in_range(from_now, -kMsMax, kMsMax) ||
        !is_in_range(step, -label, std::int64_t{0xffff'ffff} - label)) {
      return false;
    }
    label += step;
    turn.samples.push_back({static_cast<std::uint32_t>(label),
                            {.has_event_time = (flags & kEventTime) != 0,
                             .retained = (flags & kRetained) != 0,
                             .time = turn.now.wall + Duration{from_now},
                             .value = value}});
  }
  return true;
}

bool TurnReader::read_taken(ByteReader& in, Before& before, Record& record) {
  for (std::size_t left = read_count(in); left > 0 && in.ok(); --left) {
    const std::uint64_t broker = in.varint();
    const std::uint64_t number = broker >> 1;
    if (number > before.brokers.size()) {
      return false;
    }
    if (number == before.brokers.size()) {
      before.brokers.push_back(read_text(in));
    }
    const std::int64_t step = read_number(in);
    if (!is_in_range(step, -before.packet_id, 0xffff - before.packet_id)) {
      return false;
    }
    before.packet_id = static_cast<std::uint16_t>(before.packet_id + step);
    record.taken.push_back({before.brokers[static_cast<std::size_t>(number)],
                            (broker & 1) != 0,
                            {before.packet_id, read_fixed<std::uint32_t>(in)}});
  }
  return in.ok();
}

bool TurnReader::read_turn(ByteReader& in, Before& before, Record& record, Turn& turn) {
  const std::uint8_t has = in.byte();
  const std::int64_t wall = read_number(in);
  const std::int64_t ahead = (has & kHasUptime) != 0 ? read_number(in) : 0;
  // Both, so that their sum is a number.
  if ((has & ~kHasAll) != 0 || !is_in_range(wall, -kMsMax, kMsMax) ||
      !is_in_range(ahead, -2 * kMsMax, 2 * kMsMax) || !pass_time(before.now, wall, wall + ahead)) {
    return false;
  }
  record.now = turn.now = before.now;
  if ((has & kHasSeries) != 0) {
    for (std::size_t left = read_count(in); left > 0 && in.ok(); --left) {
      LabelledSeries& series = turn.series.emplace_back();
      series.label = static_cast<std::uint32_t>(in.varint());
      series.key.stream = read_text(in);
      series.key.broker = read_text(in);
      series.key.topic = read_text(in);
      series.key.field = read_text(in);
    }
  }
  if ((has & kHasSamples) != 0) {
    const std::size_t count = read_count(in);
    if (!read_samples(in, count, turn) || turn.samples.size() != count) {
      return false;
    }
  }
  if ((has & kHasEpoch) != 0) {
    before.feed = {read_fixed<std::uint64_t>(in), 0};
  }
  if ((has & kHasFeed) != 0) {
    before.feed.number += unzigzag(in.varint());
    record.feed = before.feed;
  }
  if ((has & kHasDelivered) != 0) {
    for (std::size_t left = read_count(in); left > 0; --left) {
      record.delivered.push_back(in.varint());
    }
  }
  return ((has & kHasTaken) == 0 || read_taken(in, before, record)) && in.ok();
}

void TurnReader::run(Turn& turn, engine::Engine& engine, Effects& effects) {
  for (LabelledSeries& series : turn.series) {
    const auto added = engine.add_series(series.key);
    series_[series.label] = added ? std::optional(*added) : std::nullopt;
  }
  for (LabelledSample& labelled : turn.samples) {
    const auto found = series_.find(labelled.label);
    if (found != series_.end() && found->second) {
      labelled.sample.series = *found->second;
      engine.observe(labelled.sample, turn.now, effects);
    }
  }
  engine.advance(turn.now, effects);
}

Result<TurnReader::Record> TurnReader::replay(std::string_view record, engine::Engine& engine,
                                              Effects& effects) {
  Record read;
  std::vector<Turn> turns;
  Before before = before_;
  ByteReader in(record);
  do {
    if (!read_turn(in, before, read, turns.emplace_back())) {
      return unreadable();
    }
  } while (!in.rest().empty());
  before_ = std::move(before);
  for (Turn& turn : turns) {
    run(turn, engine, effects);
  }
  return read;
}

Result<TurnReader::Record> TurnReader::replay_version_1(std::string_view record,
                                                        engine::Engine& engine, Effects& effects) {
  pb::Turn saved;
  pb::LinkPositions links;
  Record read;
  Turn turn;
  turn.now = before_.now;
  if (!saved.ParseFromArray(record.data(), static_cast<int>(record.size())) ||
      !links.ParseFromString(saved.links()) ||
      !pass_time(turn.now, saved.wall_ms(), saved.run_ms())) {
    return unreadable();
  }
  ByteReader samples(saved.samples());
  if (!read_samples(samples, std::numeric_limits<std::size_t>::max(), turn)) {
    return unreadable();
  }
  for (const pb::SeriesLabel& series : saved.series()) {
    turn.series.push_back(
        {series.label(), {series.stream(), series.broker(), series.topic(), series.field()}});
  }
  read.now = before_.now = turn.now;
  if (saved.has_feed()) {
    const std::uint64_t epoch = saved.feed().epoch();
    before_.feed = {epoch == 0 ? before_.feed.epoch : epoch, saved.feed().number()};
    read.feed = before_.feed;
  }
  for (const pb::Command& command : saved.commands()) {
    if (command.has_delivered()) {
      read.delivered.push_back(command.delivered().id());
    }
  }
  for (const pb::LinkPosition& link : links.links()) {
    bool begins_session = link.begins_session();
    const int count = std::min(link.packet_ids_size(), link.contents_size());
    for (int i = 0; i < count; ++i) {
      read.taken.push_back({link.broker(),
                            std::exchange(begins_session, false),
                            {static_cast<std::uint16_t>(link.packet_ids(i)), link.contents(i)}});
    }
  }
  run(turn, engine, effects);
  return read;
}

}  // namespace rollup::journal

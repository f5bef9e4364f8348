#include "journal/turn.h"

#include <rollup/state/v1/journal.pb.h>

#include <array>
#include <bit>
#include <cmath>
#include <utility>

#include "base/bytes.h"

namespace rollup::journal {

namespace pb = rollup::state::v1;

namespace {

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
  static_assert(std::endian::native == std::endian::little, "the journal is little endian");
  const auto bits = std::bit_cast<std::array<char, sizeof(double)>>(value);
  out.append(bits.data(), bits.size());
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
  std::array<std::uint8_t, sizeof(double)> bits{};
  for (std::uint8_t& byte : bits) {
    byte = in.byte();
  }
  return std::bit_cast<double>(bits);
}

tl::unexpected<Error> unreadable(const char* why) {
  return fail(ErrorCode::storage, "journal", why);
}

bool is_in_range(std::int64_t value, std::int64_t low, std::int64_t high) {
  return value >= low && value <= high;
}

struct LabelledSample {
  std::uint32_t label = 0;
  Sample sample;
};

Result<std::vector<LabelledSample>> read_samples(std::string_view bytes, const Now& now) {
  std::vector<LabelledSample> samples;
  ByteReader reader(bytes);
  std::int64_t label = 0;
  while (!reader.rest().empty()) {
    const std::int64_t step = read_number(reader);
    const std::uint8_t flags = reader.byte();
    const std::int64_t from_now = read_number(reader);
    const double value = read_value(reader, flags >> kDecimalsShift);
    if (!reader.ok() || !std::isfinite(value) || !is_in_range(from_now, -kMsMax, kMsMax) ||
        !is_in_range(step, -label, std::int64_t{0xffff'ffff} - label)) {
      return unreadable("a sample of it makes no sense");
    }
    label += step;
    samples.push_back({static_cast<std::uint32_t>(label),
                       {.has_event_time = (flags & kEventTime) != 0,
                        .retained = (flags & kRetained) != 0,
                        .time = now.wall + Duration{from_now},
                        .value = value}});
  }
  return samples;
}

}  // namespace

void TurnWriter::declare(SeriesId id, const engine::Engine& engine, pb::Turn& turn) {
  if (declared_.size() <= id) {
    declared_.resize(engine.series_count());
  }
  if (declared_[id]) {
    return;
  }
  declared_[id] = true;
  const SeriesKey& key = engine.series(id).key;
  pb::SeriesLabel& series = *turn.add_series();
  series.set_label(id);
  series.set_stream(key.stream);
  series.set_broker(key.broker);
  series.set_topic(key.topic);
  series.set_field(key.field);
}

void TurnWriter::encode(const Now& now, const TurnInput& input, const engine::Engine& engine,
                        std::string& record) {
  pb::Turn turn;
  turn.set_wall_ms((now.wall - last_.wall).count());
  turn.set_run_ms((now.uptime - last_.uptime).count());
  last_ = now;
  for (const engine::NewSeries& series : input.created) {
    declare(series.id, engine, turn);
  }
  std::string& samples = *turn.mutable_samples();
  std::int64_t previous = 0;
  for (const Sample& sample : input.samples) {
    declare(sample.series, engine, turn);
    const int decimals = decimals_of(sample.value);
    put(samples, static_cast<std::int64_t>(sample.series) - previous);
    previous = sample.series;
    samples.push_back(static_cast<char>((decimals << kDecimalsShift) |
                                        (sample.has_event_time ? kEventTime : 0) |
                                        (sample.retained ? kRetained : 0)));
    put(samples, (sample.time - now.wall).count());
    put_value(samples, sample.value, decimals);
  }
  if (input.feed) {
    pb::FeedPosition& feed = *turn.mutable_feed();
    feed.set_epoch(input.feed->epoch == epoch_ ? 0 : input.feed->epoch);
    feed.set_number(input.feed->number);
    epoch_ = input.feed->epoch;
  }
  for (const std::uint64_t id : input.delivered) {
    turn.add_commands()->mutable_delivered()->set_id(id);
  }
  turn.set_links(input.links.data(), input.links.size());
  turn.SerializeToString(&record);
}

Result<TurnReader::Turn> TurnReader::replay(std::string_view record, engine::Engine& engine,
                                            Effects& effects) {
  pb::Turn saved;
  if (!saved.ParseFromArray(record.data(), static_cast<int>(record.size()))) {
    return unreadable("a turn of it cannot be read");
  }
  Turn turn;
  const std::int64_t wall = saved.wall_ms();
  const std::int64_t run = saved.run_ms();
  if (!is_in_range(wall, -kMsMax, kMsMax) || !is_in_range(run, -kMsMax, kMsMax) ||
      !is_in_range(to_ms(last_.wall) + wall, 0, kMsMax) ||
      !is_in_range(last_.uptime.count() + run, 0, kMsMax)) {
    return unreadable("the time of a turn makes no sense");
  }
  turn.now = {last_.wall + Duration{wall}, last_.uptime + Duration{run}};
  Result<std::vector<LabelledSample>> samples = read_samples(saved.samples(), turn.now);
  if (!samples) {
    return tl::unexpected(samples.error());
  }
  last_ = turn.now;
  for (const pb::SeriesLabel& series : saved.series()) {
    const auto added =
        engine.add_series({series.stream(), series.broker(), series.topic(), series.field()});
    series_[series.label()] = added ? std::optional(*added) : std::nullopt;
  }
  for (LabelledSample& labelled : *samples) {
    const auto found = series_.find(labelled.label);
    if (found != series_.end() && found->second) {
      labelled.sample.series = *found->second;
      engine.observe(labelled.sample, turn.now, effects);
    }
  }
  engine.advance(turn.now, effects);
  if (saved.has_feed()) {
    epoch_ = saved.feed().epoch() == 0 ? epoch_ : saved.feed().epoch();
    turn.feed = FeedPosition{epoch_, saved.feed().number()};
  }
  turn.links = std::move(*saved.mutable_links());
  for (const pb::Command& command : saved.commands()) {
    if (command.has_delivered()) {
      turn.delivered.push_back(command.delivered().id());
    }
  }
  return turn;
}

}  // namespace rollup::journal

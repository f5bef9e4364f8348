#include "engine/journal.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/text.h"

namespace rollup::engine {

namespace {

constexpr char kVersion = 1;
constexpr std::uint64_t kEventTime = 1;
constexpr std::uint64_t kRetained = 2;
// Times and uptimes beyond this (the year 10889) are a sign of a damaged row; arithmetic with those
// before it is safe.
constexpr std::int64_t kMsMax = std::int64_t{1} << 48;

std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}

std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

void put(std::string& row, std::uint64_t value) {
  while (value >= 0x80) {
    row.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  row.push_back(static_cast<char>(value));
}

void put(std::string& row, const std::string& text) {
  put(row, std::uint64_t{text.size()});
  row += text;
}

void put(std::string& row, double value) {
  static_assert(std::endian::native == std::endian::little, "the journal is little endian");
  const auto bits = std::bit_cast<std::array<char, sizeof(double)>>(value);
  row.append(bits.data(), bits.size());
}

// Reads on after an error give zeros; is_good() tells.
class Reader {
 public:
  explicit Reader(std::string_view row) : rest_(row) {}

  bool is_good() const { return good_; }
  bool is_done() const { return good_ && rest_.empty(); }

  char byte() {
    if (rest_.empty()) {
      good_ = false;
      return 0;
    }
    const char first = rest_.front();
    rest_.remove_prefix(1);
    return first;
  }

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto part = static_cast<unsigned char>(byte());
      value |= static_cast<std::uint64_t>(part & 0x7f) << shift;
      if ((part & 0x80) == 0) {
        return value;
      }
    }
    good_ = false;
    return 0;
  }

  std::int64_t signed_number() { return unzigzag(number()); }

  // A number in [low, high]; anything else is an error.
  std::int64_t number_in(std::int64_t low, std::int64_t high) {
    const std::int64_t value = signed_number();
    good_ = good_ && value >= low && value <= high;
    return good_ ? value : low;
  }

  std::string text() {
    const std::uint64_t size = number();
    if (size > rest_.size()) {
      good_ = false;
      return {};
    }
    std::string value(rest_.substr(0, size));
    rest_.remove_prefix(size);
    // A checkpoint cannot hold anything else.
    good_ = good_ && is_utf8(value);
    return value;
  }

  double real() {
    double value = 0;
    if (rest_.size() < sizeof value) {
      good_ = false;
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }

 private:
  std::string_view rest_;
  bool good_ = true;
};

tl::unexpected<Error> unreadable() {
  return fail(ErrorCode::storage, "journal", "a row of it cannot be read");
}

}  // namespace

void encode_turn(const Now& now, std::span<const NewSeries> created,
                 std::span<const Sample> samples, std::string& row) {
  row.clear();
  row.push_back(kVersion);
  put(row, zigzag(to_ms(now.wall)));
  put(row, zigzag(now.uptime.count()));
  put(row, std::uint64_t{created.size()});
  put(row, std::uint64_t{samples.size()});
  for (const NewSeries& series : created) {
    put(row, std::uint64_t{series.id});
    put(row, series.key.stream);
    put(row, series.key.broker);
    put(row, series.key.topic);
    put(row, series.key.field);
  }
  std::int64_t previous = 0;
  for (const Sample& sample : samples) {
    put(row, zigzag(static_cast<std::int64_t>(sample.series) - previous));
    previous = sample.series;
    put(row, (sample.has_event_time ? kEventTime : 0) | (sample.retained ? kRetained : 0));
    put(row, zigzag((sample.time - now.wall).count()));
    put(row, sample.value);
  }
}

Result<void> replay_turn(std::string_view row, Engine& engine, Effects& effects) {
  Reader reader(row);
  const char version = reader.byte();
  if (!reader.is_good()) {
    return unreadable();
  }
  if (version != kVersion) {
    return fail(ErrorCode::unsupported, "journal", "a row of it has an unknown version");
  }
  Now now;
  now.wall = time_from_ms(reader.number_in(0, kMsMax));
  now.uptime = Duration{reader.number_in(0, kMsMax)};
  const std::uint64_t created = reader.number();
  const std::uint64_t samples = reader.number();
  for (std::uint64_t i = 0; i < created && reader.is_good(); ++i) {
    const std::uint64_t id = reader.number();
    SeriesKey key;
    for (std::string* part : {&key.stream, &key.broker, &key.topic, &key.field}) {
      *part = reader.text();
    }
    if (!reader.is_good()) {
      return unreadable();
    }
    const auto added = engine.add_series(key);
    if (!added || *added != id) {
      return fail(ErrorCode::storage, "journal", "its series are not those of the checkpoint");
    }
  }
  std::int64_t series = 0;
  for (std::uint64_t i = 0; i < samples && reader.is_good(); ++i) {
    const auto count = static_cast<std::int64_t>(engine.series_count());
    series += reader.number_in(-series, count - 1 - series);
    const std::uint64_t flags = reader.number();
    const Duration from_now{reader.number_in(-kMsMax, kMsMax)};
    const double value = reader.real();
    if (!reader.is_good() || !std::isfinite(value)) {
      return unreadable();
    }
    engine.observe({.series = static_cast<SeriesId>(series),
                    .has_event_time = (flags & kEventTime) != 0,
                    .retained = (flags & kRetained) != 0,
                    .time = now.wall + from_now,
                    .value = value},
                   now, effects);
  }
  if (!reader.is_done()) {
    return unreadable();
  }
  engine.advance(now, effects);
  return {};
}

}  // namespace rollup::engine

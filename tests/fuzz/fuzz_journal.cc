// Input: records of a segment of the journal, each after two bytes of length, whose top bit says
// that it is one of version 2. They are replayed through one engine; what it came to can be saved
// and restored.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "journal/turn.h"
#include "support/plans.h"

namespace {

using namespace rollup;

std::shared_ptr<const engine::Plan> make_plan() {
  Config config;
  config.brokers = {"ejabberd"};
  Stream stream = testing::make_stream("temp", "home/{room}/temp");
  stream.hold = std::chrono::minutes(10);
  stream.publish = {testing::make_output("stats/{series}"), testing::make_output("now/{series}"),
                    testing::make_output("final/{series}")};
  stream.publish[0].window = stream.publish[0].every = std::chrono::minutes(5);
  stream.publish[1].on = PublishOn::change;
  stream.publish[2].on = PublishOn::close;
  config.streams = {stream};
  config.alerts = {testing::make_alert("hot", "temp", "value > 30 or age > 100 or avg(5m) > 20")};
  return testing::compile(config);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::shared_ptr<const engine::Plan> plan = make_plan();
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  engine::Engine engine(plan);
  Effects effects;
  journal::TurnReader reader;
  while (rest.size() >= 2) {
    const auto high = static_cast<unsigned char>(rest[1]);
    const std::size_t length = static_cast<unsigned char>(rest[0]) + 256U * (high & 0x7fU);
    rest.remove_prefix(2);
    const std::string_view row = rest.substr(0, length);
    rest.remove_prefix(row.size());
    const bool is_read = (high & 0x80U) != 0
                             ? reader.replay(row, engine, effects).has_value()
                             : reader.replay_version_1(row, engine, effects).has_value();
    if (!is_read) {
      break;
    }
    ROLLUP_CHECK(engine.next_deadline(engine.last()) != Duration{0});
    const auto parts = engine.save();
    engine::Engine restored(plan);
    ROLLUP_CHECK(restored.restore(parts).has_value());
    ROLLUP_CHECK(restored.save() == parts);
    effects.clear();
  }
  return 0;
}

// What it costs to turn one payload into values, and one topic into streams.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "decode/payload.h"
#include "decode/topic_index.h"

namespace {

using namespace rollup;

void decode_payload(benchmark::State& state, const std::vector<std::string>& pointers,
                    const std::string& time, std::string payload) {
  Stream stream;
  stream.time = time;
  for (const std::string& pointer : pointers) {
    stream.fields.emplace_back().value = pointer;
  }
  decode::PayloadDecoder decoder{Limits()};
  std::vector<decode::FieldResult> results;
  for ([[maybe_unused]] const auto turn : state) {
    benchmark::DoNotOptimize(payload);
    decoder.decode(stream, payload, results);
    benchmark::DoNotOptimize(results.data());
  }
  if (!std::holds_alternative<decode::Value>(results.at(0))) {
    state.SkipWithError("the payload was not read");
  }
}

using Pointers = std::vector<std::string>;
BENCHMARK_CAPTURE(decode_payload, text, Pointers{""}, "", "21.37");
BENCHMARK_CAPTURE(decode_payload, text_with_unit, Pointers{""}, "", "22.5 °C");
BENCHMARK_CAPTURE(decode_payload, json_one_field, Pointers{"temp"}, "",
                  R"({"temp":21.37,"hum":40.5,"battery":98})");
BENCHMARK_CAPTURE(decode_payload, json_three_fields, (Pointers{"temp", "hum", "battery"}), "",
                  R"({"temp":21.37,"hum":40.5,"battery":98})");
BENCHMARK_CAPTURE(decode_payload, json_epoch_time, Pointers{"temp"}, "ts",
                  R"({"temp":21.37,"hum":40,"ts":1775304180})");
BENCHMARK_CAPTURE(decode_payload, json_rfc3339_time, Pointers{"temp"}, "ts",
                  R"({"temp":21.37,"ts":"2026-04-04T12:03:00Z"})");

// Argument: how many filters there are, of which two match.
void match_topic(benchmark::State& state) {
  decode::TopicIndex index;
  const auto add = [&](const std::string& filter, std::int64_t stream) {
    index.add(TopicFilter::parse(filter).value(), static_cast<StreamIndex>(stream));
  };
  for (std::int64_t i = 0; i + 1 < state.range(0); ++i) {
    add("site" + std::to_string(i) + "/{room}/temperature", i);
  }
  add("site7/#", state.range(0));
  std::string topic = "site7/kitchen/temperature";
  std::vector<StreamIndex> streams;
  for ([[maybe_unused]] const auto turn : state) {
    streams.clear();
    benchmark::DoNotOptimize(topic);
    index.match(topic, streams);
    benchmark::DoNotOptimize(streams.data());
  }
  if (streams.size() != 2) {
    state.SkipWithError("two streams should match");
  }
}
BENCHMARK(match_topic)->Arg(10)->Arg(1000);

}  // namespace

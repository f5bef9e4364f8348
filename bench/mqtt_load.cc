// The two ends that the program is measured between:
//
//   mqtt_load publish PORT TOPICS RATE SECONDS    RATE messages a second on bench/0 ..
//   bench/TOPICS-1, QoS 1 mqtt_load subscribe PORT                      the bare minimum: takes
//   bench/+ at QoS 1 and only counts
//
// The subscriber runs until end of input and then prints its count.

#include <mosquitto.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

namespace {

std::uint64_t received = 0;

mosquitto* connect(const char* id, const char* port) {
  mosquitto_lib_init();
  mosquitto* client = mosquitto_new(id, true, nullptr);
  mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
  if (mosquitto_connect(client, "127.0.0.1", std::atoi(port), 60) != MOSQ_ERR_SUCCESS) {
    std::fprintf(stderr, "no broker on port %s\n", port);
    std::exit(1);
  }
  return client;
}

int publish(const char* port, int topics, int rate, int seconds) {
  using Clock = std::chrono::steady_clock;
  mosquitto* client = connect("bench-publisher", port);
  mosquitto_loop_start(client);
  const auto start = Clock::now();
  const std::int64_t total = std::int64_t{rate} * seconds;
  for (std::int64_t i = 0; i < total; ++i) {
    const auto due = start + std::chrono::nanoseconds(std::int64_t{1'000'000'000} * i / rate);
    std::this_thread::sleep_until(due);
    const std::string topic = "bench/" + std::to_string(i % topics);
    const std::string payload = R"({"value":)" + std::to_string(15 + i % 17) + "." +
                                std::to_string(i % 10) + R"(,"unit":"C","battery":97})";
    mosquitto_publish(client, nullptr, topic.c_str(), static_cast<int>(payload.size()),
                      payload.data(), 1, false);
  }
  while (mosquitto_want_write(client)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  mosquitto_disconnect(client);
  mosquitto_loop_stop(client, false);
  std::printf("%lld\n", static_cast<long long>(total));
  return 0;
}

int subscribe(const char* port) {
  mosquitto* client = connect("bench-subscriber", port);
  mosquitto_message_callback_set(client,
                                 [](mosquitto*, void*, const mosquitto_message*) { ++received; });
  mosquitto_subscribe(client, nullptr, "bench/+", 1);
  mosquitto_loop_start(client);
  std::puts("ready");
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  mosquitto_disconnect(client);
  mosquitto_loop_stop(client, false);
  std::printf("%llu\n", static_cast<unsigned long long>(received));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 6 && std::strcmp(argv[1], "publish") == 0) {
    return publish(argv[2], std::atoi(argv[3]), std::atoi(argv[4]), std::atoi(argv[5]));
  }
  if (argc == 3 && std::strcmp(argv[1], "subscribe") == 0) {
    return subscribe(argv[2]);
  }
  std::fprintf(stderr, "usage: mqtt_load publish PORT TOPICS RATE SECONDS | subscribe PORT\n");
  return 64;
}

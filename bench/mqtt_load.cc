// Clients that brokers and the program are measured with. All speak MQTT 5 and QoS 1; messages go
// to bench/0 .. bench/TOPICS-1.
//
//   mqtt_load publish PORT TOPICS RATE SECONDS
//     RATE messages a second
//   mqtt_load subscribe PORT
//     the bare minimum: takes bench/+ and only counts, until end of input
//   mqtt_load latency PORT TOPICS RATE SECONDS
//     one message after the other, RATE a second or as many as the broker takes: prints how long
//     each PUBACK took, in microseconds
//   mqtt_load flood PORT TOPICS CLIENTS SECONDS
//     as fast as the broker takes them, each client with at most 20 of them under way: prints how
//     many it took, and in how many seconds
//
// MQTT_LOAD_USER: user name and password.

#include <mosquitto.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kUnderWay = 20;

std::uint64_t received = 0;

mosquitto* connect(const std::string& id, const char* port, void* data = nullptr) {
  mosquitto_lib_init();
  mosquitto* client = mosquitto_new(id.c_str(), true, data);
  mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  if (const char* user = std::getenv("MQTT_LOAD_USER")) {
    const std::string password(user, std::string_view(user).find('@'));
    mosquitto_username_pw_set(client, user, password.c_str());
  }
  if (mosquitto_connect(client, "127.0.0.1", std::atoi(port), 60) != MOSQ_ERR_SUCCESS) {
    std::fprintf(stderr, "no broker on port %s\n", port);
    std::exit(1);
  }
  return client;
}

void publish_one(mosquitto* client, std::int64_t number, int topics) {
  const std::string topic = "bench/" + std::to_string(number % topics);
  const std::string payload = R"({"value":)" + std::to_string(15 + number % 17) + "." +
                              std::to_string(number % 10) + R"(,"unit":"C","battery":97})";
  if (mosquitto_publish(client, nullptr, topic.c_str(), static_cast<int>(payload.size()),
                        payload.data(), 1, false) != MOSQ_ERR_SUCCESS) {
    std::fprintf(stderr, "the broker has closed the connection\n");
    std::exit(1);
  }
}

// The broker must have let the client in before anything is measured.
void loop_until(mosquitto* client, const bool& claim) {
  while (!claim) {
    if (mosquitto_loop(client, 1000, 1) != MOSQ_ERR_SUCCESS) {
      std::fprintf(stderr, "the broker has closed the connection\n");
      std::exit(1);
    }
  }
}

int publish(const char* port, int topics, int rate, int seconds) {
  std::atomic<std::int64_t> acknowledged = 0;
  mosquitto* client = connect("bench-publisher", port, &acknowledged);
  mosquitto_publish_callback_set(client, [](mosquitto*, void* data, int) {
    ++*static_cast<std::atomic<std::int64_t>*>(data);
  });
  mosquitto_loop_start(client);
  const auto start = Clock::now();
  const std::int64_t total = std::int64_t{rate} * seconds;
  for (std::int64_t i = 0; i < total; ++i) {
    const auto due = start + std::chrono::nanoseconds(std::int64_t{1'000'000'000} * i / rate);
    std::this_thread::sleep_until(due);
    publish_one(client, i, topics);
  }
  while (acknowledged < total) {
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
  mosquitto_subscribe_callback_set(client, [](mosquitto*, void*, int, int, const int*) {
    std::puts("ready");
    std::fflush(stdout);
  });
  mosquitto_connect_callback_set(client, [](mosquitto* self, void*, int) {
    mosquitto_subscribe(self, nullptr, "bench/+", 1);
  });
  mosquitto_loop_start(client);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  mosquitto_disconnect(client);
  mosquitto_loop_stop(client, false);
  std::printf("%llu\n", static_cast<unsigned long long>(received));
  return 0;
}

int latency(const char* port, int topics, int rate, int seconds) {
  struct State {
    bool connected = false;
    bool acknowledged = false;
  } state;
  mosquitto* client = connect("bench-latency", port, &state);
  mosquitto_connect_callback_set(
      client, [](mosquitto*, void* data, int) { static_cast<State*>(data)->connected = true; });
  mosquitto_publish_callback_set(
      client, [](mosquitto*, void* data, int) { static_cast<State*>(data)->acknowledged = true; });
  loop_until(client, state.connected);
  std::vector<std::int64_t> taken;
  const std::int64_t total = std::int64_t{rate} * seconds;
  taken.reserve(static_cast<std::size_t>(total));
  const auto start = Clock::now();
  for (std::int64_t i = 0; i < total; ++i) {
    const auto due = start + std::chrono::nanoseconds(std::int64_t{1'000'000'000} * i / rate);
    std::this_thread::sleep_until(due);
    const auto sent = Clock::now();
    if (sent > start + std::chrono::seconds(seconds)) {
      break;
    }
    state.acknowledged = false;
    publish_one(client, i, topics);
    loop_until(client, state.acknowledged);
    taken.push_back((Clock::now() - sent) / std::chrono::microseconds(1));
  }
  mosquitto_disconnect(client);
  for (const std::int64_t microseconds : taken) {
    std::printf("%lld\n", static_cast<long long>(microseconds));
  }
  return 0;
}

struct Flooder {
  mosquitto* client = nullptr;
  int topics = 1;
  Clock::time_point end;
  std::int64_t next = 0;
  int under_way = 0;
  std::int64_t taken = 0;
  bool connected = false;
  bool done = false;

  void go_on() {
    while (under_way < kUnderWay && Clock::now() < end) {
      ++under_way;
      publish_one(client, next++, topics);
    }
    done = under_way == 0;
  }
};

int flood(const char* port, int topics, int clients, int seconds) {
  std::vector<std::unique_ptr<Flooder>> flooders;
  for (int i = 0; i < clients; ++i) {
    Flooder& flooder = *flooders.emplace_back(std::make_unique<Flooder>());
    flooder.client = connect("bench-flood-" + std::to_string(i), port, &flooder);
    flooder.topics = topics;
    flooder.next = std::int64_t{i} * topics / clients;
    mosquitto_connect_callback_set(flooder.client, [](mosquitto*, void* data, int) {
      static_cast<Flooder*>(data)->connected = true;
    });
    mosquitto_publish_callback_set(flooder.client, [](mosquitto*, void* data, int) {
      Flooder& self = *static_cast<Flooder*>(data);
      ++self.taken;
      --self.under_way;
      self.go_on();
    });
    loop_until(flooder.client, flooder.connected);
  }
  const auto start = Clock::now();
  std::vector<std::thread> threads;
  for (const auto& flooder : flooders) {
    flooder->end = start + std::chrono::seconds(seconds);
    threads.emplace_back([&self = *flooder] {
      self.go_on();
      loop_until(self.client, self.done);
      mosquitto_disconnect(self.client);
    });
  }
  std::int64_t taken = 0;
  for (std::thread& thread : threads) {
    thread.join();
  }
  const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  for (const auto& flooder : flooders) {
    taken += flooder->taken;
  }
  std::printf("%lld %.6f\n", static_cast<long long>(taken), elapsed);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (argc == 3 && what == "subscribe") {
    return subscribe(argv[2]);
  }
  if (argc == 6) {
    const int numbers[] = {std::atoi(argv[3]), std::atoi(argv[4]), std::atoi(argv[5])};
    if (what == "publish") {
      return publish(argv[2], numbers[0], numbers[1], numbers[2]);
    }
    if (what == "latency") {
      return latency(argv[2], numbers[0], numbers[1], numbers[2]);
    }
    if (what == "flood") {
      return flood(argv[2], numbers[0], numbers[1], numbers[2]);
    }
  }
  std::fprintf(stderr,
               "usage: mqtt_load publish PORT TOPICS RATE SECONDS | subscribe PORT | latency PORT "
               "TOPICS RATE SECONDS | flood PORT TOPICS CLIENTS SECONDS\n");
  return 64;
}

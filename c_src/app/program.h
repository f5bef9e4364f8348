// The program's one main loop: the port, the inbox and the engine's deadlines.
//
// Group commit (ARCHITECTURE 5): what arrives when nothing happened for kCommitInterval is taken
// and committed at once; under load everything that came within the interval is one turn, so
// neither a commit nor a wake-up is paid per message.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/clock.h"
#include "app/core.h"
#include "app/links.h"
#include "app/log.h"
#include "mqtt/inbox.h"
#include "port/channel.h"
#include "port/messages.h"

namespace rollup::app {

class Program {
 public:
  Program(port::Channel channel, LogQueue& logs);
  ~Program();

  // Until end of file; the exit code of docs/PROTOCOL.md.
  int run();

 private:
  static constexpr Duration kCommitInterval{20};
  static constexpr Duration kRetryEvery{1000};
  static constexpr Duration kStatusEvery = std::chrono::minutes(1);
  static constexpr std::size_t kMessagesPerTurn = 50'000;

  bool wait();
  // False: the end. exit_code_ says why.
  bool read_channel();
  bool handle(port::Incoming message);
  void configure(port::Configure message);
  port::ConfigOutcome reconfigure(const std::shared_ptr<const engine::Plan>& plan,
                                  port::ConfigTerms terms);
  port::ConfigOutcome start(const port::Configure& message,
                            const std::shared_ptr<const engine::Plan>& plan,
                            port::ConfigTerms terms);
  Result<port::Answer> answer(const port::Question& question, const Now& now) const;

  void work();
  void turn(const Now& now);
  void publish(std::vector<publish::Publication> publications);
  void publish_status(const Now& now);
  void send_notifications();
  void send_logs();
  void say_goodbye();
  Duration until_next_work(const Now& now);

  port::Channel channel_;
  LogQueue& logs_;
  Clock clock_;
  mqtt::Inbox inbox_;
  Links links_{inbox_};
  std::unique_ptr<Core> core_;
  std::string data_dir_;

  std::vector<Message> batch_;
  std::deque<std::pair<std::uint64_t, port::Notification>> notifications_;
  bool has_hello_ = false;
  bool delivered_ = false;  // an outbox entry waits for its removal
  int exit_code_ = 0;
  // When the last turn ended, and when the next one may begin or be tried again; in Now::uptime.
  Duration next_turn_{0};
  Duration status_at_{0};
  std::string trouble_;  // of the history; "" if there is none
};

}  // namespace rollup::app

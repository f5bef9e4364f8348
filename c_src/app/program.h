// The program's one main loop: waits for the port, the inbox and the session's deadlines, and moves
// bytes between the port's descriptors and the session.
#pragma once

#include "app/clock.h"
#include "app/links.h"
#include "app/log.h"
#include "app/session.h"
#include "mqtt/inbox.h"
#include "port/channel.h"

namespace rollup::app {

class Program {
 public:
  Program(port::Channel channel, LogQueue& logs);
  ~Program();

  // Until end of file; the exit code of docs/PROTOCOL.md.
  int run();

 private:
  // False: the end. exit_code_ says why.
  bool wait();
  bool read_channel();
  void send_logs();
  void send_last_logs();

  port::Channel channel_;
  LogQueue& logs_;
  SystemClock clock_;
  mqtt::Inbox inbox_;
  ClientLinks links_{inbox_};
  Session session_{channel_, links_, inbox_, clock_};
  bool is_logging_ = false;  // to Erlang
  int exit_code_ = 0;
};

}  // namespace rollup::app

// Log lines on their way to ejabberd's log.
//
// spdlog writes to stderr until the handshake and after the last frame; between them the lines wait
// in a bounded queue from which the engine's thread sends them to Erlang. Any thread may log.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "model/log_level.h"

namespace rollup::app {

struct LogLine {
  LogLevel level = LogLevel::info;
  std::string text;
};

class LogQueue {
 public:
  static constexpr std::size_t kLinesMax = 1000;

  // The oldest line makes room when it is full; how many did is said in take().
  void push(LogLine line);

  // What has come since the last call.
  std::vector<LogLine> take();

  // Called after each push, from the thread that logs; empty: nobody.
  void set_wake(std::function<void()> wake);

 private:
  std::mutex mutex_;
  std::deque<LogLine> lines_;
  std::uint64_t lost_ = 0;
  std::function<void()> wake_;
};

// stderr, as early as possible: spdlog's own default is stdout.
void log_to_stderr();

// From now on into `queue`, which must outlive all logging.
void log_to_queue(LogQueue& queue);

// Writes a line to where spdlog writes now.
void log(LogLevel level, const std::string& text);

}  // namespace rollup::app

#include "app/program.h"

#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "port/exit_codes.h"

namespace rollup::app {

Program::Program(port::Channel channel, LogQueue& logs)
    : channel_(std::move(channel)), logs_(logs) {
  logs_.set_wake([this] { inbox_.wake(); });
}

Program::~Program() { logs_.set_wake(nullptr); }

int Program::run() {
  while (true) {
    send_logs();
    if (channel_.wants_write()) {
      if (Result<void> written = channel_.write_some(); !written) {
        break;  // nobody reads: the virtual machine is gone
      }
    }
    if (!wait()) {
      break;
    }
    session_.work();
  }
  logs_.set_wake(nullptr);
  log_to_stderr();
  send_last_logs();
  session_.end();
  return exit_code_;
}

// Sleeps until there is something to do, and takes in what Erlang says.
bool Program::wait() {
  const Duration sleep = session_.until_next_work();
  // Within a commit interval messages may pile up without waking anybody, unless a link says that
  // its broker waits. When they cannot be taken they wait too; only the log has to be looked after
  // then.
  const bool takes = session_.takes_messages();
  const bool is_armed = !takes                             ? !session_.is_configured()
                        : sleep > Session::kCommitInterval ? inbox_.prepare_to_sleep()
                                                           : inbox_.prepare_to_nap();
  std::array<pollfd, 3> polls = {{{channel_.input(), POLLIN, 0},
                                  {channel_.wants_write() ? channel_.output() : -1, POLLOUT, 0},
                                  {is_armed ? inbox_.fd() : -1, POLLIN, 0}}};
  int timeout = static_cast<int>(std::min<std::int64_t>(sleep.count(), 60'000));
  if (takes && !is_armed) {
    timeout = 0;
  }
  if (::poll(polls.data(), polls.size(), timeout) < 0 && errno != EINTR) {
    spdlog::error("poll: errno {}", errno);
    exit_code_ = port::kExitBug;
    return false;
  }
  return (polls[0].revents & (POLLIN | POLLHUP | POLLERR)) == 0 || read_channel();
}

bool Program::read_channel() {
  std::vector<std::string> frames;
  const Result<bool> read = channel_.read_some(frames);
  for (const std::string& frame : frames) {
    if (!session_.receive(frame)) {
      exit_code_ = session_.exit_code();
      return false;
    }
    if (session_.has_hello() && !std::exchange(is_logging_, true)) {
      log_to_queue(logs_);
    }
  }
  if (!read) {
    spdlog::error("protocol violation: {}", read.error().message);
    exit_code_ = port::kExitProtocol;
    return false;
  }
  return *read;
}

void Program::send_logs() {
  if (!is_logging_) {
    return;
  }
  for (const LogLine& line : logs_.take()) {
    channel_.log(line.level, line.text, clock_.running());
  }
}

// What was logged last says why this is the end. Rather twice than not at all: if not all of it is
// written at once, nobody may read it there any more.
void Program::send_last_logs() {
  const std::vector<LogLine> lines = logs_.take();
  std::vector<LogLine> left_out;
  for (const LogLine& line : lines) {
    if (!channel_.log(line.level, line.text, clock_.running())) {
      left_out.push_back(line);
    }
  }
  const bool is_written = channel_.write_some() && !channel_.wants_write();
  for (const LogLine& line : is_written ? left_out : lines) {
    log(line.level, line.text);
  }
}

}  // namespace rollup::app

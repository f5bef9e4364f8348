#include "port/channel.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/check.h"

namespace rollup::port {
namespace {

// What was written is cut off the queue from this size on: seldom, and never much memory is lost.
constexpr std::size_t kWrittenBytesMax = std::size_t{1024} * 1024;

std::string reason_of(int error) { return std::generic_category().message(error); }

// `access`: the mode that must not be the descriptor's, O_WRONLY for one that is read.
Result<void> prepare(int number, int refused_access) {
  const std::string name = "descriptor " + std::to_string(number);
  const int flags = ::fcntl(number, F_GETFL);
  if (flags < 0) {
    return fail(ErrorCode::unavailable, name, "is not open: " + reason_of(errno));
  }
  if ((flags & O_ACCMODE) == refused_access) {
    return fail(ErrorCode::unavailable, name, "is open in the wrong direction");
  }
  if (::fcntl(number, F_SETFL, flags | O_NONBLOCK) < 0 ||
      ::fcntl(number, F_SETFD, FD_CLOEXEC) < 0) {
    return fail(ErrorCode::unavailable, name, "cannot be set up: " + reason_of(errno));
  }
  return {};
}

}  // namespace

Channel::Channel(FileDescriptor input, FileDescriptor output)
    : input_(std::move(input)), output_(std::move(output)) {}

Result<Channel> Channel::open(int input, int output) {
  if (Result<void> ready = prepare(input, O_WRONLY); !ready) {
    return tl::unexpected(ready.error());
  }
  if (Result<void> ready = prepare(output, O_RDONLY); !ready) {
    return tl::unexpected(ready.error());
  }
  return Channel(FileDescriptor(input), FileDescriptor(output));
}

Result<bool> Channel::read_some(std::vector<std::string>& frames) {
  char buffer[64 * 1024];
  for (std::size_t taken = 0; taken < kReadBytesMax;) {
    const ssize_t size = ::read(input_.number(), buffer, sizeof(buffer));
    if (size == 0) {
      return false;
    }
    if (size < 0) {
      if (errno == EINTR) {
        continue;
      }
      if (errno == EAGAIN) {
        return true;
      }
      return fail(ErrorCode::unavailable, "input", "cannot be read: " + reason_of(errno));
    }
    taken += static_cast<std::size_t>(size);
    const std::string_view bytes(buffer, static_cast<std::size_t>(size));
    if (Result<void> fed = splitter_.feed(bytes, frames); !fed) {
      return tl::unexpected(fed.error());
    }
  }
  return true;
}

void Channel::send(std::string_view frame) {
  ROLLUP_CHECK(frame.size() <= kFrameBytesMax);
  for (int shift = 24; shift >= 0; shift -= 8) {
    queue_.push_back(static_cast<char>((frame.size() >> shift) & 0xFF));
  }
  queue_.append(frame);
}

bool Channel::log(LogLevel level, std::string_view text, Duration uptime) {
  const Duration second = uptime - uptime % Duration(1000);
  if (second != log_second_) {
    log_second_ = second;
    log_lines_ = 0;
  }
  if (log_lines_ >= kLogLinesPerSecond || queued_bytes() > kLogQueueBytesMax) {
    ++log_lines_left_out_;
    return false;
  }
  if (log_lines_left_out_ > 0) {
    send(encode_log(LogLevel::warning,
                    std::to_string(std::exchange(log_lines_left_out_, 0)) +
                        " log lines were left out here, there were too many at once"));
    ++log_lines_;
  }
  send(encode_log(level, text));
  ++log_lines_;
  return true;
}

Result<void> Channel::write_some() {
  while (wants_write()) {
    const ssize_t size = ::write(output_.number(), queue_.data() + written_, queued_bytes());
    if (size < 0) {
      if (errno == EINTR) {
        continue;
      }
      if (errno == EAGAIN) {
        break;
      }
      return fail(ErrorCode::unavailable, "output", "cannot be written: " + reason_of(errno));
    }
    written_ += static_cast<std::size_t>(size);
  }
  if (!wants_write() || written_ > kWrittenBytesMax) {
    queue_.erase(0, written_);
    written_ = 0;
    if (queue_.empty() && queue_.capacity() > kWrittenBytesMax) {
      queue_.shrink_to_fit();
    }
  }
  return {};
}

}  // namespace rollup::port

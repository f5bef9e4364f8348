// Ends another thread's poll().
//
// Owns an eventfd. signal() from any thread makes fd() readable until clear(). Aborts if the system
// has no descriptor left.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "base/check.h"

namespace rollup::mqtt {

class Wakeup {
 public:
  Wakeup() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { ROLLUP_CHECK(fd_ >= 0); }
  ~Wakeup() { close(fd_); }
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  int fd() const { return fd_; }

  void signal() {
    const std::uint64_t one = 1;
    // Fails only when the counter is full, and then it is readable anyway.
    [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof one);
  }

  void clear() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t bytes = read(fd_, &count, sizeof count);
  }

 private:
  int fd_;
};

}  // namespace rollup::mqtt

// The one owner of a file descriptor.
#pragma once

#include <unistd.h>

#include <utility>

namespace rollup::port {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  // Takes ownership of `number`.
  explicit FileDescriptor(int number) : number_(number) {}
  ~FileDescriptor() { close(); }

  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      close();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  // -1 if it owns none.
  int number() const { return number_; }

  void close() {
    if (number_ >= 0) {
      // After EINTR the descriptor is closed too: a second close could hit somebody else's.
      ::close(std::exchange(number_, -1));
    }
  }

 private:
  int number_ = -1;
};

}  // namespace rollup::port

// What the journal and the checkpoint need of a file system. The program's is posix_disk(); the
// simulation has one that fails when it is told to.
//
// Paths are whole. Every failure is an Error with code storage, the path as its place, the system's
// words and what to do. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace rollup::journal {

// A file that only grows at its end.
class File {
 public:
  virtual ~File() = default;
  // After an error a part of it may be there: cut() takes it away.
  virtual Result<void> append(std::string_view bytes) = 0;
  virtual Result<void> cut(std::uint64_t size) = 0;
  // Until here nothing is lost when the machine loses power.
  virtual Result<void> sync() = 0;
  // Nobody will find it again: it was deleted, or its directory was.
  virtual bool is_removed() const = 0;
};

class Disk {
 public:
  virtual ~Disk() = default;
  // A new file with mode 0600 and nothing in it; one that is there is emptied.
  virtual Result<std::unique_ptr<File>> create(const std::string& path) = 0;
  virtual Result<std::string> read(const std::string& path) const = 0;
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
  virtual Result<void> cut(const std::string& path, std::uint64_t size) = 0;
  // So that what was made, renamed or removed in it is so after a power failure, too.
  virtual Result<void> sync_directory(const std::string& directory) = 0;
  // The names in it, ascending; none if there is no such directory.
  virtual std::vector<std::string> list(const std::string& directory) const = 0;
  virtual bool exists(const std::string& path) const = 0;
  // Whether a child process may write files beside this one. In a simulation nothing may happen
  // that is not counted.
  virtual bool can_fork() const = 0;
};

Disk& posix_disk();

// Where `path` is moved to when it cannot be read: `path`.unreadable-<n>, n being the smallest
// number from 1 that is free.
std::string unreadable_name(const Disk& disk, const std::string& path);

}  // namespace rollup::journal

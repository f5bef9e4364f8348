// The files of a history besides what SQLite does with them: directory, lock, and moving aside.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace rollup::journal {

// Makes `directory` and what is missing above it, with mode 0700. What exists keeps its mode.
Result<void> make_directory(const std::string& directory);

// Makes an empty file with mode 0600 unless there is one. SQLite gives the same mode to the files
// that it puts beside it.
Result<void> make_file(const std::string& path);

// Holds a file locked for as long as it lives, against other programs and other holders in this
// one.
class FileLock {
 public:
  // Makes the file if needed. Error unavailable if somebody else holds it.
  static Result<FileLock> take(const std::string& path);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

// Renames the database `path`, and what SQLite left beside it, to
// unreadable_name(). Gives the new name.
Result<std::string> move_aside(const std::string& path);

// 0 if there is no such file.
std::uint64_t file_bytes(const std::string& path);

}  // namespace rollup::journal

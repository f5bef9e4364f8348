#include "journal/disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace rollup::journal {
namespace {

constexpr mode_t kFileMode = 0600;

tl::unexpected<Error> failure(const std::string& path, const char* what) {
  const int reason = errno;
  const char* remedy = "check the disk, and that the user that runs ejabberd may write there";
  if (reason == ENOSPC || reason == EDQUOT) {
    remedy = "free space on its file system";
  } else if (reason == EFBIG) {
    remedy = "raise the limit of a file's size for the user that runs ejabberd";
  }
  return fail(ErrorCode::storage, path,
              path + " " + what + ": " + std::strerror(reason) + "; " + remedy);
}

class PosixFile final : public File {
 public:
  PosixFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  ~PosixFile() override { ::close(descriptor_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Result<void> append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno != EINTR) {
        return failure(path_, "cannot be written");
      }
      bytes.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
    }
    return {};
  }

  Result<void> cut(std::uint64_t size) override {
    if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) {
      return failure(path_, "cannot be cut");
    }
    return {};
  }

  Result<void> sync() override {
    // Not fdatasync(): Linux then still counts the file as one that has been waiting to be written
    // since before, and soon writes what came after the sync by itself, and the same page once more
    // with the next sync. The file grows with each append, so its metadata is written either way.
    if (::fsync(descriptor_) != 0) {
      return failure(path_, "cannot be synced");
    }
    return {};
  }

  bool is_removed() const override {
    struct stat status {};
    return ::fstat(descriptor_, &status) == 0 && status.st_nlink == 0;
  }

 private:
  std::string path_;
  int descriptor_;
};

class PosixDisk final : public Disk {
 public:
  Result<std::unique_ptr<File>> create(const std::string& path) override {
    const int descriptor = ::open(
        path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, kFileMode);
    if (descriptor < 0) {
      return failure(path, "cannot be made");
    }
    return std::make_unique<PosixFile>(path, descriptor);
  }

  Result<std::string> read(const std::string& path) const override {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (descriptor < 0) {
      return failure(path, "cannot be opened");
    }
    std::string bytes;
    struct stat status {};
    if (::fstat(descriptor, &status) == 0) {
      bytes.reserve(static_cast<std::size_t>(status.st_size) + 1);
    }
    for (;;) {
      const std::size_t size = bytes.size();
      bytes.resize(std::max<std::size_t>(bytes.capacity(), size + 4096));
      const ssize_t got = ::read(descriptor, bytes.data() + size, bytes.size() - size);
      bytes.resize(size + (got < 0 ? 0 : static_cast<std::size_t>(got)));
      if (got == 0 || (got < 0 && errno != EINTR)) {
        const auto failed = failure(path, "cannot be read");
        ::close(descriptor);
        return got == 0 ? Result<std::string>(std::move(bytes)) : failed;
      }
    }
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      return failure(from, "cannot be renamed");
    }
    return {};
  }

  Result<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
      return failure(path, "cannot be removed");
    }
    return {};
  }

  Result<void> cut(const std::string& path, std::uint64_t size) override {
    if (::truncate(path.c_str(), static_cast<off_t>(size)) != 0) {
      return failure(path, "cannot be cut");
    }
    return {};
  }

  Result<void> sync_directory(const std::string& directory) override {
    const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
      return failure(directory, "cannot be opened");
    }
    const bool is_synced = ::fsync(descriptor) == 0;
    const auto failed = failure(directory, "cannot be synced");
    ::close(descriptor);
    return is_synced ? Result<void>() : failed;
  }

  std::vector<std::string> list(const std::string& directory) const override {
    std::vector<std::string> names;
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(directory, failed)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  bool exists(const std::string& path) const override {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0;
  }

  bool can_fork() const override { return true; }
};

}  // namespace

Disk& posix_disk() {
  static PosixDisk disk;
  return disk;
}

std::string unreadable_name(const Disk& disk, const std::string& path) {
  int number = 1;
  while (disk.exists(path + ".unreadable-" + std::to_string(number))) {
    ++number;
  }
  return path + ".unreadable-" + std::to_string(number);
}

}  // namespace rollup::journal

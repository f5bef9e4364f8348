#include "journal/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "journal/disk.h"

namespace rollup::journal {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kFileMode = 0600;
// What SQLite may leave beside a database.
constexpr std::array kCompanions = {"-wal", "-shm", "-journal"};

tl::unexpected<Error> system_failure(const std::string& path, const char* what,
                                     const char* remedy) {
  return fail(ErrorCode::storage, path,
              std::string(what) + ": " + std::strerror(errno) + "; " + remedy);
}

// Opens for reading and writing; a new file gets kFileMode whatever the umask is.
int open_private(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor >= 0 || errno != ENOENT) {
    return descriptor;
  }
  const int created =
      ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kFileMode);
  if (created >= 0) {
    ::fchmod(created, kFileMode);
    return created;
  }
  // Another program made it in between.
  return errno == EEXIST ? ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW) : created;
}

// The process that wrote its number into the lock file; for people, so it may be wrong.
std::string holder(int descriptor) {
  std::array<char, 24> text{};
  const ssize_t size = ::pread(descriptor, text.data(), text.size(), 0);
  std::uint64_t process = 0;
  if (size <= 0 || std::from_chars(text.data(), text.data() + size, process).ec != std::errc{}) {
    return "another program";
  }
  return "process " + std::to_string(process);
}

void write_holder(int descriptor) {
  const std::string text = std::to_string(::getpid()) + "\n";
  // Only a help in a message: a full disk must not keep the program from starting.
  if (::ftruncate(descriptor, 0) == 0 && ::pwrite(descriptor, text.data(), text.size(), 0) < 0) {
    return;
  }
}

// So that a renamed file has its new name after a power failure, too.
void sync_directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0) {
    ::fsync(descriptor);
    ::close(descriptor);
  }
}

}  // namespace

Result<void> make_directory(const std::string& directory) {
  std::size_t end = 0;
  while (end != std::string::npos) {
    end = directory.find('/', end + 1);
    const std::string part = directory.substr(0, end);
    if (::mkdir(part.c_str(), kDirectoryMode) == 0) {
      ::chmod(part.c_str(), kDirectoryMode);
    } else if (errno != EEXIST) {
      return system_failure(part, "the directory cannot be made",
                            "make it by hand, writable for the user that runs ejabberd");
    }
  }
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return fail(ErrorCode::storage, directory, "it is no directory; choose another data_dir");
  }
  return {};
}

Result<void> make_file(const std::string& path) {
  // No descriptor of a database may be closed while SQLite has it open (its locks would be lost);
  // here it has not.
  const int descriptor = open_private(path);
  if (descriptor < 0) {
    return system_failure(path, "the file cannot be opened",
                          "make it readable and writable for the user that runs ejabberd");
  }
  ::close(descriptor);
  return {};
}

Result<FileLock> FileLock::take(const std::string& path) {
  const int descriptor = open_private(path);
  if (descriptor < 0) {
    return system_failure(path, "the lock file cannot be opened",
                          "make it readable and writable for the user that runs ejabberd");
  }
  FileLock lock(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return system_failure(path, "the lock file cannot be locked",
                            "put data_dir on a local file system");
    }
    return fail(ErrorCode::unavailable, path,
                "the history is in use by " + holder(descriptor) +
                    "; stop it, or give each virtual host a data_dir of its own");
  }
  write_holder(descriptor);
  return lock;
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock::~FileLock() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

Result<std::string> move_aside(const std::string& path) {
  const std::string target = unreadable_name(posix_disk(), path);
  // The database last: if the program ends in between, the next start finds it and goes on.
  for (const char* companion : kCompanions) {
    if (::rename((path + companion).c_str(), (target + companion).c_str()) != 0 &&
        errno != ENOENT) {
      return system_failure(path + companion, "the file cannot be moved aside", "move it by hand");
    }
  }
  if (::rename(path.c_str(), target.c_str()) != 0) {
    return system_failure(path, "the file cannot be moved aside", "move it by hand");
  }
  sync_directory_of(path);
  return target;
}

std::uint64_t file_bytes(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

}  // namespace rollup::journal

#include "simulation/disk.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/check.h"

namespace rollup::testing {

// The wrapper stands before the real file's bytes.
struct DiskFile {
  sqlite3_file base;
  std::string* path;  // nothing: a temporary file
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  static DiskFile& of(sqlite3_file* file) { return *reinterpret_cast<DiskFile*>(file); }
};

namespace {

sqlite3_vfs* real_vfs = nullptr;

sqlite3_int64 size_of(DiskFile& file) {
  sqlite3_int64 size = 0;
  file.real()->pMethods->xFileSize(file.real(), &size);
  return size;
}

}  // namespace

struct DiskCalls {
  static Disk& disk() { return Disk::instance(); }

  static void note(DiskFile& file, sqlite3_int64 offset, sqlite3_int64 count) {
    if (file.path == nullptr) {
      return;
    }
    Disk::Undo undo{offset, {}, size_of(file)};
    undo.bytes.resize(
        static_cast<std::size_t>(std::clamp<sqlite3_int64>(undo.size - offset, 0, count)));
    if (!undo.bytes.empty()) {
      file.real()->pMethods->xRead(file.real(), undo.bytes.data(),
                                   static_cast<int>(undo.bytes.size()), offset);
    }
    disk().unsynced_[*file.path].push_back(std::move(undo));
  }

  static int close(sqlite3_file* base) {
    DiskFile& file = DiskFile::of(base);
    delete file.path;
    file.path = nullptr;
    return file.real()->pMethods->xClose(file.real());
  }
  static int read(sqlite3_file* base, void* bytes, int count, sqlite3_int64 offset) {
    DiskFile& file = DiskFile::of(base);
    return file.real()->pMethods->xRead(file.real(), bytes, count, offset);
  }
  static int write(sqlite3_file* base, const void* bytes, int count, sqlite3_int64 offset) {
    DiskFile& file = DiskFile::of(base);
    bool tear = false;
    const int fate = disk().next_write(offset + count > size_of(file), tear);
    if (fate != SQLITE_OK && !tear) {
      return fate;
    }
    const int written = tear ? count / 2 : count;
    note(file, offset, written);
    const int result = file.real()->pMethods->xWrite(file.real(), bytes, written, offset);
    return fate != SQLITE_OK ? fate : result;
  }
  static int truncate(sqlite3_file* base, sqlite3_int64 size) {
    DiskFile& file = DiskFile::of(base);
    if (disk().is_dead_) {
      return SQLITE_IOERR_TRUNCATE;
    }
    note(file, size, std::max<sqlite3_int64>(0, size_of(file) - size));
    return file.real()->pMethods->xTruncate(file.real(), size);
  }
  static int sync(sqlite3_file* base, int flags) {
    DiskFile& file = DiskFile::of(base);
    if (disk().is_dead_) {
      return SQLITE_IOERR_FSYNC;
    }
    if (file.path != nullptr) {
      disk().unsynced_.erase(*file.path);
    }
    (void)flags;  // the machine's own disk is not what is tried here
    return SQLITE_OK;
  }
  static int file_size(sqlite3_file* base, sqlite3_int64* size) {
    DiskFile& file = DiskFile::of(base);
    return file.real()->pMethods->xFileSize(file.real(), size);
  }
  static int lock(sqlite3_file* base, int kind) {
    DiskFile& file = DiskFile::of(base);
    return file.real()->pMethods->xLock(file.real(), kind);
  }
  static int unlock(sqlite3_file* base, int kind) {
    DiskFile& file = DiskFile::of(base);
    return file.real()->pMethods->xUnlock(file.real(), kind);
  }
  static int check_reserved(sqlite3_file* base, int* is_held) {
    DiskFile& file = DiskFile::of(base);
    return file.real()->pMethods->xCheckReservedLock(file.real(), is_held);
  }
  static int control(sqlite3_file* base, int operation, void* argument) {
    DiskFile& file = DiskFile::of(base);
    return file.real()->pMethods->xFileControl(file.real(), operation, argument);
  }
  static int sector_size(sqlite3_file* base) {
    DiskFile& file = DiskFile::of(base);
    return file.real()->pMethods->xSectorSize(file.real());
  }
  static int characteristics(sqlite3_file* base) {
    DiskFile& file = DiskFile::of(base);
    return file.real()->pMethods->xDeviceCharacteristics(file.real());
  }
  static int shm_map(sqlite3_file* base, int page, int size, int extend, volatile void** memory) {
    DiskFile& file = DiskFile::of(base);
    return file.real()->pMethods->xShmMap(file.real(), page, size, extend, memory);
  }
  static int shm_lock(sqlite3_file* base, int offset, int count, int flags) {
    DiskFile& file = DiskFile::of(base);
    return file.real()->pMethods->xShmLock(file.real(), offset, count, flags);
  }
  static void shm_barrier(sqlite3_file* base) {
    DiskFile& file = DiskFile::of(base);
    file.real()->pMethods->xShmBarrier(file.real());
  }
  static int shm_unmap(sqlite3_file* base, int erase) {
    DiskFile& file = DiskFile::of(base);
    return file.real()->pMethods->xShmUnmap(file.real(), erase);
  }

  static int open(sqlite3_vfs*, const char* name, sqlite3_file* base, int flags, int* got) {
    static const sqlite3_io_methods methods = {
        2,
        close,
        read,
        write,
        truncate,
        sync,
        file_size,
        lock,
        unlock,
        check_reserved,
        control,
        sector_size,
        characteristics,
        shm_map,
        shm_lock,
        shm_barrier,
        shm_unmap,
        nullptr,
        nullptr,
    };
    DiskFile& file = DiskFile::of(base);
    file.path = nullptr;
    const int result = real_vfs->xOpen(real_vfs, name, file.real(), flags, got);
    file.base.pMethods = file.real()->pMethods == nullptr ? nullptr : &methods;
    if (result == SQLITE_OK && name != nullptr) {
      file.path = new std::string(name);
    }
    return result;
  }
  static int erase(sqlite3_vfs*, const char* name, int sync_directory) {
    if (disk().is_dead_) {
      return SQLITE_IOERR_DELETE;
    }
    disk().unsynced_.erase(name);
    (void)sync_directory;
    return real_vfs->xDelete(real_vfs, name, 0);
  }
};

// One of the journal's files. What is appended and not synced may be lost; a write may be torn.
class SimFile final : public journal::File {
 public:
  SimFile(std::string path, std::unique_ptr<journal::File> real)
      : path_(std::move(path)), real_(std::move(real)) {}

  Result<void> append(std::string_view bytes) override {
    Disk& disk = Disk::instance();
    bool tear = false;
    const int fate = disk.next_write(true, tear);
    if (fate == SQLITE_OK || tear) {
      const auto size = static_cast<sqlite3_int64>(std::filesystem::file_size(path_));
      disk.unsynced_[path_].push_back({size, {}, size});
      ROLLUP_CHECK(real_->append(tear ? bytes.substr(0, bytes.size() / 2) : bytes).has_value());
    }
    return fate == SQLITE_OK ? Result<void>()
                             : fail(ErrorCode::storage, path_, "the disk of the simulation failed");
  }
  Result<void> cut(std::uint64_t size) override {
    if (Disk::instance().is_dead()) {
      return fail(ErrorCode::storage, path_, "the disk of the simulation is dead");
    }
    return real_->cut(size);
  }
  Result<void> sync() override {
    if (Disk::instance().is_dead()) {
      return fail(ErrorCode::storage, path_, "the disk of the simulation is dead");
    }
    Disk::instance().unsynced_.erase(path_);
    return {};
  }
  bool is_removed() const override { return real_->is_removed(); }

 private:
  std::string path_;
  std::unique_ptr<journal::File> real_;
};

class SimFiles final : public journal::Disk {
 public:
  Result<std::unique_ptr<journal::File>> create(const std::string& path) override {
    if (auto step = Disk::instance().next_step(path); !step) {
      return tl::unexpected(step.error());
    }
    auto file = real_.create(path);
    if (!file) {
      return file;
    }
    return std::make_unique<SimFile>(path, *std::move(file));
  }
  Result<std::string> read(const std::string& path) const override { return real_.read(path); }
  Result<void> rename(const std::string& from, const std::string& to) override {
    const auto step = Disk::instance().next_step(from);
    return step ? real_.rename(from, to) : step;
  }
  Result<void> remove(const std::string& path) override {
    const auto step = Disk::instance().next_step(path);
    return step ? real_.remove(path) : step;
  }
  Result<void> cut(const std::string& path, std::uint64_t size) override {
    const auto step = Disk::instance().next_step(path);
    return step ? real_.cut(path, size) : step;
  }
  Result<void> sync_directory(const std::string& directory) override {
    return Disk::instance().next_step(directory);
  }
  std::vector<std::string> list(const std::string& directory) const override {
    return real_.list(directory);
  }
  bool exists(const std::string& path) const override { return real_.exists(path); }
  bool can_fork() const override { return false; }

 private:
  using Disk = testing::Disk;
  journal::Disk& real_ = journal::posix_disk();
};

journal::Disk& Disk::files() {
  static SimFiles files;
  return files;
}

Result<void> Disk::next_step(const std::string& path) {
  if (!is_dead_ && dies_in_ && (*dies_in_)-- == 0) {
    dies_in_.reset();
    is_dead_ = true;
  }
  return is_dead_ ? fail(ErrorCode::storage, path, "the disk of the simulation is dead")
                  : Result<void>();
}

Disk& Disk::instance() {
  static Disk disk;
  return disk;
}

Disk::Disk() {
  real_vfs = sqlite3_vfs_find(nullptr);
  static sqlite3_vfs vfs = *real_vfs;
  vfs.zName = "rollup-simulation";
  vfs.szOsFile = static_cast<int>(sizeof(DiskFile)) + real_vfs->szOsFile;
  vfs.xOpen = DiskCalls::open;
  vfs.xDelete = DiskCalls::erase;
  ROLLUP_CHECK(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}

int Disk::next_write(bool grows, bool& tear) {
  if (is_dead_) {
    return SQLITE_IOERR_WRITE;
  }
  if (dies_in_ && (*dies_in_)-- == 0) {
    dies_in_.reset();
    is_dead_ = true;
    tear = true;
    return SQLITE_IOERR_WRITE;
  }
  if (is_full_ && grows) {
    return SQLITE_FULL;
  }
  if (short_in_ && (*short_in_)-- == 0) {
    short_in_.reset();
    tear = true;
    return SQLITE_IOERR_WRITE;
  }
  return SQLITE_OK;
}

void Disk::revive(Loss loss, std::uint64_t luck) {
  if (loss == Loss::unsynced) {
    for (auto& [path, undos] : unsynced_) {
      std::error_code gone;
      if (!std::filesystem::exists(path, gone)) {
        continue;
      }
      const std::size_t kept = luck % (undos.size() + 1);
      luck = luck / 7 + 11 * kept;
      const auto last_kept = undos.rend() - static_cast<std::ptrdiff_t>(kept);
      for (auto undo = undos.rbegin(); undo != last_kept; ++undo) {
        std::filesystem::resize_file(path, static_cast<std::uintmax_t>(undo->size));
        std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
        file.seekp(undo->offset);
        file.write(undo->bytes.data(), static_cast<std::streamsize>(undo->bytes.size()));
      }
    }
  }
  reset();
}

void Disk::reset() {
  unsynced_.clear();
  is_full_ = false;
  is_dead_ = false;
  short_in_.reset();
  dies_in_.reset();
}

}  // namespace rollup::testing

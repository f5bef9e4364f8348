#include "journal/checkpoint.h"

#include <rollup/state/v1/journal.pb.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "journal/frame.h"

namespace rollup::journal {

namespace pb = rollup::state::v1;

namespace {

constexpr std::string_view kHead("mqruchk\x01", kFileHeadBytes);
enum class PartType : std::uint8_t { head = 1, engine = 2, end = 3 };

void put_part(std::string& out, PartType type, std::string_view payload) {
  put_frame(out, static_cast<std::uint8_t>(type), payload);
}

std::string bytes_of(const CheckpointHead& head) {
  pb::CheckpointHead saved;
  saved.set_segment(head.segment);
  ROLLUP_CHECK(saved.mutable_rules()->ParseFromString(head.rules));
  saved.mutable_feed()->set_epoch(head.feed.epoch);
  saved.mutable_feed()->set_number(head.feed.number);
  ROLLUP_CHECK(saved.mutable_outbox()->ParseFromString(head.outbox));
  ROLLUP_CHECK(saved.mutable_links()->ParseFromString(head.links));
  return saved.SerializeAsString();
}

std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

Result<std::optional<Checkpoint>> read_checkpoint(const Disk& disk, const std::string& path) {
  if (!disk.exists(path)) {
    return std::optional<Checkpoint>();
  }
  const Result<std::string> bytes = disk.read(path);
  if (!bytes) {
    return tl::unexpected(bytes.error());
  }
  const auto unreadable = [&](ErrorCode code, const std::string& why) {
    return fail(code, path, path + " cannot be read: " + why);
  };
  if (!bytes->starts_with(kHead.substr(0, kHead.size() - 1))) {
    return unreadable(ErrorCode::storage, bytes->empty() ? "it is empty" : "it is none of ours");
  }
  if (!bytes->starts_with(kHead)) {
    return unreadable(ErrorCode::unsupported, "it is of another version");
  }
  FrameReader reader(*bytes, kHead.size());
  Checkpoint checkpoint;
  bool has_head = false;
  while (const std::optional<Frame> frame = reader.next()) {
    const auto type = static_cast<PartType>(frame->type);
    if (type == PartType::end && has_head && reader.is_at_end()) {
      return checkpoint;
    }
    if (type == PartType::engine && has_head) {
      checkpoint.engine.emplace_back(frame->payload);
      continue;
    }
    pb::CheckpointHead saved;
    if (type != PartType::head || has_head ||
        !saved.ParseFromArray(frame->payload.data(), static_cast<int>(frame->payload.size()))) {
      return unreadable(ErrorCode::storage, "a part of it is not expected");
    }
    has_head = true;
    checkpoint.head.segment = saved.segment();
    checkpoint.head.rules = saved.rules().SerializeAsString();
    checkpoint.head.feed = {saved.feed().epoch(), saved.feed().number()};
    checkpoint.head.outbox = saved.outbox().SerializeAsString();
    checkpoint.head.links = saved.links().SerializeAsString();
  }
  return unreadable(ErrorCode::storage, "it is damaged at byte " + std::to_string(reader.offset()));
}

CheckpointWriter::~CheckpointWriter() {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
}

Result<void> CheckpointWriter::write(const CheckpointHead& head, const engine::Engine& engine) {
  Result<std::unique_ptr<File>> file = disk_.create(path_ + ".new");
  if (!file) {
    return tl::unexpected(file.error());
  }
  std::string bytes(kHead);
  put_part(bytes, PartType::head, bytes_of(head));
  Result<void> done = (*file)->append(bytes);
  engine.save([&](const std::string& part) {
    if (done) {
      bytes.clear();
      put_part(bytes, PartType::engine, part);
      done = (*file)->append(bytes);
    }
  });
  if (done) {
    bytes.clear();
    put_part(bytes, PartType::end, {});
    done = (*file)->append(bytes);
  }
  return done ? (*file)->sync() : done;
}

Result<void> CheckpointWriter::begin(const CheckpointHead& head, const engine::Engine& engine,
                                     bool at_once) {
  ROLLUP_CHECK(child_ == 0);
  done_.reset();
  if (at_once || !disk_.can_fork()) {
    done_ = write(head, engine);
    return {};
  }
  const pid_t parent = ::getpid();
  child_ = ::fork();
  if (child_ < 0) {
    child_ = 0;
    return fail(ErrorCode::storage, path_,
                std::string("no process for it: ") + std::strerror(errno) +
                    "; free memory, or raise the limit of processes");
  }
  if (child_ == 0) {
    // The end of the program is the end of this, and nothing but the file may outlive it.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent || ::close_range(3, ~0U, 0) != 0) {
      ::_exit(1);
    }
    ::_exit(write(head, engine) ? 0 : 1);
  }
  return {};
}

std::optional<Result<void>> CheckpointWriter::poll() {
  if (child_ > 0) {
    int status = 0;
    const pid_t ended = ::waitpid(child_, &status, WNOHANG);
    if (ended == 0) {
      return std::nullopt;
    }
    child_ = 0;
    done_ = Result<void>();
    if (ended < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      done_ = fail(ErrorCode::storage, path_,
                   path_ + ".new cannot be written; free space on its file system");
    }
  }
  return done_;
}

Result<void> CheckpointWriter::put_in_place() {
  done_.reset();
  if (auto renamed = disk_.rename(path_ + ".new", path_); !renamed) {
    return renamed;
  }
  return disk_.sync_directory(directory_of(path_));
}

}  // namespace rollup::journal

#include "journal/journal.h"

#include <algorithm>
#include <charconv>

#include "journal/files.h"
#include "journal/frame.h"

namespace rollup::journal {
namespace {

constexpr std::string_view kHead("mqrujrn\x02", kFileHeadBytes);
constexpr std::string_view kHeadVersion1("mqrujrn\x01", kFileHeadBytes);
constexpr std::string_view kSuffix = ".log";

// The number of a segment's name; 0 for any other name.
std::uint64_t number_of(std::string_view name) {
  if (!name.ends_with(kSuffix)) {
    return 0;
  }
  name.remove_suffix(kSuffix.size());
  std::uint64_t number = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
  return read.ec == std::errc{} && read.ptr == name.data() + name.size() ? number : 0;
}

}  // namespace

Result<std::unique_ptr<Journal>> Journal::open(Disk& disk, std::string directory, bool full_sync) {
  if (auto made = make_directory(directory); !made) {
    return tl::unexpected(made.error());
  }
  std::unique_ptr<Journal> journal(new Journal(disk, std::move(directory), full_sync));
  for (const std::string& name : disk.list(journal->directory_)) {
    if (const std::uint64_t number = number_of(name); number > 0) {
      journal->segments_.push_back(number);
    }
  }
  std::sort(journal->segments_.begin(), journal->segments_.end());
  return journal;
}

Journal::~Journal() {
  if (file_ != nullptr && is_dirty_) {
    // Nobody is left to be told; what is here survives all but the loss of power.
    (void)file_->sync();
  }
}

std::string Journal::path_of(std::uint64_t segment) const {
  return directory_ + "/" + std::to_string(segment) + std::string(kSuffix);
}

Losses Journal::replay(std::uint64_t from, const Each& each) {
  Losses losses;
  std::uint64_t expected = from;
  for (const std::uint64_t segment : segments_) {
    if (segment < from) {
      continue;
    }
    if (segment != expected) {
      losses.push_back(path_of(expected) + " is missing: what came in during its time is lost");
    }
    expected = segment + 1;
    replay_segment(segment, each, losses);
  }
  return losses;
}

void Journal::replay_segment(std::uint64_t segment, const Each& each, Losses& losses) {
  const std::string path = path_of(segment);
  const Result<std::string> bytes = disk_.read(path);
  if (!bytes) {
    damaged_.insert(segment);
    losses.push_back(bytes.error().message + ". What is in it is lost until then");
    return;
  }
  const bool is_last = segment == segments_.back();
  const bool is_version_1 = bytes->starts_with(kHeadVersion1);
  if (!is_version_1 && !bytes->starts_with(kHead)) {
    // A segment that was never begun: its first write was cut short.
    const bool is_begun = bytes->size() >= kHead.size() && *bytes != std::string(bytes->size(), 0);
    if (is_last && !is_begun && !bytes->empty()) {
      return;
    }
    if (is_begun) {
      damaged_.insert(segment);
    }
    losses.push_back(path + (is_begun ? " is no journal of this version" : " is empty") + ": " +
                     std::to_string(bytes->size()) + " bytes are left out");
    return;
  }
  FrameReader reader(*bytes, kHead.size());
  bool is_first = true;
  std::string why = "is damaged";
  std::size_t good = reader.offset();
  while (const std::optional<Frame> frame = reader.next()) {
    const auto type = static_cast<RecordType>(frame->type);
    const RecordType expected = is_first       ? RecordType::rules
                                : is_version_1 ? RecordType::turn_version_1
                                               : RecordType::turns;
    if (type != expected) {
      why = "has a record that is not expected";
      break;
    }
    if (Result<void> done = each(segment, type, frame->payload); !done) {
      why = "cannot be read (" + done.error().message + ")";
      break;
    }
    is_first = false;
    good = reader.offset();
  }
  if (good == bytes->size()) {
    return;
  }
  const bool is_torn = good == reader.offset() && reader.is_torn();
  const std::string lost =
      std::to_string(bytes->size() - good) + " of its " + std::to_string(bytes->size()) + " bytes";
  if (is_last && is_torn) {
    // The program was killed, or the machine lost its power, before all of it was written; nobody
    // was told of it.
    if (disk_.cut(path, good)) {
      return;
    }
  }
  damaged_.insert(segment);
  losses.push_back(path + " " + why + ": " + lost + " are lost, from byte " + std::to_string(good) +
                   " on");
}

Result<void> Journal::write(std::string_view bytes) {
  if (file_->is_removed()) {
    return fail(ErrorCode::storage, directory_,
                path_of(segment()) + " was removed while the program runs; restart the module");
  }
  if (needs_cut_) {
    if (auto cut = file_->cut(size_); !cut) {
      return cut;
    }
    needs_cut_ = false;
  }
  if (auto written = file_->append(bytes); !written) {
    needs_cut_ = !file_->cut(size_);
    return written;
  }
  if (full_sync_) {
    if (auto synced = file_->sync(); !synced) {
      needs_cut_ = !file_->cut(size_);
      return synced;
    }
  }
  size_ += bytes.size();
  return {};
}

Result<void> Journal::begin_segment(std::string_view rules, std::uint64_t at_least) {
  const std::uint64_t number = std::max(segments_.empty() ? 1 : segments_.back() + 1, at_least);
  const std::string path = path_of(number);
  std::string bytes(kHead);
  put_frame(bytes, static_cast<std::uint8_t>(RecordType::rules), rules);
  if (is_dirty_) {
    if (auto synced = file_->sync(); !synced) {
      return synced;
    }
    is_dirty_ = false;
  }
  Result<std::unique_ptr<File>> file = disk_.create(path);
  if (!file) {
    return tl::unexpected(file.error());
  }
  Result<void> begun = (*file)->append(bytes);
  if (begun) {
    begun = (*file)->sync();
  }
  if (begun) {
    begun = disk_.sync_directory(directory_);
  }
  if (!begun) {
    (void)disk_.remove(path);
    return begun;
  }
  file_ = *std::move(file);
  segments_.push_back(number);
  size_ = bytes.size();
  needs_cut_ = false;
  return {};
}

Result<void> Journal::append(std::string_view turns, Duration uptime) {
  record_.clear();
  put_frame(record_, static_cast<std::uint8_t>(RecordType::turns), turns);
  if (auto written = write(record_); !written) {
    return written;
  }
  if (!full_sync_ && !is_dirty_) {
    is_dirty_ = true;
    sync_at_ = uptime + kSyncEvery;
  }
  return {};
}

Result<void> Journal::sync_if_due(Duration uptime) {
  if (!is_dirty_ || uptime < sync_at_) {
    return {};
  }
  sync_at_ = uptime + kSyncEvery;  // also after an error: not each turn
  if (auto synced = file_->sync(); !synced) {
    return synced;
  }
  is_dirty_ = false;
  return {};
}

void Journal::remove_before(std::uint64_t segment) {
  std::erase_if(segments_, [&](std::uint64_t number) {
    if (number >= segment) {
      return false;
    }
    const std::string path = path_of(number);
    return (damaged_.contains(number) ? disk_.rename(path, unreadable_name(disk_, path))
                                      : disk_.remove(path))
        .has_value();
  });
}

}  // namespace rollup::journal

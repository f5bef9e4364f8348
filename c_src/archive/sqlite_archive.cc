#include "archive/sqlite_archive.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <string>

#include "archive/block.h"
#include "archive/entries.h"
#include "archive/salvage.h"
#include "archive/schema.h"
#include "journal/files.h"

namespace rollup::archive {
namespace {

constexpr const char* kNewest =
    "SELECT id, start, last, end, count, data FROM block WHERE series = ?1 AND tier = ?2 "
    "ORDER BY start DESC LIMIT 1";
constexpr const char* kInsert =
    "INSERT INTO block(series, tier, start, last, end, count, data) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
constexpr const char* kUpdate =
    "UPDATE block SET last = ?2, end = ?3, count = ?4, data = ?5 WHERE id = ?1";
// Day buckets of two time zones may overlap, so the range begins one block before the one that
// `from` lies in; what ended by then is skipped without being decoded.
constexpr const char* kRange =
    "SELECT start, data FROM block WHERE series = ?1 AND tier = ?2 AND start < ?4 AND end > ?3 "
    "AND start >= ifnull((SELECT start FROM block WHERE series = ?1 AND tier = ?2 AND start <= ?3 "
    "ORDER BY start DESC LIMIT 1 OFFSET 1), -9223372036854775808) ORDER BY start";

// A block is full at this many entries, by tier.
constexpr std::array<std::size_t, kTierCount> kFull = {512, 128, 128, 128};

std::string encode(std::span<const Bucket> entries, Effort effort) {
  return encode_buckets(entries, effort);
}
std::string encode(std::span<const Point> entries, Effort effort) {
  return encode_points(entries, effort);
}

template <class Entry>
Result<std::vector<Entry>> decode(std::string_view bytes) {
  if constexpr (std::is_same_v<Entry, Bucket>) {
    return decode_buckets(bytes);
  } else {
    return decode_points(bytes);
  }
}

std::int64_t number_of(Tier tier) { return static_cast<std::int64_t>(tier); }

std::size_t full_count(Tier tier) { return kFull[static_cast<std::size_t>(tier)]; }

constexpr const char* kFindSeries =
    "SELECT id FROM series WHERE topic = CAST(?1 AS TEXT) AND field = CAST(?2 AS TEXT) "
    "AND stream = CAST(?3 AS TEXT) AND broker = CAST(?4 AS TEXT)";
constexpr const char* kAddSeries =
    "INSERT INTO series(topic, field, stream, broker) "
    "VALUES (CAST(?1 AS TEXT), CAST(?2 AS TEXT), CAST(?3 AS TEXT), CAST(?4 AS TEXT))";

Statement& bind_key(Statement& statement, const SeriesKey& key) {
  return statement.bind(1, key.topic).bind(2, key.field).bind(3, key.stream).bind(4, key.broker);
}

// A file up to this size is checked from end to end when it is opened.
constexpr std::uint64_t kCheckedBytesMax = std::uint64_t{64} * 1024 * 1024;
// Syncs each transaction: one is written each time that memory is full, not each turn.
constexpr const char* kSettings =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8000; "
    "PRAGMA journal_size_limit = 16777216; PRAGMA temp_store = MEMORY";

}  // namespace

Result<SqliteArchive::Opened> SqliteArchive::open(const std::string& path) {
  Opened opened;
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && status.st_size == 0) {
    opened.told.push_back(path + " is empty: if it was not before, what was in it is lost");
  }
  if (auto made = journal::make_file(path); !made) {
    return tl::unexpected(made.error());
  }
  bool is_content_bad = false;
  auto archive = open_file(path, is_content_bad);
  if (!archive && is_content_bad) {
    const std::string why = archive.error().message;
    const bool is_damaged = archive.error().code != ErrorCode::unsupported;
    const Result<std::string> aside = journal::move_aside(path);
    if (!aside) {
      return tl::unexpected(aside.error());
    }
    if (auto made = journal::make_file(path); !made) {
      return tl::unexpected(made.error());
    }
    archive = open_file(path, is_content_bad);
    std::string told = "the archive could not be read (" + why + "); the old file is " + *aside;
    if (archive && is_damaged) {
      const Salvaged salvaged = salvage(*aside, *(*archive)->connection_);
      told += ", of which " + std::to_string(salvaged.blocks) + " blocks of " +
              std::to_string(salvaged.series) + " series could be read and are in the new one";
    }
    opened.told.push_back(told);
  }
  if (!archive) {
    return tl::unexpected(archive.error());
  }
  opened.archive = *std::move(archive);
  return opened;
}

Result<std::unique_ptr<SqliteArchive>> SqliteArchive::open_file(const std::string& path,
                                                                bool& is_content_bad) {
  Result<std::unique_ptr<Connection>> connected = Connection::open(path);
  if (!connected) {
    return tl::unexpected(connected.error());
  }
  Connection& connection = **connected;
  const auto failed = [&](Error error) {
    is_content_bad = connection.is_content_bad() || error.code == ErrorCode::unsupported;
    error.place = path;
    return tl::unexpected(std::move(error));
  };
  const Result<std::int64_t> pages = connection.integer("PRAGMA page_count");
  if (!pages) {
    return failed(pages.error());
  }
  if (*pages == 0) {  // can only be chosen for a file without content
    if (auto done = connection.execute("PRAGMA auto_vacuum = INCREMENTAL"); !done) {
      return failed(done.error());
    }
  }
  if (journal::file_bytes(path) <= kCheckedBytesMax) {
    const Result<std::string> found = connection.text("PRAGMA quick_check(1)");
    if (!found) {
      return failed(found.error());
    }
    if (*found != "ok") {
      is_content_bad = true;
      return fail(ErrorCode::storage, path, "it is damaged: " + *found);
    }
  }
  for (const auto& step :
       {std::function<Result<void>()>([&] { return migrate(connection); }),
        std::function<Result<void>()>([&] { return connection.execute(kSettings); })}) {
    if (auto done = step(); !done) {
      return failed(done.error());
    }
  }
  std::unique_ptr<SqliteArchive> archive(new SqliteArchive(path, *std::move(connected)));
  if (auto prepared = archive->prepare(); !prepared) {
    return failed(prepared.error());
  }
  connection.set_accepted();
  return archive;
}

Result<std::optional<std::int64_t>> SqliteArchive::find(const SeriesKey& key) {
  const ResetAtEnd reset(find_series_);
  const Result<bool> row = bind_key(find_series_, key).step();
  if (!row) {
    return tl::unexpected(row.error());
  }
  return *row ? std::optional(find_series_.integer(0)) : std::nullopt;
}

Result<std::int64_t> SqliteArchive::find_or_add(const SeriesKey& key) {
  const Result<std::optional<std::int64_t>> found = find(key);
  if (!found) {
    return tl::unexpected(found.error());
  }
  if (*found) {
    return **found;
  }
  if (auto added = bind_key(add_series_, key).run(); !added) {
    return tl::unexpected(added.error());
  }
  return connection_->last_rowid();
}

Result<void> SqliteArchive::prepare() {
  struct Wanted {
    Statement* statement;
    const char* sql;
  };
  for (const Wanted& wanted : {Wanted{&find_series_, kFindSeries}, Wanted{&add_series_, kAddSeries},
                               Wanted{&newest_, kNewest}, Wanted{&insert_, kInsert},
                               Wanted{&update_, kUpdate}, Wanted{&range_, kRange}}) {
    Result<Statement> prepared = connection_->prepare(wanted.sql);
    if (!prepared) {
      return tl::unexpected(prepared.error());
    }
    *wanted.statement = *std::move(prepared);
  }
  return retention_.prepare();
}

Result<void> SqliteArchive::write(std::span<const SealedRun> runs) {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) {
    return fail(ErrorCode::storage, path_,
                path_ + " was removed while the program runs; restart the module");
  }
  Transaction transaction(*connection_);
  if (auto begun = transaction.begin(); !begun) {
    return begun;
  }
  for (const SealedRun& run : runs) {
    if (auto written = write_run(run); !written) {
      return written;
    }
  }
  return transaction.commit();
}

Result<void> SqliteArchive::write_run(const SealedRun& run) {
  const Result<std::int64_t> series = find_or_add(run.key);
  if (!series) {
    return tl::unexpected(series.error());
  }
  for (int tier = 0; tier < kTierCount; ++tier) {
    const std::vector<Bucket>& buckets = run.buckets[static_cast<std::size_t>(tier)];
    if (auto written = write_tail<Bucket>(*series, static_cast<Tier>(tier), buckets); !written) {
      return written;
    }
  }
  return write_tail<Point>(*series, Tier::raw, run.points);
}

template <class Entry>
Result<void> SqliteArchive::write_tail(std::int64_t series, Tier tier,
                                       std::span<const Entry> tail) {
  if (tail.empty()) {
    return {};
  }
  std::vector<Entry> block;
  std::int64_t id = 0;
  {
    const ResetAtEnd reset(newest_);
    const Result<bool> row = newest_.bind(1, series).bind(2, number_of(tier)).step();
    if (!row) {
      return tl::unexpected(row.error());
    }
    if (*row) {
      const Time last = time_from_ms(newest_.integer(2));
      const auto is_new = [last](const Entry& entry) { return start_of(entry) > last; };
      tail = tail.subspan(
          static_cast<std::size_t>(std::find_if(tail.begin(), tail.end(), is_new) - tail.begin()));
      const auto count = static_cast<std::uint64_t>(newest_.integer(4));
      if (!tail.empty() && count < full_count(tier)) {
        // A damaged block stays as it is and the next one begins.
        if (Result<std::vector<Entry>> stored = decode<Entry>(newest_.bytes(5)); stored) {
          block = *std::move(stored);
          id = newest_.integer(0);
        }
      }
    }
  }
  for (const Entry& entry : tail) {
    if (block.size() >= full_count(tier)) {
      if (auto written = write_block<Entry>(series, tier, id, block); !written) {
        return written;
      }
      block.clear();
      id = 0;
    }
    block.push_back(entry);
  }
  return tail.empty() ? Result<void>() : write_block<Entry>(series, tier, id, block);
}

template <class Entry>
Result<void> SqliteArchive::write_block(std::int64_t series, Tier tier, std::int64_t id,
                                        std::span<const Entry> entries) {
  const auto& later = [](const Entry& a, const Entry& b) { return end_of(a) < end_of(b); };
  const Time end = end_of(*std::max_element(entries.begin(), entries.end(), later));
  const std::int64_t start = to_ms(start_of(entries.front()));
  const std::int64_t last = to_ms(start_of(entries.back()));
  const auto count = static_cast<std::int64_t>(entries.size());
  const bool is_final = entries.size() >= full_count(tier);
  const std::string data = encode(entries, is_final ? Effort::thorough : Effort::quick);
  if (id != 0) {
    return update_.bind(1, id).bind(2, last).bind(3, to_ms(end)).bind(4, count).bind(5, data).run();
  }
  return insert_.bind(1, series)
      .bind(2, number_of(tier))
      .bind(3, start)
      .bind(4, last)
      .bind(5, to_ms(end))
      .bind(6, count)
      .bind(7, data)
      .run();
}

Result<void> SqliteArchive::read(const SeriesKey& key, Tier tier, Time from, Time to,
                                 const std::function<bool(const Bucket&)>& each) {
  return read_blocks(key, tier, from, to, each);
}

Result<void> SqliteArchive::read(const SeriesKey& key, Time from, Time to,
                                 const std::function<bool(const Point&)>& each) {
  return read_blocks(key, Tier::raw, from, to, each);
}

template <class Entry>
Result<void> SqliteArchive::read_blocks(const SeriesKey& key, Tier tier, Time from, Time to,
                                        const std::function<bool(const Entry&)>& each) {
  const Result<std::optional<std::int64_t>> series = find(key);
  if (!series || !*series) {
    return series ? Result<void>() : tl::unexpected(series.error());
  }
  Statement another;
  Statement* range = &range_;
  if (range_.is_busy()) {  // `each` of another read asks
    Result<Statement> prepared = connection_->prepare(kRange);
    if (!prepared) {
      return tl::unexpected(prepared.error());
    }
    another = *std::move(prepared);
    range = &another;
  }
  const ResetAtEnd reset(*range);
  range->bind(1, **series).bind(2, number_of(tier)).bind(3, to_ms(from)).bind(4, to_ms(to));
  for (;;) {
    const Result<bool> row = range->step();
    if (!row) {
      return tl::unexpected(row.error());
    }
    if (!*row) {
      return {};
    }
    const Result<std::vector<Entry>> entries = decode<Entry>(range->bytes(1));
    if (!entries) {
      ++damaged_;
      continue;
    }
    for (const Entry& entry : *entries) {
      if (start_of(entry) < to && end_of(entry) > from && !each(entry)) {
        return {};
      }
    }
  }
}

Result<Time> SqliteArchive::newest(const SeriesKey& key, Tier tier) {
  const Result<std::optional<std::int64_t>> series = find(key);
  if (!series || !*series) {
    return series ? Result<Time>(Time::min()) : tl::unexpected(series.error());
  }
  const ResetAtEnd reset(newest_);
  const Result<bool> row = newest_.bind(1, **series).bind(2, number_of(tier)).step();
  if (!row) {
    return tl::unexpected(row.error());
  }
  return *row ? time_from_ms(newest_.integer(2)) : Time::min();
}

Result<bool> SqliteArchive::expire(Time now, const std::function<Keep(const SeriesKey&)>& keep) {
  return retention_.expire(now, keep);
}

Counts SqliteArchive::counts() const {
  return {journal::file_bytes(path_) + journal::file_bytes(path_ + "-wal"), damaged_};
}

}  // namespace rollup::archive

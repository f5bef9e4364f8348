#include "history/history.h"

#include <array>
#include <utility>

#include "history/files.h"
#include "history/retention.h"
#include "history/schema.h"
#include "history/sealed.h"
#include "history/sqlite.h"

namespace rollup::history {
namespace {

// After a clean end SQLite leaves no log behind; where there is one, a file up to this size is
// checked from end to end (tens of milliseconds). Larger ones are read when they are needed.
constexpr std::uint64_t kCheckedBytesMax = 64 << 20;

// 8 MiB of pages; a log that a large checkpoint blew up is cut back to 32 MiB.
constexpr const char* kSettings =
    "PRAGMA cache_size = -8192; PRAGMA journal_size_limit = 33554432; PRAGMA temp_store = MEMORY; "
    "PRAGMA cell_size_check = ON";

}  // namespace

// The open file and its statements.
struct Database {
  explicit Database(std::unique_ptr<Connection> opened)
      : connection(std::move(opened)), sealed(*connection), retention(*connection) {}

  Result<void> prepare();
  Result<void> count_rows();
  // The ids of the new entries.
  Result<std::vector<std::uint64_t>> append_outbox(std::span<const std::string> entries);

  std::unique_ptr<Connection> connection;
  Sealed sealed;
  Retention retention;
  Statement add_journal;
  Statement add_outbox;
  Statement remove_outbox;
  Statement list_journal;
  Statement list_outbox;
  Statement list_parts;
  Statement add_part;
  Statement put_config;
  Statement put_feed;
  Statement get_feed;
  Statement put_links;
  Statement get_links;
  Statement get_config;
  std::uint64_t journal_rows = 0;
  std::uint64_t outbox_rows = 0;
};

struct History::Impl {
  explicit Impl(FileLock taken) : lock(std::move(taken)) {}

  FileLock lock;
  std::string path;
  std::string moved_aside;
  std::unique_ptr<Database> database;
};

Result<void> Database::prepare() {
  struct Wanted {
    Statement* statement;
    const char* sql;
  };
  const std::array wanted = {
      Wanted{&add_journal, "INSERT INTO journal(batch) VALUES (?1)"},
      Wanted{&add_outbox, "INSERT INTO outbox(data) VALUES (?1)"},
      Wanted{&remove_outbox, "DELETE FROM outbox WHERE id = ?1"},
      Wanted{&list_journal, "SELECT batch FROM journal ORDER BY seq"},
      Wanted{&list_outbox, "SELECT id, data FROM outbox ORDER BY id"},
      Wanted{&list_parts, "SELECT data FROM checkpoint ORDER BY part"},
      Wanted{&add_part, "INSERT INTO checkpoint(part, data) VALUES (?1, ?2)"},
      Wanted{&put_config, "INSERT OR REPLACE INTO meta(key, value) VALUES ('config', ?1)"},
      Wanted{&put_feed, "INSERT OR REPLACE INTO meta(key, value) VALUES ('feed', ?1)"},
      Wanted{&get_feed, "SELECT value FROM meta WHERE key = 'feed'"},
      Wanted{&put_links, "INSERT OR REPLACE INTO meta(key, value) VALUES ('links', ?1)"},
      Wanted{&get_links, "SELECT value FROM meta WHERE key = 'links'"},
      Wanted{&get_config, "SELECT value FROM meta WHERE key = 'config'"},
  };
  for (const Wanted& each : wanted) {
    Result<Statement> prepared = connection->prepare(each.sql);
    if (!prepared) {
      return tl::unexpected(prepared.error());
    }
    *each.statement = *std::move(prepared);
  }
  if (auto prepared = sealed.prepare(); !prepared) {
    return prepared;
  }
  return retention.prepare();
}

// Counts, and reads all that a start will need, so that damage there is found while the file can
// still be moved aside.
Result<void> Database::count_rows() {
  struct Counted {
    Statement* rows;
    std::uint64_t* count;
  };
  std::uint64_t parts = 0;
  for (const Counted& counted :
       {Counted{&list_journal, &journal_rows}, Counted{&list_outbox, &outbox_rows},
        Counted{&list_parts, &parts}}) {
    for (;;) {
      const Result<bool> row = counted.rows->step();
      if (!row) {
        return tl::unexpected(row.error());
      }
      if (!*row) {
        break;
      }
      ++*counted.count;
    }
  }
  return {};
}

namespace {

// In `meta`: epoch and number, each as 8 bytes, little endian.
std::string bytes_of(const FeedPosition& position) {
  std::string bytes;
  for (const std::uint64_t number : {position.epoch, position.number}) {
    for (int shift = 0; shift < 64; shift += 8) {
      bytes.push_back(static_cast<char>((number >> shift) & 0xFF));
    }
  }
  return bytes;
}

std::optional<FeedPosition> feed_position_of(std::string_view bytes) {
  std::array<std::uint64_t, 2> numbers{};
  if (bytes.size() != sizeof(numbers)) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    numbers[i / 8] |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * (i % 8));
  }
  return FeedPosition{numbers[0], numbers[1]};
}

// One try at a file that exists. `is_content_bad`: it may be moved aside.
Result<std::unique_ptr<Database>> open_database(const std::string& path, bool full_sync,
                                                bool& is_content_bad) {
  const bool was_killed = file_bytes(path + "-wal") > 0;
  Result<std::unique_ptr<Connection>> opened = Connection::open(path);
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  Connection& connection = **opened;
  auto database = std::make_unique<Database>(*std::move(opened));
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
  if (auto done = connection.execute(kSettings); !done) {
    return failed(done.error());
  }
  if (was_killed && file_bytes(path) <= kCheckedBytesMax) {
    const Result<std::string> found = connection.text("PRAGMA quick_check(1)");
    if (!found) {
      return failed(found.error());
    }
    if (*found != "ok") {
      return failed(Error{ErrorCode::unsupported, path, "it is damaged: " + *found});
    }
  }
  if (auto done = migrate(connection); !done) {
    return failed(done.error());
  }
  const Result<std::string> mode = connection.text("PRAGMA journal_mode = WAL");
  if (!mode) {
    return failed(mode.error());
  }
  if (*mode != "wal") {
    return fail(ErrorCode::storage, path,
                "the file system does not allow a write-ahead log; put data_dir on a local one");
  }
  if (auto done = connection.execute(full_sync ? "PRAGMA synchronous = FULL"
                                               : "PRAGMA synchronous = NORMAL");
      !done) {
    return failed(done.error());
  }
  if (auto done = database->prepare(); !done) {
    return failed(done.error());
  }
  if (auto done = database->count_rows(); !done) {
    return failed(done.error());
  }
  connection.set_accepted();
  return database;
}

}  // namespace

Result<std::unique_ptr<History>> History::open(const Options& options) {
  if (auto made = make_directory(options.directory); !made) {
    return tl::unexpected(made.error());
  }
  Result<FileLock> lock = FileLock::take(options.directory + "/history.lock");
  if (!lock) {
    return tl::unexpected(lock.error());
  }
  auto impl = std::make_unique<Impl>(*std::move(lock));
  impl->path = options.directory + "/history.db";
  return open(std::move(impl), options);
}

Result<std::unique_ptr<History>> History::open(std::unique_ptr<Impl> impl, const Options& options) {
  for (;;) {
    if (auto made = make_file(impl->path); !made) {
      return tl::unexpected(made.error());
    }
    bool is_content_bad = false;
    Result<std::unique_ptr<Database>> database =
        open_database(impl->path, options.full_sync, is_content_bad);
    if (database) {
      impl->database = *std::move(database);
      return std::unique_ptr<History>(new History(std::move(impl)));
    }
    // A new file that is bad, too, is no fault of its content.
    if (!is_content_bad || !impl->moved_aside.empty()) {
      return tl::unexpected(database.error());
    }
    const Result<std::string> target = move_aside(impl->path);
    if (!target) {
      return tl::unexpected(target.error());
    }
    impl->moved_aside = *target + ": " + database.error().message;
  }
}

Result<std::unique_ptr<History>> History::begin_anew(std::unique_ptr<History> unreadable,
                                                     const Options& options, const Error& why) {
  // The lock stays with us, so that no other program takes the file up in between.
  std::unique_ptr<Impl> impl = std::move(unreadable->impl_);
  impl->database.reset();
  const Result<std::string> target = move_aside(impl->path);
  if (!target) {
    return tl::unexpected(target.error());
  }
  impl->moved_aside = *target + ": " + why.message;
  return open(std::move(impl), options);
}

History::History(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

History::~History() = default;

const std::string& History::moved_aside() const { return impl_->moved_aside; }

Result<std::optional<History::Checkpoint>> History::load_checkpoint() {
  Database& database = *impl_->database;
  Checkpoint checkpoint;
  {
    const ResetAtEnd reset(database.get_config);
    const Result<bool> row = database.get_config.step();
    if (!row) {
      return tl::unexpected(row.error());
    }
    if (!*row) {
      return std::optional<Checkpoint>();
    }
    checkpoint.config = database.get_config.bytes(0);
  }
  for (;;) {
    const Result<bool> row = database.list_parts.step();
    if (!row) {
      return tl::unexpected(row.error());
    }
    if (!*row) {
      return checkpoint;
    }
    checkpoint.engine.emplace_back(database.list_parts.bytes(0));
  }
}

Result<void> History::replay(const std::function<Result<void>(std::string_view row)>& each) {
  Statement& journal = impl_->database->list_journal;
  const ResetAtEnd reset(journal);
  for (;;) {
    const Result<bool> row = journal.step();
    if (!row) {
      return tl::unexpected(row.error());
    }
    if (!*row) {
      return {};
    }
    if (auto done = each(journal.bytes(0)); !done) {
      return done;
    }
  }
}

Result<std::vector<std::uint64_t>> Database::append_outbox(std::span<const std::string> entries) {
  std::vector<std::uint64_t> ids;
  for (const std::string& data : entries) {
    if (auto added = add_outbox.bind(1, data).run(); !added) {
      return tl::unexpected(added.error());
    }
    ids.push_back(static_cast<std::uint64_t>(connection->last_rowid()));
  }
  return ids;
}

Result<std::vector<std::uint64_t>> History::commit_turn(std::string_view journal,
                                                        std::span<const std::string> outbox,
                                                        std::span<const std::uint64_t> delivered,
                                                        const std::optional<FeedPosition>& feed,
                                                        std::string_view links) {
  Database& database = *impl_->database;
  const bool is_empty = outbox.empty() && delivered.empty() && !feed && links.empty();
  if (is_empty && journal.empty()) {
    return std::vector<std::uint64_t>();
  }
  Transaction transaction(*database.connection);
  if (!is_empty) {  // a single statement is a transaction by itself
    if (auto begun = transaction.begin(); !begun) {
      return tl::unexpected(begun.error());
    }
  }
  if (!journal.empty()) {
    if (auto added = database.add_journal.bind(1, journal).run(); !added) {
      return tl::unexpected(added.error());
    }
  }
  auto ids = database.append_outbox(outbox);
  if (!ids) {
    return ids;
  }
  if (feed) {
    if (auto put = database.put_feed.bind(1, bytes_of(*feed)).run(); !put) {
      return tl::unexpected(put.error());
    }
  }
  if (!links.empty()) {
    if (auto put = database.put_links.bind(1, links).run(); !put) {
      return tl::unexpected(put.error());
    }
  }
  std::uint64_t removed = 0;
  for (const std::uint64_t id : delivered) {
    if (auto done = database.remove_outbox.bind(1, static_cast<std::int64_t>(id)).run(); !done) {
      return tl::unexpected(done.error());
    }
    removed += static_cast<std::uint64_t>(database.connection->changed_rows());
  }
  if (!is_empty) {
    if (auto committed = transaction.commit(); !committed) {
      return tl::unexpected(committed.error());
    }
  }
  database.journal_rows += journal.empty() ? 0U : 1U;
  database.outbox_rows += outbox.size() - removed;
  return ids;
}

Result<std::string> History::links() const {
  Statement& get = impl_->database->get_links;
  const ResetAtEnd reset(get);
  const Result<bool> row = get.step();
  if (!row) {
    return tl::unexpected(row.error());
  }
  return *row ? std::string(get.bytes(0)) : std::string();
}

Result<FeedPosition> History::feed_position() const {
  Statement& get = impl_->database->get_feed;
  const ResetAtEnd reset(get);
  const Result<bool> row = get.step();
  if (!row) {
    return tl::unexpected(row.error());
  }
  const auto position = *row ? feed_position_of(get.bytes(0)) : FeedPosition{};
  if (!position) {
    return fail(ErrorCode::storage, "feed", "its position cannot be read");
  }
  return *position;
}

Result<std::vector<OutboxEntry>> History::outbox() const {
  Statement& rows = impl_->database->list_outbox;
  std::vector<OutboxEntry> entries;
  for (;;) {
    const Result<bool> row = rows.step();
    if (!row) {
      return tl::unexpected(row.error());
    }
    if (!*row) {
      return entries;
    }
    entries.push_back({static_cast<std::uint64_t>(rows.integer(0)), std::string(rows.bytes(1))});
  }
}

void History::append(SeriesId series, Tier tier, const Bucket& bucket) {
  impl_->database->sealed.append(series, tier, bucket);
}

void History::append(SeriesId series, std::span<const Point> points) {
  impl_->database->sealed.append(series, points);
}

Result<std::vector<std::uint64_t>> History::checkpoint(std::string_view config,
                                                       std::span<const std::string> engine,
                                                       std::span<const std::string> outbox) {
  Database& database = *impl_->database;
  Transaction transaction(*database.connection);
  if (auto begun = transaction.begin(); !begun) {
    return tl::unexpected(begun.error());
  }
  if (auto written = database.sealed.write(); !written) {
    return tl::unexpected(written.error());
  }
  const auto& clear = "DELETE FROM journal; DELETE FROM checkpoint";
  if (auto cleared = database.connection->execute(clear); !cleared) {
    return tl::unexpected(cleared.error());
  }
  std::int64_t number = 0;
  for (const std::string& part : engine) {
    if (auto added = database.add_part.bind(1, ++number).bind(2, part).run(); !added) {
      return tl::unexpected(added.error());
    }
  }
  if (auto put = database.put_config.bind(1, config).run(); !put) {
    return tl::unexpected(put.error());
  }
  auto ids = database.append_outbox(outbox);
  if (!ids) {
    return ids;
  }
  if (auto committed = transaction.commit(); !committed) {
    return tl::unexpected(committed.error());
  }
  database.sealed.forget();
  database.journal_rows = 0;
  database.outbox_rows += outbox.size();
  return ids;
}

Result<bool> History::expire(Time now, const std::function<Keep(SeriesId)>& keep) {
  return impl_->database->retention.expire(now, keep);
}

Result<void> History::read(SeriesId series, Tier tier, Time from, Time to,
                           const std::function<bool(const Bucket&)>& each) const {
  return impl_->database->sealed.read(series, tier, from, to, each);
}

Result<void> History::read(SeriesId series, Time from, Time to,
                           const std::function<bool(const Point&)>& each) const {
  return impl_->database->sealed.read(series, from, to, each);
}

Counts History::counts() const {
  const Database& database = *impl_->database;
  return Counts{file_bytes(impl_->path) + file_bytes(impl_->path + "-wal"), database.journal_rows,
                database.outbox_rows};
}

}  // namespace rollup::history

#include "archive/sqlite.h"

#include <cstring>

#include "base/check.h"

namespace rollup::archive {
namespace {

// A person who looks at the file with the sqlite3 shell may hold it for a moment.
constexpr int kBusyTimeoutMs = 250;

bool is_about_content(int code) {
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:  // no such table, no such column
    case SQLITE_SCHEMA:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_FORMAT:
      return true;
    default:
      return false;
  }
}

const char* remedy(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return "free space on its file system";
    case SQLITE_IOERR:
      return "check the disk, its free space, and the limits for this user";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
      return "make the file and its directory writable for the user that runs ejabberd";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another program is using the file: close it";
    case SQLITE_NOMEM:
      return "free memory";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "the file is damaged: stop the program and move the file away, a new one is begun";
    default:
      return "this is not expected: report it";
  }
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path) {
  std::unique_ptr<Connection> connection(new Connection());
  connection->path_ = path;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (sqlite3_open_v2(path.c_str(), &connection->db_, flags, nullptr) != SQLITE_OK) {
    return connection->failure();
  }
  sqlite3* const db = connection->db_;
  sqlite3_busy_timeout(db, kBusyTimeoutMs);
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  // What the file's schema says is not to be trusted with more than our tables.
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  return connection;
}

Connection::~Connection() {
  sqlite3_finalize(begin_);
  sqlite3_finalize(commit_);
  // Refuses, and so leaks, if a Statement is left: that one would be a mistake of ours.
  ROLLUP_CHECK(sqlite3_close(db_) == SQLITE_OK);
}

void Connection::set_accepted() {
  sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
}

tl::unexpected<Error> Connection::failure() {
  if (db_ == nullptr) {
    return fail(ErrorCode::storage, path_, "no memory for the database: free memory");
  }
  const int code = sqlite3_extended_errcode(db_);
  is_content_bad_ = is_content_bad_ || is_about_content(code);
  std::string message = sqlite3_errmsg(db_);
  const int reason = sqlite3_system_errno(db_);
  if (reason != 0 && !is_about_content(code)) {
    message += std::string(" (") + std::strerror(reason) + ")";
  }
  return fail(ErrorCode::storage, path_, message + "; " + remedy(code));
}

Result<Statement> Connection::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
      SQLITE_OK) {
    return failure();
  }
  return Statement(this, statement);
}

Result<void> Connection::run(sqlite3_stmt*& kept, const char* sql) {
  if (kept == nullptr &&
      sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &kept, nullptr) != SQLITE_OK) {
    return failure();
  }
  const int code = sqlite3_step(kept);
  if (code != SQLITE_DONE) {
    const tl::unexpected<Error> error = failure();
    sqlite3_reset(kept);
    return error;
  }
  sqlite3_reset(kept);
  return {};
}

void Connection::rollback() {
  if (sqlite3_get_autocommit(db_) == 0) {
    // A failure here means that SQLite has rolled back already.
    sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

Result<void> Connection::execute(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return failure();
  }
  return {};
}

Result<std::int64_t> Connection::integer(const char* sql) {
  return prepare(sql).and_then([](Statement statement) -> Result<std::int64_t> {
    const Result<bool> row = statement.step();
    if (!row) {
      return tl::unexpected(row.error());
    }
    return *row ? statement.integer(0) : 0;
  });
}

Result<std::string> Connection::text(const char* sql) {
  return prepare(sql).and_then([](Statement statement) -> Result<std::string> {
    const Result<bool> row = statement.step();
    if (!row) {
      return tl::unexpected(row.error());
    }
    return *row ? std::string(statement.bytes(0)) : std::string();
  });
}

Statement& Statement::bind(int parameter, std::int64_t value) {
  ROLLUP_CHECK(sqlite3_bind_int64(statement_.get(), parameter, value) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view bytes) {
  // A null pointer would be NULL instead of no bytes.
  const char* const data = bytes.data() == nullptr ? "" : bytes.data();
  const int code =
      sqlite3_bind_blob64(statement_.get(), parameter, data, bytes.size(), SQLITE_STATIC);
  // Too many bytes for SQLite leave the parameter NULL, which the tables refuse.
  ROLLUP_CHECK(code == SQLITE_OK || code == SQLITE_TOOBIG);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) {
    return true;
  }
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  const tl::unexpected<Error> error = connection_->failure();
  reset();
  return error;
}

Result<void> Statement::run() {
  const Result<bool> row = step();
  reset();
  if (!row) {
    return tl::unexpected(row.error());
  }
  return {};
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::bytes(int column) const {
  const void* const data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data == nullptr
             ? std::string_view()
             : std::string_view(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

Transaction::~Transaction() { connection_.rollback(); }

Result<void> Transaction::begin() { return connection_.run(connection_.begin_, "BEGIN IMMEDIATE"); }

Result<void> Transaction::commit() { return connection_.run(connection_.commit_, "COMMIT"); }

}  // namespace rollup::archive

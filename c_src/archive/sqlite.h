// SQLite with owners for its handles and our errors. One connection, one thread.
//
//   Statement insert = *connection->prepare("INSERT INTO t VALUES (?, ?)");
//   if (auto done = insert.bind(1, id).bind(2, bytes).run(); !done) return done;
//
// Every failure is an Error with code storage, the file as its place, SQLite's words and what to
// do.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace rollup::archive {

class Statement;

class Connection {
 public:
  // Opens a file that exists. Until set_accepted() nothing is folded into it on close, so that a
  // file which turns out not to be ours stays as it was.
  static Result<std::unique_ptr<Connection>> open(const std::string& path);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void set_accepted();

  // The statement must not outlive the connection.
  Result<Statement> prepare(const char* sql);
  // One or more statements; rows are thrown away.
  Result<void> execute(const char* sql);
  // The first column of the first row; 0 if there is none.
  Result<std::int64_t> integer(const char* sql);
  Result<std::string> text(const char* sql);

  std::int64_t last_rowid() const { return sqlite3_last_insert_rowid(db_); }
  std::int64_t changed_rows() const { return sqlite3_changes64(db_); }

  // True once an error said that the content of the file is wrong (damaged, no database, a table
  // that is not as it should be), rather than that it could not be reached.
  bool is_content_bad() const { return is_content_bad_; }

  // The Error for what just failed on this connection.
  tl::unexpected<Error> failure();

 private:
  friend class Transaction;
  Connection() = default;

  // Runs `sql`, which is prepared at the first time.
  Result<void> run(sqlite3_stmt*& kept, const char* sql);
  void rollback();

  sqlite3* db_ = nullptr;
  sqlite3_stmt* begin_ = nullptr;
  sqlite3_stmt* commit_ = nullptr;
  std::string path_;
  bool is_content_bad_ = false;
};

class Statement {
 public:
  Statement() = default;

  // Columns and parameters as SQLite counts them: parameters from 1, columns from 0. Bytes that are
  // bound must live until reset().
  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, std::string_view bytes);

  // True: there is a row. After the last row, or an error, the statement is reset.
  Result<bool> step();
  // For a statement that gives no rows.
  Result<void> run();
  void reset();

  std::int64_t integer(int column) const;
  // Valid until the next step() or reset().
  std::string_view bytes(int column) const;

  // Rows are still being read from it.
  bool is_busy() const { return sqlite3_stmt_busy(statement_.get()) != 0; }

 private:
  friend class Connection;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  Statement(Connection* connection, sqlite3_stmt* statement)
      : connection_(connection), statement_(statement) {}

  Connection* connection_ = nullptr;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// Resets a statement at the end of a scope, so that no row stays open.
class ResetAtEnd {
 public:
  explicit ResetAtEnd(Statement& statement) : statement_(statement) {}
  ~ResetAtEnd() { statement_.reset(); }
  ResetAtEnd(const ResetAtEnd&) = delete;
  ResetAtEnd& operator=(const ResetAtEnd&) = delete;

 private:
  Statement& statement_;
};

// All or nothing: what is not committed at the end of the scope is rolled back.
class Transaction {
 public:
  explicit Transaction(Connection& connection) : connection_(connection) {}
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  Result<void> begin();
  Result<void> commit();

 private:
  Connection& connection_;
};

}  // namespace rollup::archive

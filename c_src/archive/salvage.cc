#include "archive/salvage.h"

#include <array>
#include <limits>

#include "archive/block.h"

namespace rollup::archive {
namespace {

constexpr const char* kInsertSeries =
    "INSERT OR IGNORE INTO series(id, stream, broker, topic, field) "
    "VALUES (?1, CAST(?2 AS TEXT), CAST(?3 AS TEXT), CAST(?4 AS TEXT), CAST(?5 AS TEXT))";
constexpr const char* kInsertBlock =
    "INSERT OR IGNORE INTO block(id, series, tier, start, last, end, count, data) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

// Calls `each` for the rows of a statement, until it or SQLite has enough.
template <class Each>
void for_each_row(Connection& connection, const char* sql, const Each& each) {
  Result<Statement> statement = connection.prepare(sql);
  while (statement && statement->step().value_or(false) && each(*statement)) {
  }
}

bool is_readable(const Statement& row) {
  const std::string_view data = row.bytes(7);
  return row.integer(2) == 0 ? decode_points(data).has_value() : decode_buckets(data).has_value();
}

}  // namespace

Salvaged salvage(const std::string& from, Connection& to) {
  Salvaged salvaged;
  Result<std::unique_ptr<Connection>> source = Connection::open(from);
  Result<Statement> insert_series = to.prepare(kInsertSeries);
  Result<Statement> insert_block = to.prepare(kInsertBlock);
  Transaction transaction(to);
  if (!source || !insert_series || !insert_block || !transaction.begin()) {
    return salvaged;
  }
  const auto take_series = [&](Statement& row) {
    insert_series->bind(1, row.integer(0));
    for (int column = 1; column <= 4; ++column) {
      insert_series->bind(column + 1, row.bytes(column));
    }
    const bool is_added = insert_series->run() && to.changed_rows() > 0;
    salvaged.series += is_added ? 1U : 0U;
    return true;
  };
  const auto take_block = [&](Statement& row) {
    if (is_readable(row)) {
      for (int column = 0; column <= 6; ++column) {
        insert_block->bind(column + 1, row.integer(column));
      }
      const bool is_added = insert_block->bind(8, row.bytes(7)).run() && to.changed_rows() > 0;
      salvaged.blocks += is_added ? 1U : 0U;
    }
    return true;
  };
  // From the front up to the damage, then from the back.
  for (const char* order : {"ASC", "DESC"}) {
    const std::string series =
        std::string(
            "SELECT id, stream, broker, topic, field FROM series NOT INDEXED ORDER BY id ") +
        order;
    for_each_row(**source, series.c_str(), take_series);
    const std::string blocks = std::string(
                                   "SELECT id, series, tier, start, last, end, count, data "
                                   "FROM block NOT INDEXED ORDER BY id ") +
                               order;
    for_each_row(**source, blocks.c_str(), take_block);
  }
  // A block of a series that is lost means nothing any more.
  (void)to.execute("DELETE FROM block WHERE series NOT IN (SELECT id FROM series)");
  return transaction.commit() ? salvaged : Salvaged{};
}

}  // namespace rollup::archive

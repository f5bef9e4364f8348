#include "archive/schema.h"

#include <string>

namespace rollup::archive {
namespace {

// Times are milliseconds since 1970 UTC. `last` is where the newest entry of a block starts.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE series(
  id INTEGER PRIMARY KEY,
  stream TEXT NOT NULL,
  broker TEXT NOT NULL,
  topic TEXT NOT NULL,
  field TEXT NOT NULL);
CREATE UNIQUE INDEX series_by_key ON series(topic, field, stream, broker);
CREATE TABLE block(
  id INTEGER PRIMARY KEY,
  series INTEGER NOT NULL,
  tier INTEGER NOT NULL,
  start INTEGER NOT NULL,
  last INTEGER NOT NULL,
  end INTEGER NOT NULL,
  count INTEGER NOT NULL,
  data BLOB NOT NULL);
CREATE UNIQUE INDEX block_by_series ON block(series, tier, start);
)sql";

constexpr const char* kLadder[] = {kVersion1};

Result<std::int64_t> version_of(Connection& connection) {
  const Result<std::int64_t> application = connection.integer("PRAGMA application_id");
  const Result<std::int64_t> version = connection.integer("PRAGMA user_version");
  const Result<std::int64_t> tables = connection.integer("SELECT count(*) FROM sqlite_schema");
  for (const Result<std::int64_t>* result : {&application, &version, &tables}) {
    if (!*result) {
      return tl::unexpected(result->error());
    }
  }
  const bool is_empty = *application == 0 && *version == 0 && *tables == 0;
  if (!is_empty && *application != kApplicationId) {
    return fail(ErrorCode::unsupported, "", "it is a database of another program");
  }
  return *version;
}

}  // namespace

Ladder schema_ladder() { return kLadder; }

Result<void> migrate(Connection& connection, Ladder ladder) {
  const Result<std::int64_t> version = version_of(connection);
  if (!version) {
    return tl::unexpected(version.error());
  }
  const auto newest = static_cast<std::int64_t>(ladder.size());
  if (*version < 0 || *version > newest) {
    return fail(ErrorCode::unsupported, "",
                "it has schema version " + std::to_string(*version) + ", this program knows " +
                    std::to_string(newest) + "; a newer program can read it");
  }
  for (std::int64_t step = *version; step < newest; ++step) {
    Transaction transaction(connection);
    const std::string marks = "PRAGMA application_id = " + std::to_string(kApplicationId) +
                              "; PRAGMA user_version = " + std::to_string(step + 1);
    if (auto done = transaction.begin(); !done) {
      return done;
    }
    if (auto done = connection.execute(ladder[static_cast<std::size_t>(step)]); !done) {
      return done;
    }
    if (auto done = connection.execute(marks.c_str()); !done) {
      return done;
    }
    if (auto done = transaction.commit(); !done) {
      return done;
    }
  }
  return {};
}

}  // namespace rollup::archive

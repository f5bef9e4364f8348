#include "history/schema.h"

#include <gmock/gmock.h>

#include "history/files.h"
#include "unit/history/history_support.h"

namespace rollup::history {
namespace {

class SchemaTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(make_file(path()));
    auto opened = Connection::open(path());
    ASSERT_TRUE(opened);
    connection_ = *std::move(opened);
  }
  std::string path() const { return directory_.file("history.db"); }
  std::int64_t integer(const char* sql) {
    const auto result = connection_->integer(sql);
    EXPECT_TRUE(result) << result.error().message;
    return result.value_or(-1);
  }

  const TemporaryDirectory directory_;
  std::unique_ptr<Connection> connection_;
};

TEST_F(SchemaTest, AnEmptyFileClimbsTheWholeLadder) {
  ASSERT_TRUE(migrate(*connection_));
  EXPECT_EQ(integer("PRAGMA user_version"), static_cast<std::int64_t>(schema_ladder().size()));
  EXPECT_EQ(integer("PRAGMA application_id"), kApplicationId);
  EXPECT_EQ(integer("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN "
                    "('journal', 'outbox', 'checkpoint', 'meta', 'block')"),
            5);
}

TEST_F(SchemaTest, AnOlderFileClimbsOnlyWhatIsMissingAndKeepsItsRows) {
  const char* const first = "CREATE TABLE t(a); INSERT INTO t VALUES (1)";
  const char* const second = "ALTER TABLE t ADD COLUMN b NOT NULL DEFAULT 5";
  const char* const third = "UPDATE t SET b = b + a";
  const char* const ladder[] = {first, second, third};
  ASSERT_TRUE(migrate(*connection_, Ladder(ladder, 1)));
  EXPECT_EQ(integer("PRAGMA user_version"), 1);
  ASSERT_TRUE(migrate(*connection_, ladder));
  EXPECT_EQ(integer("PRAGMA user_version"), 3);
  EXPECT_EQ(integer("SELECT count(*) FROM t"), 1) << "a step was taken twice";
  EXPECT_EQ(integer("SELECT b FROM t"), 6);
  ASSERT_TRUE(migrate(*connection_, ladder));
  EXPECT_EQ(integer("SELECT b FROM t"), 6);
}

TEST_F(SchemaTest, AStepThatFailsLeavesTheVersionBeforeIt) {
  const char* const first = "CREATE TABLE t(a)";
  const char* const broken = "INSERT INTO t VALUES (1); INSERT INTO nothing VALUES (1)";
  const char* const repaired = "INSERT INTO t VALUES (2)";
  const char* const bad_ladder[] = {first, broken};
  const char* const good_ladder[] = {first, repaired};
  ASSERT_FALSE(migrate(*connection_, bad_ladder));
  EXPECT_EQ(integer("PRAGMA user_version"), 1);
  EXPECT_EQ(integer("SELECT count(*) FROM t"), 0);
  ASSERT_TRUE(migrate(*connection_, good_ladder));
  EXPECT_EQ(integer("SELECT a FROM t"), 2);
}

TEST_F(SchemaTest, ANewerFileIsRefused) {
  const char* const ladder[] = {"CREATE TABLE t(a)", "CREATE TABLE u(a)"};
  ASSERT_TRUE(migrate(*connection_, ladder));
  const auto refused = migrate(*connection_, Ladder(ladder, 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unsupported);
}

// A file of version 1 as it is on disk, not made by the ladder: tables and marks are written here
// by hand, so a released step that is edited later fails.
TEST_F(SchemaTest, AFileOfVersionOneIsReadWithAllItHolds) {
  ASSERT_TRUE(connection_->execute(R"sql(
    PRAGMA application_id = 1836151413;
    PRAGMA user_version = 1;
    CREATE TABLE journal(seq INTEGER PRIMARY KEY, batch BLOB NOT NULL);
    CREATE TABLE outbox(id INTEGER PRIMARY KEY AUTOINCREMENT, data BLOB NOT NULL);
    CREATE TABLE checkpoint(part INTEGER PRIMARY KEY, data BLOB NOT NULL);
    CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE block(id INTEGER PRIMARY KEY, series INTEGER NOT NULL, tier INTEGER NOT NULL,
      start INTEGER NOT NULL, last INTEGER NOT NULL, end INTEGER NOT NULL, count INTEGER NOT NULL,
      data BLOB NOT NULL);
    CREATE UNIQUE INDEX block_by_series ON block(series, tier, start);
    INSERT INTO journal VALUES (1, x'6a');
    INSERT INTO outbox VALUES (5, x'6f');
    INSERT INTO checkpoint VALUES (1, x'70');
    INSERT INTO meta VALUES ('config', x'63');
  )sql"));
  connection_.reset();
  const auto history = open_history(directory_.path());
  ASSERT_TRUE(history);
  EXPECT_EQ(history->moved_aside(), "");
  EXPECT_THAT(read_journal(*history), testing::ElementsAre("j"));
  EXPECT_EQ(history->outbox().value().at(0).id, 5u);
  EXPECT_EQ(history->load_checkpoint().value()->config, "c");
  EXPECT_THAT(history->load_checkpoint().value()->engine, testing::ElementsAre("p"));
}

TEST_F(SchemaTest, PagesOfANewFileCanBeGivenBack) {
  connection_.reset();
  ASSERT_TRUE(open_history(directory_.path()));
  connection_ = *Connection::open(path());
  EXPECT_EQ(integer("PRAGMA auto_vacuum"), 2);
}

}  // namespace
}  // namespace rollup::history

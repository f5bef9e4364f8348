#include "history/history.h"

#include <gmock/gmock.h>

#include "unit/history/history_support.h"

namespace rollup::history {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> texts(const std::vector<OutboxEntry>& entries) {
  std::vector<std::string> result;
  for (const OutboxEntry& entry : entries) {
    result.push_back(entry.data);
  }
  return result;
}

TEST(HistoryTest, ANewFileHasNothing) {
  const TemporaryDirectory directory;
  const auto history = open_history(directory.path());
  ASSERT_TRUE(history);
  const auto checkpoint = history->load_checkpoint();
  ASSERT_TRUE(checkpoint);
  EXPECT_FALSE(*checkpoint);
  EXPECT_THAT(read_journal(*history), IsEmpty());
  EXPECT_THAT(*history->outbox(), IsEmpty());
  EXPECT_EQ(history->counts().journal_rows, 0u);
  EXPECT_GT(history->counts().bytes, 0u);
  EXPECT_EQ(history->moved_aside(), "");
}

TEST(HistoryTest, TurnsComeBackInOrderAfterAReopen) {
  const TemporaryDirectory directory;
  const std::string binary("\0\xff'", 3);
  {
    const auto history = open_history(directory.path());
    ASSERT_TRUE(history);
    ASSERT_TRUE(history->commit_turn("one", {}, {}));
    ASSERT_TRUE(history->commit_turn(binary, {}, {}));
    ASSERT_TRUE(history->commit_turn("three", {}, {}));
  }
  const auto history = open_history(directory.path());
  ASSERT_TRUE(history);
  EXPECT_THAT(read_journal(*history), ElementsAre("one", binary, "three"));
  EXPECT_EQ(history->counts().journal_rows, 3u);
}

TEST(HistoryTest, AnEmptyTurnWritesNothing) {
  const TemporaryDirectory directory;
  const auto history = open_history(directory.path());
  ASSERT_TRUE(history);
  ASSERT_TRUE(history->commit_turn("", {}, {}));
  const std::vector<std::string> outbox = {"n"};
  ASSERT_TRUE(history->commit_turn("", outbox, {}));
  EXPECT_THAT(read_journal(*history), IsEmpty());
  EXPECT_EQ(history->counts().journal_rows, 0u);
}

TEST(HistoryTest, TheErrorOfAReplayedRowStopsTheReplay) {
  const TemporaryDirectory directory;
  const auto history = open_history(directory.path());
  ASSERT_TRUE(history);
  for (const char* row : {"a", "b", "c"}) {
    ASSERT_TRUE(history->commit_turn(row, {}, {}));
  }
  int seen = 0;
  const auto result = history->replay([&](std::string_view row) -> Result<void> {
    ++seen;
    return row == "b" ? Result<void>(fail(ErrorCode::storage, "", "bad row")) : Result<void>();
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "bad row");
  EXPECT_EQ(seen, 2);
  EXPECT_THAT(read_journal(*history), ElementsAre("a", "b", "c"));
}

TEST(HistoryTest, TheOutboxKeepsWhatWasNotDelivered) {
  const TemporaryDirectory directory;
  std::vector<std::uint64_t> ids;
  {
    const auto history = open_history(directory.path());
    ASSERT_TRUE(history);
    const std::vector<std::string> first = {"a", "b", "c"};
    ids = history->commit_turn("row", first, {}).value();
    ASSERT_EQ(ids.size(), 3u);
    EXPECT_LT(ids[0], ids[1]);
    EXPECT_LT(ids[1], ids[2]);
    const std::vector<std::uint64_t> delivered = {ids[1], 999};  // unknown ones change nothing
    ASSERT_TRUE(history->commit_turn("", {}, delivered));
    EXPECT_EQ(history->counts().outbox, 2u);
  }
  const auto history = open_history(directory.path());
  ASSERT_TRUE(history);
  EXPECT_THAT(texts(*history->outbox()), ElementsAre("a", "c"));
  EXPECT_EQ(history->counts().outbox, 2u);
}

TEST(HistoryTest, AnIdOfTheOutboxIsNeverUsedAgain) {
  const TemporaryDirectory directory;
  const std::vector<std::string> entry = {"x"};
  std::uint64_t first = 0;
  {
    const auto history = open_history(directory.path());
    ASSERT_TRUE(history);
    first = history->commit_turn("", entry, {}).value().at(0);
    const std::vector<std::uint64_t> delivered = {first};
    ASSERT_TRUE(history->commit_turn("", {}, delivered));
  }
  const auto history = open_history(directory.path());
  ASSERT_TRUE(history);
  EXPECT_GT(history->commit_turn("", entry, {}).value().at(0), first);
}

TEST(HistoryTest, ACheckpointReplacesTheLastOneAndCutsTheJournal) {
  const TemporaryDirectory directory;
  {
    const auto history = open_history(directory.path());
    ASSERT_TRUE(history);
    const std::vector<std::string> three = {"p1", "", "p3"};
    const std::vector<std::string> one = {std::string("\0q", 2)};
    const std::vector<std::string> outbox = {"kept"};
    ASSERT_TRUE(history->commit_turn("before", outbox, {}));
    ASSERT_TRUE(history->checkpoint("rules 1", three));
    EXPECT_EQ(history->load_checkpoint().value()->engine, three);
    ASSERT_TRUE(history->commit_turn("between", {}, {}));
    ASSERT_TRUE(history->checkpoint("rules 2", one));
    EXPECT_EQ(history->counts().journal_rows, 0u);
    ASSERT_TRUE(history->commit_turn("after", {}, {}));
  }
  const auto history = open_history(directory.path());
  ASSERT_TRUE(history);
  const auto checkpoint = history->load_checkpoint();
  ASSERT_TRUE(checkpoint && *checkpoint);
  EXPECT_EQ((*checkpoint)->config, "rules 2");
  EXPECT_THAT((*checkpoint)->engine, ElementsAre(std::string("\0q", 2)));
  EXPECT_THAT(read_journal(*history), ElementsAre("after"));
  EXPECT_THAT(texts(*history->outbox()), ElementsAre("kept"));
}

TEST(HistoryTest, ACheckpointOfEmptyTextsIsACheckpoint) {
  const TemporaryDirectory directory;
  const auto history = open_history(directory.path());
  ASSERT_TRUE(history);
  ASSERT_TRUE(history->checkpoint("", {}));
  const auto checkpoint = history->load_checkpoint();
  ASSERT_TRUE(checkpoint);
  ASSERT_TRUE(*checkpoint);
  EXPECT_THAT((*checkpoint)->engine, IsEmpty());
}

TEST(HistoryTest, FullSyncWorksTheSame) {
  const TemporaryDirectory directory;
  {
    auto opened = History::open({directory.path(), true});
    ASSERT_TRUE(opened);
    ASSERT_TRUE((*opened)->commit_turn("row", {}, {}));
  }
  const auto history = open_history(directory.path());
  ASSERT_TRUE(history);
  EXPECT_THAT(read_journal(*history), ElementsAre("row"));
}

TEST(HistoryTest, ThePositionOfTheFeedIsCommittedWithItsTurn) {
  const TemporaryDirectory directory;
  const FeedPosition position{0x0123'4567'89ab'cdef, 3};
  {
    const auto history = open_history(directory.path());
    ASSERT_TRUE(history);
    EXPECT_EQ(history->feed_position().value(), FeedPosition{});
    ASSERT_TRUE(history->commit_turn("row", {}, {}, position));
    ASSERT_TRUE(history->commit_turn("row without one", {}, {}));
    EXPECT_EQ(history->feed_position().value(), position);
    ASSERT_TRUE(history->checkpoint("config", {}));
  }
  const auto history = open_history(directory.path());
  ASSERT_TRUE(history);
  EXPECT_EQ(history->feed_position().value(), position);
  ASSERT_TRUE(history->commit_turn("", {}, {}, FeedPosition{1, 9}));
  EXPECT_EQ(history->feed_position().value(), (FeedPosition{1, 9}));
}

}  // namespace
}  // namespace rollup::history

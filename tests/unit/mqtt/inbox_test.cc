#include "mqtt/inbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <thread>

namespace rollup::mqtt {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Message message(const std::string& topic, std::uint32_t link = 0, std::size_t size = 1) {
  Message made;
  made.link = link;
  made.topic = topic;
  made.payload = std::string(size, 'x');
  return made;
}

std::vector<std::string> topics(const std::vector<Message>& messages) {
  std::vector<std::string> names;
  for (const Message& each : messages) {
    names.push_back(each.topic);
  }
  return names;
}

bool is_readable(const Inbox& inbox, int timeout_ms = 0) {
  pollfd fd = {inbox.fd(), POLLIN, 0};
  return poll(&fd, 1, timeout_ms) == 1;
}

TEST(InboxTest, MessagesComeOutInOrderBehindWhatIsThere) {
  Inbox inbox;
  std::vector<Message> out;
  for (const char* topic : {"a", "b"}) {
    inbox.push(message(topic), 1);
  }
  inbox.drain(out);
  inbox.push(message("c"), 1);
  inbox.drain(out);
  EXPECT_THAT(topics(out), ElementsAre("a", "b", "c"));
  inbox.drain(out);
  EXPECT_EQ(out.size(), 3U);
  EXPECT_EQ(inbox.counts().waiting_bytes, 0U);
}

TEST(InboxTest, WholeQueueChangesPlacesWithAnEmptyVector) {
  Inbox inbox;
  inbox.push(message("a"), 1);
  inbox.push(message("b"), 1);
  std::vector<Message> out;
  inbox.drain(out);
  EXPECT_THAT(topics(out), ElementsAre("a", "b"));
  EXPECT_EQ(inbox.counts().waiting, 0U);
  EXPECT_EQ(inbox.counts().waiting_bytes, 0U);
  EXPECT_EQ(inbox.counts().drained, 2U);
}

// SEMANTICS 9: queue_full.
TEST(InboxTest, FullInboxDropsQosZeroAndCountsItPerLink) {
  Inbox inbox({.messages = 2});
  EXPECT_TRUE(inbox.push(message("a"), 0));
  EXPECT_TRUE(inbox.push(message("b"), 0));
  EXPECT_FALSE(inbox.push(message("c", 0), 0));
  EXPECT_FALSE(inbox.push(message("d", 3), 0));
  EXPECT_FALSE(inbox.push(message("e", 3), 0));

  const std::vector<Inbox::Dropped> dropped = inbox.take_dropped();
  ASSERT_EQ(dropped.size(), 2U);
  EXPECT_EQ(dropped[0].link, 0U);
  EXPECT_EQ(dropped[0].count, 1U);
  EXPECT_EQ(dropped[0].newest_topic, "c");
  EXPECT_EQ(dropped[1].link, 3U);
  EXPECT_EQ(dropped[1].count, 2U);
  EXPECT_EQ(dropped[1].newest_topic, "e");
  EXPECT_THAT(inbox.take_dropped(), IsEmpty());
  EXPECT_EQ(inbox.counts().dropped, 3U);
  EXPECT_EQ(inbox.counts().pushed, 2U);
}

TEST(InboxTest, BytesAreBoundedToo) {
  Inbox inbox({.messages = 100, .bytes = 1000});
  EXPECT_TRUE(inbox.push(message("a", 0, 500), 0));
  EXPECT_FALSE(inbox.push(message("b", 0, 500), 0));
}

TEST(InboxTest, EmptyInboxTakesAMessageThatIsLargerThanAllRoom) {
  Inbox inbox({.messages = 100, .bytes = 1000});
  EXPECT_TRUE(inbox.push(message("a", 0, 5000), 1));
  EXPECT_FALSE(inbox.push(message("b"), 0));
}

TEST(InboxTest, FullInboxHoldsQosOneBackUntilThereIsRoom) {
  Inbox inbox({.messages = 1});
  inbox.push(message("a"), 1);
  ASSERT_TRUE(!inbox.prepare_to_sleep());
  std::vector<Message> out;
  std::thread pusher([&] {
    for (const char* topic : {"b", "c", "d"}) {
      EXPECT_TRUE(inbox.push(message(topic), 1));
    }
  });
  while (out.size() < 4) {
    const std::size_t before = out.size();
    inbox.drain(out);
    if (out.size() == before && inbox.prepare_to_sleep()) {
      ASSERT_TRUE(is_readable(inbox, 10'000));
    }
  }
  pusher.join();
  EXPECT_THAT(topics(out), ElementsAre("a", "b", "c", "d"));
  EXPECT_EQ(inbox.counts().dropped, 0U);
}

TEST(InboxTest, CancelledPushKeepsTheMessage) {
  Inbox inbox({.messages = 1});
  inbox.push(message("a"), 1);
  std::stop_source stop;
  std::thread pusher([&] { EXPECT_TRUE(inbox.push(message("b"), 1, stop.get_token())); });
  stop.request_stop();
  pusher.join();
  std::vector<Message> out;
  inbox.drain(out);
  EXPECT_THAT(topics(out), ElementsAre("a", "b"));
}

TEST(InboxTest, ClosingRefusesThosePushesThatWaitAndKeepsWhatIsThere) {
  Inbox inbox({.messages = 1});
  inbox.push(message("a"), 1);
  std::thread pusher([&] { EXPECT_FALSE(inbox.push(message("b"), 1)); });
  inbox.close();
  pusher.join();
  EXPECT_FALSE(inbox.push(message("c"), 0));
  std::vector<Message> out;
  inbox.drain(out);
  EXPECT_THAT(topics(out), ElementsAre("a"));
}

TEST(InboxTest, OnlyASleepingEngineIsSignalledAndOnlyOnce) {
  Inbox inbox;
  std::vector<Message> out;
  inbox.push(message("a"), 1);
  EXPECT_FALSE(is_readable(inbox));
  EXPECT_FALSE(inbox.prepare_to_sleep());
  inbox.drain(out);
  EXPECT_TRUE(inbox.prepare_to_sleep());
  EXPECT_FALSE(is_readable(inbox));
  inbox.push(message("b"), 1);
  inbox.push(message("c"), 1);
  EXPECT_TRUE(is_readable(inbox));
  inbox.drain(out);
  EXPECT_FALSE(is_readable(inbox));
}

TEST(InboxTest, WakeEndsSleepAndPreventsTheNext) {
  Inbox inbox;
  std::vector<Message> out;
  ASSERT_TRUE(inbox.prepare_to_sleep());
  inbox.wake();
  EXPECT_TRUE(is_readable(inbox));
  inbox.drain(out);
  inbox.wake();
  EXPECT_FALSE(inbox.prepare_to_sleep());
  inbox.drain(out);
  EXPECT_TRUE(inbox.prepare_to_sleep());
}

// A link's broker waits: that must not last until the engine looks by itself.
TEST(InboxTest, OnlyHurryEndsANap) {
  Inbox inbox;
  std::vector<Message> out;
  ASSERT_TRUE(inbox.prepare_to_nap());
  inbox.push(message("a"), 1);
  inbox.wake();
  EXPECT_FALSE(is_readable(inbox));
  inbox.hurry();
  EXPECT_TRUE(is_readable(inbox));
  EXPECT_TRUE(inbox.is_hurried());
  EXPECT_FALSE(inbox.prepare_to_nap());
  inbox.drain(out);
  EXPECT_FALSE(inbox.is_hurried());
  EXPECT_FALSE(is_readable(inbox));
  EXPECT_TRUE(inbox.prepare_to_nap());
}

TEST(InboxTest, APushThatWaitsForRoomEndsANapToo) {
  Inbox inbox({.messages = 1});
  inbox.push(message("a"), 1);
  ASSERT_TRUE(inbox.prepare_to_nap());
  std::thread pusher([&] { inbox.push(message("b"), 1); });
  EXPECT_TRUE(is_readable(inbox, 10'000));
  std::vector<Message> out;
  inbox.drain(out);
  pusher.join();
}

TEST(InboxTest, ManyLinksLoseNothingAndKeepTheirOrder) {
  constexpr std::uint32_t kLinks = 4;
  constexpr int kEach = 5000;
  Inbox inbox({.messages = 50});
  std::vector<std::thread> links;
  for (std::uint32_t link = 0; link < kLinks; ++link) {
    links.emplace_back([&inbox, link] {
      for (int i = 0; i < kEach; ++i) {
        inbox.push(message(std::to_string(i), link), i % 2 == 0 ? 1 : 2);
      }
    });
  }
  std::vector<int> next(kLinks, 0);
  std::size_t total = 0;
  std::vector<Message> batch;
  while (total < kLinks * std::size_t{kEach}) {
    batch.clear();
    inbox.drain(batch);
    total += batch.size();
    for (const Message& each : batch) {
      EXPECT_EQ(each.topic, std::to_string(next[each.link]++));
    }
    if (batch.empty() && inbox.prepare_to_sleep()) {
      ASSERT_TRUE(is_readable(inbox, 10'000));
    }
  }
  for (std::thread& link : links) {
    link.join();
  }
  const Inbox::Counts counts = inbox.counts();
  EXPECT_EQ(counts.pushed, total);
  EXPECT_EQ(counts.drained, total);
  EXPECT_EQ(counts.waiting, 0U);
  EXPECT_EQ(counts.waiting_bytes, 0U);
}

}  // namespace
}  // namespace rollup::mqtt

#include "mqtt/subscriptions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rollup::mqtt {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Request = Subscriptions::Request;

Subscription wish(std::uint32_t stream, const std::string& filter, int qos = 1) {
  return {stream + 1, TopicFilter::parse(filter).value(), qos};
}

// "+home/+/temperature:1 -old/#": what is asked for, in order.
std::string text(const std::vector<Request>& requests) {
  std::string text;
  for (const Request& request : requests) {
    text += request.subscribe ? "+" + request.filter + ":" + std::to_string(request.qos) + " "
                              : "-" + request.filter + " ";
  }
  return text;
}

// Sends all that is asked for and lets the broker grant it.
void settle(Subscriptions& subscriptions) {
  static int mid = 1000;
  for (const Request& request : subscriptions.requests()) {
    subscriptions.sent(++mid, request);
    if (request.subscribe) {
      subscriptions.subscribed(mid, true);
    } else {
      subscriptions.unsubscribed(mid);
    }
  }
}

std::vector<std::uint32_t> streams(const Subscriptions& subscriptions,
                                   const std::vector<std::uint32_t>& identifiers) {
  std::vector<std::uint32_t> out;
  for (const std::uint32_t identifier : identifiers) {
    subscriptions.add_streams(identifier, out);
  }
  return out;
}

TEST(SubscriptionsTest, EveryFilterHasAnIdentifierThatNamesItsStreams) {
  Subscriptions subscriptions;
  subscriptions.want({wish(0, "home/{room}/temperature"), wish(1, "home/#")});
  const auto requests = subscriptions.requests();
  EXPECT_EQ(text(requests), "+home/#:1 +home/+/temperature:1 ");
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_NE(requests[0].identifier, 0U);
  EXPECT_NE(requests[0].identifier, requests[1].identifier);
  EXPECT_THAT(streams(subscriptions, {requests[0].identifier}), ElementsAre(2U));
  EXPECT_THAT(streams(subscriptions, {requests[1].identifier}), ElementsAre(1U));
  EXPECT_THAT(streams(subscriptions, {requests[1].identifier, requests[0].identifier}),
              ElementsAre(1U, 2U));
}

TEST(SubscriptionsTest, StreamsThatShareAFilterShareItsSubscription) {
  Subscriptions subscriptions;
  subscriptions.want({wish(0, "home/{room}", 0), wish(4, "home/+", 2)});
  const auto requests = subscriptions.requests();
  EXPECT_EQ(text(requests), "+home/+:2 ");
  EXPECT_THAT(streams(subscriptions, {requests.at(0).identifier}), ElementsAre(1U, 5U));
}

// A session outlives the program: what was queued for one filter must not reach another's streams.
TEST(SubscriptionsTest, FilterKeepsItsIdentifierWhateverStandsBesideIt) {
  Subscriptions before;
  before.want({wish(0, "a/+")});
  const std::uint32_t identifier = before.requests().at(0).identifier;
  Subscriptions after;
  after.want({wish(0, "b/+"), wish(1, "a/+")});
  EXPECT_THAT(streams(after, {identifier}), ElementsAre(2U));
  after.want({wish(0, "b/+")});
  std::vector<std::uint32_t> out;
  EXPECT_FALSE(after.add_streams(identifier, out));
  EXPECT_THAT(out, IsEmpty());
}

TEST(SubscriptionsTest, WithoutIdentifiersCoveredFiltersAreLeftOut) {
  Subscriptions subscriptions;
  subscriptions.use_identifiers(false);
  subscriptions.want({wish(0, "home/kitchen/temperature", 2), wish(1, "home/{room}/temperature", 0),
                      wish(2, "home/#", 0), wish(3, "garden/+", 1)});
  // The widest one takes over the highest QoS.
  EXPECT_EQ(text(subscriptions.requests()), "+garden/+:1 +home/#:2 ");
  EXPECT_EQ(subscriptions.requests().at(0).identifier, 0U);
}

TEST(SubscriptionsTest, ChangedFiltersAreTheOnlyOnesAskedFor) {
  Subscriptions subscriptions;
  subscriptions.want({wish(0, "a"), wish(1, "b"), wish(2, "c")});
  settle(subscriptions);
  EXPECT_THAT(subscriptions.requests(), IsEmpty());
  EXPECT_EQ(subscriptions.missing(), 0U);
  // Another place of the stream changes nothing at the broker; another QoS does.
  subscriptions.want({wish(0, "c"), wish(1, "b", 2), wish(2, "d")});
  EXPECT_EQ(text(subscriptions.requests()), "-a +b:2 +d:1 ");
}

TEST(SubscriptionsTest, WhatIsUnderWayIsNotAskedForAgain) {
  Subscriptions subscriptions;
  subscriptions.want({wish(0, "a")});
  subscriptions.sent(1, subscriptions.requests().at(0));
  EXPECT_THAT(subscriptions.requests(), IsEmpty());
  EXPECT_EQ(subscriptions.missing(), 1U);
  EXPECT_EQ(subscriptions.subscribed(1, true), "a");
  EXPECT_EQ(subscriptions.missing(), 0U);
  EXPECT_EQ(subscriptions.subscribed(99, true), std::nullopt);
}

TEST(SubscriptionsTest, FilterThatComesBackWhileItIsUnsubscribedIsAskedForAfterwards) {
  Subscriptions subscriptions;
  subscriptions.want({wish(0, "a")});
  settle(subscriptions);
  subscriptions.want({});
  subscriptions.sent(7, subscriptions.requests().at(0));
  subscriptions.want({wish(0, "a")});
  subscriptions.unsubscribed(7);
  EXPECT_EQ(text(subscriptions.requests()), "+a:1 ");
}

TEST(SubscriptionsTest, RefusedFilterIsAskedForAgainOnTheNextConnectionOnly) {
  Subscriptions subscriptions;
  subscriptions.want({wish(0, "a"), wish(1, "b")});
  const auto requests = subscriptions.requests();
  subscriptions.sent(1, requests.at(0));
  subscriptions.sent(2, requests.at(1));
  EXPECT_EQ(subscriptions.subscribed(1, false), "a");
  EXPECT_EQ(subscriptions.subscribed(2, true), "b");
  EXPECT_THAT(subscriptions.requests(), IsEmpty());
  EXPECT_EQ(subscriptions.missing(), 1U);
  subscriptions.link_lost();
  EXPECT_EQ(text(subscriptions.requests()), "+a:1 ");
}

TEST(SubscriptionsTest, BrokenLinkAsksAgainForWhatWasNotAnswered) {
  Subscriptions subscriptions;
  subscriptions.want({wish(0, "a"), wish(1, "b")});
  settle(subscriptions);
  subscriptions.want({wish(0, "a"), wish(1, "c")});
  int mid = 0;
  for (const Request& request : subscriptions.requests()) {
    subscriptions.sent(++mid, request);
  }
  subscriptions.link_lost();
  EXPECT_EQ(text(subscriptions.requests()), "-b +c:1 ");
}

TEST(SubscriptionsTest, LostSessionAsksForEverything) {
  Subscriptions subscriptions;
  subscriptions.want({wish(0, "a"), wish(1, "b")});
  settle(subscriptions);
  subscriptions.link_lost();
  EXPECT_THAT(subscriptions.requests(), IsEmpty());
  subscriptions.session_lost();
  EXPECT_EQ(text(subscriptions.requests()), "+a:1 +b:1 ");
}

}  // namespace
}  // namespace rollup::mqtt

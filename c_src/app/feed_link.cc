#include "app/feed_link.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace rollup::app {

namespace {

// One frame of publications: enough to be worth a wake-up, little enough for a pipe.
constexpr std::size_t kPublishBytesMax = std::size_t{256} * 1024;

mqtt::Outbox::Clock::time_point to_steady(Duration running) {
  return mqtt::Outbox::Clock::time_point(running);
}

}  // namespace

std::uint64_t FeedLink::take(port::FeedBatch batch) {
  up_to_ = batch.up_to;
  if (!begun_) {
    begun_ = batch.up_to;
  }
  if (batch.epoch != received_.epoch) {
    received_ = {batch.epoch, batch.first - 1};
  }
  const std::size_t size = batch.messages.size();
  const std::uint64_t end = batch.first + size;  // one past the last
  if (size == 0) {
    return batch.lost;
  }
  if (end <= received_.number + 1) {
    return 0;  // all of it was here
  }
  if (batch.first <= received_.number) {
    const auto known = static_cast<std::ptrdiff_t>(received_.number + 1 - batch.first);
    batch.messages.erase(batch.messages.begin(), batch.messages.begin() + known);
    batch.first = received_.number + 1;
  }
  received_.number = end - 1;
  batches_.push_back({batch.epoch, batch.first, std::move(batch.messages)});
  return batch.lost;
}

std::optional<Time> FeedLink::hold(Time wall) const {
  if (!up_to_) {
    return Time::min();
  }
  return wall - *up_to_ > kSilenceMax ? up_to_ : std::nullopt;
}

Message FeedLink::pop() {
  ROLLUP_CHECK(!batches_.empty());
  Batch& batch = batches_.front();
  handed_out_ = {batch.epoch, batch.first + next_};
  Message message = std::move(batch.messages[next_]);
  ++taken_;
  ++next_;
  if (next_ == batch.messages.size()) {
    batches_.pop_front();
    next_ = 0;
  }
  return message;
}

void FeedLink::publish(Publication publication, Duration running) {
  outbox_.put(std::move(publication), to_steady(running));
}

std::optional<std::string> FeedLink::next_publish(Duration running) {
  std::vector<Publication> publications;
  for (std::size_t bytes = 0; under_way_ < kUnderWayMax && bytes < kPublishBytesMax;) {
    std::optional<Publication> next = outbox_.take(to_steady(running));
    if (!next) {
      break;
    }
    ++under_way_;
    bytes += next->topic.size() + next->payload.size();
    publications.push_back(*std::move(next));
  }
  if (publications.empty()) {
    return std::nullopt;
  }
  return port::encode_publish(publications);
}

void FeedLink::count(const port::Published& answer) {
  published_ += answer.count - answer.refused;
  refused_ += answer.refused;
}

port::BrokerStatus FeedLink::status() const {
  port::BrokerStatus status;
  status.name = broker_;
  status.state = begun_ ? LinkState::connected : LinkState::connecting;
  status.since = begun_.value_or(Time{});
  status.received = taken_;
  status.published = published_;
  status.unpublished = refused_ + outbox_.dropped();
  status.queued = outbox_.size() + under_way_;
  if (refused_ > 0) {
    status.last_error = std::to_string(refused_) +
                        " publications were refused by mod_mqtt: see access_publish, and the log";
  }
  return status;
}

}  // namespace rollup::app

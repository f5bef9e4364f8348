#include "mqtt/client.h"

#include <utility>

#include "mqtt/link.h"

namespace rollup::mqtt {

Client::Client(Options options, Inbox& inbox, std::vector<Subscription> subscriptions, Log log)
    : link_(std::make_shared<Link>(std::move(options), inbox, std::move(log))) {
  link_->update_filters(std::move(subscriptions));
  std::promise<void> promise;
  finished_ = promise.get_future();
  thread_ = std::thread([link = link_, done = std::move(promise)]() mutable {
    link->run();
    link.reset();
    done.set_value();
  });
}

Client::~Client() { stop(); }

void Client::publish(Publication message) { link_->publish(std::move(message)); }

void Client::update_filters(std::vector<Subscription> subscriptions) {
  link_->update_filters(std::move(subscriptions));
}

Status Client::status() const { return link_->status(); }

void Client::stop() {
  if (!thread_.joinable()) {
    return;
  }
  link_->request_stop();
  if (finished_.wait_for(link_->options().stop_max) == std::future_status::ready) {
    thread_.join();
  } else {
    link_->abandon();
    thread_.detach();
  }
}

}  // namespace rollup::mqtt

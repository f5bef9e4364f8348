#include "mqtt/client.h"

#include <utility>

#include "mqtt/link.h"

namespace rollup::mqtt {

Client::Client(Options options, Inbox& inbox, std::vector<Subscription> subscriptions, Log log)
    : link_(std::make_shared<Link>(std::move(options), inbox, std::move(log))) {
  link_->update_filters(std::move(subscriptions));
}

Client::~Client() { stop(); }

void Client::start(const Deliveries& taken) {
  std::promise<void> promise;
  finished_ = promise.get_future();
  thread_ = std::thread([link = link_, taken, done = std::move(promise)]() mutable {
    link->run(taken);
    link.reset();
    done.set_value();
  });
}

void Client::appended(std::uint64_t number) { link_->appended(number); }

void Client::publish(Publication message) { link_->publish(std::move(message)); }

void Client::update_filters(std::vector<Subscription> subscriptions) {
  link_->update_filters(std::move(subscriptions));
}

Status Client::status() const { return link_->status(); }

void Client::request_stop() {
  if (stop_by_ == std::chrono::steady_clock::time_point()) {
    stop_by_ = std::chrono::steady_clock::now() + link_->options().stop_max;
    link_->request_stop();
  }
}

bool Client::has_ended() const {
  constexpr std::chrono::steady_clock::time_point kNever{};
  return !finished_.valid() ||
         finished_.wait_for(std::chrono::seconds(0)) == std::future_status::ready ||
         (stop_by_ != kNever && std::chrono::steady_clock::now() >= stop_by_);
}

bool Client::is_over() const { return has_ended() && link_->is_all_appended(); }

void Client::stop() {
  if (!thread_.joinable()) {
    return;
  }
  request_stop();
  if (finished_.wait_until(stop_by_) == std::future_status::ready) {
    thread_.join();
  } else {
    link_->abandon();
    thread_.detach();
  }
}

}  // namespace rollup::mqtt

#include "app/log.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <utility>

namespace rollup::app {

namespace {

LogLevel from_spdlog(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return LogLevel::debug;
    case spdlog::level::warn:
      return LogLevel::warning;
    case spdlog::level::err:
    case spdlog::level::critical:
      return LogLevel::error;
    default:
      return LogLevel::info;
  }
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

class QueueSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit QueueSink(LogQueue& queue) : queue_(queue) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    queue_.push(
        {from_spdlog(message.level), std::string(message.payload.data(), message.payload.size())});
  }
  void flush_() override {}

 private:
  LogQueue& queue_;
};

void use(std::shared_ptr<spdlog::sinks::sink> sink) {
  auto logger = std::make_shared<spdlog::logger>("mqtt_rollup", std::move(sink));
  logger->set_level(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace

void LogQueue::push(LogLine line) {
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    if (lines_.size() >= kLinesMax) {
      lines_.pop_front();
      ++lost_;
    }
    lines_.push_back(std::move(line));
    wake = wake_;
  }
  if (wake) {
    wake();
  }
}

std::vector<LogLine> LogQueue::take() {
  const std::lock_guard lock(mutex_);
  std::vector<LogLine> taken;
  taken.reserve(lines_.size() + 1);
  if (lost_ > 0) {
    taken.push_back(
        {LogLevel::warning, std::to_string(std::exchange(lost_, 0)) + " log lines were left out"});
  }
  std::move(lines_.begin(), lines_.end(), std::back_inserter(taken));
  lines_.clear();
  return taken;
}

void LogQueue::set_wake(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

void log_to_stderr() { use(std::make_shared<spdlog::sinks::stderr_sink_mt>()); }

void log_to_queue(LogQueue& queue) { use(std::make_shared<QueueSink>(queue)); }

void log(LogLevel level, const std::string& text) { spdlog::log(to_spdlog(level), "{}", text); }

}  // namespace rollup::app

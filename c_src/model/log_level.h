// How much a log line matters.
#pragma once

namespace rollup {

enum class LogLevel { debug, info, warning, error };

constexpr const char* to_string(LogLevel level) {
  return level == LogLevel::debug     ? "debug"
         : level == LogLevel::info    ? "info"
         : level == LogLevel::warning ? "warning"
                                      : "error";
}

}  // namespace rollup

#include "base/error.h"

namespace rollup {

const char* to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::bad_config:
      return "bad_config";
    case ErrorCode::bad_request:
      return "bad_request";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::too_large:
      return "too_large";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::storage:
      return "storage";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::unavailable:
      return "unavailable";
  }
  return "bad_request";
}

}  // namespace rollup

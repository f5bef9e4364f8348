// Operating errors: what may fail for reasons outside the program (a wrong option, a full disk).
//
// Unwanted data is never an Error, it is a DropReason and a counter; a programmer's mistake is a
// ROLLUP_CHECK.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace rollup {

// The codes cross to Erlang as atoms of the same spelling; see to_string(ErrorCode).
enum class ErrorCode {
  bad_config,   // an option has a wrong value; `place` is its path
  bad_request,  // a question is malformed; `place` is the field
  not_found,    // no series, alert or cursor of that name
  too_large,    // over a limit; the message names the limit
  timeout,      // the deadline passed before the work was done
  storage,      // the history file cannot be read or written
  unsupported,  // a version of the protocol or of a file that this program does not know
  unavailable,  // a broker or the database is not there now; trying again may help
};

// The atom's text, e.g. "bad_config".
const char* to_string(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::bad_request;
  // Where: an option path as "streams->temperature->publish->1->topic" (list places count from 1),
  // a form field, a file. May be empty.
  std::string place;
  // For a person: what was wrong, what was expected, what to do. No full stop at the end.
  std::string message;

  friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = tl::expected<T, Error>;

using Errors = std::vector<Error>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string place, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(place), std::move(message)});
}

}  // namespace rollup

// Takes a map apart key by key, with errors that say where.
//
// The first error is kept in a Failure that all readers of one message share; from then on every
// getter gives a harmless default, so a whole struct can be read without a test after each key. Ask
// the Failure once at the end.
//
//   Failure failure(ErrorCode::bad_config);
//   MapReader reader(failure, term, "streams->temperature");
//   stream.topic = reader.text("topic");
//   reader.finish();
//   if (failure) …
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "model/config.h"
#include "port/term.h"

namespace rollup::port {

// No duration or time of the protocol is longer (a thousand years), so sums of some never overflow.
inline constexpr std::int64_t kDurationMsMax = std::int64_t{365'250} * 86'400'000;

class Failure {
 public:
  explicit Failure(ErrorCode code) : code_(code) {}

  explicit operator bool() const { return error_.has_value(); }
  // Only if there is one.
  const Error& error() const { return *error_; }

  // Keeps the first one.
  void set(std::string place, std::string message);
  // "expected …, got a list"
  void expected(std::string place, std::string_view what, const Term& got);

 private:
  ErrorCode code_;
  std::optional<Error> error_;
};

// "a->b"; one of them may be empty.
std::string join_place(std::string_view place, std::string_view key);

// Single values; `place` is theirs.
std::string read_text(Failure& failure, const Term& term, const std::string& place);
std::int64_t read_integer(Failure& failure, const Term& term, const std::string& place,
                          std::int64_t lower, std::int64_t upper);
double read_number(Failure& failure, const Term& term, const std::string& place);
// The items of a list.
const std::vector<Term>& read_list(Failure& failure, const Term& term, const std::string& place);
// The items of a tuple of `size`; nothing if it is none.
const std::vector<Term>* read_tuple(Failure& failure, const Term& term, const std::string& place,
                                    std::size_t size);

class MapReader {
 public:
  // `failure` and `term` must outlive it.
  MapReader(Failure& failure, const Term& term, std::string place);

  std::string text(std::string_view key);
  std::vector<std::string> texts(std::string_view key);
  std::int64_t integer(std::string_view key, std::int64_t lower, std::int64_t upper);
  double number(std::string_view key);
  bool boolean(std::string_view key);
  // 0 .. kDurationMsMax ms.
  Duration duration(std::string_view key);
  // The atom `none_word`, or a duration.
  std::optional<Duration> duration_or(std::string_view key, std::string_view none_word);
  // The atom `forever` (kForever), or a duration.
  Duration duration_or_forever(std::string_view key);

  // One of the given atoms.
  template <class T>
  T choice(std::string_view key, std::initializer_list<std::pair<std::string_view, T>> choices) {
    const Term* found = term(key);
    std::string names;
    for (const auto& [name, value] : choices) {
      if (found != nullptr && found->is_atom(name)) {
        return value;
      }
      names += names.empty() ? "" : " | ";
      names += name;
    }
    if (found != nullptr) {
      failure_.expected(place_of(key), names, *found);
    }
    return choices.begin()->second;
  }

  // The term under `key`; nothing, and an error, if there is none.
  const Term* term(std::string_view key);
  std::string place_of(std::string_view key) const { return join_place(place_, key); }
  Failure& failure() { return failure_; }

  // An error for a key that nobody asked for.
  void finish();

 private:
  Failure& failure_;
  const Term& term_;
  std::string place_;
  std::vector<std::string_view> asked_;  // keys; callers pass literals
};

}  // namespace rollup::port

#include "port/map_reader.h"

#include <algorithm>

#include "base/text.h"

namespace rollup::port {

void Failure::set(std::string place, std::string message) {
  if (!error_) {
    error_ = Error{code_, std::move(place), std::move(message)};
  }
}

void Failure::expected(std::string place, std::string_view what, const Term& got) {
  std::string message = "expected ";
  message += what;
  message += ", got ";
  if (const std::string* atom = got.as_atom()) {
    message += "the atom " + atom->substr(0, 64);
  } else if (const std::optional<std::int64_t> integer = got.as_integer()) {
    message += std::to_string(*integer);
  } else {
    message += got.kind_name();
  }
  set(std::move(place), std::move(message));
}

std::string join_place(std::string_view place, std::string_view key) {
  std::string joined(place);
  if (!joined.empty() && !key.empty()) {
    joined += "->";
  }
  joined += key;
  return joined;
}

std::string read_text(Failure& failure, const Term& term, const std::string& place) {
  const std::string* bytes = term.as_binary();
  if (bytes == nullptr) {
    failure.expected(place, "a binary", term);
    return {};
  }
  if (!is_utf8(*bytes)) {
    failure.set(place, "expected UTF-8");
    return {};
  }
  return *bytes;
}

std::int64_t read_integer(Failure& failure, const Term& term, const std::string& place,
                          std::int64_t lower, std::int64_t upper) {
  const std::optional<std::int64_t> value = term.as_integer();
  if (!value || *value < lower || *value > upper) {
    failure.expected(
        place, "an integer from " + std::to_string(lower) + " to " + std::to_string(upper), term);
    return lower;
  }
  return *value;
}

double read_number(Failure& failure, const Term& term, const std::string& place) {
  const std::optional<double> value = term.as_number();
  if (!value) {
    failure.expected(place, "a number", term);
    return 0;
  }
  return *value;
}

const std::vector<Term>& read_list(Failure& failure, const Term& term, const std::string& place) {
  static const std::vector<Term> kNoItems;
  const std::vector<Term>* items = term.as_list();
  if (items == nullptr) {
    failure.expected(place, "a list", term);
    return kNoItems;
  }
  return *items;
}

const std::vector<Term>* read_tuple(Failure& failure, const Term& term, const std::string& place,
                                    std::size_t size) {
  const std::vector<Term>* items = term.as_tuple();
  if (items == nullptr || items->size() != size) {
    failure.expected(place, "a tuple of " + std::to_string(size), term);
    return nullptr;
  }
  return items;
}

MapReader::MapReader(Failure& failure, const Term& term, std::string place)
    : failure_(failure), term_(term), place_(std::move(place)) {
  if (term.as_map() == nullptr) {
    failure_.expected(place_, "a map", term);
  }
}

const Term* MapReader::term(std::string_view key) {
  asked_.push_back(key);
  const Term* found = term_.get(key);
  if (found == nullptr) {
    failure_.set(place_of(key), "is missing");
  }
  return found;
}

std::string MapReader::text(std::string_view key) {
  const Term* found = term(key);
  return found == nullptr ? std::string() : read_text(failure_, *found, place_of(key));
}

std::vector<std::string> MapReader::texts(std::string_view key) {
  std::vector<std::string> texts;
  if (const Term* found = term(key)) {
    for (const Term& item : read_list(failure_, *found, place_of(key))) {
      const std::string place = join_place(place_of(key), std::to_string(texts.size() + 1));
      texts.push_back(read_text(failure_, item, place));
    }
  }
  return texts;
}

std::int64_t MapReader::integer(std::string_view key, std::int64_t lower, std::int64_t upper) {
  const Term* found = term(key);
  return found == nullptr ? lower : read_integer(failure_, *found, place_of(key), lower, upper);
}

double MapReader::number(std::string_view key) {
  const Term* found = term(key);
  return found == nullptr ? 0 : read_number(failure_, *found, place_of(key));
}

bool MapReader::boolean(std::string_view key) {
  return choice<bool>(key, {{"false", false}, {"true", true}});
}

Duration MapReader::duration(std::string_view key) {
  return Duration(integer(key, 0, kDurationMsMax));
}

std::optional<Duration> MapReader::duration_or(std::string_view key, std::string_view none_word) {
  const Term* found = term(key);
  if (found == nullptr || found->is_atom(none_word)) {
    return std::nullopt;
  }
  if (!found->as_integer()) {
    failure_.expected(place_of(key), std::string(none_word) + " or an integer", *found);
    return std::nullopt;
  }
  return Duration(read_integer(failure_, *found, place_of(key), 0, kDurationMsMax));
}

Duration MapReader::duration_or_forever(std::string_view key) {
  return duration_or(key, "forever").value_or(kForever);
}

void MapReader::finish() {
  const std::vector<Term>* items = term_.as_map();
  if (items == nullptr) {
    return;
  }
  for (std::size_t index = 0; index + 1 < items->size(); index += 2) {
    const Term& key = (*items)[index];
    const std::string* name = key.as_atom();
    if (name == nullptr) {
      failure_.expected(place_, "atoms as keys", key);
    } else if (std::find(asked_.begin(), asked_.end(), *name) == asked_.end()) {
      failure_.set(place_of(*name), "is not known");
    }
  }
}

}  // namespace rollup::port

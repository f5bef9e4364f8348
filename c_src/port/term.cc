#include "port/term.h"

namespace rollup::port {

bool operator==(const Term::List& left, const Term::List& right) {
  return left.items == right.items;
}

bool operator==(const Term::Tuple& left, const Term::Tuple& right) {
  return left.items == right.items;
}

bool operator==(const Term::Map& left, const Term::Map& right) { return left.items == right.items; }

std::optional<std::int64_t> Term::as_integer() const {
  if (const auto* integer = std::get_if<std::int64_t>(&value_)) {
    return *integer;
  }
  return std::nullopt;
}

std::optional<double> Term::as_number() const {
  if (const auto* integer = std::get_if<std::int64_t>(&value_)) {
    return static_cast<double>(*integer);
  }
  if (const auto* real = std::get_if<double>(&value_)) {
    return *real;
  }
  return std::nullopt;
}

const std::string* Term::as_atom() const {
  const auto* atom = std::get_if<Atom>(&value_);
  return atom == nullptr ? nullptr : &atom->name;
}

const std::string* Term::as_binary() const {
  const auto* binary = std::get_if<Binary>(&value_);
  return binary == nullptr ? nullptr : &binary->bytes;
}

const std::vector<Term>* Term::as_list() const {
  const auto* list = std::get_if<List>(&value_);
  return list == nullptr ? nullptr : &list->items;
}

const std::vector<Term>* Term::as_tuple() const {
  const auto* tuple = std::get_if<Tuple>(&value_);
  return tuple == nullptr ? nullptr : &tuple->items;
}

const std::vector<Term>* Term::as_map() const {
  const auto* map = std::get_if<Map>(&value_);
  return map == nullptr ? nullptr : &map->items;
}

bool Term::is_atom(std::string_view name) const {
  const std::string* atom = as_atom();
  return atom != nullptr && *atom == name;
}

const Term* Term::get(std::string_view key) const {
  if (const std::vector<Term>* items = as_map()) {
    for (std::size_t index = 0; index + 1 < items->size(); index += 2) {
      if ((*items)[index].is_atom(key)) {
        return &(*items)[index + 1];
      }
    }
  }
  return nullptr;
}

std::string_view Term::kind_name() const {
  static constexpr std::string_view kNames[] = {"an integer", "a float", "an atom", "a binary",
                                                "a list",     "a tuple", "a map"};
  static_assert(std::size(kNames) == std::variant_size_v<Value>);
  return kNames[value_.index()];
}

}  // namespace rollup::port

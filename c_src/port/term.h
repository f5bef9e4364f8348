// A value as Erlang sends it: the part of its terms that the port protocol uses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace rollup::port {

class Term {
 public:
  struct Atom {
    std::string name;  // UTF-8
    friend bool operator==(const Atom&, const Atom&) = default;
  };
  struct Binary {
    std::string bytes;
    friend bool operator==(const Binary&, const Binary&) = default;
  };
  struct List {
    std::vector<Term> items;
    friend bool operator==(const List&, const List&);
  };
  struct Tuple {
    std::vector<Term> items;
    friend bool operator==(const Tuple&, const Tuple&);
  };
  struct Map {
    std::vector<Term> items;  // key, value, key, value, … as they came
    friend bool operator==(const Map&, const Map&);
  };
  using Value = std::variant<std::int64_t, double, Atom, Binary, List, Tuple, Map>;

  explicit Term(Value value) : value_(std::move(value)) {}
  static Term integer(std::int64_t value) { return Term(Value(value)); }
  static Term real(double value) { return Term(Value(value)); }
  static Term atom(std::string name) { return Term(Value(Atom{std::move(name)})); }
  static Term binary(std::string bytes) { return Term(Value(Binary{std::move(bytes)})); }
  static Term list(std::vector<Term> items) { return Term(Value(List{std::move(items)})); }
  static Term tuple(std::vector<Term> items) { return Term(Value(Tuple{std::move(items)})); }
  static Term map(std::vector<Term> items) { return Term(Value(Map{std::move(items)})); }

  const Value& value() const { return value_; }

  // Each gives nothing if the term is of another kind. Pointers live as long as the term.
  std::optional<std::int64_t> as_integer() const;
  std::optional<double> as_number() const;  // an integer too
  const std::string* as_atom() const;
  const std::string* as_binary() const;
  const std::vector<Term>* as_list() const;
  const std::vector<Term>* as_tuple() const;
  const std::vector<Term>* as_map() const;  // key, value, key, value, …

  bool is_atom(std::string_view name) const;

  // The value under the atom `key`; nothing if there is none or this is no map.
  const Term* get(std::string_view key) const;

  // For messages: "an integer", "a map", …
  std::string_view kind_name() const;

  friend bool operator==(const Term&, const Term&) = default;

 private:
  Value value_;
};

}  // namespace rollup::port

// Which of many names could be meant by one that does not exist.
//
//   AlikeNames alike(name);
//   for (const std::string& known : …) alike.offer(known);   // cheap, for tens of thousands
//   nearest_name(name, alike.best());                         // dear, for a few
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rollup::query {

class AlikeNames {
 public:
  // As many come out as an edit distance can be taken of at once.
  static constexpr std::size_t kNamesMax = 64;
  // Longer names are no misspelt ones, and nothing is like them.
  static constexpr std::size_t kNameBytesMax = 128;
  // Of the names that are offered so many bytes are looked at: all of tens of thousands, and the
  // more the more alike they are.
  static constexpr std::size_t kBytesMax = std::size_t{4} << 20;

  // `name` must outlive this.
  explicit AlikeNames(std::string_view name);

  // `known` must outlive this.
  void offer(std::string_view known);

  // Those that the fewest edits could make of the name, in the order in which they were offered. A
  // name that nearest_name() may choose is left out only for others that look nearer.
  std::vector<std::string> best();

 private:
  struct Candidate {
    std::string_view known;
    std::size_t edits_min = 0;  // by which characters there are, wherever they stand
    std::size_t differing = 0;  // bytes between what they begin and end with in common
    std::size_t place = 0;      // in the order of offers
  };

  std::size_t edits_min(std::string_view a, std::string_view b);
  void keep_best();

  std::string_view name_;
  std::size_t edits_max_ = 0;
  std::size_t bytes_ = 0;  // looked at
  std::size_t offers_ = 0;
  std::vector<Candidate> candidates_;
  std::array<std::uint8_t, 256> counts_{};  // of each byte; all 0 between calls
};

}  // namespace rollup::query

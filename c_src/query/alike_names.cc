#include "query/alike_names.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"

namespace rollup::query {

AlikeNames::AlikeNames(std::string_view name)
    : name_(name), edits_max_(name.size() > kNameBytesMax ? 0 : edits_of_misspelling(name)) {}

void AlikeNames::offer(std::string_view known) {
  const std::size_t place = offers_++;
  if (edits_max_ == 0 || bytes_ > kBytesMax || known.size() > name_.size() + edits_max_ ||
      name_.size() > known.size() + edits_max_) {
    return;
  }
  // What both begin and end with takes no edit.
  const auto [from, known_from] =
      std::mismatch(name_.begin(), name_.end(), known.begin(), known.end());
  std::string_view a(from, name_.end());
  std::string_view b(known_from, known.end());
  const auto [end, known_end] = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend());
  a.remove_suffix(static_cast<std::size_t>(end - a.rbegin()));
  b.remove_suffix(static_cast<std::size_t>(known_end - b.rbegin()));
  bytes_ += a.size() + b.size();
  if (const std::size_t edits = edits_min(a, b); edits <= edits_max_) {
    candidates_.push_back({known, edits, std::max(a.size(), b.size()), place});
  }
  if (candidates_.size() >= 16 * kNamesMax) {
    keep_best();
  }
}

// A replacement changes one character of the bag, an insertion or deletion its size by one, a swap
// nothing.
std::size_t AlikeNames::edits_min(std::string_view a, std::string_view b) {
  for (const char c : a) {
    ++counts_[static_cast<unsigned char>(c)];
  }
  std::size_t common = 0;
  for (const char c : b) {
    std::uint8_t& count = counts_[static_cast<unsigned char>(c)];
    if (count > 0) {
      --count;
      ++common;
    }
  }
  for (const char c : a) {
    counts_[static_cast<unsigned char>(c)] = 0;
  }
  return std::max(a.size(), b.size()) - common;
}

void AlikeNames::keep_best() {
  if (candidates_.size() <= kNamesMax) {
    return;
  }
  const auto end = candidates_.begin() + static_cast<std::ptrdiff_t>(kNamesMax);
  std::nth_element(candidates_.begin(), end, candidates_.end(),
                   [](const Candidate& left, const Candidate& right) {
                     return std::tie(left.edits_min, left.differing, left.place) <
                            std::tie(right.edits_min, right.differing, right.place);
                   });
  candidates_.erase(end, candidates_.end());
}

std::vector<std::string> AlikeNames::best() {
  keep_best();
  std::sort(candidates_.begin(), candidates_.end(),
            [](const Candidate& left, const Candidate& right) { return left.place < right.place; });
  std::vector<std::string> names;
  for (const Candidate& candidate : candidates_) {
    names.emplace_back(candidate.known);
  }
  return names;
}

}  // namespace rollup::query

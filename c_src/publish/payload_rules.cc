#include "publish/payload_rules.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/text.h"
#include "publish/encode.h"

namespace rollup::publish {
namespace {

// DinoX copies a payload into a buffer of its own size and forgets the final NUL. malloc gives 16 k
// + 8 usable bytes on 64-bit glibc, so at these sizes nothing but the next block's header follows.
bool is_unlucky(std::size_t size) { return size >= 24 && size % 16 == 8; }

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

// The longest prefix of at most `bytes_max` bytes that ends with a whole character.
std::size_t whole_characters(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) {
    return text.size();
  }
  std::size_t size = bytes_max;
  while (size > 0 && continues_character(text[size])) {
    --size;
  }
  return size;
}

struct Character {
  char32_t code = 0;
  std::size_t bytes = 1;
  bool is_valid = false;
};

// The first character of `text`, which is not empty; a byte that begins none is not valid.
Character first_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t bytes = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const std::string_view encoded = text.substr(0, bytes);
  if (encoded.size() < bytes || !is_utf8(encoded)) {
    return {};
  }
  char32_t code = bytes == 1 ? lead : lead & (0x7fU >> bytes);
  for (const char c : encoded.substr(1)) {
    code = (code << 6U) | (static_cast<unsigned char>(c) & 0x3fU);
  }
  return {code, bytes, true};
}

// Control characters, those that turn the direction of the text around them, line separators, and
// what XML (and so XMPP) cannot carry.
bool is_harmful(char32_t code) {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0xfffe || code == 0xffff;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool ends_with_xmpp(std::string_view text) {
  constexpr std::string_view kScheme = "xmpp";
  return text.size() >= kScheme.size() &&
         std::equal(kScheme.begin(), kScheme.end(), text.end() - kScheme.size(),
                    [](char a, char b) { return a == lower(b); });
}

bool may_begin_tag(char c) {
  return (lower(c) >= 'a' && lower(c) <= 'z') || c == '/' || c == '!' || c == '?';
}

}  // namespace

int decimals_for(Statistic statistic, int decimals) {
  switch (row_of(statistic).decimals) {
    case Decimals::none:
      return 0;
    case Decimals::at_least_two:
      return decimals == 0 ? 2 : decimals;
    case Decimals::most:
      return kDecimalsMax;
    case Decimals::as_series:
      break;
  }
  return decimals;
}

std::string safe_text(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  while (!text.empty()) {
    const Character character = first_character(text);
    const std::string_view encoded = text.substr(0, character.bytes);
    text.remove_prefix(character.bytes);
    if (!character.is_valid) {
      safe += "\xef\xbf\xbd";  // U+FFFD, the replacement character
      continue;
    }
    if (is_harmful(character.code)) {
      continue;
    }
    // Looked at in what is kept: a dropped character must not hide what it parted.
    const bool makes_link = encoded == ":" && ends_with_xmpp(safe);
    const bool makes_tag = !safe.empty() && safe.back() == '<' && may_begin_tag(encoded.front());
    if (makes_link || makes_tag) {
      safe += ' ';
    }
    safe += encoded;
  }
  return safe;
}

bool fits_padded(std::size_t size, std::size_t bytes_max) {
  return size + (is_unlucky(size) ? 1 : 0) <= bytes_max;
}

void pad_payload(std::string& payload, std::size_t bytes_max) {
  payload.resize(whole_characters(payload, bytes_max));
  if (payload.empty() && bytes_max > 0) {
    payload = " ";
  }
  if (!is_unlucky(payload.size())) {
    return;
  }
  if (payload.size() < bytes_max) {
    payload += ' ';
  } else {
    payload.resize(whole_characters(payload, bytes_max - 1));
  }
}

std::string shortened(std::string_view text, std::size_t bytes_max) {
  constexpr std::string_view kEllipsis = "…";
  if (text.size() <= bytes_max) {
    return std::string(text);
  }
  if (bytes_max < kEllipsis.size()) {
    return {};
  }
  return std::string(text.substr(0, whole_characters(text, bytes_max - kEllipsis.size())))
      .append(kEllipsis);
}

std::string duration_for_people(Duration duration, int units_max) {
  struct Unit {
    std::string_view name;
    std::int64_t ms;
  };
  static constexpr std::array<Unit, 5> kUnits = {
      {{" d", 86'400'000}, {" h", 3'600'000}, {" min", 60'000}, {" s", 1'000}, {" ms", 1}}};
  std::int64_t rest = std::max<std::int64_t>(0, duration.count());
  // "24 h" says more than "1 d" of a time that is read beside hours.
  const std::size_t first = rest < 2 * kUnits[0].ms ? 1 : 0;
  std::string text;
  int units = 0;
  for (std::size_t i = first; i < kUnits.size() && units < units_max; ++i) {
    const std::int64_t amount = rest / kUnits.at(i).ms;
    rest %= kUnits.at(i).ms;
    if (amount > 0) {
      text += (text.empty() ? "" : " ") + std::to_string(amount) + std::string(kUnits.at(i).name);
    }
    units += text.empty() ? 0 : 1;
  }
  return text.empty() ? "0 s" : text;
}

std::string with_unit(double value, int decimals, std::string_view unit) {
  std::string text = format_fixed(value, decimals);
  if (!text.empty() && !unit.empty()) {
    text.append(" ").append(unit);
  }
  return text;
}

}  // namespace rollup::publish

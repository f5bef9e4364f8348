#include <algorithm>

#include "base/text.h"
#include "publish/encode.h"
#include "publish/payload_rules.h"

namespace rollup::publish {
namespace {

// No XMPP server refuses a message of this size.
constexpr std::size_t kTextBytesMax = 4096;
// Names come from topics, which may be 64 KiB long.
constexpr std::size_t kNameBytesMax = 512;

struct Words {
  std::string_view unknown;
  std::string_view since;
  std::string_view lasted;
};

const Words& words_in(std::string_view language) {
  static constexpr Words kEnglish = {"value unknown", "since", "alarm lasted"};
  static constexpr Words kGerman = {"Wert unbekannt", "seit", "Alarm dauerte"};
  const std::string_view primary = language.substr(0, language.find_first_of("-_"));
  return primary == "de" || primary == "DE" ? kGerman : kEnglish;
}

std::string name(std::string_view text) { return shortened(safe_text(text), kNameBytesMax); }

// "fridge (home/kitchen/fridge): 9.2 °C, "
std::string subject(const AlertFacts& facts, const Words& words) {
  std::string text = name(facts.alert) + " (";
  if (!facts.title.empty()) {
    text += name(facts.title) + ", ";
  }
  text += name(facts.series) + "): ";
  const std::string value =
      facts.state.value ? with_unit(*facts.state.value, facts.decimals, name(facts.unit)) : "";
  return text.append(value.empty() ? words.unknown : value).append(", ");
}

// "12:03–12:41", with dates where they differ.
std::string span_of(Time begin, Time end, const Zone& zone) {
  const bool is_one_day = zone.day_start(begin) == zone.day_start(end);
  return is_one_day ? zone.format_local_clock(begin) + "–" + zone.format_local_clock(end)
                    : zone.format_local(begin) + " – " + zone.format_local(end);
}

// Milliseconds matter to nobody, unless there is nothing else.
Duration told_length(Duration length) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(length);
  return seconds.count() > 0 ? Duration(seconds) : length;
}

// A '>' at the start of a line would make it a quotation.
std::string own_text(std::string_view message) {
  std::string text;
  while (!message.empty()) {
    const std::size_t end = std::min(message.find('\n'), message.size());
    const std::string line = safe_text(message.substr(0, end));
    message.remove_prefix(std::min(end + 1, message.size()));
    text += line.substr(0, 1) == ">" ? " " + line : line;
    text += '\n';
  }
  text.erase(text.find_last_not_of(" \n") + 1);
  return text;
}

}  // namespace

std::string alert_text(const AlertFacts& facts, std::string_view message, Time began,
                       const Zone& zone, std::string_view language) {
  const Words& words = words_in(language);
  if (facts.state.phase == AlertPhase::ok) {
    const Time ended = std::max(began, facts.state.since.value_or(began));
    return shortened("✔ OK " + subject(facts, words) + std::string(words.lasted) + " " +
                         duration_for_people(told_length(ended - began), 2) + " (" +
                         span_of(began, ended, zone) + ")",
                     kTextBytesMax);
  }
  const std::string own = own_text(message);
  if (!own.empty()) {
    return shortened(own, kTextBytesMax);
  }
  return shortened("⚠ ALARM " + subject(facts, words) + name(facts.limit) + " " +
                       std::string(words.since) + " " +
                       zone.format_local_clock(facts.state.since.value_or(began)),
                   kTextBytesMax);
}

}  // namespace rollup::publish

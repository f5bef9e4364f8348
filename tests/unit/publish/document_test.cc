// docs/PAYLOADS.md is a contract: its examples are what is written.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "examples.h"

namespace rollup::publish {
namespace {

// The fenced texts that follow "<!-- example: NAME -->", by name.
std::map<std::string, std::string> examples_of(const std::string& path) {
  std::ifstream file(path);
  std::map<std::string, std::string> examples;
  std::string name;
  std::string line;
  bool is_inside = false;
  while (std::getline(file, line)) {
    constexpr std::string_view kMark = "<!-- example: ";
    if (line.starts_with(kMark)) {
      name = line.substr(kMark.size(), line.find(" -->") - kMark.size());
    } else if (line.starts_with("```") && !name.empty()) {
      is_inside = !is_inside;
      if (!is_inside) {
        name.clear();
      }
    } else if (is_inside) {
      std::string& text = examples[name];
      text += (text.empty() ? "" : "\n") + line;
    }
  }
  return examples;
}

// The document shows payloads without the blank of the length rule.
std::string unpadded(std::string payload) {
  if (payload.size() % 16 == 9 && payload.back() == ' ') {
    payload.pop_back();
  }
  return payload;
}

TEST(PayloadsDocumentTest, EveryExampleIsWhatIsWritten) {
  const Time began = at("2026-04-04T12:03:00Z");
  const Zone utc;
  Summary unknown = example_summary();
  unknown.value.reset();
  Summary silent = unknown;
  silent.is_known = false;
  silent.covered = 0.118;
  silent.aggregate.count = 12;
  silent.spark.clear();
  const std::map<std::string, std::string> written = {
      {"number", encode(example_summary(), style(OutputFormat::number)).value()},
      {"json", encode(example_summary(), style(OutputFormat::json)).value()},
      {"json unknown", encode(silent, style(OutputFormat::json)).value()},
      {"text", encode(example_summary(), style(OutputFormat::text)).value()},
      {"text unknown", encode(unknown, style(OutputFormat::text)).value()},
      {"alert", encode(example_alarm(), 4096)},
      {"alert ok", encode(example_end(), 4096)},
      {"message", alert_text(example_alarm(), "", began, utc, "en")},
      {"message ok", alert_text(example_end(), "", began, utc, "en")},
      {"message de", alert_text(example_alarm(), "", began, utc, "de")},
      {"message ok de", alert_text(example_end(), "", began, utc, "de")},
  };
  const auto documented = examples_of(ROLLUP_SOURCE_DIR "/docs/PAYLOADS.md");
  for (const auto& [name, text] : written) {
    ASSERT_TRUE(documented.contains(name)) << name;
    EXPECT_EQ(documented.at(name), unpadded(text)) << name;
  }
  EXPECT_EQ(documented.size(), written.size());
}

}  // namespace
}  // namespace rollup::publish

// What Erlang writes is read, and what is written Erlang reads: with terms of OTP 25 that are kept
// beside this file, and with the Erlang that is installed.
#include <gtest/gtest.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "port/messages.h"
#include "port/term_reader.h"

namespace rollup::port {
namespace {

const std::string kDirectory = ROLLUP_PORT_TESTS_DIR;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string output_of(const std::string& command) {
  std::string output;
  FILE* pipe = ::popen(command.c_str(), "r");
  EXPECT_NE(pipe, nullptr);
  std::array<char, 4096> buffer{};
  while (const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), size);
  }
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return output;
}

std::string escript(const std::string& name, const std::string& argument = "") {
  return output_of("'" ROLLUP_ESCRIPT "' '" + kDirectory + "/" + name + "' " + argument);
}

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t index = 0; index + 1 < hex.size(); index += 2) {
    unsigned byte = 0;
    std::from_chars(hex.data() + index, hex.data() + index + 2, byte, 16);
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

// As io:format("~w") prints it.
std::string printed(const Term& term);

std::string printed(const std::vector<Term>& items, std::string_view open, std::string_view close) {
  std::string text(open);
  for (std::size_t index = 0; index < items.size(); ++index) {
    text += index == 0 ? "" : ",";
    text += printed(items[index]);
  }
  return text.append(close);
}

std::string printed(const Term& term) {
  if (const auto integer = term.as_integer()) {
    return std::to_string(*integer);
  }
  if (const auto number = term.as_number()) {
    std::array<char, 64> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), *number).ptr;
    const std::string text(buffer.data(), end);
    return text.find('.') == std::string::npos ? text + ".0" : text;
  }
  if (const std::string* atom = term.as_atom()) {
    return *atom == "after" ? "'after'" : *atom;
  }
  if (const std::string* bytes = term.as_binary()) {
    std::vector<Term> items;
    for (const char byte : *bytes) {
      items.push_back(Term::integer(static_cast<unsigned char>(byte)));
    }
    return printed(items, "<<", ">>");
  }
  if (const std::vector<Term>* items = term.as_list()) {
    return printed(*items, "[", "]");
  }
  if (const std::vector<Term>* items = term.as_tuple()) {
    return printed(*items, "{", "}");
  }
  const std::vector<Term>& items = *term.as_map();
  std::string text = "#{";
  for (std::size_t index = 0; index < items.size(); index += 2) {
    text += index == 0 ? "" : ",";
    text += printed(items[index]) + " => " + printed(items[index + 1]);
  }
  return text + "}";
}

// Each line: the bytes in hexadecimal, a blank, the term.
void expect_all_read(const std::string& corpus) {
  const std::vector<std::string> lines = lines_of(corpus);
  ASSERT_GT(lines.size(), 40u);
  for (const std::string& line : lines) {
    const std::size_t blank = line.find(' ');
    const Result<Term> term = read_term(from_hex(std::string_view(line).substr(0, blank)));
    ASSERT_TRUE(term) << line << ": " << term.error().message;
    EXPECT_EQ(printed(*term), line.substr(blank + 1));
  }
}

TEST(ErlangTest, TermsOfOtp25AreRead) {
  expect_all_read(read_file(kDirectory + "/erlang_terms.txt"));
}

TEST(ErlangTest, TermsOfTheInstalledErlangAreRead) {
  expect_all_read(escript("make_terms.escript"));
}

TEST(ErlangTest, EveryMessageThatIsSentCanBeReadByErlang) {
  query::HistoryAnswer history;
  history.label = {"home/a", "temperature", "ejabberd", "home/a", "", "°C", ""};
  history.statistics = {Statistic::avg, Statistic::count};
  history.rows = {{time_from_ms(-60'000), {21.375, 2.0}},
                  {time_from_ms(0), {std::numeric_limits<double>::infinity(), 0.0}},
                  {time_from_ms(60'000), {std::numeric_limits<double>::quiet_NaN(), 0.0}}};
  history.spark = "▄  ";
  StatusAnswer status;
  status.dropped.fill(1);
  status.brokers.resize(1);
  StreamStatus stream;
  stream.dropped.fill(2);
  stream.examples.fill("a/b");
  status.streams = {stream};
  query::SeriesAnswer series;
  series.rows = {{history.label, 1.5, Duration(3), 4}};
  const query::NamesAnswer names{{{"temperature", "ejabberd", "home/ä", ""}}, false};
  const Notification notification{"id", "a", "s", "t", true, {"j@h"}, "b", "", false, Time{}};
  const Errors errors = {{ErrorCode::bad_config, "place", "message \xFF"}};
  const std::vector<std::string> frames = {
      encode(ProgramHello{"0.1.0", 1}),
      encode_configured(1, {}),
      encode_checked(2, tl::unexpected(errors)),
      encode_reply(3, Answer(history)),
      encode_reply(4, Answer(status)),
      encode_reply(5, Answer(series)),
      encode_reply(6, fail(ErrorCode::timeout, "", "too late")),
      encode_notify(7, notification),
      encode_log(LogLevel::info, "grün"),
      encode_reply(9, Answer(names)),
  };

  const std::string path = testing::TempDir() + "rollup_port_frames.bin";
  std::ofstream file(path, std::ios::binary);
  for (const std::string& frame : frames) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      file.put(static_cast<char>((frame.size() >> shift) & 0xFF));
    }
    file << frame;
  }
  file.close();
  const std::vector<std::string> lines = lines_of(escript("print_terms.escript", path));
  std::remove(path.c_str());

  ASSERT_EQ(lines.size(), frames.size());
  EXPECT_EQ(lines[1], "{configured,1,ok}");
  EXPECT_NE(lines[3].find("[{-60000,[21.375,2]},{0,[null,0]},{60000,[null,0]}]"), std::string::npos)
      << lines[3];
  EXPECT_EQ(lines[6].substr(0, 27), "{reply,6,{error,{timeout,<<");
  EXPECT_EQ(lines[8], "{log,info,<<103,114,195,188,110>>}");
  EXPECT_EQ(lines[9].substr(0, 14), "{reply,9,{ok,#");
}

}  // namespace
}  // namespace rollup::port

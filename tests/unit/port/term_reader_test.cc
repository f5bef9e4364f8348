#include "port/term_reader.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>

#include "port/term_writer.h"

namespace rollup::port {
namespace {

using std::string_literals::operator""s;

Result<Term> read(const std::string& body) { return read_term("\x83" + body); }

ErrorCode refusal(const std::string& body) {
  const Result<Term> term = read(body);
  EXPECT_FALSE(term);
  return term ? ErrorCode::timeout : term.error().code;
}

std::string nested_lists(int depth) {
  std::string bytes;
  for (int level = 0; level < depth; ++level) {
    bytes += "l\0\0\0\1"s;
  }
  bytes += "a\7";
  return bytes + std::string(static_cast<std::size_t>(depth), 'j');
}

// The names of the tags are those of Erlang's external term format.
TEST(TermReaderTest, IntegersOfAllSizesAreRead) {
  EXPECT_EQ(read("a\0"s)->as_integer(), 0);
  EXPECT_EQ(read("a\xFF")->as_integer(), 255);
  EXPECT_EQ(read("b\xFF\xFF\xFF\xFF")->as_integer(), -1);
  EXPECT_EQ(read("b\x7F\xFF\xFF\xFF")->as_integer(), 2147483647);
  EXPECT_EQ(read("n\1\0\5"s)->as_integer(), 5);
  EXPECT_EQ(read("n\0\0"s)->as_integer(), 0);
  EXPECT_EQ(read("n\x08\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"s)->as_integer(),
            std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(read("n\x08\1\0\0\0\0\0\0\0\x80"s)->as_integer(),
            std::numeric_limits<std::int64_t>::min());
}

TEST(TermReaderTest, IntegersOfMoreThan64BitsAreRefused) {
  EXPECT_EQ(refusal("n\x08\0\0\0\0\0\0\0\0\x80"s), ErrorCode::unsupported);  // 2^63
  EXPECT_EQ(refusal("n\x08\1\1\0\0\0\0\0\0\x80"s), ErrorCode::unsupported);  // -2^63 - 1
  EXPECT_EQ(refusal("n\x09\0\0\0\0\0\0\0\0\0\1"s), ErrorCode::unsupported);
  EXPECT_EQ(refusal("o\0\0\0\1\0\5"s), ErrorCode::unsupported);  // LARGE_BIG_EXT
}

TEST(TermReaderTest, FloatsAreReadIfTheyAreFinite) {
  EXPECT_EQ(read("F\x3F\xF8\0\0\0\0\0\0"s)->as_number(), 1.5);
  EXPECT_EQ(refusal("F\x7F\xF0\0\0\0\0\0\0"s), ErrorCode::unsupported);    // infinity
  EXPECT_EQ(refusal("F\x7F\xF8\0\0\0\0\0\0"s), ErrorCode::unsupported);    // NaN
  EXPECT_EQ(refusal("c" + std::string(31, '0')), ErrorCode::unsupported);  // FLOAT_EXT
}

TEST(TermReaderTest, AtomsOfEveryEncodingAreReadAsUtf8) {
  EXPECT_TRUE(read("d\0\2ok"s)->is_atom("ok"));
  EXPECT_TRUE(read("s\2ok")->is_atom("ok"));
  EXPECT_TRUE(read("v\0\2ok"s)->is_atom("ok"));
  EXPECT_TRUE(read("w\2ok")->is_atom("ok"));
  EXPECT_TRUE(read("d\0\1\xE4"s)->is_atom("ä"));
  EXPECT_TRUE(read("w\2ä")->is_atom("ä"));
}

TEST(TermReaderTest, AtomsThatErlangCannotHaveAreRefused) {
  EXPECT_TRUE(read("w\xFF" + std::string(255, 'a')));
  EXPECT_EQ(refusal("v\1\0"s + std::string(256, 'a')), ErrorCode::unsupported);
  EXPECT_EQ(refusal("w\1\xFF"), ErrorCode::unsupported);
}

TEST(TermReaderTest, AnAtomThatWouldBeTooLongAsUtf8IsRefused) {
  EXPECT_TRUE(read("s\x7F" + std::string(127, '\xA5')));
  EXPECT_EQ(refusal("s\x80" + std::string(128, '\xA5')), ErrorCode::unsupported);
}

TEST(TermReaderTest, BinariesListsTuplesAndMapsAreRead) {
  EXPECT_EQ(*read("m\0\0\0\3a\0b"s)->as_binary(), "a\0b"s);
  EXPECT_TRUE(read("j")->as_list()->empty());
  EXPECT_EQ(*read("l\0\0\0\2a\1a\2j"s), Term::list({Term::integer(1), Term::integer(2)}));
  EXPECT_EQ(*read("k\0\2\1\xFF"s), Term::list({Term::integer(1), Term::integer(255)}));
  EXPECT_EQ(*read("h\2a\1a\2"), Term::tuple({Term::integer(1), Term::integer(2)}));
  EXPECT_EQ(*read("i\0\0\0\1a\1"s), Term::tuple({Term::integer(1)}));
  const Result<Term> map = read("t\0\0\0\2w\1aa\1w\1ba\2"s);
  ASSERT_TRUE(map);
  EXPECT_EQ(map->get("a")->as_integer(), 1);
  EXPECT_EQ(map->get("b")->as_integer(), 2);
  EXPECT_EQ(map->get("c"), nullptr);
}

TEST(TermReaderTest, WhatTheProtocolDoesNotUseIsRefused) {
  EXPECT_EQ(refusal("l\0\0\0\1a\1a\2"s), ErrorCode::unsupported);  // [1 | 2]
  EXPECT_EQ(refusal("M\0\0\0\1\3\xE0"s), ErrorCode::unsupported);  // a bitstring
  EXPECT_EQ(refusal("P\0\0\0\1xx"s), ErrorCode::unsupported);      // compressed
  EXPECT_EQ(refusal("X"s), ErrorCode::unsupported);                // a pid
  EXPECT_EQ(refusal("\x83j"), ErrorCode::unsupported);             // a version inside
  EXPECT_EQ(read_term("\x82j").error().code, ErrorCode::unsupported);
  EXPECT_EQ(read_term("").error().code, ErrorCode::unsupported);
  EXPECT_EQ(refusal("jj"), ErrorCode::bad_request);
}

TEST(TermReaderTest, EveryTagEitherReadsOrIsRefused) {
  for (int tag = 0; tag < 256; ++tag) {
    for (const std::string& rest : {""s, "\0"s, "\0\0\0\0\0\0\0\0\0\0"s, "\xFF\xFF\xFF\xFF\xFF"s}) {
      const Result<Term> term = read(std::string(1, static_cast<char>(tag)) + rest);
      EXPECT_TRUE(term || !term.error().message.empty());
    }
  }
}

TEST(TermReaderTest, SizesThatTheFrameCannotHoldAreRefusedBeforeAllocating) {
  // 2^32 - 1 elements in 10 bytes: reserving them would fail at once.
  EXPECT_EQ(refusal("l\xFF\xFF\xFF\xFF"
                    "a\1a\1"),
            ErrorCode::bad_request);
  EXPECT_EQ(refusal("i\xFF\xFF\xFF\xFF"
                    "a\1a\1"),
            ErrorCode::bad_request);
  EXPECT_EQ(refusal("t\xFF\xFF\xFF\xFF"
                    "a\1a\1"),
            ErrorCode::bad_request);
  EXPECT_EQ(refusal("m\xFF\xFF\xFF\xFF"
                    "abcd"),
            ErrorCode::bad_request);
  EXPECT_EQ(refusal("k\xFF\xFF"
                    "abcd"),
            ErrorCode::bad_request);
  EXPECT_EQ(refusal("w\xFF"
                    "abcd"),
            ErrorCode::bad_request);
  EXPECT_EQ(refusal("n\xFF\0abcd"s), ErrorCode::bad_request);
}

TEST(TermReaderTest, NestingIsTakenTo32AndNoDeeper) {
  EXPECT_TRUE(read(nested_lists(kTermDepthMax)));
  EXPECT_EQ(refusal(nested_lists(kTermDepthMax + 1)), ErrorCode::too_large);
  EXPECT_EQ(refusal(nested_lists(1'000'000)), ErrorCode::too_large);
}

TEST(TermReaderTest, ListsInsideEachOtherCannotClaimMoreThanAFrameMayHold) {
  // Each level claims 600 000 elements, which are there as bytes, so only the sum is too much.
  std::string bytes;
  for (int level = 0; level < 8; ++level) {
    bytes += "l\x00\x09\x27\xC0"s;
  }
  bytes += std::string(700'000, 'j');
  EXPECT_EQ(refusal(bytes), ErrorCode::too_large);
}

TEST(TermReaderTest, AMillionTermsAreTakenAndNotOneMore) {
  const auto list_of = [](std::uint32_t size) {
    std::string bytes = "l";
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes.push_back(static_cast<char>((size >> shift) & 0xFF));
    }
    return bytes + std::string(size, 'j') + "j";
  };
  EXPECT_TRUE(read(list_of(kTermCountMax - 1)));
  EXPECT_EQ(refusal(list_of(kTermCountMax)), ErrorCode::too_large);
}

std::string sample_frame() {
  TermWriter writer;
  writer.tuple(3).atom("configure").integer(1'000'000'007).map(3);
  writer.atom("a").real(21.37);
  writer.atom("b").list(2).text("grün").integer(-5).end_list();
  writer.atom("c").integer(std::numeric_limits<std::int64_t>::min());
  return std::string(writer.bytes());
}

TEST(TermReaderTest, ATermThatIsCutOffAnywhereIsAnError) {
  const std::string frame = sample_frame();
  ASSERT_TRUE(read_term(frame));
  for (std::size_t size = 0; size < frame.size(); ++size) {
    EXPECT_FALSE(read_term(std::string_view(frame).substr(0, size))) << size;
  }
}

TEST(TermReaderTest, ChangedBytesNeverDoHarm) {
  const std::string frame = sample_frame();
  std::mt19937 random(20'260'404);
  for (int round = 0; round < 20'000; ++round) {
    std::string changed = frame;
    for (int change = 0; change < 3; ++change) {
      changed[random() % changed.size()] = static_cast<char>(random());
    }
    if (const Result<Term> term = read_term(changed)) {
      // What was read can be written and read again.
      TermWriter writer;
      writer.term(*term);
      EXPECT_EQ(*read_term(writer.bytes()), *term);
    }
  }
}

}  // namespace
}  // namespace rollup::port

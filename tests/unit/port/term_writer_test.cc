#include "port/term_writer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "port/term_reader.h"

namespace rollup::port {
namespace {

Term read_back(const TermWriter& writer) {
  Result<Term> term = read_term(writer.bytes());
  EXPECT_TRUE(term) << term.error().message;
  return *term;
}

TEST(TermWriterTest, WhatIsWrittenIsReadBack) {
  const Term term = Term::tuple(
      {Term::atom("all"), Term::integer(0), Term::integer(255), Term::integer(256),
       Term::integer(-1), Term::integer(std::numeric_limits<std::int32_t>::min()),
       Term::integer(std::int64_t{1} << 40),
       Term::integer(std::numeric_limits<std::int64_t>::max()),
       Term::integer(std::numeric_limits<std::int64_t>::min()), Term::real(-0.1), Term::binary(""),
       Term::binary(std::string("\0\xFF", 2)), Term::list({}),
       Term::list({Term::list({Term::atom("ä")}), Term::integer(1)}),
       Term::tuple(std::vector<Term>(300, Term::integer(7))),
       Term::map({Term::atom("k"), Term::map({}), Term::binary("b"), Term::tuple({})})});
  TermWriter writer;
  writer.term(term);
  EXPECT_EQ(read_back(writer), term);
}

TEST(TermWriterTest, NumbersThatAreNotFiniteBecomeNull) {
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    TermWriter writer;
    writer.real(value);
    EXPECT_TRUE(read_back(writer).is_atom("null"));
  }
}

TEST(TermWriterTest, TextIsAlwaysUtf8) {
  TermWriter writer;
  writer.list(3)
      .text("21 °C")
      .text(
          "\xFF"
          "ab\xC3")
      .text(std::string("a\0b", 3))
      .end_list();
  EXPECT_EQ(read_back(writer), Term::list({Term::binary("21 °C"), Term::binary("?ab?"),
                                           Term::binary(std::string("a\0b", 3))}));
}

TEST(TermWriterTest, CountsBeyondTheProtocolStopAtItsLargestInteger) {
  TermWriter writer;
  writer.count(std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(read_back(writer).as_integer(), std::numeric_limits<std::int64_t>::max());
}

}  // namespace
}  // namespace rollup::port

#include <gtest/gtest.h>

#include "decode/payload.h"

namespace rollup::decode {
namespace {

TEST(FullPointerTest, ABareKeyGetsItsSlash) {
  EXPECT_EQ(full_pointer("temp"), "/temp");
  EXPECT_EQ(full_pointer("sensors/0/temp"), "/sensors/0/temp");
}

TEST(FullPointerTest, FullPointersStayAsTheyAre) {
  EXPECT_EQ(full_pointer(""), "");
  EXPECT_EQ(full_pointer("/"), "/");
  EXPECT_EQ(full_pointer("/a~1b/0"), "/a~1b/0");
  EXPECT_EQ(full_pointer("/a~01"), "/a~01");
}

TEST(FullPointerTest, BadEscapesAreRefused) {
  for (const char* pointer : {"~", "/~", "/a~", "/a~2b", "/~~0", "a~/b", "/~0~"}) {
    EXPECT_EQ(full_pointer(pointer), std::nullopt) << pointer;
  }
}

}  // namespace
}  // namespace rollup::decode

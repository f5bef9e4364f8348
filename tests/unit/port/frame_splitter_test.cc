#include "port/frame_splitter.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rollup::port {
namespace {

using Frames = std::vector<std::string>;

std::string framed(std::string_view frame) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>((frame.size() >> shift) & 0xFF));
  }
  return bytes.append(frame);
}

TEST(FrameSplitterTest, EverySplitOfTheStreamGivesTheSameFrames) {
  const Frames frames = {"abc", "", "z"};
  std::string stream;
  for (const std::string& frame : frames) {
    stream += framed(frame);
  }
  ASSERT_EQ(stream.size(), 16u);
  // Bit i of `cuts` says whether the stream is cut after byte i.
  for (unsigned cuts = 0; cuts < 1u << (stream.size() - 1); ++cuts) {
    FrameSplitter splitter;
    Frames found;
    std::string_view rest = stream;
    std::size_t piece = 0;
    for (std::size_t index = 0; index < stream.size(); ++index) {
      ++piece;
      if (index + 1 == stream.size() || ((cuts >> index) & 1) != 0) {
        ASSERT_TRUE(splitter.feed(rest.substr(0, piece), found));
        rest.remove_prefix(piece);
        piece = 0;
      }
    }
    ASSERT_EQ(found, frames) << "cuts " << cuts;
    ASSERT_FALSE(splitter.is_inside_frame());
  }
}

TEST(FrameSplitterTest, AFrameIsGivenWithItsLastByteAndNotBefore) {
  FrameSplitter splitter;
  Frames found;
  const std::string stream = framed("hello");
  ASSERT_TRUE(splitter.feed(std::string_view(stream).substr(0, stream.size() - 1), found));
  EXPECT_TRUE(found.empty());
  EXPECT_TRUE(splitter.is_inside_frame());
  ASSERT_TRUE(splitter.feed("o", found));
  EXPECT_EQ(found, Frames{"hello"});
}

TEST(FrameSplitterTest, TheLongestFrameIsTakenAndOneByteMoreIsRefused) {
  FrameSplitter splitter(5);
  Frames found;
  ASSERT_TRUE(splitter.feed(framed("12345"), found));
  EXPECT_EQ(found, Frames{"12345"});
  const Result<void> refused = splitter.feed(framed("123456"), found);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::too_large);
  EXPECT_EQ(refused.error().message, "a frame of 6 bytes, at most 5 are allowed");
  EXPECT_EQ(found, Frames{"12345"});
}

TEST(FrameSplitterTest, TheLengthIsRefusedBeforeAByteOfTheFrameHasCome) {
  FrameSplitter splitter;
  Frames found;
  EXPECT_FALSE(splitter.feed("\xFF\xFF\xFF\xFF", found));
}

TEST(FrameSplitterTest, AfterAnErrorNothingIsTakenAnyMore) {
  FrameSplitter splitter(4);
  Frames found;
  EXPECT_FALSE(splitter.feed(framed("12345"), found));
  EXPECT_FALSE(splitter.feed(framed("ok"), found));
  EXPECT_FALSE(splitter.feed("", found));
  EXPECT_TRUE(found.empty());
}

}  // namespace
}  // namespace rollup::port

#include "port/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "port/term_reader.h"

namespace rollup::port {
namespace {

using Frames = std::vector<std::string>;

// A channel over two pipes, and the far ends of them.
class ChannelTest : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    ASSERT_EQ(::pipe(in.data()), 0);
    ASSERT_EQ(::pipe(out.data()), 0);
    to_channel_ = FileDescriptor(in[1]);
    from_channel_ = FileDescriptor(out[0]);
    ASSERT_EQ(::fcntl(from_channel_.number(), F_SETFL, O_NONBLOCK), 0);
    Result<Channel> opened = Channel::open(in[0], out[1]);
    ASSERT_TRUE(opened);
    channel_.emplace(*std::move(opened));
  }

  void give(std::string_view bytes) {
    ASSERT_EQ(::write(to_channel_.number(), bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
  }

  // Takes what has come out, up to `size` bytes, as frames.
  Frames take(std::size_t size = 1 << 20) {
    Frames frames;
    std::string buffer(size, '\0');
    const ssize_t taken = ::read(from_channel_.number(), buffer.data(), buffer.size());
    if (taken > 0) {
      buffer.resize(static_cast<std::size_t>(taken));
      EXPECT_TRUE(splitter_.feed(buffer, frames));
    }
    return frames;
  }

  static std::string log_text(const std::string& frame) {
    return *(*read_term(frame)->as_tuple())[2].as_binary();
  }

  FileDescriptor to_channel_;
  FileDescriptor from_channel_;
  FrameSplitter splitter_;
  std::optional<Channel> channel_;
};

std::string framed(std::string_view frame) {
  std::string bytes = {'\0', '\0', static_cast<char>(frame.size() >> 8),
                       static_cast<char>(frame.size() & 0xFF)};
  return bytes.append(frame);
}

TEST_F(ChannelTest, FramesComeInWhateverPiecesTheyCameIn) {
  const std::string stream = framed("one") + framed("") + framed("three");
  Frames frames;
  for (const char byte : stream) {
    give(std::string_view(&byte, 1));
    ASSERT_EQ(channel_->read_some(frames), true);
  }
  EXPECT_EQ(frames, (Frames{"one", "", "three"}));
}

TEST_F(ChannelTest, ReadingDoesNotWait) {
  Frames frames;
  EXPECT_EQ(channel_->read_some(frames), true);
  EXPECT_TRUE(frames.empty());
}

TEST_F(ChannelTest, EndOfFileIsSaidAfterTheLastFrame) {
  give(framed("last") + "\0\0");
  to_channel_.close();
  Frames frames;
  EXPECT_EQ(channel_->read_some(frames), false);
  EXPECT_EQ(frames, Frames{"last"});
  EXPECT_EQ(channel_->read_some(frames), false);
}

TEST_F(ChannelTest, AFrameThatIsTooLongIsAnError) {
  give("\x7F\xFF\xFF\xFF");
  Frames frames;
  const Result<bool> read = channel_->read_some(frames);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::too_large);
}

TEST_F(ChannelTest, OneReadTakesABoundedPart) {
  // The pipe is filled again as it is emptied, so only the bound can end the call.
  ASSERT_GE(::fcntl(to_channel_.number(), F_SETPIPE_SZ, 1 << 20), 1 << 20);
  const std::string frame(1000, 'x');
  for (int index = 0; index < 1000; ++index) {
    give(framed(frame));
  }
  Frames frames;
  EXPECT_EQ(channel_->read_some(frames), true);
  EXPECT_GE(frames.size() * 1004, Channel::kReadBytesMax - 1004);
  EXPECT_LT(frames.size(), 1000u);
  while (frames.size() < 1000) {
    ASSERT_EQ(channel_->read_some(frames), true);
  }
}

TEST_F(ChannelTest, AFullPipeKeepsTheRestForLater) {
  const std::string frame(300'000, 'y');
  channel_->send(frame);
  channel_->send("end");
  EXPECT_EQ(channel_->queued_bytes(), frame.size() + 3 + 8);
  Frames frames;
  int writes = 0;
  while (frames.size() < 2) {
    ASSERT_TRUE(channel_->write_some());
    ++writes;
    for (std::string& taken : take(7001)) {
      frames.push_back(std::move(taken));
    }
  }
  EXPECT_EQ(frames, (Frames{frame, "end"}));
  EXPECT_GT(writes, 2);
  EXPECT_FALSE(channel_->wants_write());
  EXPECT_EQ(channel_->queued_bytes(), 0u);
}

TEST_F(ChannelTest, TheOrderIsKeptOverManyPartialWrites) {
  Frames sent;
  for (int index = 0; index < 400; ++index) {
    sent.push_back(std::to_string(index) + std::string(9000, 'z'));
    channel_->send(sent.back());
  }
  Frames frames;
  while (channel_->wants_write() || frames.size() < sent.size()) {
    ASSERT_TRUE(channel_->write_some());
    for (std::string& taken : take(50'000)) {
      frames.push_back(std::move(taken));
    }
  }
  EXPECT_EQ(frames, sent);
}

TEST_F(ChannelTest, WritingToNobodyIsAnErrorAndNoSignal) {
  from_channel_.close();
  channel_->send("hello");
  const Result<void> written = channel_->write_some();
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::unavailable);
}

TEST_F(ChannelTest, EventsTakeCreditOneByOne) {
  EXPECT_EQ(channel_->credit(), 0u);
  channel_->add_credit(2);
  channel_->send_event("a");
  EXPECT_EQ(channel_->credit(), 1u);
  channel_->send_event("b");
  EXPECT_EQ(channel_->credit(), 0u);
  EXPECT_DEATH(channel_->send_event("c"), "check failed");
}

TEST_F(ChannelTest, CreditDoesNotOverflow) {
  for (int round = 0; round < 3; ++round) {
    channel_->add_credit(std::numeric_limits<std::int64_t>::max());
  }
  EXPECT_EQ(channel_->credit(), Channel::kCreditMax);
}

TEST_F(ChannelTest, LogLinesOverTheLimitOfASecondAreCountedAndSaid) {
  for (std::uint32_t line = 0; line < Channel::kLogLinesPerSecond + 7; ++line) {
    EXPECT_EQ(channel_->log(LogLevel::info, "line " + std::to_string(line), Duration(500)),
              line < Channel::kLogLinesPerSecond);
  }
  EXPECT_TRUE(channel_->log(LogLevel::info, "later", Duration(1000)));
  ASSERT_TRUE(channel_->write_some());
  const Frames frames = take();
  ASSERT_EQ(frames.size(), Channel::kLogLinesPerSecond + 2);
  EXPECT_EQ(log_text(frames[99]), "line 99");
  EXPECT_EQ(log_text(frames[100]), "7 log lines were left out here, there were too many at once");
  EXPECT_EQ(log_text(frames[101]), "later");
}

TEST_F(ChannelTest, LogLinesAreLeftOutWhileNobodyReads) {
  const std::string line(kLogBytesMax, 'x');
  Duration uptime(0);
  for (int index = 0; index < 1000; ++index) {
    channel_->log(LogLevel::debug, line, uptime);
    uptime += std::chrono::seconds(1);
  }
  EXPECT_LT(channel_->queued_bytes(), Channel::kLogQueueBytesMax + 2 * kLogBytesMax);
  EXPECT_GT(channel_->queued_bytes(), Channel::kLogQueueBytesMax / 2);
}

TEST(ChannelOpenTest, DescriptorsThatAreNotOpenAreRefused) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const FileDescriptor reader(ends[0]);
  const FileDescriptor writer(ends[1]);
  const FileDescriptor spare(::dup(ends[0]));
  const int closed = spare.number() + 100;
  for (const auto& [input, output] :
       {std::pair(closed, writer.number()), std::pair(reader.number(), closed),
        std::pair(writer.number(), writer.number()), std::pair(reader.number(), reader.number())}) {
    const Result<Channel> opened = Channel::open(input, output);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::unavailable);
  }
}

TEST(ChannelOpenTest, DescriptorsAreClosedInChildren) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const Result<Channel> opened = Channel::open(ends[0], ends[1]);
  ASSERT_TRUE(opened);
  EXPECT_EQ(::fcntl(ends[0], F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(ends[1], F_GETFD), FD_CLOEXEC);
}

}  // namespace
}  // namespace rollup::port

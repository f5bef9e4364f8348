// The two descriptors to Erlang: frames in, frames out, nothing ever waits.
//
//   Channel channel = Channel::open(3, 4).value();
//   poll(channel.input(), channel.wants_write() ? channel.output() : …);
//   channel.read_some(frames);       // when the input is readable
//   channel.write_some();            // when wants_write() and the output is writable
//
// Queues: replies are as many as Erlang has questions in flight, events as many as it gave credit
// for; log lines are the program's own and are bounded here. Not thread-safe, no threads inside.
// The program must ignore SIGPIPE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "port/file_descriptor.h"
#include "port/frame_splitter.h"
#include "port/messages.h"
#include "port/outlet.h"

namespace rollup::port {

class Channel : public Outlet {
 public:
  // Log lines a second, and bytes that may wait before a line is left out.
  static constexpr std::uint32_t kLogLinesPerSecond = 100;
  static constexpr std::size_t kLogQueueBytesMax = std::size_t{1024} * 1024;
  // Bytes that one read_some() takes at most, so that the caller's other work gets its turn.
  static constexpr std::size_t kReadBytesMax = std::size_t{256} * 1024;

  // Makes the descriptors non-blocking and closed in children, and owns them. Error unavailable if
  // one is not open, or not open in that direction.
  static Result<Channel> open(int input, int output);

  int input() const { return input_.number(); }
  int output() const { return output_.number(); }

  // Appends the frames that have come. False: end of file, nothing will come any more (a frame that
  // was not whole by then is lost). Error too_large: a violation of the protocol; unavailable: the
  // descriptor cannot be read.
  Result<bool> read_some(std::vector<std::string>& frames);

  void send(std::string_view frame) override;

  // Queues a log line, or counts it as left out (false); how many were is said before the next line
  // that is not. `uptime`: monotonic time, for the limit per second.
  bool log(LogLevel level, std::string_view text, Duration uptime);

  bool wants_write() const { return written_ < queue_.size(); }
  std::size_t queued_bytes() const { return queue_.size() - written_; }

  // Writes as much as goes without waiting. Error unavailable: the other side is gone.
  Result<void> write_some();

 private:
  Channel(FileDescriptor input, FileDescriptor output);

  FileDescriptor input_;
  FileDescriptor output_;
  FrameSplitter splitter_;
  std::string queue_;        // frames with their lengths
  std::size_t written_ = 0;  // of queue_
  Duration log_second_{-1};  // the second that log_lines_ counts
  std::uint32_t log_lines_ = 0;
  std::uint64_t log_lines_left_out_ = 0;
};

}  // namespace rollup::port

// Input: one byte that chooses the pieces, then the stream. Any pieces give the frames of the
// whole.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "port/frame_splitter.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rollup;
  if (size == 0) {
    return 0;
  }
  constexpr std::size_t kBytesMax = 300;
  std::string_view stream(reinterpret_cast<const char*>(data + 1), size - 1);
  port::FrameSplitter whole(kBytesMax);
  std::vector<std::string> frames;
  const Result<void> taken = whole.feed(stream, frames);
  std::size_t bytes = 0;
  for (const std::string& frame : frames) {
    ROLLUP_CHECK(frame.size() <= kBytesMax);
    bytes += 4 + frame.size();
  }
  ROLLUP_CHECK(bytes <= stream.size());
  ROLLUP_CHECK(!taken || whole.is_inside_frame() == (bytes < stream.size()));

  port::FrameSplitter split(kBytesMax);
  std::vector<std::string> same;
  Result<void> last;
  for (unsigned random = *data; !stream.empty();) {
    random = random * 75 + 74;
    const std::size_t piece = std::min<std::size_t>(stream.size(), random % 7);
    last = split.feed(stream.substr(0, piece), same);
    stream.remove_prefix(piece);
  }
  ROLLUP_CHECK(same == frames);
  ROLLUP_CHECK(last.has_value() == taken.has_value());
  return 0;
}

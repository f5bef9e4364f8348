// Records in a file, each with its length and a checksum, so that what is damaged is known.
//
//   file:   magic 7 bytes | version 1 byte | frames
//   frame:  length of the payload 4 bytes | CRC-32C 4 bytes | type 1 byte | payload
//
// Numbers are little endian; the checksum covers length, type and payload.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rollup::journal {

inline constexpr std::size_t kFileHeadBytes = 8;
inline constexpr std::size_t kFrameHeadBytes = 9;
// Far more than any record of ours; a longer one is damage.
inline constexpr std::uint32_t kFrameBytesMax = std::uint32_t{256} * 1024 * 1024;

// CRC-32C (Castagnoli) as in RFC 3720; `before` continues that of the bytes before.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

// Appends a frame.
void put_frame(std::string& out, std::uint8_t type, std::string_view payload);

struct Frame {
  std::uint8_t type = 0;
  std::string_view payload;  // into the bytes that are read
};

// Reads frames from bytes that may be anything.
class FrameReader {
 public:
  // `offset`: where the first frame stands.
  FrameReader(std::string_view bytes, std::size_t offset) : bytes_(bytes), offset_(offset) {}

  // Nothing: the end, or what does not fit its checksum; is_at_end() tells.
  std::optional<Frame> next();
  bool is_at_end() const { return offset_ == bytes_.size(); }
  // Where the frame after the last good one stands, or would.
  std::size_t offset() const { return offset_; }
  // What stands there is the beginning of a frame that was never written to its end.
  bool is_torn() const;

 private:
  std::string_view bytes_;
  std::size_t offset_;
};

}  // namespace rollup::journal

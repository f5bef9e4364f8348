// Cuts a stream of bytes into frames: 4 bytes of length, big endian, and so many bytes.
//
// Bytes may come in any pieces. The length is checked before a byte of the frame is stored, and
// memory grows with the bytes that really came, not with what a length claims.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace rollup::port {

// The longest frame in either direction, without its 4 bytes of length.
inline constexpr std::size_t kFrameBytesMax = std::size_t{16} * 1024 * 1024;

class FrameSplitter {
 public:
  explicit FrameSplitter(std::size_t frame_bytes_max = kFrameBytesMax)
      : frame_bytes_max_(frame_bytes_max) {}

  // Appends the frames that `bytes` completes. Error too_large for a longer frame than allowed: the
  // stream is of no use after that, and each further call gives the same error.
  Result<void> feed(std::string_view bytes, std::vector<std::string>& frames) {
    while (!is_broken_ && !bytes.empty()) {
      if (header_bytes_ < kHeaderBytes) {
        length_ = (length_ << 8) | static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        if (++header_bytes_ < kHeaderBytes) {
          continue;
        }
        if (length_ > frame_bytes_max_) {
          is_broken_ = true;
          break;
        }
      } else {
        const std::size_t taken = std::min<std::size_t>(bytes.size(), length_ - frame_.size());
        frame_.append(bytes.substr(0, taken));
        bytes.remove_prefix(taken);
      }
      if (frame_.size() == length_) {
        frames.push_back(std::exchange(frame_, {}));
        header_bytes_ = 0;
        length_ = 0;
      }
    }
    if (is_broken_) {
      return fail(ErrorCode::too_large, "",
                  "a frame of " + std::to_string(length_) + " bytes, at most " +
                      std::to_string(frame_bytes_max_) + " are allowed");
    }
    return {};
  }

  // Whether some bytes of a frame have come, but not all.
  bool is_inside_frame() const { return header_bytes_ > 0; }

 private:
  static constexpr std::size_t kHeaderBytes = 4;

  std::size_t frame_bytes_max_;
  std::size_t header_bytes_ = 0;
  std::uint32_t length_ = 0;
  std::string frame_;
  bool is_broken_ = false;
};

}  // namespace rollup::port

// The bytes of one block: many buckets, or many points, of one series and tier, in columns.
//
//   version 1 byte | kind 1 byte ('B' buckets, 'P' points) | one zstd frame
//
// Inside the frame the columns follow their length; docs/formats/archive.md has the table. The
// frame carries its length and a checksum, so damaged bytes are found. What is encoded comes back
// to the last bit, NaN and infinities included.
//
// Decoding takes any bytes: it gives an Error for what is not a block, and never allocates more
// than a full block needs.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/bucket.h"

namespace rollup::archive {

// The most entries of one block. It bounds what hostile bytes can make decode allocate (about 1
// MB); the blocks of the file are far smaller.
inline constexpr std::size_t kBlockEntriesMax = 8192;

// How hard to compress: a block that will be written again soon is not worth the time.
enum class Effort { quick, thorough };

// At most kBlockEntriesMax entries.
std::string encode_buckets(std::span<const Bucket> buckets, Effort effort = Effort::thorough);
std::string encode_points(std::span<const Point> points, Effort effort = Effort::thorough);

// Error unsupported for a version that this program does not know, else storage.
Result<std::vector<Bucket>> decode_buckets(std::string_view bytes);
Result<std::vector<Point>> decode_points(std::string_view bytes);

}  // namespace rollup::archive

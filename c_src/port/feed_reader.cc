#include "port/feed_reader.h"

#include <string>

#include "port/map_reader.h"
#include "port/term_cursor.h"

namespace rollup::port {
namespace {

constexpr std::size_t kFeedSize = 7;
constexpr std::size_t kMessageSize = 5;
constexpr std::int64_t kRetained = 1;
// A message takes at least this much of a frame; so a list cannot claim more than is there.
constexpr std::size_t kMessageBytesMin = 2 + 3 * 5 + 2 * 2;

bool take_header(TermCursor& cursor) {
  std::size_t size = 0;
  std::string_view tag;
  return cursor.take_version() && cursor.take_tuple(size) && size == kFeedSize &&
         cursor.take_atom(tag) && tag == "feed";
}

bool take_count(TermCursor& cursor, std::uint64_t& value) {
  std::int64_t number = 0;
  if (!cursor.take_integer(number) || number < 0) {
    return false;
  }
  value = static_cast<std::uint64_t>(number);
  return true;
}

// A wall clock before 1970 or after the year 2970 is none.
bool take_time(TermCursor& cursor, Time& time) {
  std::int64_t ms = 0;
  if (!cursor.take_integer(ms) || ms < 0 || ms > kDurationMsMax) {
    return false;
  }
  time = time_from_ms(ms);
  return true;
}

bool take_text(TermCursor& cursor, std::string& text) {
  std::string_view bytes;
  if (!cursor.take_binary(bytes)) {
    return false;
  }
  text = bytes;
  return true;
}

bool take_message(TermCursor& cursor, Message& message) {
  std::size_t size = 0;
  std::int64_t flags = 0;
  if (!cursor.take_tuple(size) || size != kMessageSize || !take_text(cursor, message.topic) ||
      !take_text(cursor, message.payload) || !take_time(cursor, message.arrival) ||
      !cursor.take_integer(flags) || flags < 0 || flags > kRetained ||
      !take_text(cursor, message.publisher)) {
    return false;
  }
  message.retained = flags == kRetained;
  return true;
}

bool take_messages(TermCursor& cursor, std::vector<Message>& messages) {
  std::size_t size = 0;
  if (!cursor.take_list(size) || size > cursor.rest().size() / kMessageBytesMin) {
    return false;
  }
  messages.resize(size);
  for (Message& message : messages) {
    if (!take_message(cursor, message)) {
      return false;
    }
  }
  return size == 0 || cursor.take_nil();
}

}  // namespace

bool is_feed(std::string_view frame) {
  TermCursor cursor(frame);
  return take_header(cursor);
}

Result<FeedBatch> read_feed(std::string_view frame) {
  TermCursor cursor(frame);
  FeedBatch batch;
  if (!take_header(cursor) || !take_count(cursor, batch.epoch) || batch.epoch == 0 ||
      !take_count(cursor, batch.first) || batch.first == 0 || !take_time(cursor, batch.up_to) ||
      !take_count(cursor, batch.lost) || !take_text(cursor, batch.lost_topic) ||
      !take_messages(cursor, batch.messages) || !cursor.rest().empty()) {
    return fail(ErrorCode::bad_request, "feed",
                "malformed before the last " + std::to_string(cursor.rest().size()) + " bytes of " +
                    std::to_string(frame.size()));
  }
  return batch;
}

}  // namespace rollup::port

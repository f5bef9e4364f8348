// From the bytes of a payload to numbers, or to a reason why not.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.h"
#include "model/config.h"
#include "model/drop_reason.h"

namespace rollup::decode {

struct Value {
  double value = 0;                // scaled, finite, inside `valid`
  std::optional<Time> event_time;  // of the payload, if the stream names one
};

using FieldResult = std::variant<Value, DropReason>;

// Not thread-safe: it keeps parse buffers between calls. Bounded by limits.payload.
class PayloadDecoder {
 public:
  explicit PayloadDecoder(const Limits& limits);
  ~PayloadDecoder();
  PayloadDecoder(PayloadDecoder&&) noexcept;
  PayloadDecoder& operator=(PayloadDecoder&&) noexcept;

  // One result per field of `stream`, in order; replaces what `results` held. Never fails: any
  // bytes are answered with values or reasons.
  void decode(const Stream& stream, std::string_view payload, std::vector<FieldResult>& results);

 private:
  struct Buffers;
  std::unique_ptr<Buffers> buffers_;
  Limits limits_;
};

// A JSON Pointer (RFC 6901) in its full form: "temp" -> "/temp", "/a~1b/0" as it is, "" is the
// whole document. Nothing if it has a bad escape.
std::optional<std::string> full_pointer(std::string_view pointer);

}  // namespace rollup::decode

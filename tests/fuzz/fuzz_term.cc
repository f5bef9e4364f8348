// Input: a frame. Whatever it is, it is a message or an error; what can be read can be written. The
// two ways to read a frame, as a tree of terms and in one walk, agree.
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "port/feed_reader.h"
#include "port/messages.h"
#include "port/term_reader.h"
#include "port/term_writer.h"

namespace {

using namespace rollup;

void check_rules(const Result<port::ConfigTerms>& terms) {
  if (!terms) {
    ROLLUP_CHECK(!terms.error().message.empty());
    return;
  }
  ROLLUP_CHECK(terms->config.brokers.size() == terms->brokers.size());
}

port::Term count_term(std::uint64_t count) {
  ROLLUP_CHECK(std::in_range<std::int64_t>(count));
  return port::Term::integer(static_cast<std::int64_t>(count));
}

// The frame that the batch was read from, if all of it was read and nothing else.
port::Term term_of(const port::FeedBatch& batch) {
  using port::Term;
  std::vector<Term> messages;
  for (const Message& message : batch.messages) {
    ROLLUP_CHECK(message.broker == 0 && message.subscriptions.empty());
    messages.push_back(
        Term::tuple({Term::binary(message.topic), Term::binary(message.payload),
                     Term::integer(to_ms(message.arrival)), Term::integer(message.retained ? 1 : 0),
                     Term::binary(message.publisher)}));
  }
  return Term::tuple({Term::atom("feed"), count_term(batch.epoch), count_term(batch.first),
                      Term::integer(to_ms(batch.up_to)), count_term(batch.lost),
                      Term::binary(batch.lost_topic), Term::list(std::move(messages))});
}

void check_feed(const port::FeedBatch& batch, std::string_view frame) {
  ROLLUP_CHECK(batch.epoch > 0 && batch.first > 0);
  const Result<port::Term> term = port::read_term(frame);
  ROLLUP_CHECK(term.has_value() && *term == term_of(batch));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view frame(reinterpret_cast<const char*>(data), size);
  if (const Result<port::Term> term = port::read_term(frame)) {
    port::TermWriter writer;
    writer.term(*term);
    const Result<port::Term> again = port::read_term(writer.bytes());
    ROLLUP_CHECK(again.has_value() && *again == *term);
  }
  if (const Result<port::Incoming> message = port::decode(frame)) {
    const auto* batch = std::get_if<port::FeedBatch>(&*message);
    ROLLUP_CHECK((batch != nullptr) == port::is_feed(frame));
    if (batch != nullptr) {
      check_feed(*batch, frame);
    } else if (const auto* configure = std::get_if<port::Configure>(&*message)) {
      check_rules(configure->terms);
    } else if (const auto* check = std::get_if<port::Check>(&*message)) {
      check_rules(check->terms);
    }
  }
  return 0;
}

// Which series is which. A topic is stored once, however many series and brokers it has; what a
// series is called, its captures and where it publishes are made of it when they are asked for.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <tsl/robin_set.h>

#include "model/ids.h"
#include "model/series_key.h"

namespace rollup::engine {

// The number of a topic that some series has.
using TopicId = std::uint32_t;

class Identities {
 public:
  Identities() : by_text_(0, Hash{this}, Equal{this}) { by_text_.max_load_factor(0.8F); }
  // Its set looks into it.
  Identities(const Identities&) = delete;
  Identities& operator=(const Identities&) = delete;

  std::size_t size() const { return rows_.size(); }

  // The key must be new. Ids ascend from 0.
  SeriesId add(const SeriesKey& key);

  std::optional<SeriesId> find(const SeriesKey& key) const;
  // All that have this SeriesKey::name(), ascending.
  std::vector<SeriesId> find_name(std::string_view name) const;
  std::optional<TopicId> find_topic(std::string_view topic) const;

  SeriesKey key(SeriesId id) const;
  std::string_view topic(SeriesId id) const { return topics_[rows_[id].topic].view(); }

 private:
  static constexpr SeriesId kEnd = 0xffff'ffff;

  // The rest of a key, which many series share.
  struct Source {
    std::string stream;
    std::string broker;
    std::string field;
    // clang-tidy 14 takes the 0 that a defaulted <=> compares with for a pointer.
    // NOLINTNEXTLINE(modernize-use-nullptr)
    friend auto operator<=>(const Source&, const Source&) = default;
  };
  struct Row {
    TopicId topic = 0;
    std::uint32_t source = 0;
    SeriesId next = kEnd;  // another series of the topic
  };
  struct Topic {
    const char* text = nullptr;
    std::uint32_t size = 0;
    SeriesId first = kEnd;

    std::string_view view() const { return {text, size}; }
  };

  // By number or by text.
  struct Hash {
    const Identities* of;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
    std::size_t operator()(TopicId id) const { return (*this)(of->topics_[id].view()); }
  };
  struct Equal {
    using is_transparent = void;
    const Identities* of;
    std::string_view text(TopicId id) const { return of->topics_[id].view(); }
    static std::string_view text(std::string_view given) { return given; }
    template <class Left, class Right>
    bool operator()(const Left& left, const Right& right) const {
      return text(left) == text(right);
    }
  };
  // Hashes are kept beside the numbers: comparing those first, a look-up among very many topics
  // fetches the text of the right one only.
  using TopicSet = tsl::robin_set<TopicId, Hash, Equal, std::allocator<TopicId>, true>;

  TopicId add_topic(std::string_view topic);
  const char* store(std::string_view text);
  std::uint32_t source_of(const SeriesKey& key);

  std::vector<Row> rows_;
  std::vector<Topic> topics_;
  TopicSet by_text_;
  std::map<Source, std::uint32_t> source_ids_;
  std::vector<const Source*> sources_;
  std::set<std::string> fields_;  // of all sources
  // The texts, one after the other; a block never moves.
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::size_t room_ = 0;  // left in the newest block
  char* end_ = nullptr;   // of what is stored in it
};

}  // namespace rollup::engine

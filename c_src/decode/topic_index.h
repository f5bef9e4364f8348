// Finds all streams whose filter matches a topic, in one walk over its levels.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/ids.h"
#include "model/topic.h"

namespace rollup::decode {

class TopicIndex {
 public:
  TopicIndex();

  void add(const TopicFilter& filter, StreamIndex stream);

  // Appends the streams of matching filters, each once, in ascending order. The cost depends on the
  // number of levels and of matching branches, not on the number of filters.
  void match(std::string_view topic, std::vector<StreamIndex>& streams) const;

 private:
  // What the levels so far lead to. Node 0 is the root and nobody's child, so 0 means none.
  struct Node {
    std::vector<std::pair<std::string, std::uint32_t>> literals;  // sorted
    std::uint32_t any_level = 0;                                  // under "+"
    std::vector<StreamIndex> streams;                             // of filters that end here
    std::vector<StreamIndex> open_streams;                        // of filters with "#" next
  };

  // `rest`: the levels of the topic that are below the node. As deep as the filters at most.
  void walk(std::uint32_t index, std::string_view rest, bool is_first,
            std::vector<StreamIndex>& streams) const;

  std::vector<Node> nodes_;
};

}  // namespace rollup::decode

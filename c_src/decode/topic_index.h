// Finds all streams whose filter matches a topic, in one walk over its levels.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
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
  struct Node;
  std::vector<Node> nodes_;
};

}  // namespace rollup::decode

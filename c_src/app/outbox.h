// Notifications that were not handed over yet. What it holds follows from the journal: a replay
// gives the same notifications the same ids, and Delivered takes them away again.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "port/messages.h"

namespace rollup::app {

class Outbox {
 public:
  // Gives its id; ids ascend and are never used again.
  std::uint64_t add(port::Notification notification);
  void remove(std::uint64_t id) { waiting_.erase(id); }
  std::size_t size() const { return waiting_.size(); }
  // Ascending by id.
  std::vector<std::pair<std::uint64_t, port::Notification>> all() const {
    return {waiting_.begin(), waiting_.end()};
  }

  // The message Outbox of journal.proto, and back. Error storage.
  std::string save() const;
  Result<void> restore(std::string_view bytes);

 private:
  std::map<std::uint64_t, port::Notification> waiting_;
  std::uint64_t newest_ = 0;
};

}  // namespace rollup::app

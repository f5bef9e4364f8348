#include "app/outbox.h"

#include <rollup/state/v1/journal.pb.h>

namespace rollup::app {

namespace pb = rollup::state::v1;

std::uint64_t Outbox::add(port::Notification notification) {
  waiting_.emplace(++newest_, std::move(notification));
  return newest_;
}

std::string Outbox::save() const {
  pb::Outbox saved;
  saved.set_newest_id(newest_);
  for (const auto& [id, from] : waiting_) {
    pb::Notification& to = *saved.add_notifications();
    to.set_id(id);
    to.set_message_id(from.id);
    to.set_alert(from.alert);
    to.set_series(from.series);
    to.set_topic(from.topic);
    to.set_is_alarm(from.is_alarm);
    to.mutable_to()->Assign(from.to.begin(), from.to.end());
    to.set_body(from.body);
    to.set_replaces(from.replaces);
    to.set_is_fresh(from.is_fresh);
    to.set_at_ms(to_ms(from.at));
  }
  return saved.SerializeAsString();
}

Result<void> Outbox::restore(std::string_view bytes) {
  pb::Outbox saved;
  if (!saved.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(ErrorCode::storage, "outbox", "what was not delivered cannot be read");
  }
  waiting_.clear();
  newest_ = saved.newest_id();
  for (const pb::Notification& from : saved.notifications()) {
    waiting_[from.id()] = {.id = from.message_id(),
                           .alert = from.alert(),
                           .series = from.series(),
                           .topic = from.topic(),
                           .is_alarm = from.is_alarm(),
                           .to = {from.to().begin(), from.to().end()},
                           .body = from.body(),
                           .replaces = from.replaces(),
                           .is_fresh = from.is_fresh(),
                           .at = time_from_ms(from.at_ms())};
  }
  return {};
}

}  // namespace rollup::app

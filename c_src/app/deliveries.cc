#include "app/deliveries.h"

#include <algorithm>

#include "rollup/state/v1/state.pb.h"

namespace rollup::app {

namespace pb = state::v1;

Result<Deliveries> Deliveries::decode(std::string_view bytes) {
  pb::LinkPositions stored;
  if (!stored.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(ErrorCode::storage, "links", "what was taken from other brokers cannot be read");
  }
  Deliveries deliveries;
  for (const pb::LinkPosition& link : stored.links()) {
    Session& session = deliveries.sessions_[link.broker()];
    session.is_new = link.begins_session();
    const int count = std::min(link.packet_ids_size(), link.contents_size());
    for (int i = 0; i < count; ++i) {
      session.contents[static_cast<std::uint16_t>(link.packet_ids(i))] = link.contents(i);
    }
  }
  return deliveries;
}

std::string Deliveries::encode() const {
  pb::LinkPositions stored;
  for (const auto& [broker, session] : sessions_) {
    pb::LinkPosition& link = *stored.add_links();
    link.set_broker(broker);
    link.set_begins_session(session.is_new);
    for (const auto& [packet_id, content] : session.contents) {
      link.add_packet_ids(packet_id);
      link.add_contents(content);
    }
  }
  return stored.SerializeAsString();
}

void Deliveries::add(const std::string& broker, bool begins_session, const Delivery& delivery) {
  Session& session = sessions_[broker];
  if (begins_session) {
    session = {true, {}};
  }
  session.contents[delivery.packet_id] = delivery.content;
}

std::vector<Delivery> Deliveries::of(const std::string& broker) const {
  std::vector<Delivery> deliveries;
  if (const auto found = sessions_.find(broker); found != sessions_.end()) {
    for (const auto& [packet_id, content] : found->second.contents) {
      deliveries.push_back({packet_id, content});
    }
  }
  return deliveries;
}

}  // namespace rollup::app

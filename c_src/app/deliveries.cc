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
    const int count = std::min(link.packet_ids_size(), link.contents_size());
    for (int i = 0; i < count; ++i) {
      deliveries.add(link.broker(),
                     {static_cast<std::uint16_t>(link.packet_ids(i)), link.contents(i)});
    }
  }
  return deliveries;
}

std::string Deliveries::encode() const {
  pb::LinkPositions stored;
  for (const auto& [broker, deliveries] : by_broker_) {
    pb::LinkPosition& link = *stored.add_links();
    link.set_broker(broker);
    for (const Delivery& delivery : deliveries) {
      link.add_packet_ids(delivery.packet_id);
      link.add_contents(delivery.content);
    }
  }
  return stored.SerializeAsString();
}

void Deliveries::add(const std::string& broker, const Delivery& delivery) {
  std::deque<Delivery>& deliveries = by_broker_[broker];
  deliveries.push_back(delivery);
  if (deliveries.size() > kOpenDeliveriesMax) {
    deliveries.pop_front();
  }
}

void Deliveries::add(const Deliveries& later) {
  for (const auto& [broker, deliveries] : later.by_broker_) {
    for (const Delivery& delivery : deliveries) {
      add(broker, delivery);
    }
  }
}

std::vector<Delivery> Deliveries::of(const std::string& broker) const {
  const auto found = by_broker_.find(broker);
  return found == by_broker_.end() ? std::vector<Delivery>()
                                   : std::vector(found->second.begin(), found->second.end());
}

}  // namespace rollup::app

// A publication as a message for whatever link its broker has.
#pragma once

#include <utility>

#include "mqtt/outbox.h"
#include "publish/publication.h"

namespace rollup::app {

inline mqtt::Outgoing outgoing(publish::Publication publication) {
  return {.topic = std::move(publication.topic),
          .payload = std::move(publication.payload),
          .qos = publication.qos,
          .retain = publication.retain,
          .expiry_s = publication.expiry_s,
          .content_type = std::move(publication.content_type)};
}

}  // namespace rollup::app

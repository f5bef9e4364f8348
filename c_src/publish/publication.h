// From effects to what is sent over MQTT: topic, payload and how.
#pragma once

#include <optional>
#include <string>

#include "engine/engine.h"
#include "model/effects.h"
#include "model/publication.h"

namespace rollup::publish {

// Nothing where there is nothing to send: the topic belongs to another series, or the one value
// that is asked for is unknown. `effect` must come from `engine`.
std::optional<Publication> publication(const effect::Publish& effect, const engine::Engine& engine);
std::optional<Publication> publication(const effect::PublishAlert& effect,
                                       const engine::Engine& engine);

// The text for the people of a rule, in the language of the configuration.
std::string notification_text(const effect::Notify& effect, const engine::Engine& engine);

}  // namespace rollup::publish

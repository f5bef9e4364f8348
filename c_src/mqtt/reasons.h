// What went wrong on a broker link, in words for the person who runs ejabberd: what, where, and
// what to do. Never a user name, password or payload.
#pragma once

#include <string>

#include "model/config.h"

namespace rollup::mqtt {

// "127.0.0.1:1883", "[::1]:1883" or the path of the unix socket.
std::string address_of(const Broker& broker);

// Why a connection could not be made or broke. `code` is libmosquitto's MOSQ_ERR_*; `system_error`
// the errno (or EAI_* code) that came with it; `detail` what OpenSSL said, or "".
std::string link_error(const Broker& broker, int code, int system_error, const std::string& detail);

// Why the broker answered CONNECT with `reason`, in the codes of the broker's protocol version.
std::string refusal(const Broker& broker, int reason);

// Why the broker ended the connection with DISCONNECT (MQTT 5).
std::string dismissal(const Broker& broker, int reason);

// The broker has no session for us, although there was one.
std::string forgotten_session(const Broker& broker);

// Why a subscription was refused.
std::string subscription_refusal(const Broker& broker, const std::string& filter, int reason);

// Why the broker (reason >= 0x80, MQTT 5) or the library (MOSQ_ERR_*) did not take a publication.
std::string publication_refusal(const std::string& topic, int reason);

}  // namespace rollup::mqtt

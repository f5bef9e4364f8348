#include "mqtt/reasons.h"

#include <mosquitto.h>
#include <netdb.h>

#include <cerrno>
#include <system_error>

#include "mqtt/protocol_constants.h"

namespace rollup::mqtt {
namespace {

std::string system_text(int error) { return std::generic_category().message(error); }

bool is_socket_path(const Broker& broker) { return broker.host.starts_with('/'); }

std::string errno_text(const Broker& broker, int error) {
  const std::string address = address_of(broker);
  switch (error) {
    case ECONNREFUSED:
      return "connection refused by " + address + ": is the broker running there?";
    case ENOENT:
      return "no socket at " + address + ": is the broker running, is the path right?";
    case EACCES:
    case EPERM:
      return "no permission to connect to " + address +
             (is_socket_path(broker) ? ": give ejabberd's user access to the socket"
                                     : ": check the firewall");
    case ETIMEDOUT:
      return "no answer from " + address + ": check host, port and firewall";
    case 0:
      return "connection to " + address + " lost";
    default:
      return "connection to " + address + " failed: " + system_text(error);
  }
}

}  // namespace

std::string address_of(const Broker& broker) {
  if (is_socket_path(broker)) {
    return broker.host;
  }
  const bool is_ipv6 = broker.host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + broker.host + "]" : broker.host) + ":" + std::to_string(broker.port);
}

std::string link_error(const Broker& broker, int code, int system_error,
                       const std::string& detail) {
  const std::string address = address_of(broker);
  switch (code) {
    case MOSQ_ERR_EAI:
      return "cannot resolve " + broker.host + ": " + gai_strerror(system_error) +
             "; check the host name";
    case MOSQ_ERR_TLS:
      return "TLS with " + address + " failed" + (detail.empty() ? "" : ": " + detail) +
             "; check that the broker speaks TLS on this port, ca_file, and that its certificate "
             "names this host";
    case MOSQ_ERR_CONN_LOST:
    case MOSQ_ERR_NO_CONN:
      return address +
             " closed the connection: its log may say why; if it goes on, see whether another "
             "client uses the client_id of broker " +
             broker.name;
    case MOSQ_ERR_KEEPALIVE:
      return address + " did not answer within the keepalive time";
    case MOSQ_ERR_PROTOCOL:
      return address +
             " broke the MQTT protocol: is it an MQTT broker, and does it know this "
             "protocol version?";
    case MOSQ_ERR_ERRNO:
      if (broker.has_tls && system_error == EPROTO) {
        return link_error(broker, MOSQ_ERR_TLS, 0, detail);
      }
      return errno_text(broker, system_error);
    default:
      return "connection to " + address + " failed: " + mosquitto_strerror(code) +
             (detail.empty() ? "" : ": " + detail);
  }
}

std::string refusal(const Broker& broker, int reason) {
  const std::string address = address_of(broker);
  std::string account =
      "not authorised by " + address + ": check username and password of broker " + broker.name;
  std::string version = address + " does not speak this MQTT version: set protocol: " +
                        (broker.protocol == 5 ? "3.1.1" : "5") + " for broker " + broker.name;
  std::string client_id =
      address + " does not accept the client_id of broker " + broker.name + ": choose another";
  switch (reason) {
    case CONNACK_REFUSED_PROTOCOL_VERSION:
    case MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION:
      return version;
    case CONNACK_REFUSED_IDENTIFIER_REJECTED:
    case MQTT_RC_CLIENTID_NOT_VALID:
      return client_id;
    case CONNACK_REFUSED_BAD_USERNAME_PASSWORD:
    case CONNACK_REFUSED_NOT_AUTHORIZED:
    case MQTT_RC_BAD_USERNAME_OR_PASSWORD:
    case MQTT_RC_NOT_AUTHORIZED:
    case MQTT_RC_BAD_AUTHENTICATION_METHOD:
    case MQTT_RC_BANNED:
      return account;
    case CONNACK_REFUSED_SERVER_UNAVAILABLE:
    case MQTT_RC_SERVER_UNAVAILABLE:
    case MQTT_RC_SERVER_BUSY:
      return address + " is busy and accepts no connections now";
    default:
      return address + " refused the connection: " +
             (broker.protocol == 5 ? mosquitto_reason_string(reason)
                                   : mosquitto_connack_string(reason));
  }
}

std::string dismissal(const Broker& broker, int reason) {
  const std::string address = address_of(broker);
  switch (reason) {
    case MQTT_RC_SESSION_TAKEN_OVER:
      return "another client connected to " + address +
             " with the same client_id: give each its own client_id";
    case MQTT_RC_QUOTA_EXCEEDED:
      return address +
             " ended the session because too many messages were waiting for us: raise its queue "
             "limit (max_queue of ejabberd's mod_mqtt)";
    default:
      return address + " ended the connection: " + mosquitto_reason_string(reason);
  }
}

std::string forgotten_session(const Broker& broker) {
  return address_of(broker) + " has forgotten the session of broker " + broker.name +
         ": what was published while the link was down is lost. See session_expiry, the broker's "
         "own limits, and whether it keeps sessions over its restarts";
}

std::string subscription_refusal(const Broker& broker, const std::string& filter, int reason) {
  const std::string what = "subscription to \"" + filter + "\" refused";
  switch (reason) {
    // MQTT 3.1.1 knows this one code for every refusal.
    case MQTT_RC_UNSPECIFIED:
    case MQTT_RC_NOT_AUTHORIZED:
      return what + ": allow the user of broker " + broker.name +
             " to subscribe to it (access_subscribe of ejabberd's mod_mqtt, or the broker's ACL)";
    case MQTT_RC_WILDCARD_SUBS_NOT_SUPPORTED:
      return what + ": the broker takes no wildcards; name concrete topics";
    default:
      return what + ": " + mosquitto_reason_string(reason);
  }
}

std::string publication_refusal(const std::string& topic, int reason) {
  const std::string what = "publication on \"" + topic + "\" refused";
  switch (reason) {
    case MQTT_RC_NOT_AUTHORIZED:
      return what +
             ": allow the user to publish there (access_publish of ejabberd's mod_mqtt, or "
             "the broker's ACL)";
    case MOSQ_ERR_OVERSIZE_PACKET:
      return what + ": it is larger than the broker takes";
    case MOSQ_ERR_INVAL:
    case MOSQ_ERR_MALFORMED_UTF8:
      return what + ": not a topic that can be published on";
    default:
      return what + ": " +
             (reason >= MQTT_RC_UNSPECIFIED ? mosquitto_reason_string(reason)
                                            : mosquitto_strerror(reason));
  }
}

}  // namespace rollup::mqtt

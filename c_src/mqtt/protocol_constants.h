// MQTT's numbers (reason codes, properties) as libmosquitto names them: from 2.1 on they are in
// mosquitto.h, and the header that they were in warns.
#pragma once

#include <mosquitto.h>

#if LIBMOSQUITTO_VERSION_NUMBER < 2001000
#include <mqtt_protocol.h>
#endif

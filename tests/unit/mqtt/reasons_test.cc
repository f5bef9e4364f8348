#include "mqtt/reasons.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mosquitto.h>

#include <cerrno>

#include "mqtt/protocol_constants.h"

namespace rollup::mqtt {
namespace {

using ::testing::HasSubstr;

Broker broker(const std::string& host) {
  Broker made;
  made.name = "garage";
  made.host = host;
  made.username = "hidden-user";
  made.password = "hidden-password";
  return made;
}

TEST(ReasonsTest, AddressIsWrittenAsPeopleWriteIt) {
  EXPECT_EQ(address_of(broker("example.org")), "example.org:1883");
  EXPECT_EQ(address_of(broker("::1")), "[::1]:1883");
  EXPECT_EQ(address_of(broker("/run/mqtt.sock")), "/run/mqtt.sock");
}

TEST(ReasonsTest, LinkErrorsNameThePlaceAndTheRemedy) {
  EXPECT_THAT(link_error(broker("127.0.0.1"), MOSQ_ERR_ERRNO, ECONNREFUSED, ""),
              HasSubstr("connection refused by 127.0.0.1:1883"));
  EXPECT_THAT(link_error(broker("/run/x"), MOSQ_ERR_ERRNO, EACCES, ""),
              HasSubstr("give ejabberd's user access"));
  EXPECT_THAT(link_error(broker("h"), MOSQ_ERR_TLS, 0, "certificate verify failed"),
              HasSubstr("certificate verify failed"));
}

TEST(ReasonsTest, RefusalsAreUnderstoodInBothProtocolVersions) {
  Broker old = broker("h");
  old.protocol = 4;
  EXPECT_THAT(refusal(old, CONNACK_REFUSED_NOT_AUTHORIZED),
              HasSubstr("check username and password of broker garage"));
  EXPECT_THAT(refusal(broker("h"), MQTT_RC_BAD_USERNAME_OR_PASSWORD),
              HasSubstr("check username and password of broker garage"));
  EXPECT_THAT(refusal(broker("h"), CONNACK_REFUSED_PROTOCOL_VERSION),
              HasSubstr("set protocol: 3.1.1"));
}

TEST(ReasonsTest, NoTextNamesTheAccount) {
  for (int reason = 0; reason < 256; ++reason) {
    for (const std::string& text :
         {refusal(broker("h"), reason), dismissal(broker("h"), reason),
          subscription_refusal(broker("h"), "a/#", reason), publication_refusal("a", reason),
          link_error(broker("h"), reason, ETIMEDOUT, "")}) {
      EXPECT_FALSE(text.empty());
      EXPECT_EQ(text.find("hidden"), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace rollup::mqtt

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "support/mqtt_peer.h"
#include "unit/mqtt/linked.h"

namespace rollup::mqtt {
namespace {

using rollup::testing::TempDir;
using ::testing::HasSubstr;

void run(const std::string& command) {
  ASSERT_EQ(system((command + " >/dev/null 2>&1").c_str()), 0) << command;
}

// A certificate authority and what it signs.
class ClientTlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string base = dir_.path().string();
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-keyout " +
        base + "/ca.key -out " + base + "/ca.pem -subj '/CN=Test CA'");
    sign("server", "subjectAltName=IP:127.0.0.1");
    sign("client", "subjectAltName=DNS:meter");
    sign("other", "subjectAltName=DNS:other.example.org");
  }

  void sign(const std::string& name, const std::string& extension) {
    const std::string base = dir_.path().string();
    dir_.write(name + ".ext", extension + "\n");
    run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout " +
        dir_.file(name + ".key") + " -out " + dir_.file(name + ".csr") + " -subj /CN=" + name);
    run("openssl x509 -req -days 2 -in " + dir_.file(name + ".csr") + " -CA " + base +
        "/ca.pem -CAkey " + base + "/ca.key -CAcreateserial -extfile " + dir_.file(name + ".ext") +
        " -out " + dir_.file(name + ".pem"));
  }

  MosquittoBroker::Setup setup(const std::string& name, const std::string& lines = "") const {
    return {.ca_file = dir_.file("ca.pem"),
            .cert_file = dir_.file(name + ".pem"),
            .key_file = dir_.file(name + ".key"),
            .lines = lines};
  }

  Options options(const MosquittoBroker& broker) const {
    Options options = options_for(broker);
    options.broker.has_tls = true;
    options.broker.ca_file = dir_.file("ca.pem");
    return options;
  }

  std::string error_with(const Options& options) const {
    Linked linked(options);
    linked.wait([&] { return !linked.client().status().last_error.empty(); });
    return linked.client().status().last_error;
  }

  TempDir dir_;
};

TEST_F(ClientTlsTest, MessagesGoBothWaysOverAVerifiedConnection) {
  MosquittoBroker broker(setup("server"));
  Options sender_options = options(broker);
  sender_options.broker.client_id = "sender";
  sender_options.status_topic = "";
  Linked receiver(options(broker), {wish(0, "t/#")});
  ASSERT_TRUE(receiver.wait_until_ready()) << receiver.client().status().last_error;
  Linked sender(sender_options);
  std::string large(200'000, 'x');
  for (int i = 0; i < 200; ++i) {
    sender.client().publish({"t/" + std::to_string(i), large, 1, false, std::nullopt, {}});
  }
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(receiver.next_payload().size(), large.size()) << i;
  }
}

TEST_F(ClientTlsTest, CertificateOfAnUnknownAuthorityIsRefused) {
  MosquittoBroker broker(setup("server"));
  Options untrusting = options(broker);
  untrusting.broker.ca_file = "";  // the system's authorities
  EXPECT_THAT(error_with(untrusting), HasSubstr("certificate verify failed"));
  untrusting.broker.verify = false;
  Linked trusting(untrusting);
  EXPECT_TRUE(trusting.wait_until_ready());
}

TEST_F(ClientTlsTest, CertificateForAnotherHostIsRefused) {
  MosquittoBroker broker(setup("other"));
  EXPECT_THAT(error_with(options(broker)), HasSubstr("TLS with 127.0.0.1"));
}

TEST_F(ClientTlsTest, ClientCertificateIsShown) {
  MosquittoBroker broker(setup("server", "require_certificate true\n"));
  Options certified = options(broker);
  certified.broker.cert_file = dir_.file("client.pem");
  certified.broker.key_file = dir_.file("client.key");
  Linked linked(certified);
  EXPECT_TRUE(linked.wait_until_ready()) << linked.client().status().last_error;
  EXPECT_NE(error_with(options(broker)), "");
}

TEST_F(ClientTlsTest, BrokerWithoutTlsIsNotMistaken) {
  MosquittoBroker plain;
  EXPECT_NE(error_with(options(plain)), "");
  MosquittoBroker secure(setup("server"));
  Options open = options_for(secure);
  EXPECT_NE(error_with(open), "");
}

TEST_F(ClientTlsTest, UnreadableFileIsSaidAndTriedAgain) {
  MosquittoBroker broker(setup("server"));
  Options missing = options(broker);
  missing.broker.ca_file = dir_.file("later.pem");
  Linked linked(missing);
  linked.wait([&] { return !linked.client().status().last_error.empty(); });
  EXPECT_THAT(linked.client().status().last_error, HasSubstr("ca_file"));
  std::filesystem::copy(dir_.file("ca.pem"), dir_.file("later.pem"));
  EXPECT_TRUE(linked.wait_until_ready());
}

}  // namespace
}  // namespace rollup::mqtt

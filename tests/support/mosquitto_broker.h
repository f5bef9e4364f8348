// A real mosquitto for a test: on a free loopback port or on a unix socket, in a directory of its
// own, ended by its process id. Sessions and retained messages live as long as the process.
#pragma once

#include <sys/types.h>

#include <string>

#include "support/temp_dir.h"

namespace rollup::testing {

class MosquittoBroker {
 public:
  struct Setup {
    // Listens on a unix socket instead of a port.
    bool on_unix_socket = false;
    // TLS with these files.
    std::string ca_file = {};
    std::string cert_file = {};
    std::string key_file = {};
    bool anonymous = true;
    // More lines for mosquitto.conf.
    std::string lines = {};
  };

  // Returns when it accepts connections. Aborts if mosquitto cannot be started.
  MosquittoBroker() : MosquittoBroker(Setup()) {}
  explicit MosquittoBroker(Setup setup);
  ~MosquittoBroker();
  MosquittoBroker(const MosquittoBroker&) = delete;
  MosquittoBroker& operator=(const MosquittoBroker&) = delete;

  // "127.0.0.1", or the path of the socket.
  const std::string& host() const { return host_; }
  // 0 for a unix socket.
  int port() const { return port_; }
  const TempDir& dir() const { return dir_; }

  void stop();
  // At once, without a goodbye to its clients.
  void kill();
  // Again, on the same address, with nothing remembered.
  void start();
  // It hangs: connections stay open, nothing is answered.
  void freeze();
  void thaw();

 private:
  bool start_once();
  void forget();
  void send(int signal);

  Setup setup_;
  TempDir dir_;
  std::string host_;
  int port_ = 0;
  pid_t pid_ = -1;
  int output_ = -1;
};

}  // namespace rollup::testing

// The port program. It has no command line but --version: everything comes over the port.

#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <exception>

#include "app/log.h"
#include "app/program.h"
#include "app/status.h"
#include "port/exit_codes.h"

namespace {

int run() {
  rollup::app::LogQueue logs;
  auto channel = rollup::port::Channel::open(3, 4);
  if (!channel) {
    spdlog::error("{}. This program is started by ejabberd's module mod_mqtt_rollup",
                  channel.error().message);
    return rollup::port::kExitUsage;
  }
  rollup::app::Program program(std::move(*channel), logs);
  return program.run();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::printf("mqtt_rollup %s, protocol %lld\n", rollup::app::build_name().c_str(),
                static_cast<long long>(rollup::port::kProtocolVersion));
    return 0;
  }
  if (argc != 1) {
    std::fprintf(stderr, "usage: mqtt_rollup [--version]\n");
    return rollup::port::kExitUsage;
  }
  // A library that prints may not reach a descriptor that somebody reads.
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  ::signal(SIGPIPE, SIG_IGN);
  // A Ctrl-C at a console is meant for the virtual machine; its end is our end of file.
  ::signal(SIGINT, SIG_IGN);
  // Privileges of the virtual machine (CAP_NET_BIND_SERVICE) are of no use here.
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  rollup::app::log_to_stderr();
  try {
    return run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mqtt_rollup: %s\n", error.what());
    return rollup::port::kExitBug;
  }
}

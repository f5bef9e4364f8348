#include "support/mosquitto_broker.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "base/check.h"

namespace rollup::testing {
namespace {

constexpr const char* kProgram = "/usr/sbin/mosquitto";
constexpr int kStartMaxMs = 10'000;

int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ROLLUP_CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  ROLLUP_CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

MosquittoBroker::MosquittoBroker(Setup setup) : setup_(std::move(setup)) {
  // Somebody may take the free port before mosquitto does.
  for (int i = 0; i < 5; ++i) {
    if (setup_.on_unix_socket) {
      host_ = dir_.file("mqtt.sock");
    } else {
      host_ = "127.0.0.1";
      port_ = free_port();
    }
    if (start_once()) {
      return;
    }
  }
  ROLLUP_CHECK(!"mosquitto does not start");
}

MosquittoBroker::~MosquittoBroker() { stop(); }

void MosquittoBroker::start() { ROLLUP_CHECK(start_once()); }

bool MosquittoBroker::start_once() {
  std::string text = "listener " + std::to_string(port_) + " " + host_ + "\n";
  if (!setup_.cert_file.empty()) {
    text += "cafile " + setup_.ca_file + "\ncertfile " + setup_.cert_file + "\nkeyfile " +
            setup_.key_file + "\n";
  }
  text += std::string("allow_anonymous ") + (setup_.anonymous ? "true" : "false") + "\n";
  // Run by root it would change to another user, who cannot read this directory.
  text += std::string("user ") + getpwuid(geteuid())->pw_name + "\n";
  text += "persistence false\nlog_dest stderr\nlog_type error\nlog_type information\n";
  text += "connection_messages false\n" + setup_.lines;
  const std::string file = dir_.write("mosquitto.conf", text);

  int pipe_ends[2];
  ROLLUP_CHECK(pipe2(pipe_ends, O_CLOEXEC) == 0);
  const pid_t pid = fork();
  ROLLUP_CHECK(pid >= 0);
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(pipe_ends[1], STDOUT_FILENO);
    dup2(pipe_ends[1], STDERR_FILENO);
    execl(kProgram, kProgram, "-c", file.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  close(pipe_ends[1]);
  pid_ = pid;
  output_ = pipe_ends[0];

  // It says so when it listens.
  std::string output;
  pollfd fd = {output_, POLLIN, 0};
  while (poll(&fd, 1, kStartMaxMs) > 0) {
    char buffer[512];
    const ssize_t bytes = read(output_, buffer, sizeof buffer);
    if (bytes <= 0) {
      break;
    }
    output.append(buffer, static_cast<std::size_t>(bytes));
    if (output.find(" running") != std::string::npos) {
      return true;
    }
  }
  std::fprintf(stderr, "%s", output.c_str());
  stop();
  return false;
}

void MosquittoBroker::stop() {
  if (pid_ < 0) {
    return;
  }
  thaw();
  // mosquitto forgets a SIGTERM that comes just before its main loop, so it is told again.
  do {
    send(SIGTERM);
    usleep(2000);
  } while (waitpid(pid_, nullptr, WNOHANG) == 0);
  forget();
}

void MosquittoBroker::kill() {
  send(SIGKILL);
  waitpid(pid_, nullptr, 0);
  forget();
}

void MosquittoBroker::forget() {
  close(output_);
  pid_ = -1;
  output_ = -1;
}

void MosquittoBroker::freeze() {
  send(SIGSTOP);
  // It may run on for a moment.
  waitpid(pid_, nullptr, WUNTRACED);
}

void MosquittoBroker::thaw() { send(SIGCONT); }

void MosquittoBroker::send(int signal) {
  // kill() takes -1 for every process there is.
  ROLLUP_CHECK(pid_ > 0);
  ::kill(pid_, signal);
}

}  // namespace rollup::testing

#include "mqtt/link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <random>
#include <utility>

#include "base/check.h"
#include "mqtt/backoff.h"
#include "mqtt/protocol_constants.h"
#include "mqtt/reasons.h"

namespace rollup::mqtt {
namespace {

// How long the thread sleeps at most, so that libmosquitto sees to its keepalive in time.
constexpr Duration kTurnMax = std::chrono::seconds(1);
// Messages that are read before they are acknowledged. The broker may send twice as many, so that
// it need not wait while those are appended.
constexpr std::size_t kReadMax = kOpenMax / 2;
// Packets read before publications get their turn.
constexpr int kReadsPerTurn = 400;
// libmosquitto refuses shorter ones.
constexpr Duration kKeepaliveMin = std::chrono::seconds(5);
constexpr Duration kKeepaliveMax = std::chrono::seconds(65'535);

constexpr const char* kSystemCertificates = "/etc/ssl/certs";

void use_library() {
  static const int kCode = mosquitto_lib_init();
  ROLLUP_CHECK(kCode == MOSQ_ERR_SUCCESS);
}

const char* text_or_null(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

Time wall_now() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

// An encrypted key must not make OpenSSL ask the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

}  // namespace

Link::Link(Options options, Inbox& inbox, Log log)
    : options_(std::move(options)),
      inbox_(inbox),
      log_(std::move(log)),
      outbox_(options_.loose_max) {
  ROLLUP_CHECK(options_.farewell_max < options_.stop_max);
  status_.since = wall_now();
}

void Link::publish(Publication message) {
  const std::lock_guard lock(mutex_);
  outbox_.put(std::move(message), Clock::now());
  if (std::exchange(asleep_, false)) {
    wakeup_.signal();
  }
}

void Link::update_filters(std::vector<Subscription> subscriptions) {
  const std::lock_guard lock(mutex_);
  new_filters_ = std::move(subscriptions);
  if (std::exchange(asleep_, false)) {
    wakeup_.signal();
  }
}

Status Link::status() const {
  const std::lock_guard lock(mutex_);
  Status status = status_;
  status.received = received_;
  status.redelivered = redelivered_;
  status.sessions_lost = sessions_lost_;
  status.unwanted = unwanted_;
  status.published = published_;
  status.queued = outbox_.size() + in_flight_count_;
  status.unpublished = outbox_.dropped() + unpublished_;
  return status;
}

void Link::appended(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  appended_ = number;
  if (std::exchange(asleep_, false)) {
    wakeup_.signal();
  }
}

bool Link::is_all_appended() const {
  const std::lock_guard lock(mutex_);
  return appended_ >= taken_;
}

void Link::request_stop() {
  stop_.request_stop();
  wakeup_.signal();
}

void Link::abandon() {
  const std::lock_guard lock(outside_mutex_);
  abandoned_ = true;
}

void Link::log(LogLevel level, const std::string& text) {
  const std::lock_guard lock(outside_mutex_);
  if (!abandoned_ && log_) {
    log_(level, "broker " + options_.broker.name + ": " + text);
  }
}

void Link::set_state(LinkState state, const std::string& trouble) {
  {
    const std::lock_guard lock(mutex_);
    const bool was_connected = status_.state == LinkState::connected;
    if (was_connected != (state == LinkState::connected)) {
      status_.since = wall_now();
    }
    status_.state = state;
    status_.last_error = trouble;
  }
  const std::lock_guard lock(outside_mutex_);
  if (!abandoned_) {
    inbox_.wake();
  }
}

void Link::set_trouble(const std::string& trouble) {
  const std::lock_guard lock(mutex_);
  status_.last_error = trouble;
}

void Link::run(const Deliveries& taken) {
  redeliveries_.emplace(taken);
  had_session_ = redeliveries_->has_any();
  pthread_setname_np(pthread_self(), ("mqtt " + options_.broker.name).substr(0, 15).c_str());
  use_library();
  Backoff backoff(options_.backoff_first, options_.backoff_max);
  std::mt19937 generator(std::random_device{}());
  std::uniform_real_distribution<double> chance(0.0, 1.0);
  while (!stop_.stop_requested()) {
    // What is open would only come again.
    wait_until_all_is_appended();
    if (!stop_.stop_requested() && connect()) {
      serve();
      if (greeted_ && Clock::now() - up_since_ >= options_.steady_after) {
        backoff.reset();
      }
    }
    pause(backoff.next(chance(generator)));
  }
  handle_.reset();
  set_state(LinkState::down, "");
}

bool Link::create_handle() {
  const Broker& broker = options_.broker;
  const std::string id = broker.client_id.empty() ? "mqtt_rollup-" + broker.name : broker.client_id;
  dup_prefix_ = "Client " + id + " received PUBLISH (d";
  handle_.reset(mosquitto_new(id.c_str(), false, this));
  ROLLUP_CHECK(handle_ != nullptr);
  mosquitto* const handle = handle_.get();
  mosquitto_int_option(handle, MOSQ_OPT_PROTOCOL_VERSION,
                       broker.protocol == 5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
  mosquitto_int_option(handle, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_int_option(handle, MOSQ_OPT_RECEIVE_MAXIMUM, kOpenMax);
  mosquitto_threaded_set(handle, true);  // it queues, write_packets() writes
  mosquitto_int_option(handle, MOSQ_OPT_SEND_MAXIMUM, static_cast<int>(options_.in_flight_max));
  set_callbacks();

  int code = MOSQ_ERR_SUCCESS;
  if (!broker.username.empty() || !broker.password.empty()) {
    code =
        mosquitto_username_pw_set(handle, broker.username.c_str(), text_or_null(broker.password));
  }
  if (code == MOSQ_ERR_SUCCESS && !options_.status_topic.empty()) {
    static constexpr std::string_view kOffline = "offline";
    code = mosquitto_will_set(handle, options_.status_topic.c_str(),
                              static_cast<int>(kOffline.size()), kOffline.data(), 1, true);
  }
  if (code != MOSQ_ERR_SUCCESS) {
    handle_.reset();
    lost(std::string("cannot use its user name, password or status topic: ") +
         mosquitto_strerror(code));
    return false;
  }
  if (broker.has_tls && !set_up_tls()) {
    handle_.reset();
    lost(
        "cannot read ca_file, cert_file or key_file: check that ejabberd's user may read them and "
        "that cert_file and key_file are given together");
    return false;
  }
  return true;
}

bool Link::set_up_tls() {
  const Broker& broker = options_.broker;
  mosquitto* const handle = handle_.get();
  const bool use_system = broker.ca_file.empty();
  return mosquitto_tls_set(handle, text_or_null(broker.ca_file),
                           use_system ? kSystemCertificates : nullptr,
                           text_or_null(broker.cert_file), text_or_null(broker.key_file),
                           no_passphrase) == MOSQ_ERR_SUCCESS &&
         mosquitto_tls_opts_set(handle, broker.verify ? 1 : 0, nullptr, nullptr) ==
             MOSQ_ERR_SUCCESS &&
         mosquitto_tls_insecure_set(handle, !broker.verify) == MOSQ_ERR_SUCCESS;
}

bool Link::connect() {
  const Broker& broker = options_.broker;
  up_ = false;
  greeted_ = false;
  closing_.clear();
  tls_detail_.clear();
  failure_code_ = MOSQ_ERR_SUCCESS;
  failure_errno_ = 0;
  if (!handle_ && !create_handle()) {
    return false;
  }
  set_state(LinkState::connecting, status().last_error);
  mosquitto_log_callback_set(handle_.get(),
                             [](mosquitto*, void* self, int level, const char* text) {
                               static_cast<Link*>(self)->on_log(level, text);
                             });

  mosquitto_property* properties = nullptr;
  if (broker.protocol == 5) {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(broker.session_expiry).count();
    const auto expiry = static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(seconds, 0, std::numeric_limits<std::uint32_t>::max()));
    mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, expiry);
  }
  const bool is_socket_path = broker.host.starts_with('/');
  const auto keepalive = std::chrono::duration_cast<std::chrono::seconds>(
      broker.keepalive == Duration::zero()
          ? Duration::zero()
          : std::clamp(broker.keepalive, kKeepaliveMin, kKeepaliveMax));
  errno = 0;
  const int code = mosquitto_connect_bind_v5(
      handle_.get(), broker.host.c_str(), is_socket_path ? 0 : broker.port,
      static_cast<int>(keepalive.count()), nullptr, properties);
  const int error = errno;
  mosquitto_property_free_all(&properties);
  if (code == MOSQ_ERR_SUCCESS) {
    return true;
  }
  if (!stop_.stop_requested()) {
    lost(link_error(broker, code, error, tls_detail_));
  }
  return false;
}

void Link::serve() {
  const Clock::time_point deadline = Clock::now() + options_.handshake_max;
  while (!stop_.stop_requested()) {
    Duration timeout = kTurnMax;
    if (!up_) {
      const auto left = std::chrono::ceil<Duration>(deadline - Clock::now());
      if (left <= Duration::zero()) {
        lost("no answer from " + address_of(options_.broker) +
             ": is it an MQTT broker, and does it hang?");
        return;
      }
      timeout = std::min(timeout, left);
    }
    if (!turn(timeout)) {
      lost(closing_.empty()
               ? link_error(options_.broker, failure_code_, failure_errno_, tls_detail_)
               : closing_);
      return;
    }
    if (up_ && !waits_since_) {
      attend();
    }
  }
  if (up_) {
    say_goodbye();
  }
}

// Waits for something to do and does what the socket asks for. False: the connection is gone.
bool Link::turn(Duration timeout) {
  mosquitto* const handle = handle_.get();
  const int socket = mosquitto_socket(handle);
  if (socket < 0) {
    return false;
  }
  if (holds_acknowledgements_ && !is_all_appended()) {
    return wait_for_append(timeout);
  }
  waits_since_.reset();
  const bool acknowledges = std::exchange(holds_acknowledgements_, false);
  open_ = 0;
  int code = write_packets();
  if (acknowledges) {
    pace_.acknowledged(Clock::now());
  }

  int ready = 0;
  int events = 0;
  // What came while nothing was read is there without asking.
  if (code == MOSQ_ERR_SUCCESS && !acknowledges) {
    const int write_event = mosquitto_want_write(handle) ? POLLOUT : 0;
    pollfd fds[] = {{socket, static_cast<short>(POLLIN | POLLRDHUP | write_event), 0},
                    {wakeup_.fd(), POLLIN, 0}};
    if (!fall_asleep()) {
      timeout = Duration::zero();
    }
    ready = poll(fds, 2, static_cast<int>(timeout.count()));
    if (fds[1].revents != 0) {
      wakeup_.clear();
    }
    events = ready > 0 ? fds[0].revents : 0;
    if ((events & POLLOUT) != 0) {
      code = write_packets();
    }
  }
  // OpenSSL may hold data that poll() does not see; the regular turns find it.
  const bool is_readable = (events & ~POLLOUT) != 0 || ready == 0 || (events != 0 && !up_);
  if (code == MOSQ_ERR_SUCCESS && is_readable && mosquitto_socket(handle) >= 0) {
    code = read_packets((events & (POLLRDHUP | POLLHUP | POLLERR)) != 0);
    if (open_ >= kReadMax || (open_ > 0 && pace_.begins(acknowledges, Clock::now()))) {
      const std::lock_guard lock(outside_mutex_);
      if (!abandoned_) {
        inbox_.hurry();
      }
    }
  }
  if (code == MOSQ_ERR_SUCCESS && mosquitto_socket(handle) >= 0) {
    code = mosquitto_loop_misc(handle);
  }
  if (code != MOSQ_ERR_SUCCESS || mosquitto_socket(handle) < 0) {
    failure_code_ = code == MOSQ_ERR_SUCCESS ? MOSQ_ERR_CONN_LOST : code;
    failure_errno_ = errno;
    return false;
  }
  return true;
}

// The engine has not appended what was read: writing would acknowledge it. The connection is left
// before the broker, which hears nothing of us, would end it.
bool Link::wait_for_append(Duration timeout) {
  const Clock::time_point now = Clock::now();
  if (!waits_since_) {
    waits_since_ = now;
  }
  if (options_.broker.keepalive > Duration::zero()) {
    const Duration patience =
        std::clamp(options_.broker.keepalive, kKeepaliveMin, kKeepaliveMax) / 2;
    const auto left = std::chrono::ceil<Duration>(*waits_since_ + patience - now);
    if (left <= Duration::zero()) {
      closing_ =
          "what it sent cannot be stored and is not acknowledged; connecting again when it is";
      return false;
    }
    timeout = std::min(timeout, left);
  }
  {
    const std::lock_guard lock(mutex_);
    asleep_ = appended_ < taken_;
    if (!asleep_) {
      return true;
    }
  }
  pollfd fd = {wakeup_.fd(), POLLIN, 0};
  if (poll(&fd, 1, static_cast<int>(timeout.count())) > 0) {
    wakeup_.clear();
  }
  return true;
}

// Lets go all that libmosquitto has queued, in as few segments as there may be.
int Link::write_packets() {
  mosquitto* const handle = handle_.get();
  if (!mosquitto_want_write(handle)) {
    return MOSQ_ERR_SUCCESS;
  }
  const int socket = mosquitto_socket(handle);
  const auto cork = [socket](int on) {
    // Fails on a unix socket, which needs none.
    setsockopt(socket, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
  };
  const bool is_many = up_;
  if (is_many) {
    cork(1);
  }
  errno = 0;
  const int code = mosquitto_loop_write(handle, 1);
  if (is_many && mosquitto_socket(handle) == socket) {
    const int error = errno;
    cork(0);
    errno = error;
  }
  return code;
}

// Reads what is there. mosquitto_loop_read() reads one packet and leaves errno EAGAIN when there is
// none. During the handshake it does not say, so it is called a few times.
int Link::read_packets(bool peer_closed) {
  const int most = up_ ? kReadsPerTurn : 4;
  for (int i = 0; i < most && open_ < kReadMax; ++i) {
    // Once stop() is asked for, nobody need make room any more. What is not read is not
    // acknowledged either, and the session keeps it.
    if (stop_.stop_requested() && (abandoned_ || inbox_.is_full())) {
      return MOSQ_ERR_CONN_LOST;
    }
    errno = 0;
    const int code = mosquitto_loop_read(handle_.get(), 1);
    if (code != MOSQ_ERR_SUCCESS) {
      return code;
    }
    if (mosquitto_socket(handle_.get()) < 0) {
      return MOSQ_ERR_CONN_LOST;
    }
    // What comes next may be for filters that attend() has yet to hear of.
    if (errno == EAGAIN || (up_ && !greeted_)) {
      break;
    }
  }
  // libmosquitto takes an end of file within the TLS handshake for "not yet".
  return peer_closed && !up_ ? MOSQ_ERR_CONN_LOST : MOSQ_ERR_SUCCESS;
}

bool Link::fall_asleep() {
  const std::lock_guard lock(mutex_);
  const bool has_work = (up_ && new_filters_) || (greeted_ && outbox_.size() > 0 && has_window());
  asleep_ = !has_work;
  return asleep_;
}

void Link::pause(Duration duration) {
  const Clock::time_point deadline = Clock::now() + duration;
  while (!stop_.stop_requested()) {
    const auto left = std::chrono::ceil<Duration>(deadline - Clock::now());
    if (left <= Duration::zero()) {
      return;
    }
    pollfd fd = {wakeup_.fd(), POLLIN, 0};
    if (poll(&fd, 1, static_cast<int>(left.count())) > 0) {
      wakeup_.clear();
    }
  }
}

void Link::wait_until_all_is_appended() {
  while (!stop_.stop_requested()) {
    {
      const std::lock_guard lock(mutex_);
      asleep_ = appended_ < taken_;
      if (!asleep_) {
        return;
      }
    }
    pollfd fd = {wakeup_.fd(), POLLIN, 0};
    if (poll(&fd, 1, static_cast<int>(kTurnMax.count())) > 0) {
      wakeup_.clear();
    }
  }
}

// Sends what waits, then "offline", then DISCONNECT. If the broker does not acknowledge in time the
// connection is dropped without DISCONNECT, and the broker publishes "offline" itself.
void Link::say_goodbye() {
  const Clock::time_point deadline = Clock::now() + options_.farewell_max;
  const auto turn_until = [&](const auto& is_done) {
    while (!is_done()) {
      const auto left = std::chrono::ceil<Duration>(deadline - Clock::now());
      if (left <= Duration::zero() || !turn(std::min(left, kTurnMax))) {
        return false;
      }
      flush();
    }
    return true;
  };
  if (!waits_since_) {
    attend();
  }
  if (!turn_until([&] { return status().queued == 0; })) {
    return;
  }
  if (!options_.status_topic.empty()) {
    submit({.topic = options_.status_topic, .payload = "offline", .qos = 1, .retain = true});
    if (!turn_until([&] { return in_flight_.empty(); })) {
      return;
    }
  }
  mosquitto_disconnect(handle_.get());
  turn_until([&] { return mosquitto_socket(handle_.get()) < 0; });
  log(LogLevel::info, "disconnected");
}

void Link::lost(const std::string& why) {
  const bool was_up = std::exchange(up_, false);
  subscriptions_.link_lost();
  unpublished_ += std::exchange(unwritten_, 0);
  holds_acknowledgements_ = false;  // libmosquitto throws them away
  open_ = 0;
  waits_since_.reset();
  in_flight_count_ = in_flight_.size();
  if (handle_) {
    // After a failed handshake libmosquitto keeps the socket open until the next try.
    const int socket = mosquitto_socket(handle_.get());
    if (socket >= 0) {
      shutdown(socket, SHUT_RDWR);
    }
    // A new handle reads the certificates again.
    if (options_.broker.has_tls && !was_up && in_flight_.empty()) {
      handle_.reset();
    }
  }
  set_state(LinkState::down, why);
  if (was_up || why != last_logged_) {
    log(LogLevel::warning, why);
    last_logged_ = why;
  }
}

}  // namespace rollup::mqtt

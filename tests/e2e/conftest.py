"""Fixtures: private servers that are closed whatever happens, and whose logs are kept when a test fails."""

import dataclasses
import importlib.util
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support" / "python"))

from rollup_testing import Ejabberd, Mosquitto, MqttClient, XmppClient  # noqa: E402
from rollup_testing.process import left_behind, remove_directory, service_directory  # noqa: E402

KEPT_LOGS = ROOT / "build" / "test-logs" / "e2e"


def pytest_configure(config):
    """A polite kill closes the servers, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left():
    """Looks when the last server is closed: the first one depends on it."""
    yield
    assert left_behind() == []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for server in item.session.config.stash.get(SERVERS, []):
            if log_size(server) == item.stash.get(SIZES, {}).get(server):
                continue
            report.sections.append((f"log of {server.directory}", keep_logs(server, item.name)))


SERVERS = pytest.StashKey[list]()
SIZES = pytest.StashKey[dict]()


def pytest_runtest_setup(item):
    item.stash[SIZES] = {server: log_size(server) for server in item.config.stash.get(SERVERS, [])}


def log_size(server):
    return os.path.getsize(server.log_path) if os.path.exists(server.log_path) else 0


def keep_logs(server, name):
    """Copies a server's log away and returns its end."""
    if not os.path.exists(server.log_path):
        return "no log"
    KEPT_LOGS.mkdir(parents=True, exist_ok=True)
    kept = KEPT_LOGS / f"{re.sub(r'[^A-Za-z0-9_-]+', '-', name)[:100]}-{os.path.basename(server.directory)}.log"
    shutil.copyfile(server.log_path, kept)
    lines = kept.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-60:] + [f"(all of it: {kept})"])


class Home:
    """Starts servers and clients and closes them in the opposite order."""

    def __init__(self, config, installed=None):
        self._config = config
        self._installed = installed
        self._open = []

    def _keep(self, thing):
        self._open.append(thing)
        return thing

    def _keep_server(self, server):
        self._config.stash.setdefault(SERVERS, []).append(server)
        return self._keep(server)

    def ejabberd(self, **options):
        """A private ejabberd, not started."""
        return self._keep_server(Ejabberd(**options))

    def installed_path(self):
        """The directory that `module_install` left."""
        return self._installed()

    def rollup(self, options, users=("alice",), link="feed", **ejabberd_options):
        """A running ejabberd with the module and these options (YAML), and with accounts rollup, sensors and `users`.

        `link`: how the module reaches this ejabberd's own broker, `feed` or `client`.
        """
        server = self.ejabberd(**ejabberd_options)
        server.link = link
        server.add_installed(self._installed())
        server.start()
        server.register("rollup", "sensors", *users)
        self.configure(server, options)
        return server

    def configure(self, server, options):
        """The first configuration: returns when the program takes in what it names."""
        if server.link == "feed":
            self.reconfigure(server, options, r"the program is running")
            return
        with MqttClient(server.mqtt_port, "rollup@localhost", "rollup") as watcher:
            # Published when the link has come up, behind the subscriptions. (An older one is retained.)
            watcher.subscribe("rollup/status/json", retain_handling=2)
            self.reconfigure(server, options, r"broker ejabberd: connected")
            watcher.wait_for_topic("rollup/status/json")

    def reconfigure(self, server, options, log=r"the new configuration is in use"):
        """A later configuration: returns when the program has taken it. Subscriptions of a client may follow in a moment."""
        since = server.log_position()
        server.write_config(server.broker_options() + options)
        printed = server.reload()
        assert "rror" not in printed, printed
        server.wait_for_log(log, since=since)

    def mosquitto(self):
        """A private broker, running."""
        return self._keep_server(Mosquitto()).start()

    def mqtt(self, server, user=None, **options):
        """A connected MQTT client; at an ejabberd as `user`@localhost, whose password is the name."""
        if user is None:
            return self._keep(MqttClient(server.port, **options))
        return self._keep(MqttClient(server.mqtt_port, f"{user}@localhost", user, **options))

    def xmpp(self, server, user):
        """A logged-in XMPP client of `user`@localhost."""
        return self._keep(XmppClient(server.c2s_port, f"{user}@localhost/test", user))

    def close(self):
        while self._open:
            thing = self._open.pop()
            servers = self._config.stash.get(SERVERS, [])
            if thing in servers:
                servers.remove(thing)
            thing.close()


@dataclasses.dataclass
class Installation:
    """What `module_install` did in the first server of the run."""

    server: Ejabberd
    printed: str
    seconds: float  # of a processor, for the build
    path: str  # a copy of the installed directory


@pytest.fixture(scope="session")
def installation(request, nothing_is_left):
    """The package, written and installed once a run."""
    package = subprocess.run(
        [ROOT / "ejabberd" / "package.sh"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    things = Home(request.config)
    request.addfinalizer(things.close)
    server = things.ejabberd()
    server.add_sources(ROOT / package)
    server.start()
    before = server.seconds_of_programs()
    printed = server.ctl("module_install", "mod_mqtt_rollup")
    seconds = server.seconds_of_programs() - before
    kept = service_directory("installed")
    request.addfinalizer(lambda: remove_directory(kept))
    copy = os.path.join(kept, "mod_mqtt_rollup")
    shutil.copytree(server.installed_path(), copy)
    return Installation(server, printed, seconds, copy)


def new_home(request):
    things = Home(request.config, lambda: request.getfixturevalue("installation").path)
    request.addfinalizer(things.close)
    return things


@pytest.fixture
def home(request):
    """Servers and clients of one test."""
    return new_home(request)


@pytest.fixture(scope="module")
def shared_home(request):
    """Servers and clients of all tests of a file."""
    return new_home(request)


@pytest.fixture(scope="session")
def summary_message(tmp_path_factory):
    """The class of the published message, made from the schema."""
    out = tmp_path_factory.mktemp("proto")
    schema = ROOT / "proto" / "rollup" / "v1" / "rollup.proto"
    subprocess.run(["protoc", f"-I{schema.parent}", f"--python_out={out}", schema], check=True)
    specification = importlib.util.spec_from_file_location("rollup_pb2", out / "rollup_pb2.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.Summary

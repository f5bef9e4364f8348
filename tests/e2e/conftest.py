"""Fixtures: private servers that are closed whatever happens, and whose logs are kept when a test fails."""

import os
import pathlib
import shutil
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support" / "python"))

from rollup_testing import Ejabberd, Mosquitto, MqttClient, XmppClient  # noqa: E402

KEPT_LOGS = ROOT / "build" / "test-logs" / "e2e"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        item.session.config.stash.setdefault(FAILED, set()).add(item.nodeid)
        for server in item.session.config.stash.get(SERVERS, []):
            report.sections.append((f"log of {server.directory}", keep_logs(server, item.name)))


SERVERS = pytest.StashKey[list]()
FAILED = pytest.StashKey[set]()


def keep_logs(server, name):
    """Copies a server's log away and returns its end."""
    if not os.path.exists(server.log_path):
        return "no log"
    KEPT_LOGS.mkdir(parents=True, exist_ok=True)
    kept = KEPT_LOGS / f"{name}-{os.path.basename(server.directory)}.log"
    shutil.copyfile(server.log_path, kept)
    lines = kept.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-60:] + [f"(all of it: {kept})"])


class Home:
    """Starts servers and clients and closes them in the opposite order."""

    def __init__(self, config):
        self._config = config
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


@pytest.fixture
def home(request):
    """Servers and clients of one test."""
    things = Home(request.config)
    request.addfinalizer(things.close)
    return things


@pytest.fixture(scope="module")
def shared_home(request):
    """Servers and clients of all tests of a file."""
    things = Home(request.config)
    request.addfinalizer(things.close)
    return things

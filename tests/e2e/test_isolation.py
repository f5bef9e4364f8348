"""ejabberd and its publishers do not suffer, whatever the program does; the status and few log lines tell."""

import json
import os
import re
import signal
import statistics
import subprocess
import time

import pytest
from answers import count, status, until
from rollup_testing.process import LOOPBACK

QUEUE_MEMORY = 1024 * 1024
MAILBOX_BYTES = 9 * 1024 * 1024  # the limit, and what a publisher may be above it
OPTIONS = f"""\
limits: {{queue_memory: {QUEUE_MEMORY}}}
streams:
  numbers:
    topic: "count/{{name}}"
    value: value
    resolution: 10s
    lateness: 10s
    hold: 1h
"""
PADDING = "x" * 2000
MESSAGE = json.dumps({"value": 1, "padding": PADDING})
HANG_SECONDS = 60
MESSAGES = 20_000  # of two kilobytes: forty times of what may be in memory
PROCESSES = ("feed", "port", "publisher", "service")


@pytest.fixture(scope="module")
def server(shared_home):
    return shared_home.rollup(OPTIONS, more_modules=["mod_admin_extra"])


class Flood:
    """Mosquitto's client, which publishes as fast as ejabberd acknowledges."""

    def __init__(self, server, topic, messages):
        self.messages = messages
        self._publisher = subprocess.Popen(
            ["mosquitto_pub", "-h", LOOPBACK, "-p", str(server.mqtt_port), "-u", "sensors@localhost", "-P", "sensors",
             "-V", "5", "-q", "1", "-l", "-t", topic],
            stdin=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._publisher.stdin.write((MESSAGE + "\n") * messages)
        self._publisher.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """When everything has come: it is not to be trusted with the end of its input."""
        self._publisher.kill()
        self._publisher.wait()
        self._publisher.stdin.close()


def mailboxes(server):
    """How many messages wait in the processes of the module."""
    names = ", ".join(f"mod_mqtt_rollup_{name}_localhost" for name in PROCESSES)
    printed = server.call(
        f"[begin {{_, N}} = process_info(whereis(P), message_queue_len), N end || P <- [{names}]]."
        .replace("N end", "integer_to_list(N) end")
    )
    return [int(number) for number in re.findall(r"\d+", printed)]


def feed(server):
    """What the feed says of itself, without asking the program."""
    printed = server.call('{ok, Info} = mod_mqtt_rollup_feed:info(<<"localhost">>), Info.')
    return {name: int(value) for name, value in re.findall(r"(\w+) => (\d+)", printed)}


def memory(server):
    """Bytes of the node, without garbage."""
    return int(server.call("[garbage_collect(P) || P <- processes()], erlang:memory(total)."))


def processor_seconds(server):
    with open(server.path("run", "ejabberd.pid"), encoding="ascii") as file:
        pid = int(file.read())
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        user, system = file.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def ours(lines):
    return [line for line in lines if "mod_mqtt_rollup" in line]


def seconds_to_publish(sensor, topic):
    """Until ejabberd has taken one message; and a rest, as a sensor has."""
    start = time.monotonic()
    sensor.publish(topic, MESSAGE)
    seconds = time.monotonic() - start
    time.sleep(0.05)
    return seconds


def test_a_program_that_hangs_for_a_minute_costs_no_memory_no_time_and_is_told(server, home):
    since = server.log_position()
    sensor = home.mqtt(server, "sensors")
    pid = server.wait_for_program()
    usual = [seconds_to_publish(sensor, "count/usual") for _ in range(50)]
    before = memory(server)
    end = time.monotonic() + HANG_SECONDS
    os.kill(pid, signal.SIGSTOP)
    try:
        with Flood(server, "count/hangs", MESSAGES) as flood:
            longest = 0

            def all_wait():
                nonlocal longest
                longest = max(longest, *mailboxes(server))
                return feed(server)["waiting"] == flood.messages

            until(all_wait, what="the flood in ejabberd's queue")
        # Sockets are quicker than the feed for moments only, and it has a limit in bytes.
        assert longest * len(MESSAGE) < MAILBOX_BYTES
        assert mailboxes(server) == [0] * len(PROCESSES)
        facts = feed(server)
        assert facts["memory_bytes"] < 2 * QUEUE_MEMORY < MESSAGES * len(MESSAGE) / 10 < facts["disk_bytes"]
        assert memory(server) - before < 10 * QUEUE_MEMORY
        server.wait_for_log("the program does not answer or does not keep up: [0-9]+ messages wait", since=since)
        assert status(server)["program"] == "not answering"
        taken, rest, busy = [], time.monotonic(), processor_seconds(server)
        while time.monotonic() < end:
            taken.append(seconds_to_publish(sensor, "count/hangs"))
        assert max(taken) < 2
        assert statistics.median(taken) < 5 * statistics.median(usual) + 0.02
        assert len(taken) > 100
        assert processor_seconds(server) - busy < 0.2 * (time.monotonic() - rest)
        assert max(mailboxes(server)) < 10
        assert memory(server) - before < 10 * QUEUE_MEMORY
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: count(server, "count/hangs") == MESSAGES + len(taken), what="everything that was published meanwhile")
    server.wait_for_log("the program keeps up again", since=since)
    facts = status(server)
    assert (facts["program"], facts["feed.waiting"], facts["feed.lost"]) == ("running", "0", "0")
    assert len(ours(server.log_lines(since))) == 2


def test_a_program_that_is_slow_delays_no_publisher(server, home):
    pid = server.wait_for_program()
    sensor = home.mqtt(server, "sensors")
    slowest, sent = 0.0, 0
    for _ in range(10):
        os.kill(pid, signal.SIGSTOP)
        try:
            for _ in range(100):
                start = time.monotonic()
                sensor.publish("count/slow", MESSAGE)
                slowest = max(slowest, time.monotonic() - start)
                sent += 1
            assert feed(server)["waiting"] > 0
        finally:
            os.kill(pid, signal.SIGCONT)
        until(lambda: feed(server)["waiting"] == 0, what="that it has caught up")
    assert slowest < 2
    assert count(server, "count/slow") == sent
    assert max(mailboxes(server)) == 0


PROGRAMS = {
    "missing": None,
    "ends-at-once": "#!/bin/sh\nexit 1\n",
    "ends-in-the-middle": "#!/bin/sh\n'{real}' &\nsleep 0.3\nkill -9 $!\nexit 1\n",
}


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_program_that_is_not_there_for_long_is_told_once(server, home, kind):
    program = server.path(kind)
    if PROGRAMS[kind]:
        with open(program, "w", encoding="utf-8") as file:
            file.write(PROGRAMS[kind].format(real=server.installed_path("priv", "bin", "mqtt_rollup")))
        os.chmod(program, 0o755)
    topic = f"count/{kind}"
    sensor = home.mqtt(server, "sensors")
    since = server.log_position()
    first = int(status(server)["program.restarts"])
    server.write_config(f"program: {program}\n" + OPTIONS)
    server.reload()
    started, busy = time.monotonic(), processor_seconds(server)
    sent = 0

    def tries():
        nonlocal sent
        sensor.publish(topic, MESSAGE)
        sent += 1
        return int(status(server)["program.restarts"]) - first

    until(lambda: tries() >= 5, what="some tries to start it")
    facts = status(server)
    assert facts["program"] != "running" or kind == "ends-in-the-middle"
    assert "program.problem" in facts
    # No busy loop: the questions of this test are most of it.
    assert processor_seconds(server) - busy < 0.5 * (time.monotonic() - started)
    assert max(mailboxes(server)) < 10
    # What is killed may have had more to say.
    lines = ours(server.log_lines(since))
    assert len(lines) <= 2, lines
    home.reconfigure(server, OPTIONS, "the program is running")
    until(lambda: count(server, topic) == sent, what="everything that was published meanwhile")


DIES_OF_A_WORD = """\
#!/usr/bin/python3
# The program, which has a bug: it ends with 70 when it is given a certain word.
import os, subprocess, sys
source = os.dup(3)
its, ours = os.pipe()
os.dup2(its, 3)
real = subprocess.Popen(["{real}", *sys.argv[1:]], pass_fds=(3, 4))
os.close(3)
os.close(4)
tail = b""
while data := os.read(source, 65536):
    tail = tail[-20:] + data
    if b"deadly" in tail:
        real.kill()
        real.wait()
        sys.exit(70)
    while data:
        data = data[os.write(ours, data) :]
os.close(ours)
sys.exit(real.wait())
"""


def test_a_message_that_ends_the_program_each_time_stops_no_other(server, home):
    program = server.path("dies-of-a-word")
    with open(program, "w", encoding="utf-8") as file:
        file.write(DIES_OF_A_WORD.format(real=server.installed_path("priv", "bin", "mqtt_rollup")))
    os.chmod(program, 0o755)
    since = server.log_position()
    lost = int(status(server)["feed.lost"])
    home.reconfigure(server, f"program: {program}\n" + OPTIONS, "the program is running")
    sensor = home.mqtt(server, "sensors")
    sent = 0
    for word in ("harmless", "deadly", "harmless", "harmless"):
        sensor.publish("count/words", json.dumps({"value": 1, "word": word}))
        sent += word == "harmless"
    told = "the program crashed each time that it was given a certain message of count/words, which is left out"
    server.wait_for_log(told, since=since)
    until(lambda: count(server, "count/words") == sent, what="all but the one that it cannot bear")
    assert int(status(server)["feed.lost"]) == lost + 1
    (kept,) = re.findall(r"it is kept in (\S+\.aside)", "\n".join(server.log_lines(since)))
    with open(kept, "rb") as file:
        assert b"deadly" in file.read()
    home.reconfigure(server, OPTIONS, "the program is running")
    assert count(server, "count/words") == sent

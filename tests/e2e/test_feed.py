"""The in-node link: nothing is lost and nothing is counted twice, whatever happens to the program meanwhile."""

import itertools
import os
import random
import signal
import subprocess
import threading
import time

import pytest
from answers import count, history, series, status, until
from rollup_testing.process import LOOPBACK

OPTIONS = """\
streams:
  numbers:
    topic: "count/{name}"
    resolution: 10s
    lateness: 10s
    hold: 1h
"""
RATE = 3000  # messages a second
LINES = 3  # publishers at the same time, each with a topic of its own
ROUNDS = int(os.environ.get("ROLLUP_KILLS", "100"))
SOAK_SECONDS = 60 * float(os.environ.get("ROLLUP_SOAK_MINUTES", "0"))


@pytest.fixture
def server(home):
    return home.rollup(OPTIONS, more_modules=["mod_admin_extra"])


def publisher_of_lines(server, topic):
    """Mosquitto's client, which publishes each line that it is given. It is not to be trusted with the end of its input:
    what waits for the broker then is lost."""
    return subprocess.Popen(
        ["mosquitto_pub", "-h", LOOPBACK, "-p", str(server.mqtt_port), "-u", "sensors@localhost", "-P", "sensors",
         "-V", "5", "-q", "1", "-l", "-t", topic],
        stdin=subprocess.PIPE, text=True,
    )  # fmt: skip


class Load:
    """`rate` QoS 1 messages a second through ejabberd, by Mosquitto's client: values 1, 2, 3 … on each topic."""

    def __init__(self, server, rate, prefix):
        self.topics = [f"count/{prefix}{line}" for line in range(LINES)]
        self.sent = 0  # on each topic
        self._pause = LINES / rate  # seconds between two values of a topic
        self._stop = threading.Event()
        self._publishers = [publisher_of_lines(server, topic) for topic in self.topics]
        self._thread = threading.Thread(target=self._feed)
        self._thread.start()

    def _feed(self):
        start = time.monotonic()
        while not self._stop.is_set():
            due = int((time.monotonic() - start) / self._pause)
            lines = "".join(f"{value}\n" for value in range(self.sent + 1, due + 1))
            for publisher in self._publishers:
                publisher.stdin.write(lines)
                publisher.stdin.flush()
            self.sent = max(due, self.sent)
            self._stop.wait(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        for publisher in self._publishers:
            publisher.kill()
            publisher.wait()

    def finish(self):
        """Stops publishing. How many values each topic got; they are on their way to the broker."""
        self._stop.set()
        self._thread.join()
        return self.sent


def assert_exact(server, load, number):
    """Each topic has the samples 1 .. number, each once: by the counter and by count and sum in the history."""
    for topic in load.topics:
        until(lambda t=topic: count(server, t) >= number, what=f"{number} samples on {topic}", timeout=120)
        assert count(server, topic) == number
        rows = history(server, topic, last="2h", step="10s").values()
        assert (sum(int(row[0]) for row in rows), sum(float(row[1]) for row in rows if row[1])) == (
            number,
            number * (number + 1) / 2,
        )
    facts = status(server)
    assert {name for name, value in facts.items() if name.startswith("dropped.") and value != "0"} == set()
    assert facts["received"] == facts["accepted"]


def rounds():
    """Numbers of rounds: as many as asked for, and on until the time is over."""
    end = time.monotonic() + SOAK_SECONDS
    for number in itertools.count():
        if number >= ROUNDS and time.monotonic() >= end:
            return
        yield number


def random_numbers():
    """To choose from, by a seed that is printed; FEED_SEED=n gives it back."""
    seed = int(os.environ.get("FEED_SEED", random.randrange(1 << 32)))
    print(f"FEED_SEED={seed}")
    return random.Random(seed)


def restart_module(server):
    """Returns when the new program runs."""
    pid = server.wait_for_program()
    server.ctl("restart_module", "localhost", "mod_mqtt_rollup")
    server.wait_for_program(other_than=[pid])


def kill_program(server):
    """SIGKILL at a random moment of its work. Returns when the next one runs."""
    pid = server.kill_program()
    server.wait_for_program(other_than=[pid])


def test_a_hundred_kills_under_load_lose_nothing_and_count_nothing_twice(server):
    rng = random_numbers()
    first = last = 0
    with Load(server, RATE, "kill") as load:
        for last in rounds():
            if last - first == 100:
                # More without a minute of rest, and the program is started less and less often.
                restart_module(server)
                first = last
            time.sleep(rng.uniform(0, 0.4))  # the moment is what is tried here
            kill_program(server)
        assert_exact(server, load, load.finish())
    assert int(status(server)["program.restarts"]) > last - first


def test_a_hundred_kills_pauses_reloads_and_restarts_of_the_module_do_neither(server, home):
    rng = random_numbers()

    def pause():
        pid = server.wait_for_program()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(rng.uniform(0, 1))  # how long is what is tried here
        os.kill(pid, signal.SIGCONT)

    def reload():
        # Whom it meets before that takes it as its first configuration, and does not say that it is a new one.
        until(lambda: status(server)["program"] == "running", what="a program that has its configuration")
        # The history has to know at least an hour.
        home.reconfigure(server, OPTIONS.replace("hold: 1h", f"hold: {rng.randrange(3601, 86400)}s"))

    disturbances = [lambda: kill_program(server), pause, reload, lambda: restart_module(server)]
    with Load(server, RATE, "any") as load:
        for number in rounds():
            time.sleep(rng.uniform(0, 0.2))
            # Each of them at least once, whatever the number of rounds.
            (disturbances[number] if number < len(disturbances) else rng.choice(disturbances))()
        assert_exact(server, load, load.finish())


def test_a_burst_while_the_program_is_away_is_all_there_afterwards(server, home):
    program = server.installed_path("priv", "bin", "mqtt_rollup")
    os.rename(program, program + ".away")
    pid = server.wait_for_program()
    since = time.monotonic()
    server.kill_program()
    publishers = [publisher_of_lines(server, f"count/burst{line}") for line in range(2)]
    for publisher in publishers:
        publisher.stdin.write("1\n" * 100_000)
        publisher.stdin.flush()
    until(lambda: status(server)["feed.waiting"] == "200000", what="the burst in ejabberd's queue", timeout=60)
    for publisher in publishers:
        publisher.stdin.close()
        publisher.wait()
    while time.monotonic() < since + 30:
        time.sleep(0.1)  # so long it is to be away
    os.rename(program + ".away", program)
    server.wait_for_program(other_than=[pid], timeout=90)
    for line in range(2):
        until(lambda n=line: count(server, f"count/burst{n}") >= 100_000, what="the burst", timeout=120)
        assert count(server, f"count/burst{line}") == 100_000
    facts = until(lambda: (f := status(server))["feed.waiting"] == "0" and f, what="an empty queue")
    assert facts["received"] == facts["accepted"] == "200000"


def test_ejabberd_does_not_suffer_from_a_program_that_hangs(server, home):
    pid = server.wait_for_program()
    os.kill(pid, signal.SIGSTOP)
    try:
        sensor = home.mqtt(server, "sensors")
        slowest = 0.0
        for value in range(1, 2001):
            start = time.monotonic()
            sensor.publish("count/hang", str(value))
            slowest = max(slowest, time.monotonic() - start)
        # Nobody waited for the program: far below any time-out of it.
        assert slowest < 2
        facts = status(server)
        assert int(facts["feed.waiting"]) > 1000
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: count(server, "count/hang") == 2000, what="everything that was published meanwhile")


def test_what_ejabberd_has_not_handed_over_outlives_its_restart(server, home):
    pid = server.wait_for_program()
    os.kill(pid, signal.SIGSTOP)
    sensor = home.mqtt(server, "sensors")
    for value in range(1, 501):
        sensor.publish("count/over", str(value))
    sensor.close()
    server.stop()
    server.start()
    until(lambda: count(server, "count/over") == 500, what="what was published before the restart")
    home.mqtt(server, "sensors").publish("count/over", "501")
    until(lambda: count(server, "count/over") == 501, what="a sample after the restart")
    assert sum(int(row[0]) for row in history(server, "count/over", last="1h", step="10s").values()) == 501


def test_a_retained_message_from_before_sets_the_current_value_only(home):
    server = home.ejabberd()
    server.add_installed(home.installed_path())
    server.start()
    server.register("sensors")
    home.mqtt(server, "sensors").publish("count/old", "7", retain=True)
    home.configure(server, OPTIONS)
    row = until(lambda: series(server).get("count/old"), what="the series of the retained message")
    assert (row["value"], row["count"], row["age"]) == ("7", "0", "")


def test_the_status_topic_says_whether_the_program_runs(server, home):
    client = home.mqtt(server, "alice")
    client.subscribe("rollup/status")
    client.wait_for(lambda m: m.topic == "rollup/status" and m.text == "online", what="online")
    since = len(client.messages)
    server.kill_program()
    until(lambda: [m.text for m in client.messages.since(since)] == ["offline", "online"], what="offline, then online")


def test_an_output_that_mod_mqtt_refuses_is_told_with_the_remedy(home):
    server = home.rollup(
        OPTIONS, mqtt_options={"access_publish": '{"count/#": all, "rollup/#": all}'}
    )
    home.mqtt(server, "sensors").publish("count/refused", "1")
    server.wait_for_log(r"stats/.*access_publish|access_publish.*stats/")

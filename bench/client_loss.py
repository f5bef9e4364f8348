#!/usr/bin/python3
"""What `kill -9` of the program takes from a link `client`, and what comes twice. Both are to be 0.

    bench/client_loss.py BUILD_DIRECTORY [kills] [backlog kills]

`backlog kills`: how many more of them, each with a backlog: the program stays away for 30 s before it is started again.

A publisher sends QoS 1 messages at a steady rate to a Mosquitto while the program is killed at random moments and
started again at once. Two streams read the same messages: for one of them each has an event time of its own, so it counts
different messages; for the other what comes twice counts twice.
"""

import pathlib
import random
import sys
import tempfile
import threading
import time

from end_to_end import terms_of

from rollup_testing.mosquitto import Mosquitto
from rollup_testing.mqtt import MqttClient
from rollup_testing.program import Program
from rollup_testing.terms import Atom

KILLS = 40
BACKLOG_KILLS = 1
AWAY_SECONDS = 30
RATES = (500, 3000)
BETWEEN_SECONDS = (0.2, 1.0)
TOPIC = "bench/load"
# Longer than a run, so that nothing comes too late.
LATENESS_MS = 3_600_000


class Publisher(threading.Thread):
    """Sends until it is told to end; `sent` is how many messages it has."""

    def __init__(self, client, rate):
        super().__init__()
        self._client = client
        self._rate = rate
        self._end = threading.Event()
        # A millisecond for each message, as that is what times are kept in, and none of them to come.
        self._first_ms = int(time.time() * 1000) - LATENESS_MS // 2
        self.sent = 0

    def run(self):
        start = time.monotonic()
        while not self._end.wait(0.002):
            while self.sent < (time.monotonic() - start) * self._rate:
                self.send(wait=False)

    def send(self, wait):
        payload = f'{{"value":{self.sent},"time":{self._first_ms + self.sent}}}'
        self._client.publish(TOPIC, payload, wait=wait)
        self.sent += 1

    def end(self):
        """The value of the last message, which comes after all others."""
        self._end.set()
        self.join()
        self.send(wait=True)
        return self.sent - 1


def started(binary, data_dir, broker):
    program = Program(binary, data_dir)
    program.hello()

    def stream(name, **changes):
        fields = [("", terms_of.field(value="/value"))]
        return (name, terms_of.stream("bench/load", fields=fields, lateness_ms=LATENESS_MS, publish=[], **changes))

    rules = terms_of.rules([stream("once", time="/time"), stream("each")])
    assert program.configure(rules, [terms_of.broker(broker.port, client_id="loss")]) == "ok"
    program.wait_until(lambda status: status["brokers"][0]["state"] == "connected", "the link")
    return program


def taken(program, stream):
    """How many samples of the stream are in the history."""
    count, after = 0, ""
    while True:
        answer = program.ask(terms_of.history(
            terms_of.key(TOPIC, stream), last_ms=LATENESS_MS, step_ms=1000, aggregates=[Atom("count")], max=5000, after=after,
        ))  # fmt: skip
        count += sum(row[1][0] for row in answer["rows"])
        after = answer["next"]
        if not after:
            return count


def measure(binary, broker, rate, kills, rng, away_seconds=0):
    with tempfile.TemporaryDirectory() as directory, MqttClient(broker.port) as client:
        program = started(binary, pathlib.Path(directory) / "data", broker)
        publisher = Publisher(client, rate)
        publisher.start()
        try:
            for _ in range(kills):
                time.sleep(rng.uniform(*BETWEEN_SECONDS))
                program.kill()
                program.clean_up()
                time.sleep(away_seconds)
                program = started(binary, pathlib.Path(directory) / "data", broker)
        finally:
            last = publisher.end()
        program.wait_until(lambda _: newest(program) == last, "the last message", 300)
        once, each = taken(program, "once"), taken(program, "each")
        program.close()
        program.clean_up()
    lost, twice = last + 1 - once, each - once
    print(
        f"  {rate:5d}/s   {kills} kills, {away_seconds} s away after each, {last + 1} messages   lost {lost} (0)   "
        f"twice {twice} (0)",
        flush=True,
    )


def newest(program):
    """The value of the message that came last."""
    rows = program.ask(terms_of.series(*(terms_of.key(TOPIC, stream) for stream in ("once", "each"))))["rows"]
    return max((row["value"] for row in rows if row["value"] is not None), default=None)


def main():
    binary = pathlib.Path(sys.argv[1]) / "bin" / "mqtt_rollup"
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else KILLS
    backlog_kills = int(sys.argv[3]) if len(sys.argv) > 3 else BACKLOG_KILLS
    seed = random.randrange(1 << 32)
    print(f"  seed {seed}", flush=True)
    rng = random.Random(seed)
    # The broker is to keep what comes while there is no program, however much it is.
    broker = Mosquitto("max_queued_messages 0\n").start()
    try:
        for rate in RATES:
            measure(binary, broker, rate, kills, rng)
        measure(binary, broker, RATES[-1], backlog_kills, rng, AWAY_SECONDS)
    finally:
        broker.close()


if __name__ == "__main__":
    main()

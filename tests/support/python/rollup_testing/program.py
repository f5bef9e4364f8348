"""The port program, driven as Erlang drives it: frames on descriptors 3 and 4."""

import fcntl
import os
import select
import signal
import struct
import subprocess
import time

from . import terms
from .terms import Atom

ANSWER_SECONDS = 20


class Ended(Exception):
    """The program closed its output."""


class Program:
    """One run of the program. `binary` is its path, `data_dir` where its history lives."""

    def __init__(self, binary, data_dir, chunk=None):
        to_program, self._output = os.pipe()
        self._input, from_program = os.pipe()
        self.data_dir = str(data_dir)
        self._chunk = chunk  # bytes per write; None: all at once
        self._buffer = b""
        self._next_id = 1
        self.logs = []
        self.notifications = []
        self.committed = None  # (epoch, number) of the feed
        self.published = []  # (topic, payload, retain) on the feed
        self.answers_publications = True
        # Out of the way of 3 and 4, which the shell then makes of them.
        high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 40) for descriptor in (to_program, from_program)]
        self.process = subprocess.Popen(
            ["bash", "-c", 'exec "$0" 3<&"$1" 4>&"$2"', str(binary), *map(str, high)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=high,
        )  # fmt: skip
        for descriptor in (to_program, from_program, *high):
            os.close(descriptor)

    # -- frames --

    def send_bytes(self, data):
        step = self._chunk or len(data) or 1
        for start in range(0, len(data), step):
            os.write(self._output, data[start : start + step])

    def send(self, term):
        data = terms.encode(term)
        self.send_bytes(struct.pack(">I", len(data)) + data)

    def receive(self, seconds=ANSWER_SECONDS):
        """The next frame's term. Log lines and notifications are kept aside and not returned."""
        deadline = time.monotonic() + seconds
        while True:
            while len(self._buffer) >= 4:
                size = struct.unpack(">I", self._buffer[:4])[0]
                if len(self._buffer) < 4 + size:
                    break
                term = terms.decode(self._buffer[4 : 4 + size])
                self._buffer = self._buffer[4 + size :]
                if term[0] == "log":
                    self.logs.append((str(term[1]), term[2]))
                elif term[0] == "notify":
                    self.notifications.append((term[1], term[2]))
                    return term
                elif term[0] == "committed":
                    self.committed = (term[1], term[2])
                    return term
                elif term[0] == "publish":
                    self.published += [(topic, payload, retain) for topic, payload, _, retain, _, _ in term[1]]
                    if self.answers_publications:
                        self.send((Atom("published"), len(term[1]), 0))
                    return term
                else:
                    return term
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._input], [], [], left)[0]:
                raise TimeoutError(f"no frame within {seconds} s; logs: {self.logs}")
            data = os.read(self._input, 65536)
            if not data:
                raise Ended(f"exit {self.process.wait(5)}, {self.process.stderr.read().decode()}")
            self._buffer += data

    def expect(self, word, seconds=ANSWER_SECONDS):
        """The next frame that is a `word` tuple; others (notifications) are passed over."""
        deadline = time.monotonic() + seconds
        while True:
            term = self.receive(max(0.01, deadline - time.monotonic()))
            if term[0] == word:
                return term

    # -- the protocol --

    def hello(self, protocol=1):
        self.send((Atom("hello"), {Atom("protocol"): protocol, Atom("vhost"): "localhost"}))
        return self.expect("hello")

    def configure(self, rules, brokers, durability="normal"):
        """ok, or the list of (code, place, message)."""
        return self._set_up("configure", "configured", {
            Atom("data_dir"): self.data_dir, Atom("durability"): Atom(durability),
            Atom("rules"): rules, Atom("brokers"): brokers,
        })  # fmt: skip

    def check(self, rules, brokers):
        return self._set_up("check", "checked", {Atom("rules"): rules, Atom("brokers"): brokers})

    def _set_up(self, request, answer, body):
        self._next_id += 1
        self.send((Atom(request), self._next_id, body))
        _, got, outcome = self.expect(answer)
        assert got == self._next_id
        return "ok" if outcome == "ok" else outcome[1]

    def ask(self, question):
        """The answer; an AssertionError with the program's error otherwise."""
        outcome = self.try_ask(question)
        assert outcome[0] == "ok", outcome
        return outcome[1]

    def try_ask(self, question):
        self._next_id += 1
        self.send((Atom("request"), self._next_id, 10_000, question))
        while True:
            _, got, outcome = self.expect("reply")
            if got == self._next_id:
                return outcome

    def status(self):
        return self.ask(Atom("status"))

    def credit(self, events):
        self.send((Atom("credit"), events))

    def wait_until(self, claim, what, seconds=ANSWER_SECONDS):
        """Asks for the status until `claim(status)` holds; that status."""
        deadline = time.monotonic() + seconds
        while True:
            status = self.status()
            if claim(status):
                return status
            assert time.monotonic() < deadline, f"{what} did not come about: {status}; {self.logs}"
            select.select([], [], [], 0.02)

    # -- the feed --

    def feed(self, first, messages=(), epoch=1, up_to_ms=None, lost=0):
        """A batch of (topic, payload, arrival_ms); without messages a heartbeat."""
        now = int(time.time() * 1000)
        self.send((
            Atom("feed"), epoch, first, now if up_to_ms is None else up_to_ms, lost, "lost/topic" if lost else "",
            [(topic, payload, arrival, 0, "alice@localhost/phone") for topic, payload, arrival in messages],
        ))  # fmt: skip

    def wait_for_commit(self, number, epoch=1, seconds=ANSWER_SECONDS):
        deadline = time.monotonic() + seconds
        while self.committed != (epoch, number):
            self.receive(max(0.01, deadline - time.monotonic()))

    # -- its end --

    def close(self):
        """End of file; the exit code."""
        os.close(self._output)
        self._output = -1
        try:
            while True:
                self.receive(10)
        except Ended:
            return self.process.wait(10)

    def stop_reading(self):
        os.close(self._input)
        self._input = -1

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def clean_up(self):
        if self.process.poll() is None:
            self.kill()
        for descriptor in (self._input, self._output):
            if descriptor >= 0:
                os.close(descriptor)
        self.process.stdout.close()
        self.process.stderr.close()
        self._input = self._output = -1


# -- the terms of a configuration, with the defaults that Erlang fills in --


def limits(**changes):
    values = {
        "series": 100_000, "series_per_stream": 50_000, "new_series": 1000, "topic": 1024, "payload": 256 * 1024,
        "text": 4096, "json_depth": 64, "rows": 5000, "alerts_per_rule": 10_000, **changes,
    }  # fmt: skip
    return {Atom(key): value for key, value in values.items()}


def field(**changes):
    return _map({
        "value": "", "unit": "", "title": "", "scale": 1, "offset": 0, "kind": Atom("gauge"), "reset": Atom("zero"),
        "valid": Atom("none"), **changes,
    })  # fmt: skip


def output(topic, **changes):
    return _map({
        "topic": topic, "format": Atom("json"), "window_ms": 1000, "every_ms": 1000, "statistic": Atom("auto"),
        "sparkline": Atom("none"), "on": Atom("interval"), "deadband": 0, "min_interval_ms": 0,
        "heartbeat_ms": 3_600_000, "retain": True, "qos": 1, "expiry_ms": Atom("forever"), "broker": "broker",
        **changes,
    })  # fmt: skip


def stream(topic, **changes):
    return _map({
        "topic": topic, "broker": "broker", "qos": 1, "format": Atom("auto"), "fields": [("", field())], "time": "",
        "resolution_ms": 1000, "hold_ms": Atom("auto"), "lateness_ms": 2000,
        "keep": _map({tier: Atom("forever") for tier in ("raw", "fine", "hour", "day")}),
        "publish": [output("stats/{series}")], **changes,
    })  # fmt: skip


def alert(of, raise_, **changes):
    return _map({
        "stream": of, "match": [], "raise": raise_, "clear": "", "for_ms": 0, "clear_for_ms": 0, "notify": [],
        "message": "", "topic": "alerts/{alert}/{series}", **changes,
    })  # fmt: skip


def rules(streams, alerts=(), **changes):
    return _map({
        "timezone": "UTC", "language": "en", "limits": limits(), "streams": list(streams), "alerts": list(alerts),
        **changes,
    })  # fmt: skip


def broker(port, **changes):
    return _map({
        "name": "broker", "link": Atom("client"), "host": "127.0.0.1", "port": port, "username": "", "password": "", "client_id": "rollup-test",
        "keepalive_ms": 60_000, "protocol": 5, "session_expiry_ms": 3_600_000, "tls": Atom("none"), **changes,
    })  # fmt: skip


def feed():
    """The broker `broker`, as ejabberd's own."""
    return _map({"name": "broker", "link": Atom("feed")})


def key(topic, stream="temperature", broker_name="broker"):
    """What identifies a series of a stream without fields."""
    return (stream, broker_name, topic, "")


def history(series_key, **changes):
    null = Atom("null")
    return (Atom("history"), _map({
        "series": series_key, "from_ms": null, "to_ms": null, "last_ms": null, "step_ms": null,
        "aggregates": [Atom("avg"), Atom("count")], "max": 1000, "after": "", **changes,
    }))  # fmt: skip


def series(*keys):
    return (Atom("series"), list(keys))


def _map(values):
    return {Atom(key): value for key, value in values.items()}

#!/usr/bin/python3
"""What the module costs ejabberd and its publishers, measured in real servers with real clients.

    bench/in_ejabberd.py BUILD_DIRECTORY [latency] [throughput] [hook] [cpu]

Three private ejabberds run side by side: without the module (`bare`), with it by link `feed`, and with it by link
`client`. Only one is busy at a time; they take turns, round by round, so that what else the machine does meets all of
them alike. bench/README.md tells how to read the numbers.
"""

import contextlib
import math
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

import end_to_end
from end_to_end import ROOT, TOPICS, cpu_seconds

from rollup_testing import Ejabberd
from rollup_testing.process import remove_directory, service_directory

ROUNDS = 7
FLOOD_ROUNDS = 15
CLIENTS = 4
FLOOD_SECONDS = 3
LATENCY_RATE, LATENCY_SECONDS = 1000, 2
CPU_RATES, CPU_SECONDS = (500, 2000, 4000), 6
USER = "sensors@localhost"
HOOK_PASSES = 9
LOOK_SECONDS = 0.05  # between two questions whether the program has everything

OPTIONS = """\
streams:
  bench:
    topic: "bench/{sensor}"
    format: json
    fields:
      value: {value: value}
    resolution: 1m
    lateness: 5m
    publish:
      - {topic: "stats/{sensor}", window: 1h, every: 1m}
""" + "".join(f"""\
  {name}:
    topic: "house/{{room}}/{{device}}/{name}"
    publish: []
""" for name in ("temperature", "humidity", "pressure", "co2", "light", "noise", "voltage", "current", "motion"))


class Server:
    """A private ejabberd, by its link to the module: `feed`, `client`, or None without the module."""

    def __init__(self, things, load, link, installed=None):
        """`things`: the ExitStack that closes it."""
        self._load = load
        self.link = link
        # A link `client` that falls behind is not to be thrown out for that.
        self.ejabberd = Ejabberd(mqtt_options={"max_queue": 10_000_000})
        things.callback(self.ejabberd.close)
        if installed:
            self.ejabberd.add_installed(installed)
        self.ejabberd.start()
        self.ejabberd.register("sensors", "rollup")
        if link:
            self.ejabberd.link = link
            self.ejabberd.write_config(self.ejabberd.broker_options() + OPTIONS)
            printed = self.ejabberd.reload()
            assert "rror" not in printed, printed
            self.until(lambda facts: is_linked(facts, link), "the link")
        with open(self.ejabberd.path("run", "ejabberd.pid"), encoding="ascii") as file:
            self.pid = int(file.read())

    @property
    def port(self):
        return self.ejabberd.mqtt_port

    @property
    def program(self):
        return self.ejabberd.wait_for_program() if self.link else None

    def load(self, *arguments):
        """What mqtt_load printed, as numbers."""
        printed = subprocess.run(
            [self._load, arguments[0], str(self.port), *map(str, arguments[1:])],
            env={**os.environ, "MQTT_LOAD_USER": USER}, check=True, stdout=subprocess.PIPE, text=True,
        ).stdout  # fmt: skip
        return [float(number) for number in printed.split()]

    def status(self):
        return self.ejabberd.api("mqtt_rollup_status", host="localhost")

    def until(self, claim, what, timeout=60):
        deadline = time.monotonic() + timeout
        while True:
            try:
                facts = self.status()
                if claim(facts):
                    return facts
            except AssertionError as error:
                facts = error
            assert time.monotonic() < deadline, f"{what} did not come about: {facts}"
            time.sleep(LOOK_SECONDS)

    def until_taken(self, accepted):
        """Returns when the program has accepted so many in its life, and committed what came by the feed.

        A program that has much to do may not answer; then nothing is known of what it has accepted.
        """
        return self.until(
            lambda facts: int(facts.get("accepted", -1)) >= accepted and facts.get("feed.waiting", "0") == "0",
            "all messages",
        )


def is_linked(facts, link):
    return facts.get("feed.connected" if link == "feed" else "broker.ejabberd.state") in ("true", "connected")


def spread(values, digits=2):
    """The median, and between which values it is."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} … {max(values):.{digits}f})"


def mean(values, digits=3):
    """The mean and its standard error."""
    error = statistics.stdev(values) / math.sqrt(len(values))
    return f"{statistics.mean(values):.{digits}f} ± {error:.{digits}f}"


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def table(*rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  " + "   ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip(), flush=True)


def latency(bare, feed):
    """How long a publisher waits for its PUBACK."""

    def stopped():
        os.kill(feed.program, signal.SIGSTOP)
        try:
            return feed.load("latency", TOPICS, LATENCY_RATE, LATENCY_SECONDS)
        finally:
            os.kill(feed.program, signal.SIGCONT)

    states = {
        "without the module": lambda: bare.load("latency", TOPICS, LATENCY_RATE, LATENCY_SECONDS),
        "feed": lambda: feed.load("latency", TOPICS, LATENCY_RATE, LATENCY_SECONDS),
        "feed, the program stopped": stopped,
    }
    found = {name: [] for name in states}
    for turn in range(ROUNDS):
        for name in list(states) if turn % 2 else reversed(states):
            found[name].append(states[name]())
        # What waits is none of the next round's business.
        feed.until(lambda facts: facts["feed.waiting"] == "0", "an empty queue")
    rows = [("QoS 1 PUBACK, µs", "p50", "ratio", "p99", "ratio")]
    base = None
    for name, rounds in found.items():
        p50, p99 = ([percentile(one, share) for one in rounds] for share in (0.5, 0.99))
        base = base or (p50, p99)
        ratios = ([ours / theirs for ours, theirs in zip(*pair)] for pair in ((p50, base[0]), (p99, base[1])))
        r50, r99 = map(spread, ratios)
        rows.append((name, f"{statistics.median(p50):.0f}", r50, f"{statistics.median(p99):.0f}", r99))
    table(*rows)


class Flood:
    """One flood of a server: rates, and processor time of a message in microseconds."""

    def __init__(self, server):
        accepted = int(server.until(lambda facts: "accepted" in facts, "an answer")["accepted"]) if server.link else 0
        pids = [server.pid] + ([server.program] if server.link else [])
        before = [cpu_seconds(pid) for pid in pids]
        started = time.monotonic()
        taken, seconds = server.load("flood", TOPICS, CLIENTS, FLOOD_SECONDS)
        self.rate = taken / seconds
        self.committed = self.lag = None
        if server.link:
            server.until_taken(accepted + taken)
            self.committed = taken / (time.monotonic() - started)
        self.cpu = [(cpu_seconds(pid) - start) / taken * 1e6 for pid, start in zip(pids, before)]


def throughput(bare, feed, client):
    """How many messages a second the server takes."""
    servers = {"without the module": bare, "feed": feed, "client": client}
    found = {name: [] for name in (*servers, "without the module, again")}
    for server in servers.values():
        Flood(server)  # the series come into being
    for turn in range(FLOOD_ROUNDS):
        order = [*servers.items(), ("without the module, again", bare)]
        for name, server in order if turn % 2 else reversed(order):
            found[name].append(Flood(server))
    rows = [("QoS 1 messages/s", "taken", "ratio", "committed", "µs CPU: ejabberd", "the program")]
    for name, floods in found.items():
        ratios = [
            2 * flood.rate / (first.rate + second.rate)
            for flood, first, second in zip(
                floods, found["without the module"], found["without the module, again"]
            )
        ]
        median = [f"{statistics.median(values):.0f}" for values in zip(*(flood.cpu for flood in floods))]
        committed = [flood.committed for flood in floods if flood.committed]
        rows.append((
            name, f"{statistics.median(flood.rate for flood in floods):.0f}", mean(ratios),
            f"{statistics.median(committed):.0f}" if committed else "-",
            *median, *(["-"] if len(median) < 2 else []),
        ))  # fmt: skip
    table(*rows)


def hook(bare, feed):
    """What the hook costs the publisher of a message."""
    source = service_directory("hook")
    try:
        shutil.copy(ROOT / "bench" / "hook_bench.erl", source)
        path = f"{source}/hook_bench.erl"
        times = {}
        for name, server in (("without the module", bare), ("feed", feed)):
            loaded = server.ejabberd.call(
                "Includes = [{i, filename:join(filename:dirname(filename:dirname(code:which(One))), \"include\")} "
                "|| One <- [ejabberd, xmpp, fxml, p1_server]], "
                f"{{ok, Module, Binary}} = compile:file(\"{path}\", [binary, return_errors | Includes]), "
                "{module, _} = code:load_binary(Module, \"\", Binary), ok."
            )
            assert loaded == "ok", loaded
            answer = server.ejabberd.call(f"hook_bench:run({HOOK_PASSES}).")
            unwanted, wanted = (
                [float(number) for number in part.split(",")] for part in re.findall(r"\[([^]]*)\]", answer)
            )
            times[name] = unwanted, wanted
        table(
            ("µs in the publisher's process", "unwanted (90 000 topics)", "wanted (10 000)"),
            *((name, spread(unwanted), spread(wanted)) for name, (unwanted, wanted) in times.items()),
        )
        feed.until(lambda facts: facts["feed.waiting"] == "0", "an empty queue")
    finally:
        remove_directory(source)


def cpu(load, feed):
    """The whole program on the feed, beside a bare subscriber at the same ejabberd."""
    feed.load("publish", TOPICS, 2000, 1)

    def accepted():
        return int(feed.status()["accepted"])

    for rate in CPU_RATES:
        end_to_end.measure(
            load, feed.port, feed.program, accepted, feed.until_taken, rate, CPU_SECONDS, user=USER, broker_pid=feed.pid
        )


def install(load, things):
    """The directory that `module_install` leaves."""
    subprocess.run([ROOT / "ejabberd" / "package.sh"], check=True, stdout=subprocess.DEVNULL)
    with contextlib.closing(Ejabberd()) as server:
        server.start()
        server.add_sources(ROOT / "build" / "contrib" / "mod_mqtt_rollup")
        server.ctl("module_install", "mod_mqtt_rollup")
        kept = service_directory("installed")
        things.callback(remove_directory, kept)
        shutil.copytree(server.installed_path(), f"{kept}/mod_mqtt_rollup")
    return f"{kept}/mod_mqtt_rollup"


def main():
    # A polite kill closes the servers, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    load = str(pathlib.Path(sys.argv[1]) / "bench" / "mqtt_load")
    wanted = sys.argv[2:] or ["latency", "throughput", "hook", "cpu"]
    with contextlib.ExitStack() as things:
        installed = install(load, things)
        servers = {}
        for name, link in (("bare", None), ("feed", "feed"), ("client", "client")):
            servers[name] = Server(things, load, link, installed if link else None)
        bare, feed, client = servers.values()
        if "latency" in wanted:
            print(f"== latency of publishers at ejabberd ({LATENCY_RATE}/s, medians of {ROUNDS} rounds)", flush=True)
            latency(bare, feed)
        if "throughput" in wanted:
            print(f"== throughput of ejabberd ({CLIENTS} publishers, {FLOOD_ROUNDS} rounds, ratios as means)", flush=True)
            throughput(bare, feed, client)
        if "hook" in wanted:
            print(f"== the hook (medians of {HOOK_PASSES} passes)", flush=True)
            hook(bare, feed)
        if "cpu" in wanted:
            print("== CPU per message on the feed, beside a bare subscriber at the same ejabberd", flush=True)
            cpu(load, feed)


if __name__ == "__main__":
    main()

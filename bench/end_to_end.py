#!/usr/bin/python3
"""CPU per message of the whole program, beside a bare libmosquitto subscriber on the same broker in the same run.

    bench/end_to_end.py BUILD_DIRECTORY [seconds]

Both take the same messages (QoS 1, MQTT 5, 1 000 topics) at the same time. What counts is the ratio: absolute numbers
depend on the machine and on what else it does.
"""

import logging
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support" / "python"))
# slixmpp has advice on how it could be faster; it is not used here.
logging.getLogger("slixmpp.stringprep").setLevel(logging.ERROR)

from rollup_testing import program as terms_of  # noqa: E402
from rollup_testing.mosquitto import Mosquitto  # noqa: E402
from rollup_testing.program import Program  # noqa: E402

TOPICS = 1000
RATES = (500, 2000, 8000)


def cpu_seconds(pid):
    """Of all threads that the process has now: to the nanosecond, where /proc/PID/stat counts ticks of ten milliseconds."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        except FileNotFoundError:
            pass  # a thread that has just ended
    return total / 1e9


def measure(load, port, pid, accepted, until_accepted, rate, seconds, user=None, broker_pid=None):
    """Prints one row. `pid`: the program's; `accepted()`: how many messages it has taken in; `until_accepted(number)`."""
    environment = {**os.environ, **({"MQTT_LOAD_USER": user} if user else {})}
    bare = subprocess.Popen(
        [load, "subscribe", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert bare.stdout.readline() == "ready\n"
    already = accepted()
    pids = [pid, bare.pid] + ([broker_pid] if broker_pid else [])
    before = [cpu_seconds(one) for one in pids]
    subprocess.run(
        [load, "publish", str(port), str(TOPICS), str(rate), str(seconds)],
        check=True, stdout=subprocess.PIPE, env=environment,
    )  # fmt: skip
    messages = rate * seconds
    until_accepted(already + messages)
    ours, theirs, *broker = ((cpu_seconds(one) - start) / messages * 1e6 for one, start in zip(pids, before))
    counted = int(bare.communicate("")[0])
    assert counted == messages, f"the bare subscriber got {counted} of {messages}"
    print(
        f"  {rate:6d}/s   program {ours:5.1f} us   bare subscriber {theirs:5.1f} us   ratio {ours / theirs:4.2f}"
        + (f"   the broker {broker[0]:5.1f} us" if broker else ""),
        flush=True,
    )


def main():
    build = pathlib.Path(sys.argv[1])
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    rules = terms_of.rules([
        ("bench", terms_of.stream(
            "bench/{sensor}", fields=[("", terms_of.field(value="/value"))], resolution_ms=60_000, lateness_ms=300_000,
            publish=[terms_of.output("stats/{sensor}", window_ms=3_600_000, every_ms=60_000)],
        )),
    ])  # fmt: skip
    load = str(build / "bench" / "mqtt_load")

    def accepted():
        return program.status()["accepted"]

    def until_accepted(number):
        program.wait_until(lambda status: status["accepted"] >= number, "all messages", 60)

    broker = Mosquitto().start()
    with tempfile.TemporaryDirectory() as directory:
        program = Program(build / "bin" / "mqtt_rollup", pathlib.Path(directory) / "data")
        try:
            program.hello()
            assert program.configure(rules, [terms_of.broker(broker.port)]) == "ok"
            program.wait_until(lambda status: status["brokers"][0]["state"] == "connected", "the link")
            # The series come into being once; what is measured is how they go on.
            subprocess.run(
                [load, "publish", str(broker.port), str(TOPICS), "2000", "1"], check=True, stdout=subprocess.PIPE
            )
            program.wait_until(lambda status: status["accepted"] >= 2000, "the first messages")
            for rate in RATES:
                measure(load, broker.port, program.process.pid, accepted, until_accepted, rate, seconds)
            program.close()
        finally:
            program.clean_up()
            broker.close()


if __name__ == "__main__":
    main()

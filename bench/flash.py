#!/usr/bin/python3
"""What the program writes to the disk, by /proc/PID/io, with 50 sensors and 5 messages/s, by link.

    bench/flash.py BUILD_DIRECTORY [minutes, default 1]

The figures of a short run are pessimistic: the first checkpoint of a run is in them, and little else.
"""

import contextlib
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support" / "python"))

from rollup_testing import program as terms_of  # noqa: E402
from rollup_testing.mosquitto import Mosquitto  # noqa: E402
from rollup_testing.mqtt import MqttClient  # noqa: E402
from rollup_testing.program import Program  # noqa: E402

SENSORS = 50
RATE = 5
BYTES_A_MESSAGE, MEGABYTES_A_DAY = 60, 24  # the targets


def written(pid):
    with open(f"/proc/{pid}/io", encoding="ascii") as file:
        return int(dict(line.split(": ") for line in file)["write_bytes"])


def measure(link, build, minutes):
    rules = terms_of.rules([("bench", terms_of.stream(
        "bench/{sensor}", resolution_ms=60_000, lateness_ms=60_000,
        publish=[terms_of.output("stats/{sensor}", window_ms=3_600_000, every_ms=300_000)],
    ))])  # fmt: skip
    # Not below /tmp, which may be in memory, where nothing is written.
    with tempfile.TemporaryDirectory(dir=build) as directory, contextlib.closing(Mosquitto().start()) as broker:
        program = Program(build / "bin" / "mqtt_rollup", pathlib.Path(directory) / "data")
        try:
            program.hello()
            own = terms_of.feed() if link == "feed" else terms_of.broker(broker.port)
            assert program.configure(rules, [own]) == "ok"
            publisher = None
            if link == "client":
                program.wait_until(lambda status: status["brokers"][0]["state"] == "connected", "the link")
                publisher = MqttClient(broker.port)
            before, started = written(program.process.pid), time.monotonic()
            messages = minutes * 60 * RATE
            for number in range(messages):
                time.sleep(max(0, started + number / RATE - time.monotonic()))
                topic, payload = f"bench/sensor{number % SENSORS}", f"{20 + number % 17 / 10:.1f}"
                if publisher:
                    publisher.publish(topic, payload)
                else:
                    program.feed(number + 1, [(topic, payload, int(time.time() * 1000))])
            program.wait_until(lambda status: status["accepted"] >= messages, "all messages", 60)
            each = (written(program.process.pid) - before) / messages
            day = each * RATE * 86_400 / 1e6
            missed = "" if each <= BYTES_A_MESSAGE and day <= MEGABYTES_A_DAY else "   MISSED"
            print(f"  link {link:6}  {each:7.0f} bytes a message (target <= {BYTES_A_MESSAGE})   "
                  f"{day:7.0f} MB a day (target <= {MEGABYTES_A_DAY}){missed}", flush=True)  # fmt: skip
            if publisher:
                publisher.close()
            program.close()
        finally:
            program.clean_up()


def main():
    for link in ("client", "feed"):
        measure(link, pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 1)


if __name__ == "__main__":
    main()

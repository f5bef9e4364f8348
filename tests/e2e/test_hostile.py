"""Random and hostile messages: everything goes on, and every message is accounted for."""

import json
import os
import random

import pytest
from answers import count, dropped, errors, status, until

MESSAGES = 10000

OPTIONS = """\
streams:
  plain:
    topic: "in/plain/#"
    resolution: 1s
    lateness: 2s
    valid: [-1000000000, 1000000000]
  structured:
    topic: "in/json/{device}"
    format: json
    time: "/time"
    resolution: 1s
    lateness: 2s
    value: "/a/0/b"
  anything:
    topic: "in/any/{device}/#"
    resolution: 1s
    lateness: 2s
limits: {series: 40}
"""


@pytest.fixture(scope="module")
def server(shared_home):
    return shared_home.rollup(OPTIONS)


@pytest.fixture(scope="module")
def chance(request):
    seed = int(os.environ.get("HOSTILE_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"HOSTILE_SEED={seed}")
    return random.Random(seed)


def hostile_payload(chance):
    numbers = ["1e999", "-1e999", "nan", "inf", "1" * 400, "0x10", "1_000", "1,5", "+", "-0", "1e-400", "١٢٣", "9" * 19]
    return chance.choice(
        [
            lambda: chance.randbytes(chance.randrange(64)),
            lambda: b"\xff\xfe\xc0\x80" + chance.randbytes(8),
            lambda: b"\x00" * chance.randrange(1, 40),
            lambda: str(chance.uniform(-50, 50)).encode(),
            lambda: chance.choice(numbers).encode(),
            lambda: b"[" * chance.randrange(1, 3000),
            lambda: b'{"a":' * 200 + b"1" + b"}" * 200,
            lambda: json.dumps({"a": [{"b": chance.choice([1, None, "x", [], True, 1e300])}]}).encode(),
            lambda: json.dumps({"time": chance.choice([0, -1, 1e18, "x", None, 4e9]), "a": [{"b": 1}]}).encode(),
            lambda: b'{"a":[{"b":' + b"1" * chance.randrange(1, 2000) + b"}]}",
            lambda: b'{"a":"\\ud800"}',
            lambda: b'"' + b"\\" * chance.randrange(50),
            lambda: b"",
            lambda: (" " * chance.randrange(2000) + "5").encode(),
        ]
    )()


def hostile_topic(chance):
    level = chance.choice(
        ["a", "kitchen", "x" * 300, "ü", "\U0001f4a9", "{room}", "{{", "%s%n", "..", " ", "$x", "a\u202eb", '"', "\\"]
    )
    return chance.choice(
        [
            lambda: f"in/plain/{level}",
            lambda: "in/plain",
            lambda: "in/plain/" + "/".join("abcdefgh"[: chance.randrange(1, 9)]),
            lambda: "in/plain//",
            lambda: f"in/json/{level}",
            lambda: f"in/json/{chance.randrange(1000)}",
            lambda: f"in/any/{level}/{chance.randrange(10)}",
            lambda: f"in/any/{level}",
        ]
    )()


def test_hostile_messages_are_each_accepted_or_counted_as_dropped(server, home, chance):
    sensor = home.mqtt(server, "sensors")
    pid = server.wait_for_program()
    # Before the number of series is at its limit.
    sensor.publish("in/plain/last", "0")
    sensor.publish("in/plain/pace", "0")
    for number in range(MESSAGES):
        payload = hostile_payload(chance)
        if number % 1000 == 500:
            payload = chance.choice([b"7", b"\x00", b"["]) * (1 << 20)
        # Nothing is awaited for each one, or it would take minutes; the last one is.
        sensor.publish(hostile_topic(chance), payload, wait=False)
        if number % 500 == 0:
            sensor.publish("in/plain/pace", str(number))
    sensor.publish("in/plain/last", "1")
    assert len(sensor.disconnects) == 0

    expected = MESSAGES + MESSAGES // 500 + 3
    facts = until(
        lambda: (f := status(server)) and int(f["received"]) >= expected and f, 120, f"{expected} messages received"
    )
    # A payload may hold several samples or none; this program reads one value from each.
    assert int(facts["received"]) == expected
    assert int(facts["received"]) == int(facts["accepted"]) + sum(dropped(facts).values())
    for stream in ("plain", "structured", "anything"):
        prefix = f"stream.{stream}."
        lost = sum(int(value) for name, value in facts.items() if name.startswith(prefix + "dropped."))
        assert int(facts[prefix + "received"]) == int(facts[prefix + "accepted"]) + lost
    reasons = {reason for reason, number in dropped(facts).items() if number > 0}
    assert {"not_a_number", "not_json", "too_large", "too_deep", "bad_time", "too_many_series"} <= reasons
    assert server.program_pids() == [pid]

    sensor.publish("in/plain/last", "2")
    until(lambda: count(server, "in/plain/last") == 3, what="a good message after the bad ones")
    assert errors(server) == []

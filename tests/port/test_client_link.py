"""Nothing lost and nothing twice on a link `client` at QoS 1, whoever is killed."""

import os
import random
import signal

import pytest
from rollup_testing import program as terms_of
from rollup_testing.mosquitto import Mosquitto
from rollup_testing.mqtt import MqttClient
from rollup_testing.terms import Atom

KILLS = int(os.environ.get("CLIENT_KILLS", "100"))
BACKLOG = 2000
TOPIC = "home/kitchen/temperature"


@pytest.fixture
def own_broker():
    mosquitto = Mosquitto("max_queued_messages 0\nautosave_interval 0\n").start()
    yield mosquitto
    mosquitto.close()


def connect(program, broker):
    program.hello()
    rules = terms_of.rules([("temperature", terms_of.stream("home/{room}/temperature", publish=[]))])
    assert program.configure(rules, [terms_of.broker(broker.port)]) == "ok"


def wait_for_link(program):
    program.wait_until(
        lambda status: all(one["state"] == "connected" and one["filters_missing"] == 0 for one in status["brokers"]),
        "the subscription",
    )  # fmt: skip


def taken(program):
    rows = program.ask(terms_of.series(terms_of.key(TOPIC)))["rows"]
    return rows[0]["count"] if rows else 0


def in_history(program):
    answer = program.ask(terms_of.history(
        terms_of.key(TOPIC), last_ms=3_600_000, step_ms=60_000, aggregates=[Atom("count")], max=5000,
    ))  # fmt: skip
    return sum(row[1][0] for row in answer["rows"])


def test_kills_of_the_program_and_of_the_broker_lose_nothing_and_count_nothing_twice(start, own_broker):
    seed = int(os.environ.get("WORK_SEED", random.randrange(1 << 32)))
    print(f"WORK_SEED={seed}")
    rng = random.Random(seed)
    sent = 0

    def publish(count, wait=False):
        nonlocal sent
        for _ in range(count):
            client.publish(TOPIC, str(sent), wait=False)
            sent += 1
        if wait:
            # Comes after all others.
            client.publish(TOPIC, str(sent), wait=True)
            sent += 1

    program = start()
    connect(program, own_broker)
    wait_for_link(program)
    client = MqttClient(own_broker.port)
    redelivered = 0
    for kill in range(KILLS):
        # At any moment of a burst: while it comes in, is appended, or is acknowledged.
        publish(rng.randint(1, 300))
        reached = taken(program) + rng.randint(0, 200)
        program.wait_until(lambda _: taken(program) >= min(reached, sent), "a part of it")  # noqa: B023
        redelivered += program.status()["brokers"][0]["redelivered"]
        program.kill()
        program.clean_up()
        if kill % 10 == 4:
            publish(BACKLOG, wait=True)
        if kill % 10 == 9:
            # What the broker had promised is in its file; so it may be killed.
            publish(0, wait=True)
            client.close()
            own_broker.save_and_kill()
            own_broker.start()
            client = MqttClient(own_broker.port)
        program = start()
        connect(program, own_broker)
    publish(0, wait=True)
    client.close()
    program.wait_until(lambda _: taken(program) >= sent, "all of it", 60)
    status = program.status()["brokers"][0]
    assert taken(program) == sent
    assert in_history(program) == sent
    assert status["sessions_lost"] == 0
    print(f"{KILLS} kills, {sent} messages, {redelivered + status['redelivered']} delivered again")


def test_a_session_that_the_broker_has_forgotten_is_told(start):
    broker = Mosquitto("persistence false\n").start()
    try:
        program = start()
        connect(program, broker)
        wait_for_link(program)
        with MqttClient(broker.port) as client:
            client.publish(TOPIC, "1")
        program.wait_until(lambda _: taken(program) == 1, "the message")
        program.kill()
        broker.stop()
        broker.start()
        again = start()
        connect(again, broker)
        status = again.wait_until(lambda status: status["brokers"][0]["sessions_lost"] == 1, "the loss")
        assert "has forgotten the session" in status["brokers"][0]["last_error"]
        again.wait_until(
            lambda _: any("has forgotten the session" in text for _level, text in again.logs), "the log line"
        )
    finally:
        broker.close()


@pytest.mark.parametrize("protocol", [4, 5])
def test_a_reload_that_moves_a_broker_neither_loses_nor_misreads_its_messages(start, broker, own_broker, protocol):
    """Brokers a, b, reloaded without a: b's link is the same one."""
    program = start()
    program.hello()
    rules = terms_of.rules([
        ("ofb", terms_of.stream("home/{room}/temperature", broker="b", publish=[])),
    ])  # fmt: skip
    a = terms_of.broker(broker.port, name="a", client_id="moved-a", protocol=protocol)
    b = terms_of.broker(own_broker.port, name="b", client_id="moved-b", protocol=protocol)
    assert program.configure(rules, [a, b]) == "ok"
    wait_for_link(program)
    since = program.status()["brokers"][1]["since_ms"]
    with MqttClient(own_broker.port) as client:
        for number in range(500):
            client.publish(TOPIC, str(number), wait=False)
        assert program.configure(rules, [b]) == "ok"
        client.publish(TOPIC, "500", wait=True)
    status = program.wait_until(lambda status: status["accepted"] >= 501, "all messages")
    assert status["accepted"] == 501
    assert (status["brokers"][0]["name"], status["brokers"][0]["since_ms"]) == ("b", since)


def test_what_was_not_appended_comes_again(start, own_broker):
    """The program is stopped in the middle of a burst and killed: what it had not appended comes again."""
    program = start()
    connect(program, own_broker)
    wait_for_link(program)
    with MqttClient(own_broker.port) as client:
        program.process.send_signal(signal.SIGSTOP)
        for number in range(1000):
            client.publish(TOPIC, str(number), wait=False)
        client.publish(TOPIC, "last", wait=True)
        program.process.send_signal(signal.SIGKILL)
        program.process.wait(10)
    again = start()
    connect(again, own_broker)
    again.wait_until(lambda _: taken(again) >= 1000, "all of it")
    assert taken(again) == 1000

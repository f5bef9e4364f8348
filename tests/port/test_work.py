"""What the program does between a broker and Erlang."""

import os
import pathlib
import random
import signal
import threading

import pytest
from rollup_testing import program as terms_of
from rollup_testing.mqtt import MqttClient, retained
from rollup_testing.terms import Atom

TOPIC = "home/kitchen/temperature"


def rules(alerts=(), **stream):
    return terms_of.rules([("temperature", terms_of.stream("home/{room}/temperature", **stream))], alerts)


def connect(program, broker, the_rules, **changes):
    program.hello()
    assert program.configure(the_rules, [terms_of.broker(broker.port, **changes)]) == "ok"
    program.wait_until(lambda status: status["brokers"][0]["state"] == "connected", "the link")


@pytest.fixture
def client(broker):
    with MqttClient(broker.port) as one:
        yield one


def random_numbers():
    """To choose from, by a seed that is printed; WORK_SEED=n gives it back."""
    seed = int(os.environ.get("WORK_SEED", random.randrange(1 << 32)))
    print(f"WORK_SEED={seed}")
    return random.Random(seed)


def counts(program, last_ms=600_000):
    """Samples of the kitchen in the history, by its rows."""
    answer = program.ask(
        terms_of.history(terms_of.key(TOPIC), last_ms=last_ms, step_ms=1000, aggregates=[Atom("count")], max=5000)
    )
    return sum(row[1][0] for row in answer["rows"])


def test_kill_9_at_any_moment_loses_nothing_that_was_committed(start, broker, client):
    rng = random_numbers()
    program = start()
    connect(program, broker, rules())
    sent = 0
    for _ in range(6):
        before = program.status()["accepted"]
        burst = rng.randint(1, 400)
        for _ in range(burst):
            client.publish(TOPIC, str(rng.randint(0, 300) / 10), wait=False)
        sent += burst
        program.wait_until(lambda status: status["accepted"] >= before + burst, "the burst")  # noqa: B023
        # An answer comes after the commit of what it counts, or the history's next turn holds it.
        program.wait_until(lambda status: status["history"]["journal_rows"] > 0, "a commit")
        kept = counts(program)
        program.kill()
        program = start()
        connect(program, broker, rules())
        assert counts(program) == kept == sent


def test_a_notification_comes_again_until_it_is_said_to_be_delivered(start, broker, client):
    alerts = [("warm", terms_of.alert("temperature", "value > 30", notify=["alice@localhost"]))]
    program = start()
    connect(program, broker, rules(alerts))
    client.publish(TOPIC, "33")
    program.wait_until(lambda status: status["history"]["outbox"] == 1, "the outbox")
    assert program.notifications == []  # no credit
    program.credit(1)
    _, number, first = program.expect("notify")
    assert (first["alert"], first["phase"], first["to"]) == ("warm", "alarm", ["alice@localhost"])
    program.kill()
    again = start()
    connect(again, broker, rules(alerts))
    again.credit(5)
    assert again.expect("notify")[1:] == (number, first)
    again.send((Atom("notified"), number))
    again.wait_until(lambda status: status["history"]["outbox"] == 0, "the removal")
    assert again.close() == 0
    last = start()
    connect(last, broker, rules(alerts))
    last.credit(5)
    last.status()
    assert last.notifications == []


def test_a_wrong_configuration_changes_nothing(start, broker, client):
    program = start()
    connect(program, broker, rules())
    client.publish(TOPIC, "20")
    program.wait_until(lambda status: status["accepted"] == 1, "the sample")
    wrong = rules([("warm", terms_of.alert("temprature", "value >"))])
    places = {place for _code, place, _message in program.configure(wrong, [terms_of.broker(broker.port)])}
    assert places == {"alerts->warm->stream", "alerts->warm->raise"}
    client.publish(TOPIC, "21")
    program.wait_until(lambda status: status["accepted"] == 2, "the next sample")


def test_a_changed_configuration_keeps_the_series_and_their_history(start, broker, client):
    program = start()
    connect(program, broker, rules())
    client.publish(TOPIC, "20")
    program.wait_until(lambda status: status["accepted"] == 1, "the sample")
    changed = rules([("warm", terms_of.alert("temperature", "value > 30"))])
    assert program.configure(changed, [terms_of.broker(broker.port)]) == "ok"
    client.publish(TOPIC, "35")
    program.wait_until(lambda status: status["alarms"] == 1, "the alarm of the new rule")
    assert counts(program) == 2
    assert program.ask(terms_of.series(terms_of.key(TOPIC)))["rows"][0]["count"] == 2


@pytest.mark.parametrize("is_running", [True, False], ids=["reload", "restart"])
def test_an_alarm_whose_rule_is_taken_out_is_ended(start, broker, client, is_running):
    alerts = [("hot", terms_of.alert("temperature", "value > 30", notify=["alice@localhost"]))]
    program = start()
    connect(program, broker, rules(alerts))
    program.credit(10)
    client.publish(TOPIC, "33")
    _, number, begun = program.expect("notify")
    assert (begun["alert"], begun["phase"]) == ("hot", "alarm")
    program.send((Atom("notified"), number))
    topic = f"alerts/hot/{TOPIC}"
    client.subscribe(topic)
    client.wait_for(lambda message: '"state":"ALARM"' in message.text)
    if is_running:
        assert program.configure(rules(), [terms_of.broker(broker.port)]) == "ok"
    else:
        program.wait_until(lambda status: status["history"]["outbox"] == 0, "the delivery")
        program.kill()
        program = start()
        connect(program, broker, rules())
        program.credit(10)
    # The end may have come before the answer to the configuration.
    program.wait_until(lambda _: program.notifications[-1][1]["phase"] == "ok", "the end")
    ended = program.notifications[-1][1]
    assert (ended["alert"], ended["replaces"]) == ("hot", begun["id"])
    client.wait_for(lambda message: '"state":"OK"' in message.text)
    assert '"state":"OK"' in retained(broker.port, topic).text


def test_an_alert_that_moves_to_another_topic_leaves_ok_behind(start, broker, client):
    def alerts(topic):
        return [("hot", terms_of.alert("temperature", "value > 30", topic=topic, notify=["alice@localhost"]))]

    program = start()
    connect(program, broker, rules(alerts("one/{series}")))
    program.credit(10)
    client.publish(TOPIC, "33")
    program.expect("notify")
    assert program.configure(rules(alerts("two/{series}")), [terms_of.broker(broker.port)]) == "ok"
    client.subscribe("one/#")
    client.subscribe("two/#")
    client.wait_for(lambda message: message.topic == f"one/{TOPIC}" and '"state":"OK"' in message.text)
    client.wait_for(lambda message: message.topic == f"two/{TOPIC}" and '"state":"ALARM"' in message.text)
    assert len(program.notifications) == 1  # it is the same alarm


def test_a_stopped_broker_is_found_again_and_gets_its_retained_topics_back(start, tmp_path):
    from rollup_testing.mosquitto import Mosquitto

    own = Mosquitto().start()
    try:
        program = start()
        connect(program, own, rules())
        with MqttClient(own.port) as client:
            client.publish(TOPIC, "20")
            client.subscribe(f"stats/{TOPIC}")
            client.wait_for_topic(f"stats/{TOPIC}")
        own.stop()
        program.wait_until(lambda status: status["brokers"][0]["state"] != "connected", "the loss of the link")
        assert program.status()["brokers"][0]["last_error"]
        own.start()
        program.wait_until(lambda status: status["brokers"][0]["state"] == "connected", "the link", 90)
        with MqttClient(own.port) as client:
            client.subscribe("rollup/status")
            assert client.wait_for_topic("rollup/status").payload == b"online"
    finally:
        own.close()


def test_the_will_says_that_the_program_died(start, broker, client):
    program = start()
    connect(program, broker, rules())
    client.subscribe("rollup/status")
    assert client.wait_for_topic("rollup/status").payload == b"online"
    program.kill()
    client.wait_for(lambda message: message.topic == "rollup/status" and message.payload == b"offline")


def test_hostile_messages_are_counted_and_harm_nothing(start, broker, client):
    rng = random_numbers()
    program = start()
    connect(program, broker, rules(time="/t", fields=[("", terms_of.field(value="/v"))]))
    shapes = [
        lambda: rng.randbytes(rng.randint(0, 200)),
        lambda: b"[" * rng.randint(1, 3000),
        lambda: b'{"v":' * rng.randint(1, 200) + b"1" + b"}" * rng.randint(1, 200),
        lambda: b'{"v":1e%d,"t":%d}' % (rng.randint(-400, 400), rng.randint(-(1 << 62), 1 << 62)),
        lambda: b'{"v":"%d\\u0000","t":"2026-01-01T00:00:00Z"}' % rng.randint(0, 9),
        lambda: b"\x00" * rng.randint(1, 50),
        lambda: b'{"t":1767225600,"v":%d}' % rng.randint(0, 100),
    ]
    for number in range(2000):
        client.publish(f"home/r{number % 7}/temperature", rng.choice(shapes)() or b" ", wait=False)
    client.publish(TOPIC, b"x" * (1 << 20))
    status = program.wait_until(lambda status: status["received"] >= 2001, "all of them")
    assert status["received"] == status["accepted"] + sum(status["dropped"].values())
    assert status["dropped"]["too_large"] == 1
    assert program.close() == 0


def test_what_a_limit_refuses_is_counted_and_told_once(start, broker, client):
    program = start()
    the_rules = rules([("warm", terms_of.alert("temperature", "value > 30"))])
    the_rules[Atom("limits")] = terms_of.limits(alerts_per_rule=2, series=4)
    connect(program, broker, the_rules)
    for number in range(6):
        client.publish(f"home/r{number}/temperature", "20")
    status = program.wait_until(lambda status: status["received"] == 6, "all of them")
    assert status["refused"] == {"alerts_per_rule": 2} == status["streams"][0]["refused"]
    assert status["dropped"] == {"too_many_series": 2}
    assert status["streams"][0]["examples"] == {
        "alerts_per_rule": "home/r3/temperature", "too_many_series": "home/r5/temperature",
    }  # fmt: skip
    assert [text for _, text in program.logs if "first for" in text] == [
        "alert warm: no more series are watched, `limits: alerts_per_rule` is reached, first for home/r2/temperature. "
        "The status counts from now on; OPERATIONS.md has a remedy",
        "stream temperature: no more series are taken, `limits: series` or `series_per_stream` is reached, first for "
        "home/r4/temperature. The status counts from now on; OPERATIONS.md has a remedy",
    ]
    assert program.close() == 0


def test_a_reader_that_stops_reading_does_not_stop_the_work(start, broker, client):
    program = start()
    alerts = [("warm", terms_of.alert("temperature", "value > 30", notify=["alice@localhost"]))]
    connect(program, broker, rules(alerts))
    program.credit(1000)
    # Each message changes the state, so each makes a notification; nothing is read meanwhile.
    for number in range(500):
        client.publish(TOPIC, "33" if number % 2 == 0 else "20", wait=False)
    client.publish(TOPIC, "20")
    program.wait_until(lambda status: status["accepted"] == 501, "all of them")
    assert len(program.notifications) <= 1000


def test_the_program_goes_on_after_it_was_held(start, broker, client):
    program = start()
    connect(program, broker, rules())
    program.process.send_signal(signal.SIGSTOP)
    try:
        done = threading.Event()

        def publish():
            for _ in range(50):
                client.publish(TOPIC, "20")
            done.set()

        thread = threading.Thread(target=publish)
        thread.start()
        assert done.wait(20)
        thread.join()
    finally:
        program.process.send_signal(signal.SIGCONT)
    program.wait_until(lambda status: status["accepted"] == 50, "what came meanwhile")


def test_a_checkpoint_that_cannot_be_read_is_moved_aside_and_the_rest_goes_on(start, broker, client):
    program = start()
    connect(program, broker, rules())
    client.publish(TOPIC, "20")
    program.wait_until(lambda status: status["accepted"] == 1, "the sample")
    assert program.close() == 0
    checkpoint = pathlib.Path(program.data_dir, "checkpoint")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1] + b"?")
    again = start()
    connect(again, broker, rules())
    assert again.status()["series"] == 0
    assert [text for level, text in again.logs if level == "error" and "checkpoint.unreadable-1" in text]
    assert pathlib.Path(again.data_dir, "checkpoint.unreadable-1").exists()

"""The in-node link: messages that come over the port, and publications that go back."""

import json
import os
import time

from rollup_testing import program as terms_of
from rollup_testing.mqtt import MqttClient
from rollup_testing.program import Ended
from rollup_testing.terms import Atom

TOPIC = "home/kitchen/temperature"


def rules(alerts=(), **stream):
    return terms_of.rules([("temperature", terms_of.stream("home/{room}/temperature", **stream))], alerts)


def connect(program, the_rules=None):
    program.hello()
    assert program.configure(the_rules or rules(), [terms_of.feed()]) == "ok"
    program.expect("committed")
    program.send((Atom("feed_since"), 0))
    return program


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def now_ms():
    return int(time.time() * 1000)


def rows(program, aggregates=("count",), step_ms=1000, last_ms=7_200_000):
    answer = program.ask(
        terms_of.history(terms_of.key(TOPIC), last_ms=last_ms, step_ms=step_ms, aggregates=[Atom(a) for a in aggregates], max=5000)
    )
    return [(start, values) for start, values in answer["rows"] if values[0]]


def count(program):
    return sum(values[0] for _, values in rows(program, last_ms=600_000))


def exit_of(program):
    """Reads on until the program ends, and says how."""
    try:
        while True:
            program.receive()
    except Ended as end:
        return str(end)


def test_a_message_is_committed_and_then_acknowledged(start):
    program = connect(start())
    assert program.committed == (0, 0)
    program.feed(1, [(TOPIC, "21.5", now_ms()), (TOPIC, "22.5", now_ms()), ("other/topic", "1", now_ms())])
    program.wait_for_commit(3)
    status = program.status()
    assert (status["received"], status["accepted"]) == (3, 2)
    assert status["dropped"] == {"bad_topic": 1}
    assert status["brokers"][0]["state"] == "connected"


def test_what_is_sent_again_counts_once(start):
    program = connect(start())
    messages = [(TOPIC, str(number), now_ms()) for number in range(10)]
    program.feed(1, messages[:6])
    program.feed(4, messages[3:8])
    program.feed(1, messages[:6])
    program.feed(9, messages[8:])
    program.wait_for_commit(10)
    assert program.status()["accepted"] == 10
    assert count(program) == 10


def test_a_program_that_is_killed_goes_on_where_it_had_committed(start):
    program = connect(start())
    messages = [(TOPIC, str(number % 30), now_ms()) for number in range(3000)]
    program.feed(1, messages[:1000])
    program.wait_for_commit(1000)
    program.feed(1001, messages[1000:2000])
    program.kill()
    program = connect(start())
    assert program.committed in ((1, 1000), (1, 2000))
    program.feed(1, messages)
    program.wait_for_commit(3000)
    assert count(program) == 3000


def test_a_batch_that_is_known_is_acknowledged_again(start):
    program = connect(start())
    program.feed(1, [(TOPIC, "1", now_ms()), (TOPIC, "2", now_ms())])
    program.wait_for_commit(2)
    program.committed = None
    program.feed(1, [(TOPIC, "1", now_ms())])
    program.wait_for_commit(2)
    assert program.status()["accepted"] == 2


def test_another_epoch_begins_anew(start):
    program = connect(start())
    program.feed(5, [(TOPIC, "1", now_ms())], epoch=7)
    program.wait_for_commit(5, epoch=7)
    program.feed(1, [(TOPIC, "2", now_ms())], epoch=8)
    program.wait_for_commit(1, epoch=8)
    assert count(program) == 2


def test_a_backlog_of_twenty_minutes_fills_the_buckets_that_it_belongs_to(start):
    base = now_ms() // 60_000 * 60_000 - 20 * 60_000
    before = [(TOPIC, "5", base - 1000)]
    backlog = [(TOPIC, str(10 + second % 7), base + second * 1000) for second in range(0, 1200, 2)]
    program = connect(start(), rules(lateness_ms=2000))
    program.feed(1, before, up_to_ms=base)
    program.wait_for_commit(1)
    program.kill()
    program = connect(start(), rules(lateness_ms=2000))
    for first in range(0, len(backlog), 50):
        part = backlog[first : first + 50]
        program.feed(2 + first, part, up_to_ms=part[-1][2])
    program.feed(2 + len(backlog))
    program.wait_for_commit(1 + len(backlog))
    status = program.status()
    assert status["dropped"] == {}
    got = dict(rows(program, ("count", "sum"), step_ms=60_000))
    for minute in range(20):
        inside = [int(payload) for _, payload, at in backlog if (at - base) // 60_000 == minute]
        assert got[base + minute * 60_000] == [len(inside), sum(inside)]


def test_an_alarm_that_began_and_ended_meanwhile_is_told_once_as_past(start):
    the_rules = rules([("hot", terms_of.alert("temperature", "value > 30", for_ms=60_000, notify=["a@localhost"]))])
    base = now_ms() - 20 * 60_000
    program = connect(start(), the_rules)
    program.credit(10)
    program.feed(1, [(TOPIC, "20", base)], up_to_ms=base)
    program.wait_for_commit(1)
    program.kill()
    program = connect(start(), the_rules)
    program.credit(10)
    hot = [(TOPIC, "35", base + 60_000 + second * 1000) for second in range(0, 300, 10)]
    cool = [(TOPIC, "20", base + 400_000 + second * 1000) for second in range(0, 300, 10)]
    program.feed(2, hot, up_to_ms=hot[-1][2])
    program.wait_for_commit(1 + len(hot))
    assert program.notifications == []
    program.feed(2 + len(hot), cool)
    program.expect("notify")
    program.status()
    ((outbox_id, told),) = program.notifications
    assert told["phase"] == "ok"
    assert told["replaces"] == ""
    assert "OK" in told["body"] and "min" in told["body"]
    program.send((Atom("notified"), outbox_id))
    program.wait_until(lambda status: status["history"]["outbox"] == 0, "an empty outbox")


def test_time_that_ejabberd_was_away_too_does_not_count(start):
    the_rules = rules([("hot", terms_of.alert("temperature", "value > 30", for_ms=60_000, notify=["a@localhost"]))], hold_ms=7_200_000)
    base = now_ms() - 20 * 60_000
    program = connect(start(), the_rules)
    program.feed(1, [(TOPIC, "35", base)], up_to_ms=base)
    program.wait_for_commit(1)
    program.kill()
    program = start()
    program.hello()
    assert program.configure(the_rules, [terms_of.feed()]) == "ok"
    program.expect("committed")
    program.send((Atom("feed_since"), now_ms()))
    program.credit(10)
    program.feed(2)
    program.feed(2, [(TOPIC, "35", now_ms())])
    program.wait_for_commit(2)
    assert program.status()["alarms"] == 0
    assert program.notifications == []


def test_other_brokers_do_not_wait_for_a_feed_that_is_gone(start, broker):
    program = start()
    program.hello()
    the_rules = terms_of.rules([
        ("inside", terms_of.stream("inside/{room}", broker="inside", publish=[])),
        ("outside", terms_of.stream("outside/{room}", publish=[])),
    ])  # fmt: skip
    inside = {**terms_of.feed(), Atom("name"): "inside"}
    assert program.configure(the_rules, [inside, terms_of.broker(broker.port)]) == "ok"
    program.wait_until(lambda status: status["brokers"][1]["state"] == "connected", "the link")
    with MqttClient(broker.port) as client:
        client.publish("outside/kitchen", "1")
        before = cpu_seconds(program.process.pid)
        program.wait_until(lambda status: status["accepted"] == 1, "the message", seconds=40)
    # It looks once a second, and does not spin.
    assert cpu_seconds(program.process.pid) - before < 5


def test_the_feed_may_be_any_of_the_brokers(start, broker):
    program = start()
    program.hello()
    inside = {**terms_of.feed(), Atom("name"): "inside"}
    the_rules = terms_of.rules([("inside", terms_of.stream("home/{room}/temperature", broker="inside", publish=[]))])
    assert program.configure(the_rules, [terms_of.broker(broker.port), inside]) == "ok"
    program.expect("committed")
    program.feed(1, [(TOPIC, "1", now_ms())])
    program.wait_for_commit(1)
    # Another place after a reload, with messages on their way.
    program.feed(2, [(TOPIC, "2", now_ms())])
    assert program.configure(the_rules, [inside, terms_of.broker(broker.port)]) == "ok"
    program.feed(3, [(TOPIC, "3", now_ms())])
    program.wait_for_commit(3)
    assert program.status()["accepted"] == 3


def test_a_new_epoch_does_not_mix_with_what_is_left_of_the_old_one(start):
    program = connect(start())
    at = now_ms() - 300_000
    old = [(TOPIC, "1", at + number * 1000) for number in range(200)]
    program.feed(1000, old, epoch=7, up_to_ms=old[-1][2])
    program.feed(1, [(TOPIC, "2", now_ms())], epoch=8)
    seen = []
    while program.committed != (8, 1):
        program.expect("committed")
        seen.append(program.committed)
    assert seen[-2] == (7, 1199)
    assert [epoch for epoch, _ in seen] == [7] * (len(seen) - 1) + [8]


def test_time_stands_still_while_the_feed_is_silent(start):
    program = connect(start())
    silent_since = now_ms() - 10_000
    program.feed(1, [(TOPIC, "20", silent_since)], up_to_ms=silent_since)
    program.wait_for_commit(1)
    # It was published 2 s after its end, had time gone on.
    program.status()
    assert not [topic for topic, _, _ in program.published if topic.startswith("stats/")]
    late = silent_since + 500
    program.feed(2, [(TOPIC, "30", late)], up_to_ms=late)
    program.feed(3)
    program.wait_for_commit(2)
    assert program.status()["dropped"] == {}
    while not [topic for topic, _, _ in program.published if topic == f"stats/{TOPIC}"]:
        program.receive()


def test_summaries_are_published_on_the_link(start):
    program = connect(start())
    program.feed(1, [(TOPIC, "21.5", now_ms() - 3000)], up_to_ms=now_ms())
    while not [topic for topic, _, _ in program.published if topic == f"stats/{TOPIC}"]:
        program.feed(2)
        program.receive()
    topic, payload, retain = next(p for p in program.published if p[0].startswith("stats/"))
    assert json.loads(payload)["value"] == 21.5
    assert retain
    assert [topic for topic, _, _ in program.published if topic == "rollup/status/json"]


def test_publications_wait_for_answers(start):
    program = connect(start(), rules(lateness_ms=2000))
    program.answers_publications = False
    at = now_ms() - 4000
    program.feed(1, [(f"home/{room}/temperature", "1", at) for room in range(400)], up_to_ms=now_ms())
    program.wait_for_commit(400)
    program.feed(401)
    program.wait_until(
        lambda status: len(program.published) == 256 and status["brokers"][0]["queued"] > 256, "a full window"
    )
    program.answers_publications = True
    program.send((Atom("published"), 256, 6))
    program.wait_until(lambda status: status["brokers"][0]["queued"] == 0, "all of them")
    assert "refused" in program.status()["brokers"][0]["last_error"]
    program.send((Atom("published"), 1, 0))
    assert "exit 65" in exit_of(program)


def test_what_ejabberd_had_to_drop_is_counted(start):
    program = connect(start())
    program.feed(1, [(TOPIC, "1", now_ms())], lost=5)
    program.wait_for_commit(1)
    status = program.status()
    assert status["dropped"] == {"queue_full": 5}
    assert status["received"] == 6


def test_a_malformed_batch_ends_the_program_and_the_reason_is_logged(start):
    program = connect(start())
    program.send((Atom("feed"), 1, 1, 0, 0, "", [("only a topic",)]))
    assert "exit 65" in exit_of(program)
    level, reason = program.logs[-1]
    assert level == "error"
    assert reason.startswith("protocol violation: ")


def test_a_reload_in_the_middle_of_a_backlog_loses_nothing(start):
    program = connect(start())
    at = now_ms() - 60_000
    messages = [(TOPIC, "1", at + number * 50) for number in range(1000)]
    program.feed(1, messages[:600], up_to_ms=messages[599][2])
    assert program.configure(rules(lateness_ms=5000), [terms_of.feed()]) == "ok"
    program.feed(601, messages[600:])
    program.wait_for_commit(1000)
    assert count(program) == 1000
    assert program.status()["dropped"] == {}


def test_a_reload_may_take_the_link_away_with_answers_on_their_way(start, broker):
    program = connect(start())
    program.answers_publications = False
    program.feed(1, [(TOPIC, "1", now_ms() - 4000)], up_to_ms=now_ms())
    while not program.published:
        program.receive()
    assert program.configure(rules(), [terms_of.broker(broker.port)]) == "ok"
    program.send((Atom("published"), len(program.published), 0))
    program.feed(2, [(TOPIC, "2", now_ms())])
    program.wait_until(lambda status: status["brokers"][0]["state"] == "connected", "the other link")
    assert program.status()["received"] == 1

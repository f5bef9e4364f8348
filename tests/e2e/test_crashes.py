"""Kills, restarts and a broker that goes away, on the link `client`: what was committed stays, and it comes back."""

import pytest
from answers import count, history, status, until

OPTIONS = """\
streams:
  numbers:
    topic: "count/{name}"
    resolution: 1s
    lateness: 5s
    hold: 1h
"""
# A row of the history has a sum only if its second is known: with `hold`, it is from the first sample on, however long
# the program is away.


@pytest.fixture(scope="module")
def server(shared_home):
    return shared_home.rollup(OPTIONS, link="client")


def total(server, name):
    """(number, sum) of all samples in the history."""
    rows = history(server, name, last="30m").values()
    return sum(int(row[0]) for row in rows if row[0]), sum(float(row[1]) for row in rows if row[1])


def test_a_killed_program_comes_back_with_every_sample(server, home):
    sensor = home.mqtt(server, "sensors")
    for value in range(1, 101):
        sensor.publish("count/kill", str(value))
    until(lambda: count(server, "count/kill") == 100, what="the first hundred")
    killed = server.kill_program()
    for value in range(101, 201):
        sensor.publish("count/kill", str(value))
    server.wait_for_program(other_than=[killed])
    until(lambda: count(server, "count/kill") == 200, what="all two hundred")
    assert until(lambda: total(server, "count/kill") == (200, 20100.0), what="the sum of the history")


def test_a_program_that_is_killed_in_the_middle_loses_nothing_that_was_committed(server, home):
    sensor = home.mqtt(server, "sensors")
    sent = 0
    for _ in range(3):
        for _ in range(300):
            sent += 1
            sensor.publish("count/middle", "1", wait=False)
        committed = until(lambda: count(server, "count/middle"))
        killed = server.kill_program()
        server.wait_for_program(other_than=[killed])
        assert until(lambda c=committed: count(server, "count/middle") >= c, what="what was committed")
    sensor.publish("count/middle", "1")
    facts = until(lambda: (f := status(server))["broker.ejabberd.state"] == "connected" and f)
    assert int(facts["program.restarts"]) >= 3

    def history_agrees():
        samples = count(server, "count/middle")
        return samples > 0 and total(server, "count/middle") == (samples, float(samples))

    until(history_agrees, what="a history with as many samples as were counted, and their sum")


def test_a_restart_of_ejabberd_keeps_the_history(server, home):
    sensor = home.mqtt(server, "sensors")
    for value in ("1", "2", "3"):
        sensor.publish("count/restart", value)
    until(lambda: count(server, "count/restart") == 3)
    sensor.close()
    server.stop()
    server.start()
    until(lambda: status(server).get("broker.ejabberd.state") == "connected", what="the link")
    assert total(server, "count/restart") == (3, 6.0)
    home.mqtt(server, "sensors").publish("count/restart", "4")
    until(lambda: count(server, "count/restart") == 4, what="a sample after the restart")
    assert until(lambda: total(server, "count/restart") == (4, 10.0))


def test_processes_that_crash_too_often_are_started_again(home):
    server = home.rollup(OPTIONS)
    pid = server.wait_for_program()
    since = server.log_position()
    server.call(
        "Sup = monitor(process, mod_mqtt_rollup_sup_localhost), "
        "Crash = fun(Again) -> catch exit(whereis(mod_mqtt_rollup_service_localhost), kill), "
        "receive {'DOWN', Sup, _, _, _} -> gone after 5 -> Again(Again) end end, "
        "gone = Crash(Crash)."
    )
    sensor = home.mqtt(server, "sensors")
    sensor.publish("count/meanwhile", "1")
    server.wait_for_log("the processes of the module are gone; they are started again", since=since)
    server.wait_for_program(other_than=[pid])
    until(lambda: count(server, "count/meanwhile") == 1, what="what was published meanwhile")
    # A module that is stopped is not started again by anybody.
    server.write_config()
    server.reload()
    server.call("mod_mqtt_rollup_sup:check(<<\"localhost\">>).")
    assert server.call("whereis(mod_mqtt_rollup_sup_localhost).") == "undefined"


def test_the_program_ends_with_ejabberd_even_if_that_is_killed(home):
    server = home.rollup(OPTIONS)
    pid = server.wait_for_program()
    server.kill_node()
    until(lambda: not process_exists(pid), timeout=10, what="the end of the program")


def process_exists(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_broker_that_was_stopped_and_started_is_listened_to_again(home):
    broker = home.mosquitto()
    options = OPTIONS.replace("    topic", "    broker: shed\n    topic")
    server = home.rollup(f"brokers:\n  shed: {{host: 127.0.0.1, port: {broker.port}}}\n{options}")
    until(lambda: status(server).get("broker.shed.state") == "connected", what="the link")
    home.mqtt(broker).publish("count/shed", "1")
    until(lambda: count(server, "count/shed") == 1)
    broker.stop()
    until(lambda: status(server).get("broker.shed.state") != "connected", what="the end of the link")
    broker.start()
    until(lambda: status(server).get("broker.shed.state") == "connected", what="the link")
    home.mqtt(broker).publish("count/shed", "2")
    until(lambda: count(server, "count/shed") == 2, what="a sample after the return of the broker")

"""An alert begins and ends, over XMPP and on its topic."""

import json

import pytest
from rollup_testing.mqtt import retained

OPTIONS = """\
streams:
  temperature:
    topic: "home/{room}/temperature"
    unit: "°C"
    resolution: 1s
    lateness: 2s
alerts:
  too_warm:
    stream: temperature
    match: {room: kitchen}
    raise: "value > 30"
    clear: "value < 28"
    notify: [alice@localhost, bob@localhost]
  slow:
    stream: temperature
    match: {room: cellar}
    raise: "value > 30"
    for: 2s
    notify: alice@localhost
"""


@pytest.fixture(scope="module")
def server(shared_home):
    rules = '{"home/#": family, "stats/#": family, "alerts/#": family, "rollup/#": family}'
    return shared_home.rollup(OPTIONS, users=("alice", "bob"), mqtt_options={"access_subscribe": rules})


def state(server, topic):
    return json.loads(retained(server.mqtt_port, topic, "alice@localhost", "alice").payload)


def test_an_alert_arrives_and_its_end_corrects_the_same_message(server, home):
    alice = home.xmpp(server, "alice")
    bob = home.xmpp(server, "bob")
    sensor = home.mqtt(server, "sensors")
    watcher = home.mqtt(server, "alice")
    watcher.subscribe("alerts/#")

    sensor.publish("home/kitchen/temperature", "31.5")
    alarm = alice.wait_for_message()
    assert alarm.sender.split("/")[0] == "alerts@rollup.localhost"
    assert alarm.type == "chat"
    assert alarm.id and not alarm.replaces
    assert "31.5" in alarm.body and "°C" in alarm.body
    watcher.wait_for(lambda m: json.loads(m.payload)["state"] == "ALARM", what="the state ALARM")
    found = state(server, "alerts/too_warm/home/kitchen/temperature")
    assert (found["state"], found["alert"]) == ("ALARM", "too_warm")

    # Between raise and clear nothing changes; the value below it ends the alarm.
    sensor.publish("home/kitchen/temperature", "29.0")
    sensor.publish("home/kitchen/temperature", "27.0")
    end = alice.wait_for_message(lambda m: m.replaces, what="the correction")
    assert end.replaces == alarm.id
    assert end.id != alarm.id
    assert len(alice.messages) == 2
    watcher.wait_for(lambda m: json.loads(m.payload)["state"] == "OK", what="the state OK")
    assert state(server, "alerts/too_warm/home/kitchen/temperature")["state"] == "OK"

    # Who may not subscribe to the topic is told nothing.
    assert len(bob.messages) == 0


def test_a_held_condition_alarms_by_its_timer_without_a_further_message(server, home):
    alice = home.xmpp(server, "alice")
    watcher = home.mqtt(server, "alice")
    watcher.subscribe("alerts/slow/#")
    home.mqtt(server, "sensors").publish("home/cellar/temperature", "40")
    states = [watcher.wait_for(lambda m, s=s: json.loads(m.payload)["state"] == s) for s in ("PENDING", "ALARM")]
    assert [json.loads(m.payload)["state"] for m in watcher.messages.since()][:2] == ["PENDING", "ALARM"]
    assert json.loads(states[0].payload)["since"] <= json.loads(states[1].payload)["since"]
    assert "40" in alice.wait_for_message().body


def test_an_alert_for_somebody_who_is_offline_waits_for_them(home):
    server = home.rollup(OPTIONS, users=("alice", "bob"), more_modules=["mod_offline"])
    home.mqtt(server, "sensors").publish("home/kitchen/temperature", "33")
    watcher = home.mqtt(server, "alice")
    watcher.subscribe("alerts/too_warm/#")
    watcher.wait_for(lambda m: json.loads(m.payload)["state"] == "ALARM", what="the state ALARM")
    assert "33" in home.xmpp(server, "alice").wait_for_message().body

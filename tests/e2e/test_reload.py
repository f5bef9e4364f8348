"""`ejabberdctl reload_config` with a changed and with a broken configuration."""

import re

import pytest
from answers import count, errors, series, until

STREAM = """\
streams:
  temperature:
    topic: "home/{room}/temperature"
    unit: "°C"
    resolution: 1s
    lateness: 2s
"""

ADDED = """\
  humidity:
    topic: "home/{room}/humidity"
    resolution: 1s
    lateness: 2s
"""


@pytest.fixture(scope="module")
def server(shared_home):
    return shared_home.rollup(STREAM)


def publish(home, server, topic, *values):
    sensor = home.mqtt(server, "sensors")
    for value in values:
        sensor.publish(topic, value)


def test_a_changed_configuration_keeps_the_state_of_what_did_not_change(server, home):
    publish(home, server, "home/kitchen/temperature", "20", "21", "22")
    until(lambda: count(server, "home/kitchen/temperature") == 3)
    pid = server.wait_for_program()
    home.reconfigure(server, STREAM + ADDED)
    sensor = home.mqtt(server, "sensors")
    until(
        lambda: sensor.publish("home/kitchen/humidity", "40") and count(server, "home/kitchen/humidity"),
        what="a sample of the new stream",
    )
    publish(home, server, "home/kitchen/temperature", "23")
    until(lambda: count(server, "home/kitchen/temperature") == 4, what="the next sample of the old stream")
    assert server.program_pids() == [pid]


@pytest.mark.parametrize(
    "broken, message",
    [
        (
            STREAM.replace("resolution", "resolutoin"),
            r"mod_mqtt_rollup->streams->temperature: Unknown option: resolutoin\. Did you mean resolution\?",
        ),
        (STREAM.replace("1s", "7s"), r"mod_mqtt_rollup->streams->temperature->resolution: .*7s"),
        (
            STREAM + 'alerts:\n  hot: {stream: temperature, raise: "value > > 3"}\n',
            r"alerts->hot->raise.*",
        ),
        (STREAM + 'alerts:\n  hot: {stream: temperatur, raise: "value > 3"}\n', r"alerts->hot->stream.*temperatur"),
        (
            STREAM + '    publish: [{topic: "home/copy/temperature"}]\n',
            r"streams->temperature->publish->1->topic",
        ),
    ],
    ids=["misspelt", "not-a-part-of-an-hour", "bad-condition", "unknown-stream", "feedback-loop"],
)
def test_a_broken_configuration_is_refused_with_its_path_and_the_running_one_goes_on(
    server, home, request, broken, message
):
    topic = f"home/{request.node.callspec.id}/temperature"
    publish(home, server, topic, "20")
    until(lambda: count(server, topic) == 1)
    pid = server.wait_for_program()
    server.write_config(server.broker_options() + broken)
    printed = server.reload()
    assert re.search(message, printed), printed
    publish(home, server, topic, "21")
    until(lambda: count(server, topic) == 2, what="a sample after the refusal")
    assert server.program_pids() == [pid]


def test_a_removed_module_stops_its_program_and_a_returned_one_knows_its_history(server, home):
    publish(home, server, "home/attic/temperature", "20")
    before = until(lambda: count(server, "home/attic/temperature"))
    server.write_config()
    since = server.log_position()
    server.ctl("module_uninstall", "mod_mqtt_rollup")
    assert server.program_pids() == []
    assert errors(server, since) == []
    server.add_installed(home.installed_path())
    server.stop()
    server.start()
    home.configure(server, STREAM)
    assert until(lambda: series(server))["home/attic/temperature"]["count"] == str(before)

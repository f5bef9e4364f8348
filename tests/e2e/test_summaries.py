"""Raw values in, precomputed topics out: what a client finds that comes later."""

import json
import re

import pytest
from rollup_testing.mqtt import retained

OPTIONS = """\
streams:
  temperature:
    topic: "home/{room}/temperature"
    unit: "°C"
    resolution: 1s
    lateness: 2s
    hold: 1h
    publish:
      - {topic: "stats/{series}", window: 10m, every: 1s, sparkline: {span: 1m, points: 12}}
      - {topic: "text/{series}", format: text, window: 10m, every: 1s, sparkline: {span: 1m, points: 12}}
      - {topic: "number/{series}", format: number, statistic: max, window: 10m, every: 1s}
      - {topic: "proto/{series}", format: protobuf, window: 10m, every: 1s}
  climate:
    topic: "zigbee/{device}"
    format: json
    resolution: 1s
    lateness: 2s
    fields:
      temperature: {unit: "°C"}
      humidity: {value: "/air/humidity", unit: "%", valid: [0, 100]}
    publish:
      - {topic: "zigbee-stats/{device}/{field}", window: 10m, every: 1s}
"""


@pytest.fixture(scope="module")
def server(shared_home):
    return shared_home.rollup(OPTIONS)


@pytest.fixture(scope="module")
def kitchen(server, shared_home):
    """Waits until three values of the kitchen are in its summaries; the client that saw them come."""
    client = shared_home.mqtt(server, "alice")
    for topic in ("stats/#", "text/#", "number/#", "proto/#"):
        assert client.subscribe(topic) <= 2
    sensor = shared_home.mqtt(server, "sensors")
    for value in ("20.5", "22.0", "21.0 °C"):
        sensor.publish("home/kitchen/temperature", value)
    client.wait_for(
        lambda m: m.topic == "stats/home/kitchen/temperature" and json.loads(m.payload)["count"] == 3,
        what="a summary of three values",
    )
    for form in ("text", "number", "proto"):
        client.wait_for_topic(f"{form}/home/kitchen/temperature")
    return client


def test_the_json_summary_is_retained_and_begins_with_the_value(server, kitchen):
    message = retained(server.mqtt_port, "stats/home/kitchen/temperature", "alice@localhost", "alice")
    summary = json.loads(message.payload)
    assert list(summary)[0] == "value"
    assert summary["value"] == 21.0
    assert (summary["min"], summary["max"], summary["count"]) == (20.5, 22.0, 3)
    assert summary["unit"] == "°C"
    assert 0 < summary["covered"] <= 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", summary["end"])
    assert message.qos == 1


def test_the_text_summary_has_a_line_for_people_and_a_sparkline(server, kitchen):
    message = retained(server.mqtt_port, "text/home/kitchen/temperature", "alice@localhost", "alice")
    first, second = message.text.splitlines()[:2]
    assert re.match(r"21(\.0)? °C", first)
    assert "min 20.5" in first and "max 22" in first
    assert set(second) <= set("▁▂▃▄▅▆▇█ ")
    assert len(message.payload) <= 4096


def test_the_number_is_the_statistic_alone(server, kitchen):
    message = retained(server.mqtt_port, "number/home/kitchen/temperature", "alice@localhost", "alice")
    assert float(message.text) == 22.0


def test_the_protobuf_summary_can_be_read_with_the_schema(server, kitchen, summary_message):
    message = retained(server.mqtt_port, "proto/home/kitchen/temperature", "alice@localhost", "alice")
    summary = summary_message()
    summary.ParseFromString(message.payload)
    assert summary.unit == "°C"
    assert summary.count == 3


def test_no_summary_has_user_properties_or_an_empty_payload_and_all_expire(kitchen):
    summaries = kitchen.messages.since()
    assert summaries
    for message in summaries:
        assert message.payload, message.topic
        assert not message.properties.get("UserProperty"), message
        assert 0 < message.properties["MessageExpiryInterval"] <= 1200, message


def test_fields_of_one_payload_are_series_of_their_own(server, home):
    client = home.mqtt(server, "alice")
    client.subscribe("zigbee-stats/#")
    home.mqtt(server, "sensors").publish(
        "zigbee/plug", json.dumps({"temperature": 19.25, "air": {"humidity": 40}, "linkquality": 88})
    )
    temperature = client.wait_for_topic("zigbee-stats/plug/temperature")
    humidity = client.wait_for_topic("zigbee-stats/plug/humidity")
    assert json.loads(temperature.payload)["value"] == 19.25
    assert json.loads(humidity.payload)["value"] == 40
    assert json.loads(humidity.payload)["unit"] == "%"


def test_a_client_that_comes_later_finds_the_status(server, kitchen):
    assert retained(server.mqtt_port, "rollup/status", "alice@localhost", "alice").text == "online"
    counters = json.loads(retained(server.mqtt_port, "rollup/status/json", "alice@localhost", "alice").payload)
    assert counters["received"] == counters["accepted"] + sum(counters["dropped"].values())

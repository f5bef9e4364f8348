"""Questions over ad-hoc commands, and who gets an answer."""

import re

import pytest
from answers import count, history, until
from rollup_testing.xmpp import CommandError

SERVICE = "rollup.localhost"

OPTIONS = """\
name: "House"
streams:
  temperature:
    topic: "home/{room}/temperature"
    unit: "°C"
    resolution: 1s
    lateness: 2s
    hold: 1h
  public:
    topic: "public/#"
    resolution: 1s
    lateness: 2s
    hold: 1h
  meters:
    topic: "home/{room}/energy"
    kind: counter
    resolution: 1s
    lateness: 2s
    hold: 1h
    publish:
      - {topic: "used/{room}", format: number, window: 1h, every: 1s}
alerts:
  thirst:
    stream: meters
    raise: "increase(1m) > 4"
    topic: "stats/thirst/{room}"
"""


@pytest.fixture(scope="module")
def server(shared_home):
    rules = '{"home/#": family, "public/#": local, "stats/#": local, "used/#": local, "rollup/#": local}'
    instance = shared_home.rollup(OPTIONS, users=("alice", "bob"), mqtt_options={"access_subscribe": rules})
    sensor = shared_home.mqtt(instance, "sensors")
    for value in ("20.5", "22.5", "oops"):
        sensor.publish("home/kitchen/temperature", value)
    sensor.publish("home/hall/temperature", "18")
    # It began anew between 107 and 2.
    for value in ("100.5", "107", "2"):
        sensor.publish("home/cellar/energy", value)
    sensor.publish("public/wind", "3")
    until(lambda: count(instance, "public/wind") == 1, what="the last sample")
    return instance


@pytest.fixture(scope="module")
def alice(server, shared_home):
    return shared_home.xmpp(server, "alice")


@pytest.fixture(scope="module")
def bob(server, shared_home):
    return shared_home.xmpp(server, "bob")


def test_a_counter_is_told_through_every_door(server, shared_home, alice):
    table = alice.run_command(SERVICE, "history", {"series": "home/cellar/energy", "last": "5m", "step": "5m"})
    assert table.columns == ["start", "increase", "rate"]
    assert sum(float(value) for value in table.column("increase") if value) == 8.5
    rows = history(server, "home/cellar/energy", last="5m", step="5m", aggregates="count,resets").values()
    assert [sum(int(row[column]) for row in rows) for column in (0, 1)] == [3, 1]
    reader = shared_home.mqtt(server, "alice")
    for topic in ("used/#", "stats/thirst/#"):
        reader.subscribe(topic)
    reader.wait_for(lambda m: m.topic == "used/cellar" and float(m.text) == 8.5)
    assert '"state":"ALARM"' in reader.wait_for_topic("stats/thirst/cellar").text
    with pytest.raises(CommandError) as refusal:
        alice.run_command(SERVICE, "history", {"series": "home/cellar/energy", "aggregates": ["avg"]})
    assert "the series is a counter and has no avg" in refusal.value.text


def test_the_service_is_found_by_disco(alice):
    assert SERVICE in [jid for jid, _, _ in alice.disco_items("localhost")]
    identities, features = alice.disco_info(SERVICE)
    assert ("House" in [name for _, _, name in identities]) and identities[0][0] == "component"
    assert "http://jabber.org/protocol/commands" in features
    assert sorted(alice.commands(SERVICE)) == ["history", "series", "status"]


def test_the_history_form_has_typed_fields(alice):
    form = alice.command(SERVICE, "history")
    assert form.status == "executing" and "complete" in form.actions
    assert form.field("series").required
    assert form.field("from").datatype == "xs:dateTime"
    assert form.field("max").datatype == "xs:integer"
    assert form.field("aggregates").type == "list-multi"
    assert {"avg", "min", "max", "count"} <= set(form.field("aggregates").options)


def test_history_is_a_table_with_the_newest_row_last(alice):
    values = {
        "series": "home/kitchen/temperature", "last": "5m", "step": "5m", "aggregates": ["min", "max", "count"],
    }  # fmt: skip
    table = alice.run_command(SERVICE, "history", values)
    assert table.status == "completed" and table.form_type == "result"
    assert table.columns == ["start", "min", "max", "count"]
    starts = table.column("start")
    assert starts == sorted(starts) and all(re.match(r"\d{4}-\d\d-\d\dT", start) for start in starts)
    assert sum(int(value) for value in table.column("count") if value) == 2
    assert 20.5 in [float(value) for value in table.column("min") if value]
    assert 22.5 in [float(value) for value in table.column("max") if value]


def test_a_long_history_is_paged(alice):
    values = {"series": "home/kitchen/temperature", "last": "10s", "step": "1s", "max": "4", "aggregates": ["count"]}
    form = alice.command(SERVICE, "history")
    page = alice.command(SERVICE, "history", values, form.session, "complete")
    starts, pages = page.column("start"), 1
    while "next" in page.actions:
        page = alice.command(SERVICE, "history", None, page.session, "next")
        starts += page.column("start")
        pages += 1
    assert pages >= 3
    assert len(starts) >= 10
    assert starts == sorted(set(starts))


def test_series_lists_values_ages_and_counts(alice):
    table = alice.run_command(SERVICE, "series", {})
    rows = {row["series"]: row for row in table.rows}
    kitchen = rows["home/kitchen/temperature"]
    assert (float(kitchen["value"]), kitchen["count"], kitchen["unit"]) == (22.5, "2", "°C")
    assert 0 <= int(kitchen["age"]) < 600
    assert "home/hall/temperature" in rows and "public/wind" in rows


def test_series_can_be_filtered(alice):
    table = alice.run_command(SERVICE, "series", {"filter": "home/+/temperature"})
    assert table.column("series") == ["home/hall/temperature", "home/kitchen/temperature"]


def test_status_counts_every_message(alice):
    status = alice.run_command(SERVICE, "status")
    received, accepted = (int(status.field(name).values[0]) for name in ("received", "accepted"))
    dropped = sum(int(line.rsplit(": ", 1)[1]) for line in status.field("dropped").values)
    assert received == accepted + dropped
    assert "not_a_number: 1" in status.field("dropped").values
    assert any(line.startswith("ejabberd: connected") for line in status.field("brokers").values)


def test_who_may_not_subscribe_to_a_topic_does_not_see_its_series(bob):
    assert bob.run_command(SERVICE, "series", {}).column("series") == ["public/wind"]


def test_a_forbidden_series_looks_as_if_it_did_not_exist(bob):
    with pytest.raises(CommandError) as forbidden:
        bob.run_command(SERVICE, "history", {"series": "home/kitchen/temperature"})
    with pytest.raises(CommandError) as missing:
        bob.run_command(SERVICE, "history", {"series": "home/nowhere/temperature"})
    assert forbidden.value.condition == missing.value.condition == "item-not-found"
    assert forbidden.value.text == missing.value.text


def test_the_same_user_may_ask_about_a_permitted_series(bob):
    table = bob.run_command(SERVICE, "history", {"series": "public/wind", "last": "5m", "step": "5m"})
    assert "3" in [str(float(v)).rstrip("0").rstrip(".") for v in table.column("max") if v]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"series": "home/kitchen/temperature", "last": "soon"},
        {"series": "home/kitchen/temperature", "step": "-1s"},
        {"series": "home/kitchen/temperature", "max": "99999999999999999999"},
        {"series": "home/kitchen/temperature", "from": "yesterday"},
        {"series": "home/kitchen/temperature", "aggregates": ["everything"]},
        {"series": "home/kitchen/temperature", "after": "\U0001f4a5" * 1000},
    ],
)
def test_a_form_with_nonsense_is_refused_as_a_bad_request(alice, values):
    with pytest.raises(CommandError) as refusal:
        alice.run_command(SERVICE, "history", values)
    assert refusal.value.condition == "bad-request"
    assert refusal.value.text


def test_a_session_of_somebody_else_cannot_be_used(alice, bob):
    values = {"series": "home/kitchen/temperature", "last": "10s", "step": "1s", "max": "2"}
    page = alice.run_command(SERVICE, "history", values)
    assert "next" in page.actions
    with pytest.raises(CommandError):
        bob.command(SERVICE, "history", None, page.session, "next")


def outcome(client, command, values):
    """What somebody gets, as far as it can be told apart: a cursor is another one each time."""
    try:
        table = client.run_command(SERVICE, command, values)
    except CommandError as error:
        return error.condition, error.text
    rows = [{name: value for name, value in row.items() if name != "age"} for row in table.rows]
    return rows, table.status, sorted(table.actions)


HIDDEN = "home/kitchen/temperature"
MISSING = "home/kutchen/temperature"


@pytest.mark.parametrize(
    "values",
    [
        {"last": "5m"},
        {"last": "30d", "step": "1m", "max": "5000"},
        {"last": "5m", "step": "1ms"},
        {"last": "5m", "after": "0.0.60000.1000"},
    ],
)
def test_a_hidden_history_looks_as_if_it_did_not_exist(bob, values):
    hidden, missing, streams = (
        outcome(bob, "history", {"series": name, **values}) for name in (HIDDEN, MISSING, f"temperature:{HIDDEN}")
    )
    assert hidden == missing == streams
    assert hidden[0] == "item-not-found"


def test_hidden_rows_leave_no_trace_in_a_list(bob, server, shared_home):
    # Names of bob's that hold another one: it must not matter whether that other one exists.
    sensor = shared_home.mqtt(server, "sensors")
    decoys = [f"public/{name}" for name in (HIDDEN, MISSING)]
    for topic in decoys:
        sensor.publish(topic, "1")
    until(lambda: count(server, decoys[-1]) == 1, what="the decoys")
    for name, decoy in zip((HIDDEN, MISSING), decoys):
        table = bob.run_command(SERVICE, "series", {"filter": name})
        assert table.column("series") == [decoy]
    for text in ("home/+/temperature", "office/#", "hall/temp", "cellar/temp"):
        assert outcome(bob, "series", {"filter": text}) == ([], "completed", [])
    page = bob.run_command(SERVICE, "series", {"max": "3"})
    assert page.column("series") == [*decoys, "public/wind"]
    assert "next" not in page.actions


@pytest.mark.parametrize("after", ["0", "1", "2", "home/kitchen/temperature", "AAAA", "\U0001f4a5"])
def test_a_cursor_of_ones_own_making_is_refused(bob, after):
    with pytest.raises(CommandError) as refusal:
        bob.run_command(SERVICE, "series", {"after": after, "max": "1"})
    assert refusal.value.condition == "bad-request"


def test_suggestions_are_what_the_asker_may_see(alice, bob):
    assert outcome(alice, "history", {"series": "home/kitchn/temperature"}) == (
        "item-not-found",
        f"There is no such series, perhaps {HIDDEN}",
    )
    assert outcome(bob, "history", {"series": "home/kitchn/temperature"}) == outcome(bob, "history", {"series": "nothing"})

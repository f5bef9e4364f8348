"""What `ejabberdctl mqtt_rollup_…` prints, as values, and waiting for it to become true."""

import time

from rollup_testing.process import Timeout


def status(server, host="localhost"):
    """Name to text, as in docs/PROTOCOL.md with dots: `received`, `dropped.too_late`, `broker.ejabberd.state`."""
    facts = {}
    for line in server.ctl("mqtt_rollup_status", host).splitlines():
        name, _, value = line.partition("\t")
        facts[name] = value
    return facts


def dropped(facts):
    """Reason to number, over all streams."""
    prefix = "dropped."
    return {name[len(prefix) :]: int(value) for name, value in facts.items() if name.startswith(prefix)}


def series(server, topic_filter="", host="localhost"):
    """Name to (stream, value, unit, age, count), all texts."""
    rows = [line.split("\t") for line in server.ctl("mqtt_rollup_series", host, topic_filter).splitlines()]
    return {row[0]: tuple(row[1:]) for row in rows if row and row[0]}


def count(server, name):
    """How many samples of the series were ever accepted."""
    row = series(server).get(name)
    return 0 if row is None else int(row[4])


def history(server, name, last="10m", step="1s", aggregates="count,sum", host="localhost"):
    """Start to list of texts, the unknown rows left out."""
    rows = {}
    for line in server.ctl("mqtt_rollup_history", host, name, last, step, aggregates).splitlines():
        start, _, values = line.partition("\t")
        rows[start] = values.split(";")
    return {start: values for start, values in rows.items() if any(values)}


def until(claim, timeout=30, what="it"):
    """Asks again and again until `claim()` is true; each answer of ejabberdctl takes half a second. Returns it."""
    deadline = time.monotonic() + timeout
    while True:
        found = claim()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Timeout(f"{what} did not become true within {timeout} s")

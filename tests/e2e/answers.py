"""What the API commands of the module answer, as values, and waiting for it to become true."""

import time

from rollup_testing.ejabberd import ApiError
from rollup_testing.process import PATIENCE, Timeout


def status(server, host="localhost"):
    """Name to text, as in docs/PROTOCOL.md with dots: `received`, `dropped.too_late`, `broker.ejabberd.state`."""
    return server.api("mqtt_rollup_status", host=host)


def dropped(facts):
    """Reason to number, over all streams."""
    prefix = "dropped."
    return {name[len(prefix) :]: int(value) for name, value in facts.items() if name.startswith(prefix)}


def series(server, topic_filter="", host="localhost"):
    """Name to {stream, value, unit, age, count}, all texts."""
    return {row["name"]: row for row in server.api("mqtt_rollup_series", host=host, filter=topic_filter)}


def count(server, name):
    """How many samples of the series were ever accepted."""
    row = series(server).get(name)
    return 0 if row is None else int(row["count"])


def history(server, name, last="10m", step="1s", aggregates="count,sum", host="localhost"):
    """Start to list of texts, the rows without a sample left out (`count` comes first)."""
    rows = server.api("mqtt_rollup_history", host=host, series=name, last=last, step=step, aggregates=aggregates)
    answer = {row["start"]: row["values"].split(";") for row in rows}
    return {start: values for start, values in answer.items() if values[0] not in ("", "0")}


def until(claim, timeout=PATIENCE, what="it"):
    """Asks again and again until `claim()` is true, and returns what it gave. (A question has no event.)

    While the program is away there is no answer, which is not true either.
    """
    deadline = time.monotonic() + timeout
    while True:
        found = reason = None
        try:
            found = claim()
        except ApiError as error:
            reason = error
        if found:
            return found
        if time.monotonic() > deadline:
            raise Timeout(f"{what} did not become true within {timeout} s ({reason or found})")
        time.sleep(0.1)


# Of Erlang itself, when ejabberdctl has ended and another one has the name of its node.
NOT_OURS = "Cannot get connection id for node"


def errors(server, since=0):
    """What is in the log as an error, without what the module has no part in. What a line says may be in the next one."""
    lines = [*server.log_lines(since), ""]
    return [
        line + after
        for line, after in zip(lines, lines[1:])
        if ("[error]" in line or "[critical]" in line) and NOT_OURS not in line + after
    ]

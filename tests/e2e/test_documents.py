"""Every command that a document prints works as it is printed."""

import pathlib
import re
import shlex

import pytest
from answers import series, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "ejabberd" / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "demo").glob("*"))]
OPTIONS = """\
streams:
  temperature: {topic: "home/{room}/temperature", resolution: 10s}
"""


def commands():
    """Those with arguments; a name alone is no command line."""
    found = set()
    for path in DOCUMENTS:
        if path.is_file():
            found |= set(re.findall(r"ejabberdctl (mqtt_rollup_\w+ [^`\n:]+)", path.read_text(encoding="utf-8")))
    return sorted(found)


@pytest.fixture(scope="module")
def server(shared_home):
    server = shared_home.rollup(OPTIONS)
    shared_home.mqtt(server, "sensors").publish("home/kitchen/temperature", "21")
    until(lambda: series(server), what="the series of the documents")
    return server


def test_there_is_one_of_each_command():
    assert {command.split()[0] for command in commands()} == {
        "mqtt_rollup_status", "mqtt_rollup_series", "mqtt_rollup_history",
    }  # fmt: skip


@pytest.mark.parametrize("command", commands())
def test_a_printed_command_runs(server, command):
    words = [word.replace("example.org", "localhost") for word in shlex.split(command)]
    printed = server.ctl(*words)  # which fails for a command that is refused
    assert "\t" in printed, printed


def test_who_lets_everybody_overwrite_alert_states_is_warned(server):
    assert [line for line in server.log_lines() if "every user may publish on alerts/# and stats/#" in line]

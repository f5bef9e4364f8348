"""`make demo`, as somebody sees it who has never seen the module."""

import os
import pathlib
import shlex
import signal
import subprocess

import pytest
from rollup_testing.process import PATIENCE, Service, remove_directory, service_directory

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def demo(installation):
    """It runs as whoever runs the tests; the package that it installs is there."""
    directory = service_directory("demo")
    service = Service(
        ["/usr/bin/python3", "-u", str(ROOT / "demo" / "demo.py")],
        {**os.environ, "DEMO_SECONDS": "600"},
        directory,
        os.path.join(directory, "log"),
        is_ours=True,
    )
    yield service
    service.end(PATIENCE)
    remove_directory(directory)


def test_the_demo_tells_its_story_and_ends_when_it_is_told_to(demo):
    demo.wait_for_line("^== Five devices publish", 300)
    commands = [line.strip() for line in demo.lines.since() if line.strip().startswith(("mosquitto_", "env "))]
    assert [command.split()[0] for command in commands] == ["mosquitto_sub", "mosquitto_sub", "mosquitto_pub", "env"]
    for command in commands:
        once = ["-C", "1"] if command.startswith("mosquitto_sub") else []
        subprocess.run(shlex.split(command) + once, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)

    for told in (
        r"ALARM fridge_open \(home/kitchen/fridge\): ",
        r"XMPP: alerts@rollup\.localhost corrects its message",
        r"OK fridge_open \(home/kitchen/fridge\): ",
        r"The temperature of garage is not heard of any more",
        r"^show/living-room/temperature$",
        r"°C   min \S+ · mean \S+ · max",
        r'^   \{"value":',
        r"^   start +avg +min +max +count$",
        r"^   \d{4}-\d\d-\d\dT\S+Z +\d+\.\d +\d+\.\d +\d+\.\d +[1-9]",
        r"stream\.climate\.examples\.not_json +zigbee2mqtt/hall$",
    ):
        demo.wait_for_line(told, 2 * PATIENCE)

    os.kill(demo.pid, signal.SIGINT)
    assert demo.wait_end(PATIENCE) == 0
    (last,) = [line for line in demo.lines.since() if line.endswith(" is removed.")]
    assert not os.path.exists(last.split()[1])

"""The real program through its pipes, against a real broker."""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support" / "python"))

from rollup_testing.mosquitto import Mosquitto  # noqa: E402
from rollup_testing.program import Program  # noqa: E402


def binary():
    path = os.environ.get("ROLLUP_PROGRAM", str(ROOT / "build" / "asan" / "bin" / "mqtt_rollup"))
    assert os.access(path, os.X_OK), f"no program at {path}: build it, or name it in ROLLUP_PROGRAM"
    return path


@pytest.fixture(scope="session")
def broker():
    mosquitto = Mosquitto().start()
    yield mosquitto
    mosquitto.close()


@pytest.fixture
def start(tmp_path):
    """start(name="data", **options) runs one more program; each is ended with the test."""
    running = []

    def start_one(name="data", **options):
        program = Program(binary(), tmp_path / name, **options)
        running.append(program)
        return program

    yield start_one
    for program in running:
        program.clean_up()

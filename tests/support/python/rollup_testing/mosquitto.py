"""A private Mosquitto broker."""

import os
import select
import shutil
import signal
import time

from . import process


class Mosquitto:
    """A broker on a free port of 127.0.0.1. It can be stopped and started again on the same port, and forgets nothing then.

    `options`: further lines of its configuration.
    """

    def __init__(self, options=""):
        self.port = process.free_port()
        self.directory = process.service_directory("mosquitto")
        self._service = None
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self._command = [program, "-c", os.path.join(self.directory, "mosquitto.conf")]
        with open(self._command[2], "w", encoding="utf-8") as file:
            file.write(
                f"listener {self.port} {process.LOOPBACK}\nallow_anonymous true\npersistence true\n"
                f"persistence_location {self.directory}/\nlog_dest stderr\nlog_type all\n{options}"
            )
        process.give_to_service(self.directory)

    @property
    def log_path(self):
        return os.path.join(self.directory, "mosquitto.log")

    def start(self):
        self._service = process.Service(
            self._command, {"PATH": os.environ["PATH"]}, self.directory, self.log_path
        )
        self._service.wait_for_line(r"mosquitto version \S+ running")
        return self

    def stop(self):
        if self._service is not None:
            self._service.end()
            self._service = None

    def save_and_kill(self):
        """Lets it write what it has to its file, and kills it then, as a loss of power would."""
        file = os.path.join(self.directory, "mosquitto.db")
        before = os.stat(file).st_ino if os.path.exists(file) else None
        os.kill(self._service.pid, signal.SIGUSR1)
        deadline = time.monotonic() + process.PATIENCE
        # The new file takes the place of the old one when it is whole.
        while not os.path.exists(file) or os.stat(file).st_ino == before:
            assert time.monotonic() < deadline, "mosquitto does not save"
            select.select([], [], [], 0.01)
        self._service.kill()
        self._service = None

    def close(self):
        self.stop()
        process.remove_directory(self.directory)

"""Processes that are started with less rights, whose output is an event source, and which end with their owner."""

import os
import pathlib
import pwd
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

LOOPBACK = "127.0.0.1"
# How long to wait for what takes a moment on an idle machine. It is only spent where something is broken: a machine
# with other work may well need ten times that moment.
PATIENCE = 60
# In the environment of a service and of everything that it starts: the directory of the service.
MARK = "ROLLUP_SERVICE"


class Timeout(AssertionError):
    """What was waited for did not happen."""


class Events:
    """A growing list that threads append to, and on which others wait for an element."""

    def __init__(self):
        self._items = []
        self._changed = threading.Condition()

    def append(self, item):
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def __len__(self):
        with self._changed:
            return len(self._items)

    def since(self, start=0):
        with self._changed:
            return self._items[start:]

    def wait_for(self, wanted, timeout, what, since=0, ended=lambda: False):
        """The first element from index `since` on for which `wanted` is true."""
        deadline = time.monotonic() + timeout
        position = since
        with self._changed:
            while True:
                while position < len(self._items):
                    if wanted(self._items[position]):
                        return self._items[position]
                    position += 1
                remaining = deadline - time.monotonic()
                if remaining <= 0 or ended():
                    seen = "\n  ".join(str(item)[:300] for item in self._items[since:][-20:])
                    raise Timeout(f"{what}: not within {timeout} s; the last of {len(self._items)} were\n  {seen}")
                self._changed.wait(min(remaining, 0.5))


def service_account():
    """The account that servers run as: Debian's `ejabberd` (or `nobody`) for root, else (None) who we are."""
    if os.geteuid() != 0:
        return None
    for name in ("ejabberd", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("there is neither a user ejabberd nor nobody to run the servers as")


def as_service(command):
    """The command line that runs `command` as the service account."""
    account = service_account()
    if account is None:
        return list(command)
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--", *command]


def give_to_service(path):
    """Makes the service account the owner of a tree."""
    account = service_account()
    if account is None:
        return
    os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
    for folder, folders, files in os.walk(path):
        for name in folders + files:
            os.chown(os.path.join(folder, name), account.pw_uid, account.pw_gid, follow_symlinks=False)


_given_directories = []


def service_directory(name):
    """A new temporary directory of the service account; whoever asked for it removes it."""
    path = tempfile.mkdtemp(prefix=f"rollup-{name}-")
    _given_directories.append(path)
    os.chmod(path, 0o755)
    give_to_service(path)
    return path


def remove_directory(path):
    """Removes a tree and sees it gone."""
    shutil.rmtree(path, ignore_errors=True)
    # What still wrote into it a moment ago may have made a file meanwhile; what cannot be removed is an error.
    if os.path.exists(path):
        shutil.rmtree(path)


def left_behind():
    """What should be gone when everything is closed: directories that were given, and processes that run for them."""
    return [path for path in _given_directories if os.path.exists(path) or marked(path)]


def compiler_cache():
    """A directory for ccache that the service account can use over several runs, or None."""
    path = str(pathlib.Path(__file__).resolve().parents[4] / "build" / "ccache")
    try:
        os.makedirs(path, exist_ok=True)
        account = service_account()
        if account is not None and os.stat(path).st_uid != account.pw_uid:
            os.chown(path, account.pw_uid, account.pw_gid)
    except OSError:
        return None
    usable = subprocess.run(as_service(["test", "-w", path, "-a", "-x", path]), check=False).returncode == 0
    return path if usable else None


_given_ports = set()


def free_port():
    """A TCP port of 127.0.0.1 that nobody uses; never the same twice in one run.

    It is none that the kernel gives to outgoing connections: one of those could take it before the server does, or while
    the server is being restarted. Drawn at random, because other runs may look for ports at the same time.
    """
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        low, high = map(int, file.read().split())
    others = [port for port in range(10000, 65536) if not low <= port <= high and port not in _given_ports]
    random.shuffle(others)
    for port in others:
        with socket.socket() as probe:
            # As servers do: connections of the past that linger on the port are no hindrance.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        _given_ports.add(port)
        return port
    raise RuntimeError(f"no port outside {low} to {high} is free")


class Service:
    """A process of the service account, or our own. Every line it prints is an event and goes into a file."""

    def __init__(self, command, environment, directory, log_path, is_ours=False):
        self.lines = Events()
        self._directory = directory
        self._log = open(log_path, "a", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            command if is_ours else as_service(command),
            env={**environment, MARK: directory},
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self._log.write(line)
            self._log.flush()
            self.lines.append(line.rstrip("\n"))

    @property
    def pid(self):
        return self._process.pid

    def is_running(self):
        return self._process.poll() is None

    def wait_for_line(self, pattern, timeout=PATIENCE, since=0):
        """The first printed line from index `since` on that the regular expression finds."""
        expression = re.compile(pattern)
        return self.lines.wait_for(
            expression.search, timeout, f"a line with {pattern!r}", since, ended=lambda: not self.is_running()
        )

    def wait_end(self, timeout):
        """Its exit status."""
        return self._process.wait(timeout)

    def end(self, timeout=30):
        """SIGTERM to the process group, SIGKILL when that is not enough; leaves nothing of the service behind."""
        if self.is_running():
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def kill(self):
        """SIGKILL to the process and to all that it started, and closes the log.

        Programs of an Erlang port have sessions of their own, and a build goes on without ejabberd: a signal to the group
        does not reach them.
        """
        while True:
            # The process itself first, so that it cannot start another while these are looked for.
            if self.is_running():
                self._process.kill()
                self._process.wait()
            found = marked(self._directory)
            if not found:
                break
            for pid in found:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            for pid in found:
                wait_for_end(pid)
        self._reader.join(PATIENCE)
        self._process.stdout.close()
        self._log.close()


def marked(directory):
    """Pids of the living processes that a service with this directory started, whoever their parents are now."""
    mark = f"{MARK}={directory}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/environ", "rb") as file:
                    if mark in file.read().split(b"\0"):
                        found.append(int(entry))
            except OSError:
                continue  # it has ended, or belongs to somebody else
    return found


def wait_for_end(pid, timeout=PATIENCE):
    """Returns when the process has ended, whoever is its parent."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not select.select([handle], [], [], timeout)[0]:
            raise Timeout(f"process {pid} has not ended within {timeout} s")
    finally:
        os.close(handle)


def descendants(pid, name):
    """Pids of the living descendants of `pid` whose program is called `name`."""
    parents, names = {}, {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                before, after = file.read().rsplit(")", 1)
        except OSError:
            continue
        state, parent = after.split()[:2]
        if state != "Z":
            parents[int(entry)] = int(parent)
            names[int(entry)] = before.split("(", 1)[1]
    found = []
    for candidate in parents:
        ancestor = candidate
        while ancestor in parents and ancestor != pid:
            ancestor = parents[ancestor]
        if ancestor == pid and candidate != pid and names[candidate] == name[:15]:
            found.append(candidate)
    return sorted(found)


def seconds_of_children(pid):
    """Processor seconds that ended children of the process, and theirs, have used."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        user, system = file.read().rsplit(")", 1)[1].split()[13:15]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

"""A private ejabberd: an installed one, run by its own ejabberdctl, with every path, port and name of its own.

Nothing of the machine's ejabberd is read or written, no epmd is started, and only 127.0.0.1 is listened on.
"""

import itertools
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import textwrap
import time
import urllib.error
import urllib.request

from . import process

MODULE = "mod_mqtt_rollup"
PROGRAM = "mqtt_rollup"
CALLERS = itertools.count()
EJABBERDCTL = os.environ.get("EJABBERDCTL", "/usr/sbin/ejabberdctl")

BASE_CONFIG = """\
hosts: {hosts}
loglevel: {loglevel}
hide_sensitive_log_data: false
{certfiles}
listen:
  - port: {c2s_port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    {c2s_tls}
    max_stanza_size: 1048576
    access: c2s
    shaper: none
  - port: {mqtt_port}
    ip: "127.0.0.1"
    module: mod_mqtt
  - port: {api_port}
    ip: "127.0.0.1"
    module: ejabberd_http
    request_handlers: {{/api: mod_http_api}}
s2s_access: none
api_permissions:
  ejabberdctl: {{from: ejabberd_ctl, who: all, what: "*"}}
  http: {{from: mod_http_api, who: {{access: {{allow: {{acl: loopback}}}}}}, what: "*"}}
acl:
  local: {{user_regexp: ""}}
  loopback: {{ip: ["127.0.0.0/8"]}}
  admin: {{user: ["admin@localhost"]}}
  family: {{user: ["alice@localhost", "rollup@localhost", "sensors@localhost"]}}
access_rules:
  local: {{allow: local}}
  c2s: {{allow: all}}
  configure: {{allow: admin}}
  family: {{allow: family}}
modules:
  mod_adhoc: {{}}
  mod_disco: {{}}
  mod_http_api: {{}}
  mod_last: {{}}
  mod_configure: {{}}
{more_modules}  mod_mqtt:
    {mqtt_options}
"""


class ApiError(AssertionError):
    """An API command was refused."""


class Ejabberd:
    """Not started yet. `start`, `stop` and `start` again keep the database; `close` removes everything."""

    def __init__(self, hosts=("localhost",), loglevel="info", mqtt_options=None, more_modules=(), tls=False):
        """`mqtt_options`: lines of mod_mqtt; `tls`: offer STARTTLS with a certificate made for this server."""
        self.hosts = list(hosts)
        self.loglevel = loglevel
        self.mqtt_options = mqtt_options or {}
        self.more_modules = list(more_modules)
        self.tls = tls
        self.c2s_port, self.mqtt_port, self._api_port, self._distribution_port = (process.free_port() for _ in range(4))
        self.node = f"rollup{os.getpid()}x{self.c2s_port}@localhost"
        self.directory = process.service_directory("ejabberd")
        self.link = "feed"  # how the module reaches this server's broker, or "client"
        self._service = None
        for name in ("home", "conf", "spool", "logs", "run", "modules", "modules/sources"):
            os.mkdir(self.path(name))
        self._write("conf/inetrc", '{lookup,["file","native"]}.\n')
        self._write("conf/ejabberdctl.cfg", self._ctl_config())
        self._write("ejabberdctl", self._ctl_script())
        os.chmod(self.path("ejabberdctl"), 0o755)
        if tls:
            self._make_certificate()
        self.write_config()
        process.give_to_service(self.directory)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    @property
    def log_path(self):
        return self.path("logs", "console.log")

    # Configuration

    def write_config(self, rollup=None, host_config=None):
        """Writes ejabberd.yml. `rollup` is the module's YAML (a text, may be indented), None leaves the module out."""
        mqtt_options = {"max_queue": 100_000, **self.mqtt_options}
        options = "\n    ".join(f"{name}: {value}" for name, value in mqtt_options.items())
        config = BASE_CONFIG.format(
            hosts=self.hosts,
            loglevel=self.loglevel,
            c2s_port=self.c2s_port,
            mqtt_port=self.mqtt_port,
            api_port=self._api_port,
            mqtt_options=options,
            c2s_tls=f"starttls: {'true' if self.tls else 'false'}",
            certfiles=f'certfiles: ["{self.path("conf", "localhost.pem")}"]' if self.tls else "certfiles: []",
            more_modules="".join(f"  {name}: {{}}\n" for name in self.more_modules),
        )
        if rollup is not None:
            body = textwrap.indent(textwrap.dedent(rollup).strip("\n"), "    ")
            config += f"  {MODULE}:\n{body}\n" if body.strip() else f"  {MODULE}: {{}}\n"
        if host_config is not None:
            config += textwrap.dedent(host_config)
        self._write("conf/ejabberd.yml", config)

    def broker_options(self, user="rollup@localhost", password="rollup"):
        """The `brokers` lines with which the module reaches this server's own broker by `link`."""
        if self.link == "feed":
            return ""
        return (
            f"brokers:\n  ejabberd: {{host: {process.LOOPBACK}, port: {self.mqtt_port}, "
            f'username: "{user}", password: "{password}"}}\n'
        )

    def _write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def _make_certificate(self):
        """A self-signed certificate for the hosts, valid for a day."""
        names = ",".join(f"DNS:{host}" for host in self.hosts)
        pem = self.path("conf", "localhost.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={self.hosts[0]}",
             "-addext", f"subjectAltName={names}", "-keyout", pem + ".key", "-out", pem],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with open(pem + ".key", encoding="ascii") as key, open(pem, "a", encoding="ascii") as both:
            both.write(key.read())
        os.unlink(pem + ".key")
        os.chmod(pem, 0o600)

    def _ctl_script(self):
        """The installation's ejabberdctl without its test that the user is root or ejabberd."""
        with open(EJABBERDCTL, encoding="utf-8") as file:
            script = file.read()
        script, changed = re.subn(r"^INSTALLUSER=.*$", "INSTALLUSER=", script, flags=re.MULTILINE)
        assert changed == 1, f"{EJABBERDCTL} is not as expected"
        # That of an installer finds everything else by its own place.
        return script.replace("SCRIPT=$0", f"SCRIPT={shlex.quote(EJABBERDCTL)}")

    def _ctl_config(self):
        return (
            f"ERLANG_NODE={self.node}\n"
            f"ERL_DIST_PORT={self._distribution_port}\n"
            f"EJABBERD_PID_PATH={self.path('run', 'ejabberd.pid')}\n"
            f"CONTRIB_MODULES_PATH={self.path('modules')}\n"
            f"CONTRIB_MODULES_CONF_DIR={self.path('conf', 'modules.d')}\n"
            # INET_DIST_INTERFACE would say the same, and start a virtual machine of its own each time to read the address.
            f'ERL_OPTIONS="-kernel inet_dist_use_interface {{{process.LOOPBACK.replace(".", ",")}}}'
            ' -env ERL_CRASH_DUMP_BYTES 0"\n'
        )

    def _environment(self):
        environment = {"HOME": self.path("home"), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        cache = process.compiler_cache()
        if cache is not None:
            environment.update(CCACHE_DIR=cache, CCACHE_BASEDIR=self.directory)
        return environment

    def _ctl_command(self, *arguments):
        return [
            self.path("ejabberdctl"), "--config-dir", self.path("conf"), "--spool", self.path("spool"),
            "--logs", self.path("logs"), *arguments,
        ]  # fmt: skip

    def shell_command(self, *arguments):
        """`ejabberdctl ARGUMENTS` of this server, to be pasted into a shell of root or of the server's user."""
        return shlex.join(["env", f"HOME={self.path('home')}", *self._ctl_command(*arguments)])

    # Life

    def start(self, timeout=2 * process.PATIENCE):
        """Returns when all listeners accept."""
        self._service = process.Service(
            self._ctl_command("foreground"), self._environment(), self.directory, self.log_path
        )
        for line in (
            r"ejabberd \S+ is started in the node",
            rf"Start accepting TCP connections at \S+:{self.c2s_port} ",
            rf"Start accepting TCP connections at \S+:{self.mqtt_port} ",
            rf"Start accepting TCP connections at \S+:{self._api_port} ",
        ):
            self._service.wait_for_line(line, timeout)
        return self

    def stop(self):
        """An orderly stop; by signal if the node does not answer."""
        if self._service is None:
            return
        if self._service.is_running():
            self.ctl("stop", check=False)
            try:
                self._service.wait_end(process.PATIENCE)
            except subprocess.TimeoutExpired:
                pass
        self._service.end()
        self._service = None

    def close(self):
        """Without ceremony: what a stop would write goes away with the directory."""
        if self._service is not None:
            self._service.kill()
            self._service = None
        process.remove_directory(self.directory)

    def is_running(self):
        return self._service is not None and self._service.is_running()

    def ctl(self, *arguments, check=True, timeout=600):
        """`ejabberdctl ARGUMENTS` as the server's user: what it printed."""
        result = subprocess.run(
            process.as_service(self._ctl_command("--no-timeout", *arguments)),
            env={**self._environment(), process.MARK: self.directory},
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
        try:
            printed = result.stdout.decode()
        except UnicodeDecodeError:  # of ejabberd 24.06 and newer with Erlang 25
            printed = result.stdout.decode("latin-1")
        if check and result.returncode != 0:
            raise AssertionError(f"ejabberdctl {' '.join(arguments)} gave {result.returncode}: {printed}")
        return printed

    def api(self, command, timeout=process.PATIENCE, **arguments):
        """The same commands as `ctl`, over mod_http_api: the answer as JSON, and in milliseconds."""
        request = urllib.request.Request(
            f"http://{process.LOOPBACK}:{self._api_port}/api/{command}", json.dumps(arguments).encode()
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise ApiError(f"{command} gave {error.code}: {error.read().decode()}") from None

    def call(self, expression):
        """What the expression (`lists:sum([1, 2]).`) is in the node, as Erlang writes it."""
        with open(self.path("home", ".erlang.cookie"), encoding="ascii") as file:
            cookie = file.read().strip()
        # A busy node may still know the last caller, and would refuse another one of the same name.
        answer = subprocess.run(
            ["erl_call", "-address", f"localhost:{self._distribution_port}", "-h", f"caller{next(CALLERS)}",
             "-c", cookie, "-timeout", "120", "-e"],
            input=expression + "\n", check=True, stdout=subprocess.PIPE, text=True,
        ).stdout  # fmt: skip
        assert answer.startswith("{ok, "), answer
        return answer[len("{ok, ") : -1]

    def register(self, *names, host="localhost"):
        """Ordinary accounts whose password is their name."""
        for name in names:
            self.api("register", user=name, host=host, password=name)

    def reload(self):
        """`ejabberdctl reload_config`: what it printed (a refusal is in the log)."""
        return self.ctl("reload_config", check=False)

    # The log

    def log_position(self):
        return len(self._service.lines)

    def wait_for_log(self, pattern, timeout=process.PATIENCE, since=0):
        return self._service.wait_for_line(pattern, timeout, since)

    def log_lines(self, since=0):
        return self._service.lines.since(since)

    # The module

    def add_sources(self, package):
        """Puts the contrib package where `module_install` looks for sources."""
        target = self.path("modules", "sources", MODULE)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(package, target)
        process.give_to_service(self.path("modules"))

    def add_installed(self, installed):
        """A copy of what `module_install` left in another private server."""
        shutil.copytree(installed, self.installed_path())
        process.give_to_service(self.path("modules"))

    def installed_path(self, *parts):
        return self.path("modules", MODULE, *parts)

    def program_pids(self):
        return process.descendants(self._service.pid, PROGRAM)

    def wait_for_program(self, timeout=process.PATIENCE, other_than=()):
        """The pid of a running program that is none of `other_than`. (A process has no event for its birth.)"""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            found = [pid for pid in self.program_pids() if pid not in other_than]
            if found:
                return found[0]
            time.sleep(0.05)
        raise process.Timeout(f"{PROGRAM} is not running after {timeout} s")

    def seconds_of_programs(self):
        """Processor seconds of all programs that the node has started and that have ended."""
        # What it has just forked is called the same until it becomes a program.
        starter = min(process.descendants(self._service.pid, "erl_child_setup"))
        return process.seconds_of_children(starter)

    def kill_node(self):
        """SIGKILL to the Erlang VM alone."""
        with open(self.path("run", "ejabberd.pid"), encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGKILL)

    def kill_program(self):
        """SIGKILL to the one running program; its pid."""
        (pid,) = self.program_pids()
        os.kill(pid, signal.SIGKILL)
        return pid

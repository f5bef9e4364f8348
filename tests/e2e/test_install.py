"""The package, as `ejabberdctl` installs and judges it."""

import json
import os
import pathlib
import re
import secrets
import shutil
import stat
import subprocess

import pytest
from answers import count, status, until
from rollup_testing.ejabberd import ApiError
from rollup_testing.process import as_service, give_to_service, remove_directory, service_directory

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def configured(installation):
    """The first server of the run, with the smallest configuration there is."""
    installation.server.write_config("")
    installation.server.reload()
    return installation.server


def test_module_install_builds_the_program_within_five_minutes_of_one_processor(installation):
    server = installation.server
    assert not os.path.exists(server.installed_path("priv", "BUILD_FAILED"))
    assert os.path.exists(server.installed_path("priv", "bin", "mqtt_rollup"))
    assert "mod_mqtt_rollup" in server.ctl("modules_installed")
    # Not those of a clock: the processors may have other work.
    assert 0 < installation.seconds < 300


def test_a_configured_module_runs_the_installed_program(configured):
    pid = configured.wait_for_program()
    assert os.readlink(f"/proc/{pid}/exe") == configured.installed_path("priv", "bin", "mqtt_rollup")


def test_the_program_does_not_run_as_root(configured):
    pid = configured.wait_for_program()
    assert os.stat(f"/proc/{pid}").st_uid != 0


def test_the_history_is_readable_by_its_owner_only(configured):
    configured.wait_for_program()
    directory = configured.path("spool", "mqtt_rollup", "localhost")
    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700


def test_a_password_is_in_no_command_line_environment_or_log(home):
    secret = secrets.token_hex(16)
    server = home.ejabberd()
    server.add_installed(home.installed_path())
    server.start()
    # ejabberd logs the arguments of its API.
    registered = server.call(f'ejabberd_auth:try_register(<<"rollup">>, <<"localhost">>, <<"{secret}">>).')
    assert registered == "ok"
    server.link = "client"
    options = server.broker_options(password=secret) + 'streams:\n  t: {topic: "home/{room}/t"}\n'
    server.write_config(options)
    assert "rror" not in server.reload()
    connected = r"broker ejabberd: connected"
    server.wait_for_log(connected)

    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                content = (entry / name).read_bytes()
            except OSError:
                continue  # it has ended
            assert secret.encode() not in content, (entry / name, content)

    # The options are an argument of the call that fails.
    since = server.log_position()
    server.call(
        "sys:replace_state(mod_mqtt_rollup_port_localhost, fun({N, S}) -> {N, setelement(4, S, element(3, S))} end), "
        "mod_mqtt_rollup_port:info(<<\"localhost\">>)."
    )
    server.wait_for_log(r"SUPERVISOR REPORT", since=since)
    server.wait_for_log(connected, since=since)

    for broken in (
        options.replace("password", "pasword"),
        options.replace(f'"{secret}"', f'["{secret}"]'),
        options.replace("port: ", "port: x"),
        options + 'alerts:\n  hot: {stream: t, raise: "value > > 3"}\n',
        options + "      - no YAML\n",
    ):
        assert broken != options
        server.write_config(broken)
        printed = server.reload()
        assert "rror" in printed or "nvalid" in printed, printed
        assert secret not in printed
    for log in pathlib.Path(server.path("logs")).iterdir():
        assert secret not in log.read_text(encoding="utf-8", errors="replace"), log


def test_module_check_finds_nothing_missing(home):
    server = home.ejabberd()
    server.add_sources(ROOT / "build" / "contrib" / "mod_mqtt_rollup")
    sources = pathlib.Path(server.path("modules", "sources", "mod_mqtt_rollup"))
    # It judges the files and the Erlang code: the program has been built by another test.
    (sources / "c_src" / "Makefile").unlink()
    server.start()
    printed = server.ctl("module_check", "mod_mqtt_rollup", check=False)
    assert "installed" in printed
    assert "missing" not in printed and "rror" not in printed, printed
    (sources / "COPYING").unlink()
    assert "COPYING" in server.ctl("module_check", "mod_mqtt_rollup", check=False)


def test_a_failed_build_names_the_missing_packages_and_the_remedy(installation):
    directory = service_directory("broken")
    try:
        tree = os.path.join(directory, "mod_mqtt_rollup")
        shutil.copytree(ROOT / "build" / "contrib" / "mod_mqtt_rollup", tree)
        tools = os.path.join(directory, "bin")
        os.mkdir(tools)
        for tool in ("sh", "make", "dirname", "mkdir", "rm", "sed", "cat", "grep", "cp", "nproc"):
            os.symlink(shutil.which(tool), os.path.join(tools, tool))
        # A dpkg-query that knows of no package but g++.
        with open(os.path.join(tools, "dpkg-query"), "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\nfor last; do :; done\n[ "$last" = g++ ] && printf installed\n')
        os.chmod(os.path.join(tools, "dpkg-query"), 0o755)
        give_to_service(directory)
        result = subprocess.run(
            as_service(["env", "-i", f"PATH={tools}", "make", "-C", f"{tree}/c_src"]),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert result.returncode != 0
        text = pathlib.Path(tree, "priv", "BUILD_FAILED").read_text(encoding="utf-8")
        missing = next(line for line in text.splitlines() if line.startswith("Missing packages:"))
        assert " libmosquitto-dev" in missing and " g++" not in missing
        assert "apt-get install" in text and "module_upgrade mod_mqtt_rollup" in text
        assert os.path.exists(os.path.join(tree, "priv", "build.log"))
        assert not os.path.exists(os.path.join(tree, "priv", "bin", "mqtt_rollup"))
    finally:
        remove_directory(directory)


def test_an_interrupted_build_leaves_no_temporary_files_elsewhere(installation):
    directory = service_directory("interrupted")
    try:
        tree = pathlib.Path(directory, "mod_mqtt_rollup")
        shutil.copytree(ROOT / "build" / "contrib" / "mod_mqtt_rollup", tree)
        elsewhere = pathlib.Path(directory, "elsewhere")
        elsewhere.mkdir()
        # As a compiler that is killed: it leaves its temporary file, and so does the shell that waits for it.
        cmake = pathlib.Path(directory, "bin", "cmake")
        cmake.parent.mkdir()
        cmake.write_text("#!/bin/sh\nmktemp\nkill -9 $PPID\n", encoding="utf-8")
        cmake.chmod(0o755)
        give_to_service(directory)
        build = as_service(
            ["env", f"TMPDIR={elsewhere}", f"PATH={cmake.parent}:{os.environ['PATH']}", "make", "-C", f"{tree}/c_src"]
        )
        assert subprocess.run(build, stderr=subprocess.DEVNULL, check=False).returncode != 0
        left = pathlib.Path((tree / "priv" / "build.log").read_text(encoding="utf-8").strip())
        assert left.is_file() and left.is_relative_to(tree / "_build"), left
        assert list(elsewhere.iterdir()) == []

        cmake.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
        assert subprocess.run(build, stderr=subprocess.DEVNULL, check=False).returncode != 0
        assert not left.exists()
    finally:
        remove_directory(directory)


def test_ejabberd_starts_without_the_program_and_says_the_remedy(home):
    server = home.ejabberd()
    server.add_installed(home.installed_path())
    os.unlink(server.installed_path("priv", "bin", "mqtt_rollup"))
    with open(server.installed_path("priv", "BUILD_FAILED"), "w", encoding="utf-8") as file:
        file.write("The program mqtt_rollup could not be built.\nMissing packages: libmosquitto-dev\n")
    server.write_config("")
    server.start()
    server.wait_for_log("Missing packages: libmosquitto-dev")
    assert "is started" in server.ctl("status")


def test_a_program_that_hangs_does_not_delay_the_start_of_ejabberd(home):
    server = home.ejabberd(hosts=("localhost", "second.localhost"))
    server.add_installed(home.installed_path())
    program = server.path("hangs")
    with open(program, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nexec sleep 1000\n")
    os.chmod(program, 0o755)
    server.write_config(f"program: {program}\n")
    server.start()
    started = server.log_position()
    for host in server.hosts:
        server.wait_for_log(f"at {host}: the program does not answer; is it the right one")
        assert not any(f"at {host}: the program does not answer" in line for line in server.log_lines()[:started])
    # Nor does a reload: it judges when it starts.
    server.write_config(f"program: {program}\nlanguage: de\n")
    assert "rror" not in server.reload()


def test_a_broken_rule_at_the_start_of_ejabberd_is_told_and_can_be_mended(home):
    server = home.ejabberd()
    server.add_installed(home.installed_path())
    options = 'streams:\n  t: {topic: "home/{room}/t"}\nalerts:\n  hot: {stream: t, raise: "value > > 3"}\n'
    server.write_config(options)
    server.start()
    server.wait_for_log("the program cannot begin")
    server.wait_for_log(r"modules->mod_mqtt_rollup->alerts->hot->raise: ")
    # A problem of several lines is one fact, and a fact is one line.
    facts = server.ctl("mqtt_rollup_status", "localhost").splitlines()
    assert [line for line in facts if line.count("\t") != 1] == []
    assert any(line.startswith("program.problem\tthe program cannot begin: ") and "raise" in line for line in facts)
    home.reconfigure(server, options.replace("> >", ">"), r"the program is running")


def test_module_uninstall_stops_the_program(home):
    server = home.rollup("streams: {}\n")
    pid = server.wait_for_program()
    server.write_config()
    server.ctl("module_uninstall", "mod_mqtt_rollup")
    assert not os.path.exists(f"/proc/{pid}")
    assert not os.path.exists(server.installed_path("ebin"))
    assert "started" in server.ctl("status")


def test_ejabberdctl_prints_status_series_and_history(home):
    server = home.rollup(
        'streams:\n  t: {topic: "home/{room}/t", unit: "°C", resolution: 1s, lateness: 2s, hold: 1h}\n'
    )
    home.mqtt(server, "sensors").publish("home/hall/t", "21.5")
    until(lambda: count(server, "home/hall/t") == 1)
    until(lambda: status(server)["feed.waiting"] == "0")
    facts = server.ctl("mqtt_rollup_status", "localhost").splitlines()
    assert "accepted\t1" in facts
    for fact in ("waiting", "age_ms", "memory_bytes", "disk_bytes"):
        assert f"feed.{fact}\t0" in facts
    (row,) = filter(None, server.ctl("mqtt_rollup_series", "localhost", "home/+/t").splitlines())
    assert row.split("\t")[:4] == ["home/hall/t", "t", "21.5", "°C"]
    printed = server.ctl("mqtt_rollup_history", "localhost", "home/hall/t", "1h", "1h", "count,max")
    assert [line.split("\t")[1] for line in printed.splitlines() if line].count("1;21.5") == 1


def test_a_refused_command_is_a_sentence_and_a_failure(home):
    """Not an Erlang term; and for users of the ReST API, what they got wrong is not the server's fault."""
    server = home.rollup('streams:\n  t: {topic: "home/{room}/t", resolution: 1h}\n')
    home.mqtt(server, "sensors").publish("home/hall/t", "21.5")
    until(lambda: count(server, "home/hall/t") == 1)
    question = {"host": "localhost", "series": "home/hall/t", "last": "1h", "step": "1h", "aggregates": "max"}
    for wrong, kind, code, sentence in (
        ({"host": "é.example"}, "not_exists", 404, "host: expected a virtual host with mod_mqtt_rollup, got é.example"),
        ({"series": "home/hal/t"}, "not_exists", 404, "series: there is no series of this name, did you mean home/hall/t"),
        ({"last": "1 fortnight"}, "invalid_parameter", 400, "last: expected a duration such as 90s, 5m, 24h or 7d"),
        ({"step": "90m"}, "invalid_parameter", 400, "step: expected a multiple of the stream's resolution 1h, got 1h30m"),
    ):  # fmt: skip
        with pytest.raises(AssertionError) as refused:
            server.ctl("mqtt_rollup_history", *{**question, **wrong}.values())
        assert str(refused.value).endswith(f" gave 1: Error: {kind}: {sentence}\n")
        with pytest.raises(ApiError) as refused:
            server.api("mqtt_rollup_history", **{**question, **wrong})
        http_code, body = re.fullmatch(r"mqtt_rollup_history gave (\d+): (.*)", str(refused.value)).groups()
        assert int(http_code) == code
        answer = json.loads(body)
        assert (answer["message"] if isinstance(answer, dict) else answer) == sentence


def test_a_question_while_the_program_is_away_is_refused_with_a_remedy(home):
    server = home.ejabberd()
    server.add_installed(home.installed_path())
    server.write_config("program: /nowhere\n")
    server.start()
    with pytest.raises(AssertionError, match="gave 1: Error: unavailable: The program is not running; mqtt_rollup_status "):
        server.ctl("mqtt_rollup_series", "localhost", "")
    with pytest.raises(ApiError, match="gave 500: .*The program is not running; mqtt_rollup_status tells why"):
        server.api("mqtt_rollup_series", host="localhost", filter="")

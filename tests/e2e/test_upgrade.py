"""ejabberd's module_upgrade, while sensors go on."""

import pathlib
import re

from answers import status, until
from conftest import ROOT
from test_feed import OPTIONS, Load, assert_exact

# As a build that takes its time, with a program that is there already.
MAKEFILE = """\
all:
\tsleep 5
\tmkdir -p ../priv/bin
\tcp {program} ../priv/bin/mqtt_rollup
"""


def mark(source):
    """Gives an Erlang source a function that the running code does not have."""
    text = source.read_text(encoding="utf-8")
    module = re.search(r"^-module\((\w+)\)\.\n", text, re.MULTILINE)
    source.write_text(
        text[: module.end()] + "-export([upgraded/0]).\n" + text[module.end() :] + "\nupgraded() -> yes.\n",
        encoding="utf-8",
    )
    return module[1]


def test_an_upgrade_loses_nothing_and_leaves_no_old_code(home):
    server = home.rollup(OPTIONS)
    program = pathlib.Path(server.path("kept_program"))
    program.write_bytes(pathlib.Path(server.installed_path("priv", "bin", "mqtt_rollup")).read_bytes())
    program.chmod(0o755)
    server.add_sources(ROOT / "build" / "contrib" / "mod_mqtt_rollup")
    sources = pathlib.Path(server.path("modules", "sources", "mod_mqtt_rollup"))
    (sources / "c_src" / "Makefile").write_text(MAKEFILE.format(program=program), encoding="utf-8")
    modules = [mark(source) for source in sorted((sources / "src").glob("*.erl"))]
    assert len(modules) > 20
    pid = server.wait_for_program()
    since = server.log_position()
    with Load(server, 500, "upgrade") as load:
        until(lambda: load.sent > 100, what="some messages before")
        server.ctl("module_upgrade", "mod_mqtt_rollup")
        server.wait_for_program(other_than=[pid])
        until(lambda: status(server).get("program") == "running", what="the new program")
        after = load.sent
        until(lambda: load.sent > after + 100, what="some messages after")
        assert_exact(server, load, load.finish())
    answers = server.call(f"[Module:upgraded() || Module <- [{', '.join(modules)}]].")
    assert answers.count("yes") == len(modules)
    assert not [line for line in server.log_lines(since) if "still in use" in line]

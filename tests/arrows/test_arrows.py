"""The tree keeps its arrows, and the checker would notice if it did not."""

import pathlib

import arrows
import erlang_arrows
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def offences_of(tmp_path, folder, text, name="x.cc"):
    path = tmp_path / "c_src" / folder / name
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    found, files = arrows.offences(tmp_path)
    assert files == 1
    return [what for _, _, what in found]


def test_the_tree_has_no_offence():
    found, files = arrows.offences(ROOT)
    assert files > 0
    assert [f"{path}:{line}: {what}" for path, line, what in found] == []


@pytest.mark.parametrize(
    "folder, text",
    [
        ("base", '#include "model/bucket.h"\n'),
        ("decode", '#include "expression/condition.h"\n'),
        ("engine", '#include "archive/archive.h"\n'),
        ("archive", '#include "query/query.h"\n'),
        ("mqtt", '#include "port/channel.h"\n'),
        ("publish", '#include "app/main.h"\n'),
        ("decode", '#include "rollup/v1/rollup.pb.h"\n'),
        ("engine", '#include "bucket.h"\n'),
        ("query", "#include <sqlite3.h>\n"),
        ("app", "#include <mosquitto.h>\n"),
        ("archive", "#include <spdlog/spdlog.h>\n"),
        ("engine", "#include <fstream>\n"),
        ("engine", "auto now = std::chrono::system_clock::now();\n"),
        ("query", 'const char* home = std::getenv("HOME");\n'),
        ("publish", 'std::printf("x");\n'),
        ("model", "auto t = ::time(nullptr);\n"),
        ("decode", "int fd = ::open(path, 0);\n"),
        ("unheard_of", "int x;\n"),
    ],
)
def test_an_offence_is_found(tmp_path, folder, text):
    assert len(offences_of(tmp_path, folder, text)) == 1


@pytest.mark.parametrize(
    "folder, text",
    [
        ("engine", '#include "model/bucket.h"\n#include "base/time.h"\n#include <vector>\n'),
        ("app", '#include "mqtt/client.h"\n#include "port/channel.h"\n#include <chrono>\n'),
        ("engine", "// reads no system_clock\n/* nor getenv */ int x = 0;\n"),
        ("publish", 'auto text = "printf(";\nauto big = 1\'000\'000; auto c = \'"\'; int y;\n'),
        ("archive", '#include "rollup/state/v1/state.pb.h"\n#include <sqlite3.h>\n'),
        ("engine", "Bucket& open(Time t); bucket.open(t); row.time(); std::snprintf(b, n, f);\n"),
        ("mqtt", "auto t = std::chrono::steady_clock::now();\n"),
    ],
)
def test_what_is_allowed_is_let_through(tmp_path, folder, text):
    assert offences_of(tmp_path, folder, text) == []


def test_a_link_against_the_arrows_is_found(tmp_path):
    text = "rollup_library(engine SOURCES a.cc\n  LINKS rollup_model rollup_archive)\n"
    assert offences_of(tmp_path, "engine", text, "CMakeLists.txt") == ["engine may not link rollup_archive"]


def erlang_offences_of(tmp_path, **sources):
    folder = tmp_path / "erl" / "src"
    folder.mkdir(parents=True)
    for name, text in sources.items():
        (folder / f"mod_mqtt_rollup_{name}.erl").write_text(text, encoding="utf-8")
    found, files = erlang_arrows.offences(tmp_path)
    assert files == len(sources)
    return [what for _, _, what in found]


def test_the_erlang_modules_have_no_offence():
    found, files = erlang_arrows.offences(ROOT)
    assert files > 0
    assert [f"{path}:{line}: {what}" for path, line, what in found] == []


@pytest.mark.parametrize(
    "text",
    [
        "f() -> mod_mqtt_rollup_port:status().\n",
        "f() -> gen_server:call(x, y).\n",
        "f(Pid) -> Pid ! x.\n",
        "f() -> erlang:system_time(second).\n",
        "f() -> file:read_file(x).\n",
        "f() -> ?INFO_MSG(x, []).\n",
    ],
)
def test_a_pure_erlang_module_that_reaches_outside_is_found(tmp_path, text):
    assert len(erlang_offences_of(tmp_path, text=text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "%% gen_server:call(x)\nf() -> \"file:read_file(x)\".\n",
        "-spec f(mod_mqtt_rollup_port:state()) ->\n    mod_mqtt_rollup_port:x().\nf(X) -> X.\n",
        "f() -> mod_mqtt_rollup_duration:parse(x).\n",
    ],
)
def test_comments_texts_and_types_are_no_uses(tmp_path, text):
    assert erlang_offences_of(tmp_path, text=text) == []


def test_a_circle_of_erlang_modules_is_found(tmp_path):
    there, back = "f() -> mod_mqtt_rollup_notify:f().\n", "f() -> mod_mqtt_rollup_access:f().\n"
    assert len(erlang_offences_of(tmp_path, access=there, notify=back)) == 1


def test_processes_that_talk_to_each_other_may(tmp_path):
    there, back = "f() -> mod_mqtt_rollup_feed:f().\n", "f() -> mod_mqtt_rollup_port:f().\n"
    assert erlang_offences_of(tmp_path, port=there, feed=back) == []

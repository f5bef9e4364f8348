"""Checks that the Erlang modules use each other in one direction only, and that pure ones know nothing outside.

    python3 tests/arrows/erlang_arrows.py [root of the source tree]

Prints every offence as `file:line: what`, and exits with 1 if there is one. Comments, strings, types and specs are not
uses: who names the type of another module does not call it.
"""

import pathlib
import re
import sys

PREFIX = "mod_mqtt_rollup"

# What decides, formats or checks, and can be tried without a process.
PURE = {
    "adhoc", "config", "duration", "feed_queue", "feed_watch", "options", "port_core", "sessions", "text", "wire",
}  # fmt: skip
# Of these: they look at ejabberd's own options and whether a file is there.
MAY_LOOK = {"config", "options"}
# Processes that send each other messages, and the supervisor that one of them looks after.
PARTNERS = {"feed", "feed_sup", "notify", "port", "publisher"}

CALL = re.compile(rf"\b{PREFIX}_(\w+):[a-z]\w*\(|\b{PREFIX}:[a-z]\w*\(")
IMPURE = re.compile(
    r"\b(gen_server|ets|file|filelib|persistent_term|atomics|counters|application|mnesia|rand|ejabberd_\w+|mod_\w+|"
    r"gen_mod|logger):[a-z]\w*\("
    r"|\berlang:(send|send_after|start_timer|monotonic_time|system_time|port_command|now|put|get)\b"
    r"|\bos:[a-z]\w*\(|\bself\(\)|\breceive\b|\bspawn\w*\(|\?(DEBUG|INFO_MSG|WARNING_MSG|ERROR_MSG|CRITICAL_MSG)\b| ! "
)
NOT_CODE = re.compile(
    r'%[^\n]*|"(?:\\.|[^"\\])*"|^-(?:spec|type|opaque|callback|record|export_type)\b.*?\.$', re.DOTALL | re.MULTILINE
)


def blank(match):
    """The same number of lines, without the text."""
    return "\n" * match.group(0).count("\n") or " "


def lines_of(source):
    return enumerate(NOT_CODE.sub(blank, source).splitlines(), 1)


def uses(source):
    """(line, short name) of each call of another module of the project; "" is the module itself."""
    return [(number, match.group(1) or "") for number, line in lines_of(source) for match in CALL.finditer(line)]


def impurities(source):
    for number, line in lines_of(source):
        for match in IMPURE.finditer(line):
            if not match.group(0).startswith(PREFIX):
                yield number, match.group(0).strip()


def circle(graph):
    """The names along one circle of calls, without those among partners; [] if there is none."""
    done = set()

    def walk(name, path):
        if name in path:
            return path[path.index(name) :] + [name]
        if name in done:
            return []
        for other in sorted(graph.get(name, ())):
            found = [] if {name, other} <= PARTNERS else walk(other, path + [name])
            if found:
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := walk(name, []))), [])


def offences(root):
    """(path, line, what) for each offence of the tree, and the number of files read."""
    found, graph = [], {}
    paths = {path.stem.removeprefix(PREFIX).lstrip("_"): path for path in (root / "erl" / "src").glob("*.erl")}
    for name, path in sorted(paths.items()):
        source = path.read_text(encoding="utf-8")
        graph[name] = {other for _, other in uses(source)} - {name}
        if name in PURE:
            found += [(path, line, f"{name} is pure: it may not use {other}") for line, other in uses(source)
                      if other not in PURE]  # fmt: skip
        if name in PURE - MAY_LOOK:
            found += [(path, line, f"{name} is pure: `{what}` reaches outside") for line, what in impurities(source)]
    names = circle(graph)
    if names:
        found.append((paths[names[0]], 1, "a circle of calls: " + " -> ".join(names)))
    return found, len(paths)


def main(arguments):
    root = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parents[2]
    found, files = offences(root)
    for path, line, what in found:
        print(f"{path}:{line}: {what}")
    print(f"{files} files, {len(found)} offences")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Checks that the folders of c_src use each other only in the direction in which data flows.

    python3 tests/arrows/arrows.py [root of the source tree]

Prints every offence as `file:line: what`, and exits with 1 if there is one. Three things are read:
the #include lines, the LINKS of each folder's CMakeLists.txt, and, in the folders that must give the same
answer for the same input, the words that reach for a clock, a descriptor, a log or the environment.
"""

import pathlib
import re
import sys

# Folders in one row stand beside each other and do not use each other.
ROWS = [
    ["base"],
    ["model"],
    ["decode", "expression"],
    ["engine"],
    ["journal"],
    ["archive"],
    ["query"],
    ["publish"],
    ["mqtt", "port"],
    ["app"],
]
RANK = {folder: rank for rank, row in enumerate(ROWS) for folder in row}

# Libraries that one part of the program hides from the others.
LIBRARY_HOMES = {
    r"mosquitto\.h": {"mqtt"},
    r"sqlite3\.h": {"archive"},
    r"zstd\.h": {"archive"},
    r"ei\.h": {"port"},
    r"spdlog/.*": {"mqtt", "port", "app"},
}

PURE = {"model", "decode", "expression", "engine", "query", "publish"}
IMPURE_HEADERS = re.compile(
    r"(unistd|fcntl|poll|signal|syslog|ctime|time)(\.h)?|sys/.*|(csignal|cstdio|stdio\.h|iostream|fstream|"
    r"filesystem|thread|mutex|atomic|condition_variable|future|random)|spdlog/.*|netinet/.*|arpa/.*"
)
IMPURE_WORDS = re.compile(
    r"\b(system_clock|steady_clock|high_resolution_clock|utc_clock|clock_gettime|gettimeofday|"
    r"localtime(?:_r)?|gmtime(?:_r)?|strftime|mktime|"
    r"(?:secure_)?getenv|setenv|putenv|"
    r"fopen|freopen|openat|fdopen|popen|ifstream|ofstream|fstream|"
    r"cout|cerr|clog|spdlog|syslog|v?f?printf|f?puts|perror|"
    r"random_device|this_thread|usleep|nanosleep)\b"
    r"|(?<![\w.>:])(?:::|std::)(?:open|read|write|time|clock|rand|sleep|system)\s*\("
    r"|(?<![\w.>:])(?:time|clock|rand)\s*\(\s*(?:nullptr|NULL|0)?\s*\)"
)

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
COMMENT_OR_TEXT = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^(\s]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL
)
# Keeps 1'000'000 from being taken for a character literal.
DIGIT_SEPARATOR = re.compile(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])")


def blank(match):
    """The same number of lines, without the text."""
    return "\n" * match.group(0).count("\n") or " "


def without_comments_and_texts(source):
    return COMMENT_OR_TEXT.sub(blank, DIGIT_SEPARATOR.sub("", source))


def include_offence(folder, quote, header):
    """Why `folder` may not include `header`, or None."""
    first = header.split("/")[0]
    if quote == '"' and header.startswith("rollup/"):
        if RANK[folder] < RANK["engine"]:
            return f'{folder} may not use the generated messages ("{header}")'
        return None
    if quote == '"':
        if first not in RANK or "/" not in header:
            return f'"{header}" must be named from c_src, as "folder/file.h"'
        if first != folder and RANK[first] >= RANK[folder]:
            return f'{folder} may not include "{header}": no arrow leads from {first} to {folder}'
        return None
    for pattern, homes in LIBRARY_HOMES.items():
        if re.fullmatch(pattern, header) and folder not in homes:
            return f"<{header}> belongs to {', '.join(sorted(homes))}, not to {folder}"
    if folder in PURE and IMPURE_HEADERS.fullmatch(header):
        return f"{folder} must be pure: <{header}> reaches outside"
    return None


def source_offences(folder, source):
    """(line, what) for each offence of one file."""
    for number, line in enumerate(source.splitlines(), 1):
        match = INCLUDE.match(line)
        what = include_offence(folder, *match.groups()) if match else None
        if what:
            yield number, what
    if folder in PURE:
        for number, line in enumerate(without_comments_and_texts(source).splitlines(), 1):
            match = None if INCLUDE.match(line) else IMPURE_WORDS.search(line)
            if match:
                yield number, f"{folder} must be pure: `{match.group(0).strip()}` reaches outside"


def link_offences(folder, source):
    """The LINKS of a folder's CMakeLists.txt follow the same arrows."""
    for number, line in enumerate(source.splitlines(), 1):
        for target in re.findall(r"\brollup_([a-z]+)\b", line):
            if target in RANK and target != folder and RANK[target] >= RANK[folder]:
                yield number, f"{folder} may not link rollup_{target}"


def offences(root):
    """(path, line, what) for each offence of the tree, and the number of files read."""
    found, files = [], 0
    for path in sorted((root / "c_src").rglob("*")):
        relative = path.relative_to(root / "c_src")
        if len(relative.parts) < 2 or not path.is_file():
            continue
        folder = relative.parts[0]
        if path.suffix in (".cc", ".h"):
            check = source_offences
        elif path.name == "CMakeLists.txt":
            check = link_offences
        else:
            continue
        files += 1
        if folder not in RANK:
            found.append((path, 1, f"the folder {folder} has no place among the arrows"))
            continue
        found += [(path, line, what) for line, what in check(folder, path.read_text(encoding="utf-8"))]
    return found, files


def main(arguments):
    root = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parents[2]
    found, files = offences(root)
    for path, line, what in found:
        print(f"{path}:{line}: {what}")
    if not files:
        print(f"{root / 'c_src'} holds no sources")
        return 1
    print(f"{files} files, {len(found)} offences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

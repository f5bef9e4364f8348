#!/usr/bin/python3
"""Runs the test layers, cheapest first, some side by side, and stops after the first step of which one fails.

    tests/run.py                 all layers but those that are only run by name
    tests/run.py arrows erlang   these layers only
    tests/run.py --list          names them

What a layer prints goes into build/test-logs/<layer>.log. Of a layer that fails the end of what its first failed
command printed is shown. At the end a table tells what each layer took; its last line is `N passed, N failed` over all.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
LOGS = BUILD / "test-logs"
CORES = os.cpu_count() or 2
FUZZ_SECONDS = int(os.environ.get("FUZZ_SECONDS", "10"))
SHOWN_LINES = 80


class Failed(Exception):
    """A command of a layer failed before or beside its countable tests."""


class Layer:
    """One layer while it runs: where its output goes, and what it has counted."""

    def __init__(self, name):
        self.name = name
        self.log_path = LOGS / f"{name}.log"
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self.failure = None  # of the first command that failed: its output
        self.log_path.unlink(missing_ok=True)

    def run(self, command, check=True, **environment):
        """Runs a command; its output goes into the log. Returns (exit code, output)."""
        with open(self.log_path, "a+", encoding="utf-8", errors="replace") as log:
            log.write(f"$ {' '.join(map(str, command))}\n")
            log.flush()
            start = log.tell()
            code = subprocess.run(
                list(map(str, command)), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, **environment}, check=False,
            ).returncode  # fmt: skip
            log.seek(start)
            output = log.read()
        if code != 0 and self.failure is None:
            self.failure = output
        if check and code != 0:
            raise Failed(f"`{' '.join(map(str, command[:3]))} …` gave {code}")
        return code, output

    def one(self, command, **environment):
        """A command that is one test by itself."""
        code, output = self.run(command, check=False, **environment)
        if code == 0:
            self.passed += 1
        else:
            self.failed += 1
        return output

    def counted(self, command, report, **environment):
        """A command that writes a JUnit report; its cases are counted."""
        report.unlink(missing_ok=True)
        report.parent.mkdir(parents=True, exist_ok=True)
        code, _ = self.run(command, check=False, **environment)
        if not report.exists():
            raise Failed(f"`{command[0]} …` gave {code} and no report")
        failed = 0
        for case in ET.parse(report).getroot().iter("testcase"):
            tags = {child.tag for child in case}
            if tags & {"failure", "error"} or case.get("status") == "fail":
                failed += 1
            elif "skipped" in tags:
                self.skipped += 1
            else:
                self.passed += 1
        self.failed += failed
        if code != 0 and failed == 0:
            raise Failed(f"`{command[0]} …` gave {code}, although no case failed")

    def add(self, part):
        """Counts what a part of this layer counted, which has a log of its own."""
        self.passed += part.passed
        self.failed += part.failed
        if part.failed and self.failure is None:
            self.failure = part.failure

    def pytest(self, *arguments, **environment):
        report = LOGS / f"{self.name}.xml"
        self.counted(
            ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *arguments],
            report,
            **environment,
        )  # fmt: skip

    def build(self, preset, *targets):
        self.run(["cmake", "--preset", preset])
        self.run(["cmake", "--build", "--preset", preset, "-j", CORES, *(f"--target={name}" for name in targets)])


def sources(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".cc", ".h"))


def layer_format(layer):
    layer.one(["clang-format", "--dry-run", "-Werror", *sources("c_src", "tests", "bench")])


def layer_arrows(layer):
    layer.pytest("tests/arrows")


def layer_cpp(layer):
    """Unit, scenario and property tests and the fuzz corpora, and the program through its pipes, with ASan and UBSan."""
    layer.build("asan")
    report = LOGS / "ctest.xml"
    layer.counted(["ctest", "--preset", "asan", "-j", CORES, "--output-junit", report], report)
    if list((ROOT / "tests" / "port").glob("test_*.py")):
        layer.pytest("tests/port", ROLLUP_PROGRAM=str(program_of("asan")))


def program_of(preset):
    (found,) = [path for path in (BUILD / preset).rglob("mqtt_rollup") if path.is_file()]
    return found


def layer_threads(layer):
    """The tests of the part that has threads, with TSan."""
    layer.build("tsan")
    (tests,) = (BUILD / "tsan").rglob("rollup_mqtt_tests")
    report = LOGS / "tsan.xml"
    # Address space randomisation of newer kernels is more than this TSan can take.
    layer.counted(["setarch", "-R", tests, f"--gtest_output=xml:{report}"], report, TSAN_OPTIONS="halt_on_error=1")


def layer_fuzz(layer):
    """Each fuzz target for a short while, from its corpus."""
    layer.run(["cmake", "--preset", "fuzz"])
    names = sorted(path.stem for path in (ROOT / "tests" / "fuzz").glob("fuzz_*.cc"))
    layer.run(["cmake", "--build", "--preset", "fuzz", "-j", CORES, *(f"--target={name}" for name in names)])

    def run_target(name):
        part = Layer(f"fuzz-{name}")
        (target,) = [path for path in (BUILD / "fuzz").rglob(name) if path.is_file()]
        found = BUILD / "fuzz" / "found" / name
        found.mkdir(parents=True, exist_ok=True)
        corpus = ROOT / "tests" / "fuzz" / "corpus" / name
        part.one(
            [target, found, *([corpus] if corpus.is_dir() else []), f"-max_total_time={FUZZ_SECONDS}", "-timeout=5",
             "-rss_limit_mb=2048", f"-artifact_prefix={found}/", "-print_final_stats=1"]
        )  # fmt: skip
        return part

    # Each target has one thread.
    with ThreadPoolExecutor(CORES) as pool:
        for part in pool.map(run_target, names):
            layer.add(part)


def layer_erlang(layer):
    """EUnit, xref and dialyzer."""
    code, output = layer.run(["rebar3", "eunit"], check=False)
    counts = re.search(r"(\d+) tests, (\d+) failures", output)
    if not counts:
        raise Failed("rebar3 eunit did not run")
    if code != 0 and int(counts[2]) == 0:
        # One that takes too long cancels itself and those behind it.
        raise Failed(f"`rebar3 eunit` gave {code}, although no test failed")
    layer.failed += int(counts[2])
    layer.passed += int(counts[1]) - int(counts[2])
    layer.one(["rebar3", "xref"])
    layer.one(["rebar3", "dialyzer"])


def layer_e2e(layer):
    """The package in a real ejabberd, with real clients."""
    layer.one(["ejabberd/package.sh"])
    layer.pytest("tests/e2e", "--durations=15")


def layer_tidy(layer):
    """clang-tidy over the program's sources, without the static analyzer."""
    clang_tidy(layer, "-clang-analyzer-*")


def layer_analyze(layer):
    """The static analyzer alone, which takes twice as long as all the other checks."""
    clang_tidy(layer, "-*,clang-analyzer-*")


def clang_tidy(layer, checks):
    """clang-tidy with the checks of .clang-tidy and these after them."""
    layer.build("asan", "rollup_proto")
    report = layer.one(
        ["run-clang-tidy", "-quiet", "-j", CORES, "-p", BUILD / "asan", f"-checks={checks}",
         "-extra-arg=-Wno-unknown-warning-option", rf"^{re.escape(str(ROOT))}/c_src/.*\.cc$"]
    )  # fmt: skip
    without_colours = re.sub(r"\x1b\[[0-9;]*m", "", report)
    # Told here as well: the end of the log, which is shown, is about the files that came last.
    if errors := [line for line in without_colours.splitlines() if "error:" in line]:
        raise Failed("\n".join(["clang-tidy found:", *errors]))


# Steps of layers that run side by side: what one leaves of the processors is used by another. Of a layer: name, function, the
# file without which there is nothing to test.
STEPS = [
    [
        ("format", layer_format, ".clang-format"),
        ("arrows", layer_arrows, "tests/arrows"),
        ("erlang", layer_erlang, "rebar.config"),  # dialyzer: one thread
    ],
    [("tidy", layer_tidy, ".clang-tidy")],
    [("cpp", layer_cpp, "tests/CMakeLists.txt")],
    [
        ("threads", layer_threads, "tests/unit/mqtt/CMakeLists.txt"),  # waits for brokers
        ("fuzz", layer_fuzz, "tests/fuzz/CMakeLists.txt"),
    ],
    [("e2e", layer_e2e, "tests/e2e")],
    [("analyze", layer_analyze, ".clang-tidy")],
]
NAMES = [name for step in STEPS for name, _, _ in step]
ONLY_BY_NAME = {"analyze"}


def run_layer(name, function):
    layer = Layer(name)
    started = time.monotonic()
    print(f"{name:8} …", flush=True)
    reason = ""
    try:
        function(layer)
    except (Failed, OSError, ValueError, ET.ParseError) as error:
        reason = f"  {error}"
        layer.failed += layer.failed == 0
    seconds = time.monotonic() - started
    skipped = f", {layer.skipped} skipped" if layer.skipped else ""
    line = f"{name:8} {seconds:5.0f} s  {layer.passed} passed, {layer.failed} failed{skipped}{reason}"
    print(line, flush=True)
    if layer.failed and layer.log_path.exists():
        output = layer.failure or layer.log_path.read_text(encoding="utf-8", errors="replace")
        lines = output.splitlines()
        print(*lines[-SHOWN_LINES:], f"(all of it: {layer.log_path})", sep="\n")
    return layer, line


def main(arguments):
    if arguments == ["--list"]:
        print(*NAMES, sep="\n")
        return 0
    unknown = set(arguments) - set(NAMES)
    if unknown:
        print(f"no such layer: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    os.chdir(ROOT)
    LOGS.mkdir(parents=True, exist_ok=True)
    if shutil.which("ccache"):
        os.environ.setdefault("CMAKE_CXX_COMPILER_LAUNCHER", "ccache")
    started = time.monotonic()
    passed = failed = 0
    lines = []
    for step in STEPS:
        wanted = [
            (name, function)
            for name, function, needed in step
            if (name in arguments or not (arguments or name in ONLY_BY_NAME)) and (ROOT / needed).exists()
        ]
        if failed:
            lines += [f"{name:8} not run" for name, _ in wanted]
            continue
        with ThreadPoolExecutor(len(step)) as pool:
            for layer, line in pool.map(lambda one: run_layer(*one), wanted):
                passed, failed = passed + layer.passed, failed + layer.failed
                lines.append(line)
    lines.append(f"{'all':8} {time.monotonic() - started:5.0f} s")
    print("", *lines, f"{passed} passed, {failed} failed", sep="\n", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

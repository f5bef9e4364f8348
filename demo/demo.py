#!/usr/bin/python3
"""Shows the module at work in a private ejabberd. `make demo` runs it; Ctrl-C or DEMO_SECONDS ends it."""

import logging
import os
import pathlib
import re
import signal
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT / "tests" / "support" / "python"), str(HERE)]
# It would begin the demo with advice on how it could be faster.
logging.getLogger("slixmpp.stringprep").setLevel(logging.ERROR)

from home import STORY, Home  # noqa: E402
from rollup_testing import Ejabberd, MqttClient, XmppClient  # noqa: E402
from rollup_testing.xmpp import CommandError  # noqa: E402

PACKAGE = ROOT / "build" / "contrib" / "mod_mqtt_rollup"
SERVICE = "rollup.localhost"
SHOW_AT, SHOW_EVERY = 12, 18  # seconds until the first look at the topics, and between two
QUESTION_AT, QUESTION_EVERY = 36, 60  # and for the questions about the past

BOLD, DIM, OFF = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")

screen = threading.Lock()


def show(*lines):
    with screen:
        print(*lines, sep="\n", flush=True)


def headline(text):
    show("", f"{BOLD}== {text}{OFF}")


class Interrupted(Exception):
    """Ctrl-C, or a polite kill."""


def interrupt(_number, _frame):
    raise Interrupted


def watch_build(server, done):
    """Shows how far the build is; module_install itself says nothing until the end."""
    log = server.path("modules", "sources", "mod_mqtt_rollup", "priv", "build.log")
    shown = -1
    while not done.wait(1):
        try:
            with open(log, encoding="utf-8", errors="replace") as file:
                percents = re.findall(r"^\[ *(\d+)%\]", file.read(), re.MULTILINE)
        except OSError:
            continue
        if percents and int(percents[-1]) >= shown + 10:
            shown = int(percents[-1]) // 10 * 10
            show(f"   built {shown} %")


def install(server):
    """As a user would: the directory below sources/, then `ejabberdctl module_install`."""
    server.add_sources(PACKAGE)
    done = threading.Event()
    watcher = threading.Thread(target=watch_build, args=(server, done), daemon=True)
    watcher.start()
    started = time.monotonic()
    try:
        server.ctl("module_install", "mod_mqtt_rollup")
    finally:
        done.set()
        watcher.join()
    failure = pathlib.Path(server.installed_path("priv", "BUILD_FAILED"))
    if failure.exists():
        sys.exit(failure.read_text(encoding="utf-8"))
    show(f"   installed in {time.monotonic() - started:.0f} s")


def how_to_look_further(server, seconds):
    account = "-u alice@localhost -P alice"
    headline("Look for yourself, in another terminal, while this runs")
    show(
        f"   (It ends after {seconds:.0f} s; without DEMO_SECONDS it goes on until Ctrl-C.)" if seconds else
        "   (Ctrl-C ends it and removes everything.)",
        f"   mosquitto_sub -h 127.0.0.1 -p {server.mqtt_port} {account} -t 'show/#' -F '%t\\n%p\\n'",
        f"   mosquitto_sub -h 127.0.0.1 -p {server.mqtt_port} {account} -t 'stats/#' -v",
        f"   mosquitto_pub -h 127.0.0.1 -p {server.mqtt_port} {account} -t home/cellar/fridge -m '30 °C'",
        f"   {server.shell_command('mqtt_rollup_series', 'localhost', '#')}",
        "   A desktop client (Gajim, Psi, DinoX):",
        "     account alice@localhost, password alice (admin@localhost, password admin, may do more)",
        f"     server 127.0.0.1, port {server.c2s_port}; the certificate is made for this demo, so accept it",
        f"     commands of {SERVICE}: history, series, status; in DinoX: MQTT at 127.0.0.1, port {server.mqtt_port}",
    )


class Panel:
    """What a client with an MQTT panel sees: it subscribes to the summaries alone."""

    def __init__(self, server):
        self._client = MqttClient(server.mqtt_port, "alice@localhost", "alice")
        for topic_filter in ("show/#", "stats/#", "now/#", "alerts/#"):
            self._client.subscribe(topic_filter)

    def close(self):
        self._client.close()

    def show(self):
        newest = {message.topic: message.text for message in self._client.messages.since()}
        headline(f"{time.strftime('%H:%M:%S')}  what a client finds on the precomputed topics (retained)")
        left_out = 0
        for topic in sorted(newest):
            if topic.endswith("/humidity"):
                left_out += topic.startswith("show/")
            elif topic.startswith("show/"):
                show(f"{DIM}{topic}{OFF}", *(f"   {line}" for line in newest[topic].splitlines()))
        show(f"   … and {left_out} topics like these for the humidity")
        for topic in ("stats/living-room/temperature", "now/kitchen/fridge", "alerts/fridge_open/home/kitchen/fridge"):
            if topic in newest:
                show(f"{DIM}{topic}{OFF}", f"   {newest[topic]}")


def show_chat(client, stop):
    """Prints each message of the chat as it arrives."""
    seen = 0
    while not stop.is_set():
        try:
            message = client.messages.wait_for(lambda _: True, 1, "a message", seen)
        except AssertionError:
            continue
        seen += 1
        kind = "corrects its message" if message.replaces else "writes"
        headline(f"{time.strftime('%H:%M:%S')}  XMPP: {message.sender} {kind} to alice@localhost")
        show(*(f"   {line}" for line in message.body.splitlines()))


def show_table(table):
    columns = table.columns or [field.var for field in table.fields]
    cells = [columns] + [[row.get(column, "") or "-" for column in columns] for row in table.rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for number, line in enumerate(cells):
        text = "  ".join(cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(line, widths)))
        show(f"   {BOLD if number == 0 else ''}{text}{OFF if number == 0 else ''}")


def ask(server, client):
    """The questions of the demo, over ad-hoc commands and as an administrator."""
    values = {"series": "home/kitchen/fridge", "last": "1m", "step": "5s", "aggregates": ["avg", "min", "max", "count"]}
    headline(f"Ad-hoc command `history` of {SERVICE}: {values['series']}, last {values['last']}, step {values['step']}")
    try:
        table = client.run_command(SERVICE, "history", values)
        show_table(table)
        show(*(f"   {note}" for note in table.notes))
        headline(f"Ad-hoc command `status` of {SERVICE}")
        status = client.run_command(SERVICE, "status")
        for field in status.fields:
            if field.type != "hidden":
                show(f"   {field.label or field.var}: {', '.join(field.values)}")
    except CommandError as error:
        show(f"   refused: {error}")
    headline("ejabberdctl mqtt_rollup_status localhost: what was dropped, why, and the newest topic of each reason")
    facts = server.api("mqtt_rollup_status", host="localhost")
    for name, value in facts.items():
        if name.startswith(("stream.climate.dropped.", "stream.climate.examples.")):
            show(f"   {name:44} {value}")


def run(server, seconds):
    headline("A private ejabberd on 127.0.0.1, in a directory of its own")
    server.start()
    server.register("rollup", "devices", "alice", "admin")
    show(f"   {server.directory}")

    headline("ejabberdctl module_install mod_mqtt_rollup (builds the program; a few minutes the first time)")
    install(server)

    headline("The module's options (demo/rollup.yml)")
    options = (HERE / "rollup.yml").read_text(encoding="utf-8")
    show(*(f"   {line}" for line in options.splitlines() if not line.lstrip().startswith("#")))
    server.write_config(server.broker_options() + options)
    printed = server.reload()
    if "rror" in printed:
        sys.exit(printed)

    open_things = []
    stop = threading.Event()
    try:
        chat = XmppClient(server.c2s_port, "alice@localhost/demo", "alice")
        open_things.append(chat.close)
        panel = Panel(server)
        open_things.append(panel.close)
        devices = MqttClient(server.mqtt_port, "devices@localhost", "devices")
        open_things.append(devices.close)
        wait_until_online(server)
        reader = threading.Thread(target=show_chat, args=(chat, stop), daemon=True)
        reader.start()
        open_things.append(lambda: (stop.set(), reader.join()))
        home = Home(devices)
        home.start()
        open_things.append(home.stop)
        how_to_look_further(server, seconds)
        headline("Five devices publish each second")
        present(server, panel, chat, seconds)
    finally:
        while open_things:
            open_things.pop()()


def wait_until_online(server):
    with MqttClient(server.mqtt_port, "alice@localhost", "alice") as client:
        client.subscribe("rollup/status")
        client.wait_for(lambda message: message.text == "online", what="rollup/status online")


def present(server, panel, chat, seconds):
    """Tells what happens, looks at the topics and asks about the past; for `seconds`, or until Ctrl-C."""
    begin = time.monotonic()
    end = begin + seconds if seconds else float("inf")
    next_look = begin + SHOW_AT
    next_question = min(begin + QUESTION_AT, max(begin + SHOW_AT, end - 3))
    story = list(STORY)
    while True:
        now = time.monotonic()
        if now >= end:
            return
        while story and now >= begin + story[0][0]:
            headline(f"{time.strftime('%H:%M:%S')}  {story.pop(0)[1]}")
        if now >= next_look:
            panel.show()
            next_look += SHOW_EVERY
        if now >= next_question:
            ask(server, chat)
            next_question += QUESTION_EVERY
        next_told = begin + story[0][0] if story else end
        time.sleep(max(0.0, min(next_look, next_question, next_told, end) - time.monotonic()))


def main():
    seconds = float(os.environ.get("DEMO_SECONDS") or 0)
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    server = None
    try:
        server = Ejabberd(tls=True)
        run(server, seconds)
    except Interrupted:
        show("", "Interrupted.")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if server is not None:
            server.close()
            show(f"Stopped; {server.directory} is removed.")


if __name__ == "__main__":
    main()

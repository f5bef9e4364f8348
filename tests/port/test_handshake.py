"""Frames, the handshake and the ends of the program (docs/PROTOCOL.md)."""

import os
import struct
import subprocess

import pytest
from conftest import binary
from rollup_testing import program as terms_of
from rollup_testing import terms
from rollup_testing.program import Ended
from rollup_testing.terms import Atom

RULES = terms_of.rules([("temperature", terms_of.stream("home/{room}/temperature"))])


def end_of(program):
    with pytest.raises(Ended):
        while True:
            program.receive()
    return program.process.wait(5)


def test_hello_names_the_version_and_the_limits(start):
    _, hello = start().hello()
    assert hello["protocol"] == 1
    assert hello["frame_bytes_max"] == 16 * 1024 * 1024
    assert hello["build"] in subprocess.run([binary(), "--version"], capture_output=True, text=True, check=True).stdout


def test_every_message_may_come_byte_by_byte(start, broker):
    program = start(chunk=1)
    program.hello()
    assert program.configure(RULES, [terms_of.broker(broker.port)]) == "ok"
    assert program.status()["received"] == 0
    assert program.close() == 0


def test_several_frames_may_come_in_one_piece(start):
    program = start()
    frames = [
        (Atom("hello"), {Atom("protocol"): 1, Atom("vhost"): "localhost"}),
        (Atom("check"), 7, {Atom("rules"): RULES, Atom("brokers"): [terms_of.broker(1)]}),
        (Atom("request"), 8, 1000, Atom("status")),
    ]
    program.send_bytes(b"".join(struct.pack(">I", len(data)) + data for data in map(terms.encode, frames)))
    assert program.expect("hello")
    assert program.expect("checked")[1:] == (7, "ok")
    number, outcome = program.expect("reply")[1:]
    assert (number, outcome[0], outcome[1][0]) == (8, "error", "unavailable")


def test_end_of_file_ends_it_well_in_every_state(start, broker):
    assert start("a").close() == 0
    greeted = start("b")
    greeted.hello()
    assert greeted.close() == 0
    half_a_frame = start("c")
    half_a_frame.hello()
    half_a_frame.send_bytes(b"\x00\x00\x01\x00\x83")
    assert half_a_frame.close() == 0
    working = start("d")
    working.hello()
    working.configure(RULES, [terms_of.broker(broker.port)])
    assert working.close() == 0


def test_another_version_of_the_protocol_is_refused(start):
    program = start()
    program.send((Atom("hello"), {Atom("protocol"): 2, Atom("vhost"): "localhost"}))
    assert end_of(program) == 65


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x83",
        b"no term",
        terms.encode((Atom("no_such_message"), 1)),
        terms.encode([1, 2, 3]),
        b"\x83\x6c\xff\xff\xff\xff\x61\x01",  # a list that says it has 2^32 - 1 elements
        b"\x83" + b"\x68\x01" * 40 + b"\x6a",  # nested too deep
        b"\x83\x6d\x7f\xff\xff\xff\x00",  # a binary of 2 GiB in 6 bytes
        b"\x83\x67\x77\x01a\x00\x00\x00\x00\x00\x00\x00\x00\x00",  # a pid
    ],
    ids=lambda frame: frame[:12].hex() or "empty",
)
def test_a_frame_that_is_no_message_ends_it_with_65(start, frame):
    program = start()
    program.hello()
    program.send_bytes(struct.pack(">I", len(frame)) + frame)
    assert end_of(program) == 65
    assert "protocol violation: " in program.logs[-1][1]


def test_a_frame_that_is_too_long_is_refused_before_it_is_read(start):
    program = start()
    program.hello()
    program.send_bytes(struct.pack(">I", 16 * 1024 * 1024 + 1))
    assert end_of(program) == 65


def test_the_first_message_has_to_be_hello(start):
    program = start()
    program.send((Atom("credit"), 1))
    with pytest.raises(Ended, match="exit 65, .*the first message is not hello"):
        program.receive()


def test_the_reason_for_the_end_is_on_stderr_where_nobody_reads_the_log(start):
    program = start()
    program.hello()
    program.stop_reading()
    program.send((Atom("no_such_message"), 1))
    assert program.process.wait(5) == 65
    assert b"protocol violation: " in program.process.stderr.read()


def test_the_reason_for_the_end_is_on_stderr_if_it_would_have_to_wait(start):
    program = start()
    program.hello()
    for number in range(5000):  # answers that fill the pipe
        program.send((Atom("request"), number, 1000, Atom("status")))
    program.send((Atom("no_such_message"), 1))
    assert program.process.wait(5) == 65
    assert b"protocol violation: " in program.process.stderr.read()


def test_without_its_descriptors_it_says_what_it_is():
    closed = subprocess.run([binary()], capture_output=True, text=True, close_fds=True, check=False)
    assert closed.returncode == 64
    assert "mod_mqtt_rollup" in closed.stderr
    wrong = subprocess.run([binary(), "--help"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 64


def test_nothing_is_ever_written_to_standard_output(start, broker):
    program = start()
    program.hello()
    program.configure(RULES, [terms_of.broker(broker.port)])
    program.wait_until(lambda status: status["brokers"][0]["state"] == "connected", "the link")
    assert program.close() == 0
    assert program.process.stdout.read() == b""


def test_a_history_is_used_by_one_program_only(start, broker):
    first = start()
    first.hello()
    assert first.configure(RULES, [terms_of.broker(broker.port)]) == "ok"
    second = start()
    second.hello()
    ((code, place, _message),) = second.configure(RULES, [terms_of.broker(broker.port)])
    assert code == "unavailable"
    assert first.data_dir in place
    # It may be asked again, and begins as soon as the other one is gone.
    assert first.close() == 0
    assert second.configure(RULES, [terms_of.broker(broker.port)]) == "ok"


def test_the_password_is_neither_in_the_environment_nor_in_the_arguments(start, broker):
    program = start()
    program.hello()
    program.configure(RULES, [terms_of.broker(broker.port, username="u", password="a-secret-of-mine")])
    program.wait_until(lambda status: status["brokers"][0]["state"] == "connected", "the link")
    process = f"/proc/{program.process.pid}"
    for file in ("cmdline", "environ"):
        with open(f"{process}/{file}", "rb") as data:
            assert b"a-secret-of-mine" not in data.read()
    program.close()
    assert not [line for line in program.logs if "a-secret-of-mine" in line[1]]
    for directory, _, names in os.walk(program.data_dir):
        for name in names:
            with open(os.path.join(directory, name), "rb") as data:
                assert b"a-secret-of-mine" not in data.read()

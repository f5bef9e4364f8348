"""Erlang's external term format, as far as the port protocol uses it.

Erlang      Python
atom        Atom("x") (true and false: bool)
binary      str (UTF-8) or bytes
integer     int
float       float
list        list
tuple       tuple
map         dict
"""

import struct


class Atom(str):
    """An atom; equal to a str of the same text, so that decoded maps can be read by plain keys."""


def encode(term):
    """`term` as a whole external term, with the version byte."""
    return b"\x83" + _encode(term)


def _encode(term):
    if isinstance(term, bool):
        return _encode(Atom("true" if term else "false"))
    if isinstance(term, Atom):
        text = term.encode()
        return struct.pack(">BB", 119, len(text)) + text
    if isinstance(term, int):
        if -(2**31) <= term < 2**31:
            return struct.pack(">Bi", 98, term)
        size = (abs(term).bit_length() + 7) // 8
        return struct.pack(">BBB", 110, size, term < 0) + abs(term).to_bytes(size, "little")
    if isinstance(term, float):
        return struct.pack(">Bd", 70, term)
    if isinstance(term, (str, bytes)):
        data = term.encode() if isinstance(term, str) else term
        return struct.pack(">BI", 109, len(data)) + data
    if isinstance(term, list):
        if not term:
            return b"\x6a"
        return struct.pack(">BI", 108, len(term)) + b"".join(map(_encode, term)) + b"\x6a"
    if isinstance(term, tuple):
        return struct.pack(">BB", 104, len(term)) + b"".join(map(_encode, term))
    if isinstance(term, dict):
        pairs = b"".join(_encode(key) + _encode(value) for key, value in term.items())
        return struct.pack(">BI", 116, len(term)) + pairs
    raise TypeError(f"no term for {term!r}")


def decode(data):
    """The term in `data`; atoms become Atom or bool, binaries str (bytes if they are no UTF-8)."""
    if data[:1] != b"\x83":
        raise ValueError("not an external term")
    term, end = _decode(data, 1)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes after the term")
    return term


def _atom(text):
    return {"true": True, "false": False}.get(text, Atom(text))


def _decode(data, at):
    tag = data[at]
    at += 1
    if tag == 97:
        return data[at], at + 1
    if tag == 98:
        return struct.unpack_from(">i", data, at)[0], at + 4
    if tag == 110:
        size, negative = data[at], data[at + 1]
        value = int.from_bytes(data[at + 2 : at + 2 + size], "little")
        return -value if negative else value, at + 2 + size
    if tag == 70:
        return struct.unpack_from(">d", data, at)[0], at + 8
    if tag in (100, 118):
        size = struct.unpack_from(">H", data, at)[0]
        return _atom(data[at + 2 : at + 2 + size].decode()), at + 2 + size
    if tag in (115, 119):
        size = data[at]
        return _atom(data[at + 1 : at + 1 + size].decode()), at + 1 + size
    if tag == 109:
        size = struct.unpack_from(">I", data, at)[0]
        raw = data[at + 4 : at + 4 + size]
        try:
            return raw.decode(), at + 4 + size
        except UnicodeDecodeError:
            return raw, at + 4 + size
    if tag == 106:
        return [], at
    if tag == 107:
        size = struct.unpack_from(">H", data, at)[0]
        return list(data[at + 2 : at + 2 + size]), at + 2 + size
    if tag in (104, 105, 108):
        size, at = (data[at], at + 1) if tag == 104 else (struct.unpack_from(">I", data, at)[0], at + 4)
        items = []
        for _ in range(size):
            item, at = _decode(data, at)
            items.append(item)
        if tag != 108:
            return tuple(items), at
        tail, at = _decode(data, at)
        if tail != []:
            raise ValueError("an improper list")
        return items, at
    if tag == 116:
        size = struct.unpack_from(">I", data, at)[0]
        at += 4
        pairs = {}
        for _ in range(size):
            key, at = _decode(data, at)
            pairs[key], at = _decode(data, at)
        return pairs, at
    raise ValueError(f"unknown tag {tag}")

#!/usr/bin/env python3
"""Makes the golden native messages that stand beside it.

    python3 make.py [DIRECTORY]

NAME.bin is a message in its one-body form (topic, 0x00, header, payload; WIRE.md), NAME.json what
it means. This is a second implementation of the wire format, written from its description with
nothing but Python's standard library, so that both sides cannot share a mistake. It knows nothing
of reading. Values that JSON cannot say stand in NAME.json as Python's json module writes them
(NaN, Infinity, integers of any size).
"""

import json
import pathlib
import struct
import sys

CODECS = {"json": 0, "msgpack": 1}
FLAGS = {"heartbeat": 1, "last": 2}
HEADER = struct.Struct("<4s B B H Q Q I I Q Q")
assert HEADER.size == 48


def pack(value):
    """Msgpack, each value in its shortest form; integers beyond 64 bits as extension 1."""
    if value is None:
        return b"\xc0"
    if value is False:
        return b"\xc2"
    if value is True:
        return b"\xc3"
    if isinstance(value, int):
        return pack_int(value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode()
        return pack_length(len(text), 0xA0, 32, (0xD9, 0xDA, 0xDB)) + text
    if isinstance(value, list):
        items = b"".join(pack(item) for item in value)
        return pack_length(len(value), 0x90, 16, (None, 0xDC, 0xDD)) + items
    items = b"".join(pack(key) + pack(item) for key, item in value.items())
    return pack_length(len(value), 0x80, 16, (None, 0xDE, 0xDF)) + items


def pack_int(n):
    if -32 <= n < 128:
        return struct.pack(">B", n & 0xFF)
    unsigned, signed = ((0xCC, ">B"), (0xCD, ">H"), (0xCE, ">I"), (0xCF, ">Q")), (
        (0xD0, ">b"), (0xD1, ">h"), (0xD2, ">i"), (0xD3, ">q"))
    for marker, form in unsigned if n >= 0 else signed:
        try:
            return bytes([marker]) + struct.pack(form, n)
        except struct.error:
            continue
    digits = str(n).encode()
    return bytes([0xC7, len(digits), 1]) + digits


def pack_length(length, fix, fix_end, markers):
    if length < fix_end:
        return bytes([fix | length])
    for marker, form, end in zip(markers, (">B", ">H", ">I"), (1 << 8, 1 << 16, 1 << 32)):
        if marker is not None and length < end:
            return bytes([marker]) + struct.pack(form, length)
    raise ValueError(f"too long for msgpack: {length}")


def pack_json(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def payload_of(codec, dicts, line_end=b"\n"):
    if codec == "msgpack":
        return b"".join(pack(each) for each in dicts)
    return b"".join(pack_json(each) + line_end for each in dicts)


def header_of(header):
    return HEADER.pack(
        b"\xc1LB\x01",
        CODECS[header["codec"]],
        sum(FLAGS[flag] for flag in header["flags"]),
        0,
        int(header["sender"], 16),
        header["sequence"],
        header["count"],
        header["age"],
        header["discarded"],
        header["sent"],
    )


def message(topic, codec, records, **fields):
    header = {
        "codec": codec,
        "flags": [],
        "sender": "0123456789abcdef",
        "sequence": 0,
        "count": len(records),
        "age": 1,
        "discarded": 0,
        "sent": 1795207453722582300,
    }
    header.update(fields)
    meaning = {"topic": topic, "header": header, "records": records}
    return meaning, payload_of(codec, records)


def heartbeat(topic, codec, identity, **fields):
    fields = {"flags": ["heartbeat"], "sequence": 17, "age": 30001, **fields}
    meaning, _ = message(topic, codec, [], **fields)
    meaning["identity"] = identity
    return meaning, payload_of(codec, [identity], line_end=b"")


def record(name, levelno, msg, args=None, **more):
    """What a LogRecord's __dict__ holds, in Python's order."""
    names = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
    attributes = {
        "name": name,
        "msg": msg,
        "args": args,
        "levelname": names.get(levelno, f"Level {levelno}"),
        "levelno": levelno,
        "pathname": "/srv/app/orders.py",
        "filename": "orders.py",
        "module": "orders",
        "exc_info": None,
        "exc_text": None,
        "stack_info": None,
        "lineno": 42,
        "funcName": "place",
        "created": 1795207453.7225823,
        "msecs": 722.0,
        "relativeCreated": 551.1398315429688,
        "thread": 140022642875264,
        "threadName": "MainThread",
        "processName": "MainProcess",
        "process": 9522,
        "taskName": None,
    }
    attributes.update(more)
    return attributes


NUMBERS = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "minus_infinity": float("-inf"),
    "minus_zero": -0.0,
    "tiny": 5e-324,
    "large": 1e16,
    "small": 0.00001,
    "even": 119654556369074.625,
    "whole": 3.0,
    "bytes": [0, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296],
    "negative": [-1, -32, -33, -128, -129, -32768, -32769, -2147483648, -2147483649],
    "i64": [-(2**63), 2**63 - 1],
    "u64": [2**63, 2**64 - 1],
    "beyond": [-(2**63) - 1, 2**64, 10**40, -(10**40)],
}

NESTED = {
    "request": {
        "path": "/api/orders/17",
        "headers": [{"name": "host", "value": "alpha"}, {"name": "accept", "value": "*/*"}],
        "user": {"id": 17, "roles": ["admin", "staff"], "address": None},
    },
    "empty": [[], {}, "", [[]], {"": ""}],
    "flags": [True, False, None],
    "matrix": [[1, 2, 3], [4, 5, 6]],
    "sixteen": {f"k{n}": n for n in range(16)},
    "seventeen": list(range(17)),
    "text": ["a" * 31, "b" * 32, "c" * 256],
}

TRACEBACK = """Traceback (most recent call last):
  File "/srv/app/orders.py", line 41, in place
    ratio = paid / total
            ~~~~~^~~~~~~
ZeroDivisionError: division by zero"""

IDENTITY = {
    "host": "alpha",
    "pid": 9522,
    "program": "orders",
    "started": 1795207423722582300,
    "version": "logbus 0.1.0",
    "discarded": {},
}

BATCH = [
    record("myapp.db", 10, "connected", pool="replica-2"),
    record("myapp.db", 25, "custom level", created=1795207453.7231452, msecs=723.0),
    record("myapp.db", 40, "gone", created=1795207453.7240001, msecs=724.0, retries=3),
]

TEMPLATES = [
    record("myapp", 20, "GET %s took %.3f ms", ["/api/orders/17", 12.345]),
    record("myapp", 20, "%(user)s paid %(sum)08.2f", {"user": "sheila", "sum": 1234.5}),
    record("myapp", 20, "disk %s at %d%%", ["/var", 91]),
    record("myapp", 20, "no arguments: 100%"),
    record("myapp", 20, "raw %s", ["x"], message="what the sender rendered"),
]

UNICODE = record(
    "żółw.日本語.🐢", 50, 'żółw 🐢 日本語 ☃ quote " backslash \\ tab\tnewline\nend\x00\x1f\x7f\u2028',
    **{"klucz ☃": "wartość"},
)

VECTORS = {
    "one-json": message("myapp", "json", [record("myapp", 20, "hello")]),
    "one-msgpack": message("myapp", "msgpack", [record("myapp", 20, "hello")]),
    "batch-json": message("myapp.db", "json", BATCH, sequence=4, age=1501),
    "batch-msgpack": message("myapp.db", "msgpack", BATCH, sequence=4, age=1501),
    "unicode-json": message(UNICODE["name"], "json", [UNICODE]),
    "unicode-msgpack": message(UNICODE["name"], "msgpack", [UNICODE]),
    "numbers-json": message("myapp", "json", [record("myapp", 20, "numbers", **NUMBERS)]),
    "numbers-msgpack": message("myapp", "msgpack", [record("myapp", 20, "numbers", **NUMBERS)]),
    "nested-json": message("myapp", "json", [record("myapp", 20, "nested", **NESTED)]),
    "nested-msgpack": message("myapp", "msgpack", [record("myapp", 20, "nested", **NESTED)]),
    "exception-json": message(
        "myapp", "json", [record("myapp", 40, "computing ratio failed", exc_text=TRACEBACK)]),
    "templates-msgpack": message("myapp", "msgpack", TEMPLATES, sequence=9),
    "discarded-json": message(
        "myapp", "json", [record("myapp", 30, "after a burst")],
        sender="fedcba9876543210", sequence=2**40, age=0, discarded=2**33 + 5),
    "longest-topic-msgpack": message(
        "a" + ".b" * 126 + ".c", "msgpack", [record("a" + ".b" * 200, 20, "hello")],
        sender="ffffffffffffffff", age=2**32 - 1),
    "heartbeat-json": heartbeat("myapp", "json", IDENTITY),
    "heartbeat-msgpack": heartbeat(
        "myapp", "msgpack", {**IDENTITY, "discarded": {"queue full": 300, "too large": 1}},
        discarded=301),
    "goodbye-msgpack": heartbeat("myapp", "msgpack", IDENTITY, flags=["heartbeat", "last"]),
}

MESSAGES = {
    "templates-msgpack": [
        "GET /api/orders/17 took 12.345 ms",
        "sheila paid 01234.50",
        "disk /var at 91%",
        "no arguments: 100%",
        "what the sender rendered",
    ],
}


def main():
    directory = pathlib.Path(sys.argv[1] if sys.argv[1:] else __file__).resolve()
    directory = directory if directory.is_dir() else directory.parent
    for name, (meaning, payload) in VECTORS.items():
        if name in MESSAGES:
            meaning["messages"] = MESSAGES[name]
        body = meaning["topic"].encode() + b"\0" + header_of(meaning["header"]) + payload
        text = json.dumps(meaning, ensure_ascii=False, indent=1) + "\n"
        (directory / f"{name}.bin").write_bytes(body)
        (directory / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

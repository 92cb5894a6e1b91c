"""What becomes of values that are not JSON's or msgpack's own: the table in README.md."""

import dataclasses
import datetime
import decimal
import enum
import logging
import math
import pathlib
import types
import unittest.mock
import uuid
from collections import OrderedDict, namedtuple

import logbus
import pytest


class Color(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    SEVEN = 7


class Text(str):
    pass


@dataclasses.dataclass
class Order:
    id: int
    items: list = dataclasses.field(default_factory=list)


class Point(namedtuple("Point", "x y")):
    pass


class Unprintable:
    def __str__(self):
        raise ValueError("no")


class Plain:
    def __str__(self):
        return "plain"


NOON = datetime.datetime(2026, 11, 21, 12, 0, 0, 250, tzinfo=datetime.timezone.utc)
SOME_UUID = uuid.UUID("12345678123456781234567812345678")

TABLE = [
    (None, None),
    (True, True),
    (-(2**63), -(2**63)),
    (2**64 - 1, 2**64 - 1),
    (-(2**200), -(2**200)),
    (1.5, 1.5),
    (math.inf, math.inf),
    ("gr\u00fc\u00df \U0001f40d", "gr\u00fc\u00df \U0001f40d"),
    ("lone \ud800", "lone \\ud800"),
    (Text("derived"), "derived"),
    ((1, (2,)), [1, [2]]),
    (Point(1, 2), [1, 2]),
    ({"a": {"b": [1]}}, {"a": {"b": [1]}}),
    (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    ({1: "a", None: "b", True: "c", 1.5: "d"}, {"1": "c", "null": "b", "1.5": "d"}),
    ({(1, 2): "x"}, {"(1, 2)": "x"}),
    ({3, 1, 2}, [1, 2, 3]),
    (frozenset("x"), ["x"]),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    (Color.RED, "red"),
    (Number.SEVEN, 7),
    (Order(1, ["x"]), {"id": 1, "items": ["x"]}),
    (NOON, "2026-11-21T12:00:00.000250+00:00"),
    (NOON.date(), "2026-11-21"),
    (NOON.time(), "12:00:00.000250"),
    (datetime.timedelta(seconds=90), "0:01:30"),
    (decimal.Decimal("1.10"), "1.10"),
    (SOME_UUID, str(SOME_UUID)),
    (pathlib.PurePosixPath("/a/b"), "/a/b"),
    (Plain(), "plain"),
    (Color, "<enum 'Color'>"),
    (Order, f"<class '{__name__}.Order'>"),
    (Unprintable(), "<str() raised ValueError>"),
    ([Unprintable(), 1], ["<str() raised ValueError>", 1]),
]


@pytest.fixture(params=["msgpack", "json"])
def send(request, wire, logger):
    def send(value, **options):
        logger.addHandler(logbus.Handler(wire.endpoint, codec=request.param, **options))
        logger.info("x", extra={"value": value})
        return wire.record()["value"]

    send.codec = request.param
    return send


@pytest.mark.parametrize("value, expected", TABLE, ids=lambda value: type(value).__name__)
def test_the_table(send, value, expected):
    assert send(value) == expected


def test_bytes_are_bytes_in_msgpack_and_their_repr_in_json(send):
    expected = b"\x00\xff" if send.codec == "msgpack" else r"b'\x00\xff'"
    assert send([b"\x00\xff", bytearray(b"\x00\xff"), memoryview(b"\x00\xff")]) == [expected] * 3


def test_not_a_number_is_no_number(send):
    assert math.isnan(send(math.nan))


def test_numpy_scalars_are_numbers(send):
    numpy = pytest.importorskip("numpy")
    value = [numpy.int64(7), numpy.float32(1.5), numpy.bool_(True), numpy.str_("x")]
    assert send(value + [numpy.array(3)]) == [7, 1.5, True, "x", 3]


def test_cycles_end(send):
    loop = [1]
    loop += [loop, {"again": loop}]
    assert send(loop) == [1, "[...]", {"again": "[...]"}]


def test_what_is_nested_too_deep_ends(send):
    deep = []
    for _ in range(1000):
        deep = [deep]
    value = send(deep)
    for depth in range(127):
        if value == "[...]":
            break
        (value,) = value
    assert value == "[...]"


def test_a_mock_is_a_text(send):
    assert "MagicMock" in send(unittest.mock.MagicMock())


def test_default_is_asked_first_for_what_has_no_natural_type(send):
    def default(value):
        if isinstance(value, decimal.Decimal):
            return float(value)
        raise TypeError

    assert send([decimal.Decimal("1.5"), {2, 1}], default=default) == [1.5, [1, 2]]


def test_a_default_that_fails_costs_the_value(send):
    assert send([Plain(), 1], default=lambda value: 1 / 0) == [
        "<default raised ZeroDivisionError>",
        1,
    ]


def test_a_value_that_changes_the_record_while_it_is_read_breaks_nothing(send, logger):
    class Meddler:
        def __init__(self):
            self.target = {"meddler": self}

        def __str__(self):
            for number in range(100):
                self.target[f"key {number}"] = number
            return "meddled"

    assert send(Meddler().target) == {"meddler": "meddled"}


def test_what_refers_to_itself_in_countless_ways_is_discarded_as_too_large(wire, logger):
    value = ["x" * 100]
    for _ in range(60):
        value = [value, value]
    handler = logbus.Handler(wire.endpoint)
    logger.addHandler(handler)
    logger.info("bomb", extra={"value": value})
    logger.info("after")
    assert wire.record()["message"] == "after"
    assert handler.stats()["discarded"] == {"too large": 1}


def test_a_number_of_more_digits_than_python_prints_is_hexadecimal(send):
    assert send(1 << 20000) == hex(1 << 20000)

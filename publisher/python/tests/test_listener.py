"""Records that come back into Python: the listener and the stream."""

import contextlib
import io
import logging
import queue
import sys

import logbus
import pytest
import zmq


class Collector(logging.Handler):
    """Keeps records, and lets a test wait for them."""

    def __init__(self, level=0):
        super().__init__(level)
        self.queue = queue.Queue()

    def emit(self, record):
        self.queue.put(record)

    def get(self):
        return self.queue.get(timeout=30)


@pytest.fixture
def relay():
    """A ZeroMQ publisher to which a listener connects; ``last_endpoint`` says where."""
    socket = zmq.Context.instance().socket(zmq.XPUB)
    socket.bind_to_random_port("tcp://127.0.0.1")
    yield socket
    socket.close(0)


def subscribed(relay, topic):
    """Waits until somebody has subscribed to ``topic``."""
    while True:
        assert relay.poll(30_000), "nobody subscribed"
        if relay.recv() == b"\1" + topic:
            return


def test_records_become_log_records_again(wire, relay, logger):
    logger.addHandler(logbus.Handler(wire.endpoint, codec="json"))
    collector = Collector()
    with logbus.Listener(relay.last_endpoint.decode(), collector, topics=["test"]) as listener:
        subscribed(relay, b"test")
        try:
            raise KeyError("rate")
        except KeyError:
            logger.exception("no %s for %d", "rate", 7, extra={"user": "fred"})
        wire.record()
        pass_on(wire, relay)
        record = collector.get()
        assert isinstance(record, logging.LogRecord)
        assert record.getMessage() == "no rate for 7"
        assert (record.msg, record.args) == ("no %s for %d", ("rate", 7))
        assert (record.user, record.levelno, record.name) == ("fred", 40, logger.name)
        text = logging.Formatter("%(levelname)s %(message)s").format(record)
        assert text.startswith("ERROR no rate for 7\nTraceback")
        assert listener.stats()["received"] == 1


def pass_on(wire, relay):
    for frames in wire.raw:
        relay.send_multipart(frames)


def test_a_gap_is_told_as_a_record_of_the_bus(wire, relay, logger):
    logger.addHandler(logbus.Handler(wire.endpoint))
    collector = Collector()
    with logbus.Listener(relay.last_endpoint.decode(), collector) as listener:
        subscribed(relay, b"")
        for number in range(3):
            logger.info("%d", number)
            wire.until(lambda: len(wire.received) == number + 1, "a record of its own message")
        records = [frames for frames in wire.raw if not frames[1][5] & 1]
        for frames in [wire.raw[0], records[0], records[2]]:
            relay.send_multipart(frames)
        told = [collector.get() for _ in range(3)]
        (loss,) = [record for record in told if record.name == "logbus"]
        assert loss.levelno == logging.WARNING and "lost 1 record of" in loss.getMessage()
        assert listener.stats()["lost"] == 1


def test_a_handlers_level_is_respected_unless_told_otherwise(relay):
    strict, all_of_it = Collector(logging.ERROR), Collector(logging.ERROR)
    body = b'{"name": "app", "msg": "m", "levelno": %d}'
    with logbus.Listener(relay.last_endpoint.decode(), strict), logbus.Listener(
        relay.last_endpoint.decode(), all_of_it, respect_handler_level=False
    ):
        # An XPUB socket tells of the first subscription of each prefix only.
        subscribed(relay, b"")
        while all_of_it.queue.empty() or strict.queue.empty():
            relay.send(body % 20)
            relay.send(body % 40)
            relay.poll(10)
        assert strict.get().levelno == 40
        assert all_of_it.get().levelno in (20, 40)


def test_a_listener_starts_once_and_stops_twice(relay):
    listener = logbus.Listener(relay.last_endpoint.decode())
    listener.start()
    with pytest.raises(RuntimeError, match="started already"):
        listener.start()
    listener.stop()
    listener.stop()


def test_a_wrong_endpoint_is_named(relay):
    with pytest.raises(ValueError, match="endpoint: .*5557"):
        logbus.Listener("5557").start()


def collecting():
    logger = logging.getLogger("test.stream")
    logger.propagate = False
    logger.setLevel("DEBUG")
    logger.handlers[:] = [collector := Collector()]
    return logger, collector


def test_what_is_printed_becomes_a_record_a_line():
    logger, collector = collecting()
    stream = logbus.Stream(logger, "WARNING")
    with contextlib.redirect_stdout(stream):
        print("one", 2)
        print("unfinished", end="")
        print(" business\n\nlast")
        print("no line feed", end="")
    stream.close()
    records = [collector.get() for _ in range(4)]
    messages = [record.getMessage() for record in records]
    assert messages == ["one 2", "unfinished business", "last", "no line feed"]
    assert {record.levelname for record in records} == {"WARNING"}
    assert records[0].funcName == "test_what_is_printed_becomes_a_record_a_line"


def test_percent_signs_are_text():
    logger, collector = collecting()
    print("100 %s %d", file=logbus.Stream(logger))
    assert collector.get().getMessage() == "100 %s %d"


def test_a_handler_that_prints_to_the_stream_does_not_go_round_in_circles(monkeypatch):
    logger, _ = collecting()
    real = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", real)
    stream = logbus.Stream(logger)
    logger.handlers[:] = [logging.StreamHandler(stream)]
    print("hello", file=stream)
    assert real.getvalue() == "hello\n"

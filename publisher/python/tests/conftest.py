"""A subscriber that knows the wire format from its description alone.

It does not use the package's own decoder: what it reads is what
``schemas/WIRE.md`` says.
"""

import json
import os
import queue
import struct
import subprocess
import sys
import threading
import time
from collections import namedtuple

import msgpack
import pynng
import pytest
import zmq

PATIENCE = 30.0
"""Longer than anything takes on a slow machine; reached only by a test that fails."""

Header = namedtuple("Header", "magic version codec flags zero sender sequence count age discarded sent")
HEARTBEAT, GOODBYE = 1, 2


def parse(topic, header, payload):
    header = Header(*struct.unpack("<3sBBBHQQIIQQ", header))
    assert (header.magic, header.version) == (b"\xc1LB", 1)
    return topic.decode(), header, payload


def decode(header, payload):
    if header.codec == 0:
        return [json.loads(line) for line in payload.decode().splitlines()]
    unpacker = msgpack.Unpacker(strict_map_key=False, ext_hook=big_int)
    unpacker.feed(payload)
    return list(unpacker)


def big_int(kind, digits):
    assert kind == 1
    return int(digits)


class Wire:
    """Everything that publishers send to one endpoint.

    A thread serves the socket, whatever the test does meanwhile: a publisher that connects to a
    socket nobody serves is not heard.
    """

    def __init__(self, socket):
        self.socket = socket
        self.inbound = queue.SimpleQueue()
        self.asked = queue.SimpleQueue()
        self.raw = []
        """The frames of every message, as they came."""
        self.received = []
        """(topic, sender, sequence, record)"""
        self.heartbeats = {}
        """sender -> the latest identity"""
        self.ended = set()
        """(sender, topic) that said goodbye"""
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while self.asked.empty():
            frames = self.receive(0.02)
            if frames is not None:
                self.inbound.put(frames)
        self.asked.get()()

    def close(self):
        self.asked.put(self.socket.close)
        self.thread.join()

    def records(self, count, timeout=PATIENCE):
        """The next records, once there are so many in all."""
        self.until(lambda: len(self.received) >= count, f"{count} records", timeout)
        assert len(self.received) == count, [record for *_, record in self.received]
        return [record for *_, record in self.received]

    def record(self):
        (record,) = self.records(1)
        return record

    def until(self, condition, what, timeout=PATIENCE):
        deadline = time.monotonic() + timeout
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0, f"no {what}: got {len(self.received)} records: {self.received[:5]}"
            try:
                frames = self.inbound.get(timeout=left)
            except queue.Empty:
                continue
            self.raw.append(frames)
            self.take(*parse(*frames))

    def take(self, topic, header, payload):
        if header.flags & HEARTBEAT:
            (identity,) = decode(header, payload)
            self.heartbeats[header.sender] = identity
            if header.flags & GOODBYE:
                self.ended.add((header.sender, topic))
            return
        records = decode(header, payload)
        assert len(records) == header.count
        for offset, record in enumerate(records):
            self.received.append((topic, header.sender, header.sequence + offset, record))

    def by_sender(self):
        """sender -> its records' messages, and that each came once and in order."""
        senders = {}
        for topic, sender, sequence, record in self.received:
            expected, messages = senders.setdefault(sender, ({}, []))
            assert sequence == expected.get(topic, 0), "a record is missing or came twice"
            expected[topic] = sequence + 1
            messages.append(record["message"])
        return {sender: messages for sender, (_, messages) in senders.items()}


class ZmqWire(Wire):
    def __init__(self, topic=b""):
        socket = zmq.Context.instance().socket(zmq.SUB)
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.setsockopt(zmq.LINGER, 0)
        socket.subscribe(topic)
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        self.endpoint = f"tcp://127.0.0.1:{port}"
        super().__init__(socket)

    def receive(self, timeout):
        if self.socket.poll(timeout * 1000):
            return self.socket.recv_multipart()


class NngWire(Wire):
    def __init__(self):
        socket = pynng.Sub0(topics=[b""], recv_buffer_size=8192)
        socket.listen("tcp://127.0.0.1:0")
        # The port is kept in network byte order.
        port = socket.listeners[0].local_address.port.to_bytes(2, "little")
        self.endpoint = f"nng+tcp://127.0.0.1:{int.from_bytes(port, 'big')}"
        super().__init__(socket)

    def receive(self, timeout):
        self.socket.recv_timeout = int(timeout * 1000)
        try:
            body = self.socket.recv()
        except pynng.Timeout:
            return None
        topic, rest = body.split(b"\0", 1)
        return topic, rest[:48], rest[48:]


@pytest.fixture
def wire():
    wire = ZmqWire()
    yield wire
    wire.close()


@pytest.fixture(params=[ZmqWire, NngWire], ids=["zmq", "nng"])
def either_wire(request):
    wire = request.param()
    yield wire
    wire.close()


@pytest.fixture
def python(wire, tmp_path):
    """Runs a program that logs to ``wire``; a second argument is put into its command line."""
    running = []

    def run(code, *args, env=None, endpoint=None):
        environment = {**os.environ, "LOGBUS_ENDPOINT": endpoint or wire.endpoint, **(env or {})}
        process = subprocess.Popen(
            [sys.executable, "-c", code, *args],
            env=environment,
            cwd=tmp_path,  # Not where the package's sources lie.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def logger(request):
    """A logger of the test's own, below nothing."""
    import logging

    logger = logging.getLogger(f"test.{request.node.name}")
    logger.setLevel(1)
    logger.propagate = False
    yield logger
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()

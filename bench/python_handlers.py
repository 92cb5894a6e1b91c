"""What a logging call costs its caller, handler by handler, in one run.

    target/venv/bin/python bench/python_handlers.py [RECORDS] [ROUNDS]

Each handler gets the same calls: a short message with one argument and five short fields. Rounds go
over all handlers in turn, so that whatever else the machine does meets all of them; every round is
printed, in microseconds a call, as JSON for ``bench/src/contests/scripts.rs``. Whatever receives runs
in a process of its own, as it would. Build the wheel in release first: ``cargo xtask bench`` does both.
"""

import json
import logging
import logging.handlers
import multiprocessing
import os
import queue
import socket
import sys
import tempfile
import threading
import time

import pynng
import zmq
from zmq.log.handlers import PUBHandler

import logbus

RECORDS = int(sys.argv[1]) if len(sys.argv) > 1 else 30_000
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 7
FIELDS = {"user": "fred", "order": 4711, "paid": True, "ms": 1.5, "path": "/orders"}


class Null(logging.Handler):
    def handle(self, record):
        pass


class CookbookZmq(logging.handlers.QueueHandler):
    """Logging Cookbook, "Subclassing QueueHandler - a ZeroMQ example"."""

    def enqueue(self, record):
        self.queue.send_json(record.__dict__)


class CookbookNng(logging.handlers.QueueHandler):
    """Logging Cookbook, "Subclass QueueHandler - a pynng example"."""

    def enqueue(self, record):
        self.queue.send(json.dumps(record.__dict__).encode())


def drain_zmq(pipe):
    subscriber = zmq.Context().socket(zmq.SUB)
    subscriber.subscribe(b"")
    pipe.send(subscriber.bind_to_random_port("tcp://127.0.0.1"))
    while True:
        subscriber.recv_multipart()


def drain_tcp(pipe):
    server = socket.create_server(("127.0.0.1", 0))
    pipe.send(server.getsockname()[1])
    connection, _ = server.accept()
    while connection.recv(1 << 16):
        pass


def drain_nng(pipe):
    subscriber = pynng.Sub0(topics=[b""])
    subscriber.listen("tcp://127.0.0.1:0")
    port = subscriber.listeners[0].local_address.port.to_bytes(2, "little")
    pipe.send(int.from_bytes(port, "big"))
    while True:
        subscriber.recv()


def receiver(target):
    """Starts a process that receives and forgets; gives its port."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    context = multiprocessing.get_context("spawn")
    context.Process(target=target, args=(theirs,), daemon=True).start()
    return ours.recv()


def zmq_publisher(port):
    publisher = zmq.Context.instance().socket(zmq.PUB)
    publisher.connect(f"tcp://127.0.0.1:{port}")
    return publisher


def nng_publisher(port):
    publisher = pynng.Pub0()
    publisher.dial(f"tcp://127.0.0.1:{port}", block=True)
    return publisher


def queue_handler():
    records = queue.SimpleQueue()

    def forget():
        while True:
            records.get()

    threading.Thread(target=forget, daemon=True).start()
    return logging.handlers.QueueHandler(records)


def handlers(folder):
    zmq_port, nng_port = receiver(drain_zmq), receiver(drain_nng)
    pub = PUBHandler(zmq_publisher(zmq_port))
    return {
        "does nothing": Null(),
        "logbus.Handler, ZeroMQ": logbus.Handler(f"tcp://127.0.0.1:{zmq_port}"),
        "logbus.Handler, NNG": logbus.Handler(f"nng+tcp://127.0.0.1:{nng_port}"),
        "FileHandler": logging.FileHandler(os.path.join(folder, "log")),
        "QueueHandler": queue_handler(),
        "pyzmq PUBHandler": pub,
        "SocketHandler": logging.handlers.SocketHandler("127.0.0.1", receiver(drain_tcp)),
        "Cookbook ZeroMQ handler": CookbookZmq(zmq_publisher(zmq_port)),
        "Cookbook pynng handler": CookbookNng(nng_publisher(nng_port)),
    }


def cost(logger, handler):
    logger.handlers[:] = [handler]
    info = logger.info
    begun = time.perf_counter()
    for number in range(RECORDS):
        info("order %d accepted", number, extra=FIELDS)
    return (time.perf_counter() - begun) / RECORDS * 1e6


def main():
    logger = logging.getLogger("bench")
    logger.setLevel("INFO")
    logger.propagate = False
    with tempfile.TemporaryDirectory() as folder:
        rows = handlers(folder)
        costs = {name: [] for name in rows}
        for _ in range(ROUNDS):
            for name, handler in rows.items():
                costs[name].append(cost(logger, handler))
                if isinstance(handler, logbus.Handler):
                    handler.flush(10)
    figure = {"quantity": "a call", "unit": "µs"}
    print(json.dumps([{"contender": name, "rounds": costs[name], **figure} for name in rows]), flush=True)


if __name__ == "__main__":
    main()

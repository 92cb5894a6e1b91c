"""How fast a terminal view shows records, beside its peers, on the same records.

    target/venv/bin/python bench/terminal.py [RECORDS] [ROUNDS]

Twenty senders' records come in as fast as they are taken. Each viewer writes to a pseudo-terminal,
which is read as fast as it is written and has colours, and to a file. A rate is lines shown between
the first and the last, by the time between them; of what a viewer skips it is not given credit.
logsub gets native batches and ``python -m zmq.log`` formatted messages from a PUB socket; fblog and hl
(where it is installed) read the same records as JSON lines from a file. Rounds go over all of them in
turn; every round is printed as JSON for ``bench/src/contests/scripts.rs``. ``cargo xtask bench`` builds
and installs what it needs.
"""

import json
import os
import pathlib
import pty
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

import msgpack
import zmq

RECORDS = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
SENDERS, BATCH = 20, 64
ROOT = pathlib.Path(__file__).parents[1]
LOGSUB = ROOT / "target/release/logsub"


def record(sender, number):
    level = [("INFO", 20), ("DEBUG", 10), ("INFO", 20), ("WARNING", 30), ("ERROR", 40)][number % 5]
    return {
        "name": "shop.orders",
        "msg": "order %d of %s accepted",
        "args": [number, "ann"],
        "levelname": level[0],
        "levelno": level[1],
        "created": time.time(),
        "process": 600 + sender,
        "threadName": "MainThread",
        "user": "fred",
        "status": 200,
    }


def header(sender, sequence, count, flags=0):
    """schemas/WIRE.md: magic, version, codec 1, flags, sender, sequence, count, age, discards, time."""
    return struct.pack(
        "<3sBBBHQQIIQQ", b"\xc1LB", 1, 1, flags, 0, sender, sequence, count, 1, 0, time.time_ns()
    )


def identity(sender):
    who = {"host": "bench", "pid": 600 + sender, "program": "shop", "started": 1, "version": "bench"}
    return msgpack.packb({**who, "discarded": {}})


def native(socket, stop):
    """The native messages, and the sequence numbers go on over rounds of the same batch."""
    batches = [
        b"".join(msgpack.packb(record(sender, n)) for n in range(BATCH)) for sender in range(SENDERS)
    ]
    for sender in range(SENDERS):
        socket.send_multipart([b"shop", header(sender + 1, 0, 0, 1), identity(sender)])
    sequence = 0
    while not stop.is_set() and sequence * SENDERS < RECORDS:
        for sender, batch in enumerate(batches):
            socket.send_multipart([b"shop", header(sender + 1, sequence, BATCH), batch])
        sequence += BATCH


def pyzmq(socket, stop):
    lines = [b"%s\n" % json.dumps(record(n % SENDERS, n)).encode() for n in range(1000)]
    for n in range(RECORDS):
        if n % 1000 == 0 and stop.is_set():
            return
        socket.send_multipart([b"shop.INFO", lines[n % 1000]])


def time_lines(read):
    """Lines a second from the first to the last; ends when nothing more comes for a second."""
    count, first, last = 0, None, None
    while True:
        data = read()
        if not data:
            break
        now = time.perf_counter()
        first = first or now
        last, count = now, count + data.count(b"\n")
    return count, (last or 1) - (first or 0)


def on_terminal(command, feed):
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "LOGSUB_USER_CONFIG": ""}
    viewer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL, env=environment)
    os.close(theirs)
    return run(viewer, feed, lambda: os.read(ours, 1 << 16))


def into_file(command, feed):
    """A file cannot be watched without disturbing it: its last line's time is the program's end."""
    with tempfile.NamedTemporaryFile() as out:
        environment = {**os.environ, "LOGSUB_USER_CONFIG": ""}
        viewer = subprocess.Popen(command, stdout=out, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        sizes = []

        def watch():
            while viewer.poll() is None:
                sizes.append((time.perf_counter(), os.stat(out.name).st_size))
                time.sleep(0.01)
            sizes.append((time.perf_counter(), os.stat(out.name).st_size))

        watcher = threading.Thread(target=watch)
        watcher.start()
        feed(viewer)
        watcher.join()
        with open(out.name, "rb") as written:
            lines = sum(1 for _ in written)
        grown = [(when, size) for (when, size), (_, before) in zip(sizes[1:], sizes) if size > before]
        first = max((when for when, size in sizes if size == 0), default=grown[0][0])
        return lines, grown[-1][0] - first


def run(viewer, feed, read):
    def quiet():
        try:
            return read()
        except OSError:
            return b""

    result = []
    reader = threading.Thread(target=lambda: result.append(time_lines(quiet)))
    reader.start()
    feed(viewer)
    reader.join()
    return result[0]


class Bus:
    """A PUB socket that a viewer subscribes to."""

    def __init__(self, send):
        self.send = send
        self.socket = zmq.Context.instance().socket(zmq.XPUB)
        self.socket.setsockopt(zmq.XPUB_NODROP, 1)
        self.socket.setsockopt(zmq.SNDHWM, 200)
        self.port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.endpoint = f"tcp://127.0.0.1:{self.port}"

    def __call__(self, viewer):
        assert self.socket.poll(10_000), "nobody subscribed"
        self.socket.recv()
        self.send(self.socket, threading.Event())
        # Everything is handed over when the viewer takes no more time: it says so by its silence.
        time.sleep(1)
        viewer.terminate()
        viewer.wait()
        self.socket.close(linger=0)


def just_wait(viewer):
    viewer.wait()


def viewers(lines):
    """name -> (make a command and its feed, for each round anew)"""

    def logsub(*more):
        bus = Bus(native)
        return [LOGSUB, "--connect", bus.endpoint, "--color", "always", *more], bus

    def zmq_log():
        bus = Bus(pyzmq)
        return [sys.executable, "-m", "zmq.log", "--color", bus.endpoint], bus

    table = {
        "logsub": lambda: logsub(),
        "logsub, as it comes": lambda: logsub("--reorder", "0"),
        "logsub, a query": lambda: logsub("-q", "level >= debug and message ~ /order/"),
        "python -m zmq.log": zmq_log,
    }
    if shutil.which("fblog", path=path()):
        table["fblog"] = lambda: ([shutil.which("fblog", path=path()), lines], just_wait)
    if shutil.which("hl", path=path()):
        hl = [shutil.which("hl", path=path()), "-P", "-c", "--config", "-", lines]
        table["hl"] = lambda: (hl, just_wait)
    return table


def path():
    return f"{ROOT / 'target/peers/bin'}:{os.environ['PATH']}"


def main():
    with tempfile.TemporaryDirectory() as folder:
        lines = os.path.join(folder, "records.json")
        with open(lines, "w") as out:
            for n in range(RECORDS):
                made = record(n % SENDERS, n)
                made["message"] = made.pop("msg") % tuple(made.pop("args"))
                made["level"] = made["levelname"].lower()
                out.write(json.dumps(made) + "\n")
        table = viewers(lines)
        rates = {(name, where): [] for name in table for where in ("terminal", "file")}
        shown = {key: [] for key in rates}
        for _ in range(ROUNDS):
            for name, make in table.items():
                for where, show in (("terminal", on_terminal), ("file", into_file)):
                    command, feed = make()
                    count, seconds = show(command, feed)
                    rates[name, where].append(count / seconds)
                    shown[name, where].append(count / RECORDS * 100)
        figures = []
        for (name, where), rounds in rates.items():
            rate = {"quantity": where, "unit": "records/s", "rounds": rounds}
            part = {"quantity": f"{where}, shown", "unit": "%", "rounds": shown[name, where]}
            figures += [{"contender": name, **rate}, {"contender": name, **part}]
        print(json.dumps(figures))


if __name__ == "__main__":
    main()

"""How fast handlers take records: logsub's beside Python's own, in one run.

    target/venv/bin/python bench/handlers.py [RECORDS] [ROUNDS]

Both are handed the same records and write the same lines, to the same places. Rounds go over all of
them in turn; every round is printed, in microseconds a record, as JSON for
``bench/src/contests/scripts.rs``. Each side is timed from its first record to the end of ``close``.
``cargo xtask bench`` builds what it needs.
"""

import json
import logging
import logging.handlers
import multiprocessing
import os
import pathlib
import socket
import socketserver
import subprocess
import sys
import tempfile
import time
import http.server

RECORDS = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
FORMAT = "%(asctime)s %(levelname)-8s %(name)s %(process)s %(message)s"
ROOT = pathlib.Path(__file__).parents[1]
PROGRAM = ROOT / "target/release/examples/handler_throughput"


def discard(pipe):
    class Discard(socketserver.BaseRequestHandler):
        def handle(self):
            while self.request.recv(1 << 16):
                pass

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Discard)
    pipe.send(server.server_address[1])
    server.serve_forever()


def discard_datagrams(pipe):
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.bind(("127.0.0.1", 0))
    pipe.send(sink.getsockname()[1])
    while True:
        sink.recv(1 << 16)


def seq(pipe):
    class Seq(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(201)
            self.send_header("Content-Length", "29")
            self.end_headers()
            self.wfile.write(b'{"MinimumLevelAccepted":null}')

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Seq)
    pipe.send(server.server_address[1])
    server.serve_forever()


def subscribe(pipe):
    import zmq

    subscriber = zmq.Context().socket(zmq.SUB)
    subscriber.subscribe(b"")
    pipe.send(subscriber.bind_to_random_port("tcp://127.0.0.1"))
    while True:
        subscriber.recv_multipart()


def serve(target):
    ours, theirs = multiprocessing.Pipe()
    multiprocessing.Process(target=target, args=(theirs,), daemon=True).start()
    return ours.recv()


def handlers(folder, tcp, udp, http, bus):
    """name -> (a handler of logsub, Python's handler or None)"""
    path = lambda name: os.path.join(folder, name)
    logs = logging.handlers
    rotating = {"maxBytes": 1 << 20, "backupCount": 3}
    seq = {"type": "seq", "server": f"http://127.0.0.1:{http}", "spool": path("seq.redb")}
    return {
        "console": (
            {"class": "logging.StreamHandler"},
            lambda: logging.StreamHandler(open(os.devnull, "w")),
        ),
        "file": (
            {"class": "logging.FileHandler", "filename": path("a")},
            lambda: logging.FileHandler(path("b")),
        ),
        "file, rotated by size": (
            {"class": "logging.handlers.RotatingFileHandler", "filename": path("c"), **rotating},
            lambda: logs.RotatingFileHandler(path("d"), **rotating),
        ),
        "file, JSON lines": ({"type": "file", "path": path("e"), "formatter": "json"}, None),
        "syslog, UDP": (
            {"class": "logging.handlers.SysLogHandler", "address": ["127.0.0.1", udp]},
            lambda: logs.SysLogHandler(("127.0.0.1", udp)),
        ),
        "syslog, TCP, RFC 5424": ({"type": "syslog", "address": f"tcp://127.0.0.1:{tcp}"}, None),
        "socket, pickles": (
            {"class": "logging.handlers.SocketHandler", "host": "127.0.0.1", "port": tcp},
            lambda: logs.SocketHandler("127.0.0.1", tcp),
        ),
        "seq, spooled on disk": ({**seq, "close_timeout": 60}, None),
        "command, JSON lines": ({"type": "exec", "command": ["cat"], "formatter": "json"}, None),
        "another bus": ({"type": "bus", "endpoint": f"tcp://127.0.0.1:{bus}"}, None),
    }


def records():
    made = []
    for number in range(1000):
        record = logging.LogRecord(
            "shop.orders", 20, "/srv/shop/app.py", 40, "order %d of %s accepted", (number, "ann"), None
        )
        record.user = "fred"
        made.append(record)
    return made


def time_python(make, made):
    handler = make()
    handler.setFormatter(logging.Formatter(FORMAT))
    begin = time.perf_counter()
    for _ in range(RECORDS // 1000):
        for record in made:
            handler.handle(record)
    handler.close()
    return time.perf_counter() - begin


def time_logsub(config, folder):
    file = os.path.join(folder, "config.json")
    formatter = {"full": {"format": FORMAT}}
    handler = {"formatter": "full", **config}
    if config.get("type") in ("seq", "bus"):
        handler.pop("formatter")
    with open(file, "w") as out:
        json.dump({"version": 1, "formatters": formatter, "handlers": {"it": handler}}, out)
    run = {"check": True, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    said = subprocess.run([PROGRAM, file, str(RECORDS)], **run)
    return float(said.stdout.split()[1])


def main():
    sinks = [serve(sink) for sink in (discard, discard_datagrams, seq, subscribe)]
    made = records()
    results = {}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            for name, (config, make) in handlers(folder, *sinks).items():
                ours, theirs = results.setdefault(name, ([], []))
                ours.append(time_logsub(config, folder))
                if make:
                    theirs.append(time_python(make, made))
    figures = []
    for name, (ours, theirs) in results.items():
        for who, seconds in (("logsub", ours), ("Python", theirs)):
            if seconds:
                rounds = [second / RECORDS * 1e6 for second in seconds]
                figure = {"quantity": "a record", "unit": "µs", "rounds": rounds}
                figures.append({"contender": f"{name}: {who}", **figure})
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

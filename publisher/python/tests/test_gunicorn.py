"""Real Gunicorn, real Flask: every record from a request to the bus, counted."""

import concurrent.futures
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest

pytest.importorskip("gunicorn")
pytest.importorskip("flask")

APP = """
import logging, os, sys, time
from flask import Flask, request

app = Flask(__name__)
jobs = logging.getLogger("shop.jobs")

@app.get("/order/<number>")
def order(number):
    app.logger.info("order %s", number)
    jobs.info("job %s", number, extra={"order": number})
    return "ok"

@app.get("/hang")
def hang():
    jobs.info("job hangs")
    time.sleep(60)
    return "late"

@app.get("/crash")
def crash():
    raise RuntimeError("crash on purpose")

@app.get("/pid")
def pid():
    jobs.info("last words")
    return str(os.getpid())
"""


class Gunicorn:
    def __init__(self, folder, endpoint, *options, logger="logbus.gunicorn.Logger"):
        (folder / "app.py").write_text(APP)
        # Bound here: who asks before Gunicorn serves simply waits.
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        command = [sys.executable, "-m", "gunicorn", "--chdir", folder]
        command += ["--bind", f"fd://{listening.fileno()}"]
        if logger:
            command += ["--logger-class", logger]
        with listening:
            self.process = subprocess.Popen(
                [*command, *options, "app:app"],
                cwd=folder,
                env={**os.environ, "LOGBUS_ENDPOINT": endpoint},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                pass_fds=[listening.fileno()],
            )

    def get(self, path, headers={}):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers=headers)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.communicate(timeout=40)[1]


@pytest.fixture
def gunicorn(wire, tmp_path):
    running = []

    def start(*options, endpoint=wire.endpoint, **more):
        running.append(Gunicorn(tmp_path, endpoint, *options, **more))
        return running[-1]

    yield start
    for server in running:
        if server.process.poll() is None:
            server.stop()


def of(wire, name):
    return [record for *_, record in wire.received if record["name"] == name]


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["no-preload", "preload"])
@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent"])
def test_every_record_of_every_request_arrives_once(wire, gunicorn, worker, preload):
    if worker == "gevent":
        pytest.importorskip("gevent")
    # Gunicorn's gevent workers sometimes sit their graceful timeout out when they share a socket,
    # idle and with Gunicorn's own logger, too; so that it is not waited for here, it is short.
    graceful = ["--graceful-timeout", "2"]
    server = gunicorn("--workers", "4", "--worker-class", worker, *graceful, *preload)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: server.get(f"/order/{n}"), range(200)))
    assert answers == ["ok"] * 200
    server.stop()
    wire.until(lambda: len(of(wire, "gunicorn.access")) == 200, "access records")
    wire.until(lambda: len(of(wire, "app")) == 200, "application's records")
    jobs = of(wire, "shop.jobs")
    wire.until(lambda: len(of(wire, "shop.jobs")) == 200, "jobs")
    jobs = of(wire, "shop.jobs")
    assert {record["order"] for record in jobs} == {str(number) for number in range(200)}
    assert all(record["worker_id"] >= 1 and record["worker_booted"] for record in jobs)
    wire.by_sender()
    assert any("Booting worker" in record["message"] for record in of(wire, "gunicorn.error"))


def test_an_access_record_has_its_parts_as_fields_and_no_secrets(wire, gunicorn):
    server = gunicorn()
    secret = {"Authorization": "Bearer hush", "Cookie": "s=hush", "X-Request-ID": "r-1"}
    server.get("/order/7?a=1", headers={**secret, "User-Agent": "test/1"})
    wire.until(lambda: of(wire, "gunicorn.access"), "an access record")
    (record,) = of(wire, "gunicorn.access")
    assert (record["method"], record["path"], record["query"]) == ("GET", "/order/7", "a=1")
    assert (record["status"], record["bytes"], record["request_id"]) == (200, 2, "r-1")
    assert (record["remote_addr"], record["user_agent"]) == ("127.0.0.1", "test/1")
    assert 0 <= record["duration"] < 30
    assert '"GET /order/7?a=1 HTTP/1.1" 200 2' in record["message"]
    assert "hush" not in json.dumps(record)


def test_log_level_rules_gunicorn_and_the_application(wire, gunicorn):
    server = gunicorn("--log-level", "error")
    server.get("/order/1")
    server.get("/crash")
    wire.until(lambda: len(of(wire, "gunicorn.access")) == 2, "access records")
    server.stop()
    wire.until(lambda: len(wire.ended) >= 2, "goodbyes")
    assert of(wire, "shop.jobs") == []
    (crash,) = of(wire, "app")
    assert (crash["exc_type"], crash["exc_value"]) == ("RuntimeError", "crash on purpose")


def test_what_gunicorn_is_told_about_files_works_beside_the_bus(wire, gunicorn, tmp_path):
    server = gunicorn("--access-logfile", str(tmp_path / "access.log"))
    server.get("/order/1")
    wire.until(lambda: of(wire, "gunicorn.access"), "an access record")
    said = server.stop()
    assert "Booting worker" in said
    assert '"GET /order/1 HTTP/1.1" 200 2' in (tmp_path / "access.log").read_text()


LOGCONFIG = """
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"bus": {"class": "logbus.Handler", "extra": {"by": "dict"}}},
    "root": {"level": "INFO", "handlers": ["bus"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["bus"], "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["bus"], "propagate": False},
    },
}
"""


@pytest.mark.parametrize("logger", [None, "logbus.gunicorn.Logger"])
def test_logconfig_dict_works_with_and_without_the_logger_class(wire, gunicorn, tmp_path, logger):
    (tmp_path / "gunicorn.conf.py").write_text(LOGCONFIG)
    server = gunicorn(logger=logger)
    server.get("/order/1")
    wire.until(lambda: of(wire, "gunicorn.access") and of(wire, "shop.jobs"), "records")
    assert len(of(wire, "gunicorn.access")) == len(of(wire, "shop.jobs")) == 1
    assert of(wire, "shop.jobs")[0]["by"] == "dict"


LOGCONFIG_INI = """
[loggers]
keys = root, error, access
[handlers]
keys = bus
[formatters]
keys =
[handler_bus]
class = logbus.Handler
kwargs = {"extra": {"by": "ini"}}
[logger_root]
level = INFO
handlers = bus
[logger_error]
qualname = gunicorn.error
level = INFO
handlers = bus
propagate = 0
[logger_access]
qualname = gunicorn.access
level = INFO
handlers = bus
propagate = 0
"""


@pytest.mark.parametrize("logger", [None, "logbus.gunicorn.Logger"])
def test_a_logconfig_file_works_with_and_without_the_logger_class(wire, gunicorn, tmp_path, logger):
    (tmp_path / "logging.ini").write_text(LOGCONFIG_INI)
    server = gunicorn("--log-config", str(tmp_path / "logging.ini"), logger=logger)
    server.get("/order/1")
    wire.until(lambda: of(wire, "gunicorn.access") and of(wire, "shop.jobs"), "records")
    assert len(of(wire, "gunicorn.access")) == len(of(wire, "shop.jobs")) == 1
    assert of(wire, "shop.jobs")[0]["by"] == "ini"


def test_reloads_kills_timeouts_and_restarts_lose_nothing_that_was_handed_over(wire, gunicorn):
    server = gunicorn("--workers", "2", "--max-requests", "25", "--timeout", "2")
    done = [0]

    def order():
        # A worker that ends while it is asked closes the connection; then nothing was logged.
        try:
            if server.get(f"/order/{done[0]}") == "ok":
                done[0] += 1
        except (OSError, http.client.HTTPException):
            pass

    for _ in range(60):
        order()
    server.process.send_signal(signal.SIGHUP)
    wire.until(
        lambda: any("Handling signal: hup" in r["message"] for r in of(wire, "gunicorn.error")),
        "reload",
    )
    for _ in range(60):
        order()
    pid = int(server.get("/pid"))
    wire.until(lambda: "last words" in [r["message"] for r in of(wire, "shop.jobs")], "last words")
    os.kill(pid, signal.SIGKILL)
    for _ in range(20):
        order()
    try:
        server.get("/hang")
    except (OSError, http.client.HTTPException):
        pass
    for _ in range(20):
        order()
    server.stop()
    wire.until(lambda: len(of(wire, "app")) >= done[0], "a record for each answer")
    jobs = [record["message"] for record in of(wire, "shop.jobs")]
    assert jobs.count("last words") == jobs.count("job hangs") == 1
    numbered = {record["message"] for record in of(wire, "app")}
    assert numbered >= {f"order {number}" for number in range(done[0])}
    assert done[0] >= 140
    wire.by_sender()


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline


LOGSUB = pathlib.Path(__file__).parents[3] / "target/debug/logsub"


@pytest.mark.skipif(not LOGSUB.exists(), reason="logsub is not built")
def test_from_birth_to_file_every_record_is_accounted_for(gunicorn, tmp_path):
    """Requests, a reload and a killed worker: received + reported = sent, and the kill is told."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        endpoint = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    log = tmp_path / "all.log"
    logsub = subprocess.Popen(
        [LOGSUB, "--bind", endpoint, "--no-console", "--file", log, "--stats"]
        + ["--format", "%(name)s %(message)s"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert "receiving at" in logsub.stderr.readline()
        server = gunicorn("--workers", "4", endpoint=endpoint)
        answered = 0
        for round in range(3):
            for number in range(100):
                try:
                    answered += server.get(f"/order/{round}-{number}") == "ok"
                except (OSError, http.client.HTTPException):
                    pass  # Its worker was killed or reloaded; what it had logged still counts.
            if round == 0:
                server.process.send_signal(signal.SIGHUP)
            if round == 1:
                # The workers of before the reload say goodbye; it is another that must not.
                until(lambda: log.read_text().count("Worker exiting") == 4)
                pid = int(server.get("/pid"))
                until(lambda: "last words" in log.read_text())
                os.kill(pid, signal.SIGKILL)
        until(lambda: "went silent without goodbye" in log.read_text())
        server.stop()
    finally:
        logsub.send_signal(signal.SIGINT)
        said = logsub.communicate(timeout=40)[1]
    (row,) = [line for line in said.splitlines() if line.startswith("all senders")]
    received, lost, discarded, _, duplicate, malformed, earlier = map(int, row.split()[2:])
    lines = [line for line in log.read_text().splitlines() if not line.startswith("--")]
    assert (lost, discarded, duplicate, malformed, earlier) == (0, 0, 0, 0, 0), said
    assert len(lines) == received
    assert f"(pid {pid}) went silent without goodbye" in log.read_text()
    orders = {line.split()[-1] for line in lines if line.startswith("shop.jobs job ")}
    assert len(orders) >= answered >= 290

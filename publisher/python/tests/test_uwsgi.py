"""uWSGI loads the application, forks, and serves: the handler was made before the fork.

It is not installed with the other test packages, because it must be compiled against Python's
headers; where it is there, this runs.
"""

import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys

import pytest

UWSGI = pathlib.Path(sys.executable).with_name("uwsgi")
pytestmark = pytest.mark.skipif(not shutil.which(UWSGI), reason="uWSGI is not installed")

APP = """
import logging, logbus
logging.basicConfig(level="INFO", handlers=[logbus.Handler(program="shop")])
logging.info("application loaded")

def application(environ, start_response):
    logging.info("request %s", environ["PATH_INFO"])
    start_response("200 OK", [])
    return [b"ok"]
"""


def test_every_request_of_every_worker_is_logged_once(wire, tmp_path):
    (tmp_path / "app.py").write_text(APP)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    with listening:
        server = subprocess.Popen(
            [UWSGI, "--http-socket", f"fd://{listening.fileno()}", "--wsgi-file", "app.py"]
            + ["--master", "--processes", "3", "--die-on-term", "--need-app"],
            cwd=tmp_path,
            env={**os.environ, "LOGBUS_ENDPOINT": wire.endpoint},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[listening.fileno()],
        )
    try:
        for number in range(60):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", f"/{number}")
            assert connection.getresponse().read() == b"ok"
            connection.close()
        wire.records(61)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)
    messages = sorted(message for sent in wire.by_sender().values() for message in sent)
    assert messages == sorted(["application loaded", *(f"request /{n}" for n in range(60))])

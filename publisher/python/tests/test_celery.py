"""Celery's prefork workers, as the recipe in README.md has it."""

import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("celery")

TASKS = """
import logging
import logbus
from celery import Celery
from celery.signals import setup_logging

app = Celery("tasks")
app.conf.update(
    broker_url="filesystem://",
    broker_transport_options={
        "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control",
    },
)
log = logging.getLogger("shop.tasks")

@setup_logging.connect
def configure(**_):
    logging.basicConfig(level="INFO", handlers=[logbus.Handler(program="celery")])

@app.task
def pay(number):
    log.info("order %d paid", number)
"""


def test_celery_workers_lose_nothing(wire, tmp_path):
    (tmp_path / "tasks.py").write_text(TASKS)
    for folder in ("queue", "control"):
        (tmp_path / folder).mkdir()
    environment = {**os.environ, "LOGBUS_ENDPOINT": wire.endpoint}
    send = "import tasks\nfor number in range(30): tasks.pay.delay(number)"
    subprocess.run([sys.executable, "-c", send], cwd=tmp_path, env=environment, check=True)
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--concurrency", "2"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        paid = lambda: {r["message"] for *_, r in wire.received if r["name"] == "shop.tasks"}
        wire.until(lambda: len(paid()) == 30, "a record for each task")
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(timeout=30)
    assert paid() == {f"order {number} paid" for number in range(30)}
    wire.by_sender()

"""Structured logging libraries: the recipes of README.md, against the real ones."""

import logging

import logbus
import pytest


def test_structlog_keeps_its_fields_as_fields(wire):
    structlog = pytest.importorskip("structlog")
    logger = logging.getLogger("test.structlog")
    logger.propagate = False
    logger.setLevel("INFO")
    logger.handlers[:] = [logbus.Handler(wire.endpoint)]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            structlog.stdlib.render_to_log_kwargs,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    log = structlog.get_logger("test.structlog").bind(request="r-1")
    try:
        raise ValueError("bad")
    except ValueError:
        log.error("order refused", order=7, exc_info=True)
    record = wire.record()
    logger.handlers[0].close()
    assert (record["message"], record["order"], record["request"]) == ("order refused", 7, "r-1")
    assert (record["levelname"], record["exc_type"]) == ("ERROR", "ValueError")


def test_loguru_keeps_its_fields_as_fields(wire):
    loguru = pytest.importorskip("loguru")
    handler = logbus.Handler(wire.endpoint)
    number = loguru.logger.add(handler, format="{message}")
    try:
        loguru.logger.bind(order=7).success("order {} accepted", 7)
        record = wire.record()
    finally:
        loguru.logger.remove(number)
    assert record["message"] == "order 7 accepted"
    assert (record["levelname"], record["levelno"]) == ("SUCCESS", 25)
    # loguru puts what was bound into one dict.
    assert record["extra"]["order"] == 7
    assert record["funcName"] == "test_loguru_keeps_its_fields_as_fields"

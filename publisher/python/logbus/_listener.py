"""Receiving records in Python, as ``logging.handlers.QueueListener`` does from a queue."""

from __future__ import annotations

import logging
import threading
from typing import Any, Sequence

from . import _logbus

# How long the thread waits at a time; it ends by being told, not by this.
_TIMEOUT = 1.0


class Listener:
    """Subscribes to the bus and hands every record to the given handlers.

    endpoint
        The subscribers' side of a broker, or a publisher that listens; or
        several. ``None``: joins the bus of this machine, or is it.
    topics
        What to subscribe to, each topic with everything below it; nothing
        given means everything.
    respect_handler_level
        Whether a record goes only to handlers whose level lets it through.

    What was lost on the way comes as a record of the logger ``logbus``, level
    WARNING. Use it with ``start`` and ``stop``, or in a ``with`` statement.
    """

    def __init__(
        self,
        endpoint: str | Sequence[str] | None = None,
        *handlers: logging.Handler,
        topics: Sequence[str] = (),
        respect_handler_level: bool = True,
        max_message: int = 16 << 20,
    ) -> None:
        if isinstance(endpoint, str):
            endpoint = [part.strip() for part in endpoint.split(",") if part.strip()]
        self.handlers = handlers
        self.respect_handler_level = respect_handler_level
        self._endpoints = list(endpoint or [])
        self._topics = [topics] if isinstance(topics, str) else list(topics)
        self._max_message = max_message
        self._receiver: _logbus.Receiver | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Subscribes, and begins to receive on a thread of its own."""
        if self._thread is not None:
            raise RuntimeError("this listener has started already")
        self._receiver = _logbus.Receiver(self._endpoints, self._topics, self._max_message)
        self._thread = threading.Thread(
            target=self._receive, args=(self._receiver,), name="logbus-listener", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Hands over what has come in, and ends. Doing so twice is no error."""
        if self._thread is None or self._receiver is None:
            return
        self._receiver.close()
        self._thread.join()
        self._thread = None

    def __enter__(self) -> "Listener":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stats(self) -> dict[str, int]:
        """What came so far: ``received``, ``lost``, ``discarded``, ``foreign``, ``malformed``."""
        return self._receiver.stats() if self._receiver is not None else {}

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """A place for subclasses to change a record before it is handled."""
        return record

    def handle(self, record: logging.LogRecord) -> None:
        """Hands a record to the handlers."""
        record = self.prepare(record)
        for handler in self.handlers:
            if not self.respect_handler_level or record.levelno >= handler.level:
                try:
                    handler.handle(record)
                except Exception:
                    handler.handleError(record)

    def _receive(self, receiver: _logbus.Receiver) -> None:
        while True:
            batch = receiver.receive(_TIMEOUT)
            if batch is None:
                return
            for item in batch:
                self.handle(_notice(item) if isinstance(item, str) else _record(item))


def _record(fields: dict[str, Any]) -> logging.LogRecord:
    """A record as it was, as far as it travels.

    Its template and arguments are kept where they still give the message, and
    else the message stands for them.
    """
    message = fields.get("message")
    args = fields.get("args")
    if isinstance(args, list):
        fields["args"] = args = tuple(args)
    if message is not None and not _renders(fields.get("msg"), args, message):
        fields["msg"], fields["args"] = message, None
    level = fields.get("levelno")
    if not isinstance(level, int):
        level = fields["levelno"] = logging.INFO
    if fields.get("levelname") is None:
        fields["levelname"] = logging.getLevelName(level)
    # The exception's text travels; what is no exc_info tuple would break formatters.
    fields["exc_info"] = None
    return logging.makeLogRecord(fields)


def _renders(msg: Any, args: Any, message: Any) -> bool:
    try:
        return (str(msg) % args if args else str(msg)) == message
    except Exception:
        return False


def _notice(text: str) -> logging.LogRecord:
    return logging.LogRecord("logbus", logging.WARNING, "(bus)", 0, text, None, None)

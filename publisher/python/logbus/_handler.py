"""The logging handler that publishes records.

The hot path (reading a record, encoding it, queueing it) is ``_logbus.Core``.
Here is what happens once: options, and what becomes of the queue at the end.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, Callable, Mapping, Sequence

from . import _exit, _logbus

Fields = Mapping[str, Any]


class Handler(_logbus.Core, logging.Handler):
    """Publishes log records to the bus; never waits, and counts what it cannot send.

    endpoint
        Where to connect to: ``tcp://HOST:PORT`` or ``ipc://PATH`` for ZeroMQ,
        ``nng+tcp://HOST:PORT`` or ``nng+ipc://PATH`` for NNG; or several of
        them. Not given: the environment variable ``LOGBUS_ENDPOINT`` (commas
        between), else ``tcp://127.0.0.1:5556``.
    codec
        How records are written: ``"msgpack"`` or ``"json"``.
    topic_prefix
        Put before every logger's name to make the topic.
    queue_records, queue_bytes
        How much may wait to be sent.
    overflow
        What happens to a record that finds the queue full:
        ``"discard-newest"``, ``"discard-oldest"``, or ``"block"``: the caller
        waits for room up to ``block`` seconds.
    hold
        How many seconds records wait for a subscriber, at the start and
        whenever the last one has gone.
    linger
        How many seconds closing the handler, and the end of the program, may
        wait for what is still queued.
    extra
        Fields for every record: a dict, or a callable that gives one for each
        record (from contextvars, say).
    default
        Called with each value that is of no JSON type for another one in its
        place; raises ``TypeError`` for those it leaves to the built-in table.
    program
        The name under which people see this process; the script's name when
        not given.
    key_file, server_key_file
        For a broker that asks for keys: the file with this program's secret
        key, and the one with the broker's public key. Not given: what
        ``LOGBUS_KEY_FILE`` and ``LOGBUS_SERVER_KEY_FILE`` say.
    report
        Whether to say on standard error, when the handler closes, how many
        records could not be handed over, and what a broker refuses.
    delivery
        ``"best-effort"``: records go to whoever listens. ``"durable"``: they go
        to a broker's durable endpoint, again and again until it has them on
        disk; the options below are for this.
    durable_endpoint
        A broker's durable endpoint. Not given: the environment variable
        ``LOGBUS_DURABLE_ENDPOINT``, else ``tcp://127.0.0.1:5558``.
    spool
        A folder. What is not acknowledged is on disk there and outlives this
        process; the next one of the same ``program`` sends it, or
        ``logpub --drain``.
    spool_bytes
        How much a process may have there.
    fsync
        When the spool is synced to the disk, which only a crash of the whole
        machine makes matter: ``"always"``, before anything is sent;
        ``"interval"``, within 50 ms; ``"never"``, when the system does.
    window_messages, window_bytes
        How much may be sent and not acknowledged; the broker may allow less.
    """

    def __init__(
        self,
        endpoint: str | Sequence[str] | None = None,
        *,
        codec: str = "msgpack",
        topic_prefix: str | None = None,
        queue_records: int = 100_000,
        queue_bytes: int = 64 << 20,
        overflow: str = "discard-newest",
        block: float = 0.1,
        hold: float = 2.0,
        linger: float = 1.0,
        extra: Fields | Callable[[], Fields | None] | None = None,
        default: Callable[[Any], Any] | None = None,
        program: str | None = None,
        key_file: str | os.PathLike[str] | None = None,
        server_key_file: str | os.PathLike[str] | None = None,
        report: bool = True,
        delivery: str = "best-effort",
        durable_endpoint: str | None = None,
        spool: str | os.PathLike[str] | None = None,
        spool_bytes: int = 256 << 20,
        fsync: str = "interval",
        window_messages: int = 1_000,
        window_bytes: int = 16 << 20,
        level: int | str = logging.NOTSET,
    ) -> None:
        options = {
            "endpoints": _endpoints(endpoint),
            "codec": codec,
            "topic_prefix": topic_prefix,
            "queue_records": queue_records,
            "queue_bytes": queue_bytes,
            "overflow": overflow,
            "block": block,
            "hold": hold,
            "linger": linger,
            "program": program or program_name(),
            "delivery": delivery,
            "durable_endpoint": durable_endpoint,
            "spool": None if spool is None else os.fspath(spool),
            "spool_bytes": spool_bytes,
            "fsync": fsync,
            "window_messages": window_messages,
            "window_bytes": window_bytes,
            "report": report,
            "key_file": None if key_file is None else os.fspath(key_file),
            "server_key_file": None if server_key_file is None else os.fspath(server_key_file),
        }
        self.open(options, default, extra)
        self._report = report
        self._is_durable = delivery == "durable"
        logging.Handler.__init__(self, level)
        _exit.watch(self)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Lets a subclass have an ``emit`` of its own: then ``handle`` calls it."""
        super().__init_subclass__(**kwargs)
        if cls.emit is not Handler.emit and cls.handle is Handler.handle:
            cls.handle = logging.Handler.handle  # type: ignore[method-assign]

    def close(self) -> None:
        """Sends what is queued, within ``linger``, and says goodbye.

        With durable delivery it waits for acknowledgements; what has none by
        then stays in the spool, or is lost and counted where there is none.
        """
        report = self.shutdown()
        logging.Handler.close(self)
        if self._report:
            _tell(report, self._is_durable)

    def _failed(self, record: logging.LogRecord, error: BaseException) -> None:
        """Called with what ``emit`` raised, so that ``handleError`` finds it."""
        try:
            raise error
        except Exception:
            self.handleError(record)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} ({logging.getLevelName(self.level)})>"


def program_name() -> str:
    """The name of this program: ``LOGBUS_PROGRAM``, else the script's or the module's."""
    name = os.environ.get("LOGBUS_PROGRAM")
    if name:
        return name
    path = sys.argv[0] if getattr(sys, "argv", None) else ""
    folder, name = os.path.split(path)
    if name == "__main__.py":
        name = os.path.basename(folder)
    stem, ending = os.path.splitext(name)
    name = stem if ending == ".py" else name
    return name if name and not name.startswith("-") else "python"


def _endpoints(endpoint: str | Sequence[str] | None) -> list[str]:
    """An empty list lets the publisher look into the environment."""
    if endpoint is None:
        return []
    if isinstance(endpoint, str):
        return [part.strip() for part in endpoint.split(",") if part.strip()]
    return list(endpoint)


def _tell(report: dict[str, Any], is_durable: bool) -> None:
    left = "not acknowledged" if is_durable else "still queued"
    reasons = dict(report.get("discarded", {}))
    for reason, key in ((left, "left"), ("unconfirmed", "unconfirmed")):
        if report.get(key):
            reasons[reason] = reasons.get(reason, 0) + report[key]
    if report.get("kept"):
        _say(f"{report['kept']} records are kept in the spool")
    if reasons:
        listed = ", ".join(f"{reason}: {count}" for reason, count in reasons.items())
        _say(f"{sum(reasons.values())} records were not handed over ({listed})")


def _say(line: str) -> None:
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"logbus: {line}\n")
    except (OSError, ValueError):
        pass  # Nobody is there to read it; the counts are in the heartbeats, too.

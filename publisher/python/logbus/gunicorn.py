"""Gunicorn's logs, and those of the application under it, on the bus.

::

    gunicorn --logger-class logbus.gunicorn.Logger app:app

The endpoint comes from the environment variable ``LOGBUS_ENDPOINT``. Whatever
else Gunicorn is told about logs (``--access-logfile``, ``logconfig``,
``logconfig_dict``) works as before, beside the bus.
"""

from __future__ import annotations

import datetime
import logging
import os
import re
from collections.abc import Mapping
from typing import Any, Iterator

from gunicorn import glogging

from ._handler import Handler

# What a format names, as in %(h)s or %({x-request-id}i)s.
_NAMED = re.compile(r"%\((.+?)\)[#0\- +]*\d*(?:\.\d+)?[a-zA-Z]")


class Logger(glogging.Logger):
    """A Gunicorn logger class that sends everything to the bus as well.

    A subclass may set ``handler_options``, the arguments of the
    ``logbus.Handler`` that it makes.
    """

    handler_options: dict[str, Any] = {}

    _bus: Handler | None = None
    _worker: dict[str, Any] | None = None
    _master = 0

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self._watch_workers(cfg)
        # One handler for all loggers, also after a reload. A dictConfig that was just done has
        # closed it; then it begins anew by itself.
        if self._bus is None:
            options = {"program": cfg.proc_name, "extra": self._worker_fields}
            self._bus = Handler(**{**options, **self.handler_options})
        root = logging.getLogger()
        for logger in (self.error_log, self.access_log, root):
            if not any(isinstance(handler, Handler) for handler in logger.handlers):
                logger.addHandler(self._bus)
        if not (cfg.logconfig or cfg.logconfig_dict or getattr(cfg, "logconfig_json", None)):
            # One place rules Gunicorn's loggers and the application's.
            root.setLevel(self.loglevel)

    def _compute_access_log_enabled(self) -> bool:
        return True

    @property
    def access_log_enabled(self) -> bool:
        """The bus takes access records, whether or not a file does."""
        return True

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> None:
        """Logs a request: the line that Gunicorn would write, and its parts as fields."""
        try:
            atoms = self.atoms_wrapper_class(self.atoms(resp, req, environ, request_time))
            line = self.cfg.access_log_format
            fields = _request_fields(resp, environ, request_time)
            self.access_log.info(line, _NamedAtoms(atoms, line), extra=fields)
        except Exception:
            self.exception("a request could not be logged")

    def _watch_workers(self, cfg: Any) -> None:
        """Notes in the master which worker is about to be forked; the child inherits the note."""
        hook = cfg.pre_fork

        def pre_fork(server: Any, worker: Any) -> None:
            self._master = os.getpid()
            now = datetime.datetime.now(datetime.timezone.utc)
            self._worker = {"worker_id": worker.age, "worker_booted": now.isoformat()}
            hook(server, worker)

        if not hasattr(hook, "_is_logbus"):
            pre_fork._is_logbus = True  # type: ignore[attr-defined]
            cfg.set("pre_fork", pre_fork)

    def _worker_fields(self) -> dict[str, Any] | None:
        return None if os.getpid() == self._master else self._worker


class _NamedAtoms(Mapping):  # type: ignore[type-arg]
    """Gunicorn's atoms: every one can be looked up, and those that the format names are listed.

    The others hold all headers and the whole environment, passwords and
    cookies among them; they stay where they are.
    """

    def __init__(self, atoms: Mapping[str, Any], line: str) -> None:
        self._atoms = atoms
        self._named = tuple(dict.fromkeys(_NAMED.findall(line)))

    def __getitem__(self, name: str) -> Any:
        return self._atoms[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)


def _request_fields(resp: Any, environ: dict[str, Any], request_time: Any) -> dict[str, Any]:
    fields = {
        "method": environ.get("REQUEST_METHOD"),
        "path": environ.get("PATH_INFO"),
        "query": environ.get("QUERY_STRING") or None,
        "protocol": environ.get("SERVER_PROTOCOL"),
        "status": _status(resp.status),
        "bytes": getattr(resp, "sent", None),
        "duration": request_time.total_seconds(),
        "remote_addr": environ.get("REMOTE_ADDR"),
        "user_agent": environ.get("HTTP_USER_AGENT"),
        "referer": environ.get("HTTP_REFERER"),
        "request_id": environ.get("HTTP_X_REQUEST_ID"),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _status(status: Any) -> Any:
    """The number of ``200 OK``."""
    try:
        return int(str(status).split(None, 1)[0])
    except (ValueError, IndexError):
        return status

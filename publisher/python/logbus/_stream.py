"""What is printed, as log records."""

from __future__ import annotations

import io
import logging
import sys
import threading
from typing import Iterable


class Stream(io.TextIOBase):
    """A file to write to whose lines become log records.

    ::

        sys.stdout = logbus.Stream(logging.getLogger("myapp.stdout"), logging.INFO)
        sys.stderr = logbus.Stream(logging.getLogger("myapp.stderr"), logging.ERROR)

    A line is a record as soon as its line feed is written; the rest of a line
    when it is flushed for good, by ``close``. Lines of nothing are left out.
    Each thread has its own unfinished line, so that threads do not mix. What a
    handler writes to this very stream while it handles such a record goes to
    the interpreter's own standard error, and not round in a circle.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, logger: logging.Logger | str, level: int | str = logging.INFO) -> None:
        super().__init__()
        self._logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        self._level = level if isinstance(level, int) else logging.getLevelName(level.upper())
        if not isinstance(self._level, int):
            raise ValueError(f"level: {level!r} is no level; give INFO, ERROR or a number")
        self._local = threading.local()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        if getattr(self._local, "is_logging", False):
            if sys.__stderr__ is not None:
                sys.__stderr__.write(text)
            return len(text)
        *lines, rest = (getattr(self._local, "line", "") + text).split("\n")
        self._local.line = rest
        for line in lines:
            self._log(line)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]
        for line in lines:
            self.write(line)

    def close(self) -> None:
        if not self.closed:
            self._log(self._local.__dict__.pop("line", ""))
        super().close()

    def _log(self, line: str) -> None:
        line = line.rstrip("\r")
        if not line:
            return
        self._local.is_logging = True
        try:
            # The caller of print() is the place of the record: behind this method and write().
            self._logger.log(self._level, line, stacklevel=3)
        finally:
            self._local.is_logging = False

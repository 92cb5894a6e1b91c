"""Handing over what is queued when a process ends.

``logging`` closes its handlers through ``atexit``. Children of
``multiprocessing`` that were forked (start methods fork and forkserver) end
with ``os._exit``, which skips that; they run finalizers of their own, and this
module is among them.
"""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from typing import Any

from . import _logbus

# After other finalizers, which may still log; the lowest runs last.
_PRIORITY = -1000


class _Anchor:
    """What multiprocessing ties the registration to: it keeps weak references only."""


_anchor = _Anchor()
_handlers: weakref.WeakSet[Any] = weakref.WeakSet()
_is_registered = False


def watch(handler: Any) -> None:
    """Has the handler closed when this process, or a child that inherits it, ends."""
    _handlers.add(handler)
    _register()


def _register() -> None:
    """Tells multiprocessing, once it is there, what to run in its children."""
    global _is_registered
    util = sys.modules.get("multiprocessing.util")
    if util is None:
        return
    if not _is_registered:
        util.register_after_fork(_anchor, _finalize_here)
        _is_registered = True
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        _finalize_here(_anchor)


def _finalize_here(_: Any) -> None:
    sys.modules["multiprocessing.util"].Finalize(None, _close_all, exitpriority=_PRIORITY)


def _close_all() -> None:
    _logbus.exiting()
    for handler in list(_handlers):
        handler.close()


# Before logging's own, which was registered earlier: the last registered runs first.
atexit.register(_logbus.exiting)
os.register_at_fork(after_in_child=_register)

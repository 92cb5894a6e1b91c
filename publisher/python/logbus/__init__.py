"""Log records from many processes, in one place, over ZeroMQ and NNG.

``Handler`` publishes what is logged, without ever making the program wait.
``Listener`` hands what others publish to Python handlers. ``Stream`` turns
what is printed into records. ``logbus.gunicorn.Logger`` is for Gunicorn.
"""

from ._handler import Handler
from ._listener import Listener
from ._logbus import __version__
from ._stream import Stream

__all__ = ["Handler", "Listener", "Stream", "__version__"]

"""The listener of the Logging Cookbook ("Subclassing QueueHandler - a ZeroMQ example"), into a file.

    cookbook_listener.py ENDPOINT FILE

The class is the Cookbook's, the format logsub's own. It ends when its standard input does.
"""

import logging
import logging.handlers
import sys

import zmq

FORMAT = "%(asctime)s %(levelname)-8s %(name)s %(process)s %(message)s"


class ZeroMQSocketListener(logging.handlers.QueueListener):
    def __init__(self, uri, /, *handlers, **kwargs):
        self.ctx = kwargs.get("ctx") or zmq.Context()
        socket = zmq.Socket(self.ctx, zmq.SUB)
        socket.setsockopt_string(zmq.SUBSCRIBE, "")
        socket.connect(uri)
        super().__init__(socket, *handlers)

    def dequeue(self, block):
        msg = self.queue.recv_json()
        return logging.makeLogRecord(msg)


def main():
    handler = logging.FileHandler(sys.argv[2])
    handler.setFormatter(logging.Formatter(FORMAT))
    ZeroMQSocketListener(sys.argv[1], handler).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()

"""A sender in the shape of the Logging Cookbook's pynng handler: QueueHandler over a Pub0 socket."""

import json
import logging
import logging.handlers
import sys
import threading

import pynng

from cookbook_zmq import log_all


class NNGSocketHandler(logging.handlers.QueueHandler):
    def enqueue(self, record):
        self.queue.send(json.dumps(record.__dict__).encode("utf-8"))


def main():
    _, address = sys.argv[1:]
    connected = threading.Event()
    socket = pynng.Pub0(send_buffer_size=128)
    socket.add_post_pipe_connect_cb(lambda pipe: connected.set())
    socket.dial(address, block=True)
    connected.wait()
    logging.basicConfig(level=logging.DEBUG, format="%(message)s", handlers=[NNGSocketHandler(socket)])
    log_all(logging.getLogger("myapp"))
    # NNG drops what it holds when it closes; standard input ends when the test has seen it all.
    sys.stdin.read()
    socket.close()


if __name__ == "__main__":
    main()

"""A sender in the shape of the Logging Cookbook's ZeroMQ handler: QueueHandler over a PUB socket."""

import logging
import logging.handlers
import sys

import zmq


class ZeroMQSocketHandler(logging.handlers.QueueHandler):
    def enqueue(self, record):
        self.queue.send_json(record.__dict__)

    def close(self):
        self.queue.close(linger=10_000)


def log_all(logger):
    logger.debug("debug message")
    logger.info("GET %s took %.3f ms", "/orders", 12.345)
    logger.warning("disk at %d%%", 91, extra={"user": "sheila", "tags": ["a", "b"]})
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception("computing failed")
    logger.log(25, "custom level")
    logging.getLogger(logger.name + ".lib").info("child logger")


def wait_for_subscriber(socket):
    """A PUB socket loses what it sends before a subscription; XPUB tells when one came."""
    while socket.recv() != b"\x01{":
        pass


def main():
    side, endpoint = sys.argv[1:]
    context = zmq.Context()
    socket = context.socket(zmq.XPUB)
    if side == "bind":
        socket.bind(endpoint)
        print(socket.getsockopt_string(zmq.LAST_ENDPOINT), flush=True)
    else:
        socket.connect(endpoint)
    wait_for_subscriber(socket)
    logging.basicConfig(level=logging.DEBUG, format="%(message)s", handlers=[handler := ZeroMQSocketHandler(socket)])
    log_all(logging.getLogger("myapp"))
    handler.close()
    context.term()


if __name__ == "__main__":
    main()

"""A worker process that logs through a handler of the Logging Cookbook's kind, over ZeroMQ.

It knows nothing of logbus: a QueueHandler that sends each record's dict over a PUB socket.
Usage: cookbook_worker.py NAME; it ends when its standard input does.
"""

import logging
import logging.handlers
import random
import sys
import threading

import zmq


class ZeroMQSocketHandler(logging.handlers.QueueHandler):
    def enqueue(self, record):
        self.queue.send_json(record.__dict__)


def work(logger, rng):
    logger.info("order %d of %s accepted", rng.randrange(10_000), rng.choice(["ann", "ben", "cleo"]))
    if rng.random() < 0.2:
        logger.warning("stock is low: %d left", rng.randrange(10), extra={"shelf": rng.randrange(40)})
    if rng.random() < 0.05:
        try:
            rng.randrange(10) / 0
        except ZeroDivisionError:
            logger.exception("price could not be computed")


def main():
    name = sys.argv[1]
    socket = zmq.Context.instance().socket(zmq.PUB)
    socket.connect("tcp://127.0.0.1:5556")
    logging.basicConfig(level=logging.DEBUG, format="%(message)s", handlers=[ZeroMQSocketHandler(socket)])
    logger = logging.getLogger(f"shop.{name}")
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    rng = random.Random(name)
    while not ended.wait(rng.uniform(0.2, 1.2)):
        work(logger, rng)
    socket.close(linger=1000)


if __name__ == "__main__":
    main()

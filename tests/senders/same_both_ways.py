"""Logs the same records twice: by Python's own handlers, and over a PUB socket.

Arguments: the configuration (JSON for dictConfig, else INI for fileConfig), the
folder that takes the place of ``FOLDER`` in it, and the endpoint to connect to.
"""

import json
import logging
import logging.config
import logging.handlers
import os
import random
import sys

import zmq

NAMES = ["shop", "shop.db", "shop.db.pool", "shop.web", "jobs", "jobs.nightly", "other", "root"]
LEVELS = [5, 10, 20, 25, 30, 40, 50]


def configure(path, folder):
    text = open(path).read().replace("FOLDER", folder)
    copy = os.path.join(folder, os.path.basename(path))
    with open(copy, "w") as file:
        file.write(text)
    if path.endswith(".json"):
        logging.config.dictConfig(json.loads(text))
    else:
        logging.config.fileConfig(copy, disable_existing_loggers=False)
    os.remove(copy)


def records(count):
    chance = random.Random(7)
    for number in range(count):
        level = chance.choice(LEVELS)
        message, args = chance.choice(
            [
                ("order %d of %s", (number, "ann")),
                ("plain grün", ()),
                ("%(who)s came", ({"who": "bob"},)),
                ("two\nlines", ()),
            ]
        )
        record = logging.LogRecord(
            chance.choice(NAMES), level, "/srv/shop/app.py", 40 + number % 7, message, args, None
        )
        record.created = 1795207453.25 + number / 8
        record.msecs = (record.created - int(record.created)) * 1000
        record.funcName = "handle"
        record.number = number
        record.user = chance.choice(["fred", "sheila", None])
        if number % 11 == 0:
            record.exc_text = "Traceback (most recent call last):\nValueError: v"
        if number % 13 == 0:
            record.stack_info = 'Stack (most recent call last):\n  File "x"'
        yield record


def main():
    path, folder, endpoint = sys.argv[1:]
    configure(path, folder)
    socket = zmq.Context().socket(zmq.XPUB)
    socket.connect(endpoint)
    assert socket.recv()[:1] == b"\x01"  # Somebody listens now.
    for record in records(1000):
        socket.send_json(record.__dict__)
        logger = logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)
    last = logging.LogRecord("last", 50, "x", 1, "that is all", (), None)
    socket.send_json(last.__dict__)
    logging.getLogger("last").handle(last)
    logging.shutdown()
    socket.close(linger=20_000)
    zmq.Context.instance().term()


if __name__ == "__main__":
    main()

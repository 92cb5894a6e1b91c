"""Python's own SocketHandler, stock or with makePickle overridden: `socket_handler.py KIND PORT NAME`."""

import collections
import decimal
import json
import logging
import logging.handlers
import pickle
import struct
import sys

from cookbook_zmq import log_all


class ProtocolHandler(logging.handlers.SocketHandler):
    """The same dict in another protocol."""

    protocol = 5

    def makePickle(self, record):
        attributes = pickle.loads(super().makePickle(record)[4:])
        body = pickle.dumps(attributes, self.protocol)
        return struct.pack(">L", len(body)) + body


class ObjectHandler(logging.handlers.SocketHandler):
    """The record itself instead of its dict."""

    def makePickle(self, record):
        record.msg, record.args, record.exc_info = record.getMessage(), None, None
        body = pickle.dumps(record)
        return struct.pack(">L", len(body)) + body


class JsonHandler(logging.handlers.SocketHandler):
    def makePickle(self, record):
        attributes = pickle.loads(super().makePickle(record)[4:])
        body = json.dumps(attributes).encode()
        return struct.pack(">L", len(body)) + body


class JsonLineHandler(JsonHandler):
    def makePickle(self, record):
        return super().makePickle(record)[4:] + b"\n"


class Oddity:
    """What no reader can import: it exists in this process only."""


KINDS = {
    "stock": logging.handlers.SocketHandler,
    "protocol": ProtocolHandler,
    "object": ObjectHandler,
    "json": JsonHandler,
    "line": JsonLineHandler,
}


def main():
    kind, port, name = sys.argv[1:]
    handler = KINDS[kind]("127.0.0.1", int(port))
    logging.basicConfig(level=logging.DEBUG, handlers=[handler])
    logger = logging.getLogger(name)
    log_all(logger)
    logger.info("żółw 🐢\nsecond line", stack_info=True)
    logger.info("x" * 100_000)
    if kind == "protocol":
        for handler.protocol in range(6):
            logger.info("protocol %d", handler.protocol)
    if kind == "stock":
        extra = {"user": Oddity(), "price": decimal.Decimal("1.50"), "by": collections.OrderedDict(a={7})}
        logger.info("objects", extra=extra)
    logger.info("the end")
    handler.close()


if __name__ == "__main__":
    main()

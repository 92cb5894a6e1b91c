"""Logbook's ZeroMQHandler, publishing or (multi) pushing. Logs when it is told to."""

import sys

import logbook
import zmq
from logbook.queues import ZeroMQHandler


def log_all(logger):
    logger.trace("trace message")
    logger.debug("debug message")
    logger.info("GET {} took {:.3f} ms", "/orders", 12.345)
    logger.notice("user {user} logged in", user="fred")
    logger.warn("disk at {}%", 91, extra={"user": "sheila"})
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception("computing failed")
    logger.critical("giving up")


def main():
    kind, endpoint = sys.argv[1:]
    handler = ZeroMQHandler(endpoint, multi=kind == "push")
    print(handler.socket.getsockopt_string(zmq.LAST_ENDPOINT), flush=True)
    logger = logbook.Logger("myapp.web")
    with handler.applicationbound():
        for command in sys.stdin:
            if command == "probe\n":
                logger.info("is anybody there?")
            else:
                log_all(logger)
    handler.close(linger=10_000)
    handler.context.term()


if __name__ == "__main__":
    main()

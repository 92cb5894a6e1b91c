"""pyzmq's own handler and logger, as its documentation shows them. Logs when it is told to."""

import logging
import sys

import zmq
from zmq.log.handlers import PUBHandler, TopicLogger


def log_all(logger, topic_logger):
    logger.debug("debug message")
    logger.info("GET %s took %.3f ms", "/orders", 12.345)
    logger.warning("db.pool::%d connections left", 3)
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception("computing failed")
    logger.critical("{not json}")
    # The methods named after levels raise TypeError in pyzmq 27.
    topic_logger.log(logging.INFO, "jobs.nightly", "run begins")


def main():
    endpoint, root_topic = sys.argv[1:]
    handler = PUBHandler(endpoint, root_topic=root_topic)
    print(handler.socket.getsockopt_string(zmq.LAST_ENDPOINT), flush=True)
    logger, topic_logger = logging.getLogger("any"), TopicLogger("any")
    for each in logger, topic_logger:
        each.setLevel(logging.DEBUG)
        each.addHandler(handler)
    for command in sys.stdin:
        if command == "probe\n":
            logger.info("is anybody there?")
        else:
            log_all(logger, topic_logger)
    handler.socket.close(linger=10_000)
    handler.ctx.term()


if __name__ == "__main__":
    main()

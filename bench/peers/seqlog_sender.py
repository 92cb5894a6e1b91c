"""seqlog, posting events to a server as fast as it takes them.

    seqlog_sender.py SERVER COUNT

Its batches are as large as logsub's. It says when it began, in ns since 1970, and ends with its input.
"""

import logging
import sys
import time

import seqlog

BATCH = 1000
MESSAGE = "GET /api/orders/1017 user=fred took 12.345 ms"


def main():
    seqlog.log_to_seq(
        server_url=sys.argv[1],
        level=logging.INFO,
        batch_size=BATCH,
        auto_flush_timeout=1,
        override_root_logger=True,
    )
    logger = logging.getLogger("myapp.http")
    print(f"begin {time.time_ns()}", flush=True)
    for _ in range(int(sys.argv[2])):
        logger.info(MESSAGE)
    for handler in logging.getLogger().handlers:
        handler.flush()
    print("sent", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()

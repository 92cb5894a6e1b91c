"""An application that logs with seqlog: `seqlog_sender.py classic|clef URL KEY`."""

import logging
import sys

import seqlog


def main():
    form, url, key = sys.argv[1:]
    seqlog.set_global_log_properties(Application="orders")
    handler = seqlog.log_to_seq(
        server_url=url,
        api_key=key,
        level=logging.DEBUG,
        batch_size=1,
        auto_flush_timeout=0.1,
        override_root_logger=True,
        support_extra_properties=True,
        use_clef=form == "clef",
    )
    logging.getLogger("urllib3").propagate = False
    logger = logging.getLogger("shop.orders")
    logger.debug("starting %s", form)
    logger.info("order {order_id} took {ms} ms", order_id=17, ms=12.345)
    logger.warning("disk at {pct}%", pct=91, user="sheila")
    try:
        1 / 0
    except ZeroDivisionError:
        logger.error("computing {what} failed", what="ratio", exc_info=True)
    logger.critical("żółw 🐢 {x}", x={"a": [1, 2]})
    logger.info("not a number: {n}", n=float("nan"))
    logger.info("the end")
    # seqlog's own flushing loses what it holds when the process ends; standard input ends when the
    # test has seen it all.
    sys.stdin.read()
    handler.consumer.stop()


if __name__ == "__main__":
    main()

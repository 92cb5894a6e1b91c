"""What a record carries when it comes out at the other end."""

import asyncio
import contextvars
import io
import json
import logging
import logging.config
import sys

import logbus
import pytest


def attach(logger, wire, **options):
    handler = logbus.Handler(wire.endpoint, **options)
    logger.addHandler(handler)
    return handler


def test_the_template_and_its_arguments_stay_beside_the_message(wire, logger):
    attach(logger, wire)
    logger.warning("order %d of %s", 7, "ann")
    record = wire.record()
    assert record["message"] == "order 7 of ann"
    assert (record["msg"], record["args"]) == ("order %d of %s", [7, "ann"])
    assert (record["levelname"], record["levelno"]) == ("WARNING", 30)
    assert record["name"] == logger.name
    assert record["funcName"] == "test_the_template_and_its_arguments_stay_beside_the_message"
    assert record["filename"] == "test_handler.py" and record["process"] > 0


def test_every_attribute_of_a_log_record_travels(wire, logger):
    attach(logger, wire)
    made = logging.makeLogRecord({})
    logger.info("x")
    missing = set(made.__dict__) - set(wire.record())
    assert missing == set()


@pytest.mark.parametrize("codec", ["msgpack", "json"])
def test_both_codecs_carry_the_same_record(wire, logger, codec):
    attach(logger, wire, codec=codec)
    logger.info("%s", "grün\n", extra={"user": "fred", "n": 2**70, "list": [1, None, {"a": 1.5}]})
    record = wire.record()
    assert record["message"] == "grün\n"
    assert (record["user"], record["n"], record["list"]) == ("fred", 2**70, [1, None, {"a": 1.5}])


def test_it_works_over_nng_as_over_zeromq(either_wire, logger):
    attach(logger, either_wire)
    for number in range(100):
        logger.info("record %d", number)
    messages = [record["message"] for record in either_wire.records(100)]
    assert messages == [f"record {number}" for number in range(100)]


def test_an_exception_keeps_its_text_type_module_and_value(wire, logger):
    attach(logger, wire)
    try:
        {}["rate"]
    except KeyError:
        logger.exception("no rate")
    record = wire.record()
    assert record["exc_text"].splitlines()[0] == "Traceback (most recent call last):"
    assert record["exc_text"].splitlines()[-1] == "KeyError: 'rate'"
    assert (record["exc_type"], record["exc_module"]) == ("KeyError", "builtins")
    assert (record["exc_value"], record["exc_info"]) == ("'rate'", None)
    assert record["message"] == "no rate"


def test_a_formatter_of_the_handler_writes_the_traceback(wire, logger):
    class OneLine(logging.Formatter):
        def formatException(self, exc_info):
            return repr(exc_info[1])

    attach(logger, wire).setFormatter(OneLine())
    logger.error("x", exc_info=ValueError("bad"))
    assert wire.record()["exc_text"] == "ValueError('bad')"


def test_other_handlers_find_the_record_as_it_was(wire, logger):
    attach(logger, wire)
    out = io.StringIO()
    logger.addHandler(logging.StreamHandler(out))
    logger.error("%s!", "x", exc_info=ValueError("bad"))
    assert out.getvalue().startswith("x!\n") and "ValueError: bad" in out.getvalue()
    assert wire.record()["msg"] == "%s!"


def test_what_another_formatter_left_behind_does_not_travel(wire, logger):
    logger.addHandler(logging.StreamHandler(io.StringIO()))
    logger.handlers[0].setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    attach(logger, wire)
    logger.info("x")
    record = wire.record()
    assert record["message"] == "x" and "asctime" not in record


def test_stack_info_stays_a_field_of_its_own(wire, logger):
    attach(logger, wire)
    logger.info("here", stack_info=True)
    record = wire.record()
    assert record["message"] == "here"
    assert record["stack_info"].startswith("Stack (most recent call last):")


def test_what_adapters_filters_factories_and_subclasses_add_arrives(wire, logger):
    class Tagged(logging.LogRecord):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.tag = "made by a factory"

    def add_host(record):
        record.tenant = "north"
        return True

    handler = attach(logger, wire)
    handler.addFilter(add_host)
    logging.setLogRecordFactory(Tagged)
    try:
        logging.LoggerAdapter(logger, {"request": "r-1"}).info("hello %s", "you")
    finally:
        logging.setLogRecordFactory(logging.LogRecord)
    record = wire.record()
    assert (record["tag"], record["tenant"]) == ("made by a factory", "north")
    assert (record["request"], record["message"]) == ("r-1", "hello you")


def test_a_filter_can_hold_a_record_back(wire, logger):
    attach(logger, wire).addFilter(lambda record: "secret" not in record.msg)
    logger.info("secret")
    logger.info("public")
    assert wire.record()["message"] == "public"


def test_the_handlers_level_counts(wire, logger):
    attach(logger, wire, level="ERROR")
    logger.warning("no")
    logger.error("yes")
    assert wire.record()["message"] == "yes"


# The classes of the Logging Cookbook, "Use of alternative formatting styles" and "Implementing
# structured logging".


class BraceMessage:
    def __init__(self, fmt, *args, **kwargs):
        self.fmt, self.args, self.kwargs = fmt, args, kwargs

    def __str__(self):
        return self.fmt.format(*self.args, **self.kwargs)


class StructuredMessage:
    def __init__(self, message, **kwargs):
        self.message, self.kwargs = message, kwargs

    def __str__(self):
        return f"{self.message} >>> {self.kwargs}"


@pytest.mark.parametrize(
    "msg, message",
    [
        (BraceMessage("{} and {b}", 1, b=2), "1 and 2"),
        (StructuredMessage("m", a=1), "m >>> {'a': 1}"),
        (KeyError("x"), "'x'"),
        (17, "17"),
        (None, "None"),
    ],
)
def test_a_message_may_be_any_object(wire, logger, msg, message):
    attach(logger, wire)
    logger.info(msg)
    assert wire.record()["message"] == message


def test_arguments_that_do_not_fit_cost_the_rendering_not_the_record(wire, logger):
    attach(logger, wire)
    logger.info("%d of %d", "one")
    record = wire.record()
    assert (record["message"], record["args"]) == ("%d of %d", ["one"])
    assert "format" in record["message_error"]


def test_a_dict_of_arguments_stays_one(wire, logger):
    attach(logger, wire)
    logger.info("%(a)s", {"a": 1})
    record = wire.record()
    assert (record["message"], record["args"]) == ("1", {"a": 1})


def test_fields_for_every_record_come_from_a_dict_or_from_contextvars(wire, logger):
    request = contextvars.ContextVar("request", default="none")
    attach(logger, wire, extra=lambda: {"request": request.get(), "name": "mine"})
    request.set("r-7")
    logger.info("x")
    record = wire.record()
    assert (record["request"], record["name"], record["extra_name"]) == ("r-7", logger.name, "mine")


def test_no_name_comes_twice_beside_an_exception(wire, logger):
    attach(logger, wire, codec="json", extra={"exc_type": "handler's"})
    own = {"exc_module": "mine", "exc_value": 7, "message_error": "also mine"}
    try:
        raise ValueError("v")
    except ValueError:
        logger.exception("x", extra=own)
    record = wire.record()
    assert (record["exc_type"], record["exc_value"]) == ("ValueError", "v")
    assert (record["extra_exc_type"], record["extra_exc_value"]) == ("handler's", 7)
    assert (record["extra_exc_module"], record["message_error"]) == ("mine", "also mine")
    (payload,) = [frames[2] for frames in wire.raw if b"exc_type" in frames[2]]
    pairs = json.loads(payload, object_pairs_hook=list)
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names))


def test_no_name_comes_twice_beside_a_template_that_does_not_fit(wire, logger):
    attach(logger, wire)
    logger.info("%d", "x", extra={"message_error": "mine"})
    record = wire.record()
    assert record["extra_message_error"] == "mine"
    assert "%d format" in record["message_error"]


class Name(str):
    """A key that is text, but not exactly."""


def test_a_key_derived_from_str_is_the_name_that_it_spells(wire, logger):
    attach(logger, wire)
    made = logger.makeRecord(logger.name, 20, "f", 1, "right", (), None)
    made.__dict__[Name("message")] = "left behind by a formatter"
    made.__dict__[Name("user")] = "ann"
    logger.handle(made)
    record = wire.record()
    assert (record["message"], record["user"]) == ("right", "ann")


def test_an_extra_that_raises_costs_its_fields_not_the_record(wire, logger):
    attach(logger, wire, extra=lambda: 1 / 0)
    logger.info("x")
    record = wire.record()
    assert record["message"] == "x" and "ZeroDivisionError" in record["extra_error"]


def test_a_prefix_stands_before_the_topic(wire, logger):
    attach(logger, wire, topic_prefix="shop")
    logger.info("x")
    wire.record()
    assert wire.received[0][0] == f"shop.{logger.name}".replace("..", ".")
    assert wire.received[0][3]["name"] == logger.name


def test_the_sender_has_the_name_it_is_given(wire, logger):
    attach(logger, wire, program="shop-web")
    logger.info("x")
    wire.record()
    assert [identity["program"] for identity in wire.heartbeats.values()] == ["shop-web"]


def test_a_subclass_may_have_its_own_emit(wire, logger):
    class Shouting(logbus.Handler):
        def emit(self, record):
            record.msg = record.msg.upper()
            super().emit(record)

    logger.addHandler(Shouting(wire.endpoint))
    logger.info("x")
    assert wire.record()["message"] == "X"


def test_what_is_no_record_goes_to_handle_error(wire, logger, capsys):
    handler = attach(logger, wire)
    handler.handle(object())
    assert "--- Logging error ---" in capsys.readouterr().err
    logger.info("still here")
    assert wire.record()["message"] == "still here"


def test_basic_config(wire):
    root = logging.getLogger()
    before = root.handlers[:]
    try:
        logging.basicConfig(level="INFO", handlers=[logbus.Handler(wire.endpoint)], force=True)
        logging.info("configured")
        assert wire.record()["name"] == "root"
    finally:
        logging.basicConfig(handlers=before or [logging.NullHandler()], force=True)


def test_dict_config(wire):
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {
                "bus": {
                    "class": "logbus.Handler",
                    "endpoint": wire.endpoint,
                    "codec": "json",
                    "level": "INFO",
                    "extra": {"site": "north"},
                }
            },
            "loggers": {"configured": {"level": "DEBUG", "handlers": ["bus"], "propagate": False}},
        }
    )
    logging.getLogger("configured").debug("no")
    logging.getLogger("configured").info("yes")
    record = wire.record()
    assert (record["message"], record["site"]) == ("yes", "north")


def test_file_config(wire, tmp_path):
    path = tmp_path / "logging.ini"
    path.write_text(
        f"""
[loggers]
keys=root,filed
[handlers]
keys=bus
[formatters]
keys=
[logger_root]
handlers=
[logger_filed]
level=INFO
handlers=bus
propagate=0
qualname=filed
[handler_bus]
class=logbus.Handler
args=({wire.endpoint!r},)
kwargs={{"linger": 2.0}}
"""
    )
    logging.config.fileConfig(path, disable_existing_loggers=False)
    logging.getLogger("filed").info("from a file")
    assert wire.record()["message"] == "from a file"


def test_the_environment_gives_the_endpoint(wire, logger, monkeypatch):
    monkeypatch.setenv("LOGBUS_ENDPOINT", wire.endpoint)
    logger.addHandler(logbus.Handler())
    logger.info("x")
    wire.record()


@pytest.mark.parametrize(
    "options, problem",
    [
        ({"endpoint": "5556"}, "endpoint: .*5556.*tcp://HOST:PORT"),
        ({"codec": "pickle"}, "codec: .*json, msgpack"),
        ({"overflow": "drop"}, "overflow: .*discard-newest, discard-oldest, block"),
        ({"hold": -1}, "hold: -1 is no time"),
        ({"queue_records": 0}, "queue_records: 0 is no bound"),
        ({"topic_prefix": "a..b"}, "topic_prefix: a topic has text on both sides"),
    ],
)
def test_a_wrong_option_is_named_with_what_could_be(options, problem):
    with pytest.raises(ValueError, match=problem):
        logbus.Handler(**options)


def test_what_became_of_the_records_can_be_asked(wire, logger):
    handler = attach(logger, wire)
    for _ in range(10):
        logger.info("x")
    wire.records(10)
    assert handler.flush(10)
    stats = handler.stats()
    assert (stats["published"], stats["sent"], stats["queued"]) == (10, 10, 0)
    assert stats["discarded"] == {} and stats["messages"] >= 1


def test_a_full_queue_discards_the_newest_or_the_oldest_and_counts(logger):
    nowhere = "tcp://127.0.0.1:9"
    bounds = {"queue_records": 3, "hold": 1000, "linger": 0, "report": False}
    for overflow in ("discard-newest", "discard-oldest", "block"):
        handler = logbus.Handler(nowhere, overflow=overflow, block=0.01, **bounds)
        logger.addHandler(handler)
        for number in range(10):
            logger.info("%d", number)
        assert handler.stats()["discarded"] == {"queue full": 7}
        assert handler.stats()["queued"] == 3


def test_a_handler_says_at_its_end_what_was_not_handed_over(logger, capsys):
    handler = logbus.Handler("tcp://127.0.0.1:9", hold=1000, linger=0.05)
    logger.addHandler(handler)
    logger.info("nobody hears this")
    logger.removeHandler(handler)
    handler.close()
    told = capsys.readouterr().err
    assert told == "logbus: 1 records were not handed over (still queued: 1)\n"


def test_asyncio_tasks_log_while_others_run(wire, logger):
    attach(logger, wire)

    async def work(number):
        logger.info("%d begins", number)
        await asyncio.sleep(0)
        logger.info("%d ends", number)

    async def main():
        await asyncio.gather(*(work(number) for number in range(20)))

    asyncio.run(main())
    records = wire.records(40)
    assert len({record["message"] for record in records}) == 40
    if sys.version_info >= (3, 12):
        assert all(record["taskName"].startswith("Task-") for record in records)

"""Durable delivery: acknowledgements, spools, forks, SIGKILL.

The broker here is written from ``schemas/WIRE.md`` alone.
"""

import errno
import logging
import logging.config
import signal
import socket
import subprocess
import textwrap
import threading
import time
from collections import defaultdict
from pathlib import Path

import logbus
import msgpack
import pytest
import zmq
from conftest import HEARTBEAT, PATIENCE, decode, parse

MAGIC = b"\xc1LB\x01"


class Broker:
    """A durable endpoint that keeps what it was sent, also while it is away."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.endpoint = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        self.records = defaultdict(list)
        """(sender, topic) -> records, in order"""
        self.identities = {}
        """sender -> the latest identity"""
        self.faults = []
        self.refused = set()
        """Topics that nobody may publish under."""
        self.thread = None

    def come(self):
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def go(self):
        if self.thread is not None:
            self.stop.set()
            self.thread.join()
            self.thread = None

    def serve(self):
        router = zmq.Context.instance().socket(zmq.ROUTER)
        router.linger = 200
        until(lambda: is_bound(router, self.endpoint), "free port")
        greeted = set()
        while not self.stop.is_set():
            if not router.poll(20):
                continue
            peer, command, *native = router.recv_multipart()
            assert command.startswith(MAGIC)
            letter = command[4:5]
            if letter == b"H":
                greeted.add(peer)
                say(router, peer, b"W", credit=10, max_message=1 << 24, fsync="always")
            elif letter == b"P":
                if peer not in greeted:
                    self.faults.append("published before hello")
                self.take(router, peer, *parse(*native))
        router.close()

    def take(self, router, peer, topic, header, payload):
        place = {"sender": header.sender, "topic": topic}
        if topic in self.refused and header.count:
            where = {**place, "sequence": header.sequence, "records": header.count}
            say(router, peer, b"X", code="right", reason="not yours", **where)
            return
        records = self.records[header.sender, topic]
        if header.sequence > len(records):
            self.faults.append(f"{topic}: {header.sequence} came and {len(records)} was next")
        if header.flags & HEARTBEAT:
            (self.identities[header.sender],) = decode(header, payload)
        elif header.sequence == len(records):
            records.extend(decode(header, payload))
        say(router, peer, b"A", next=len(records), **place)

    def messages(self):
        every = [record["message"] for records in self.records.values() for record in records]
        assert not self.faults
        assert len(set(every)) == len(every), "a record came twice"
        return sorted(every)

    def until(self, count):
        until(lambda: sum(map(len, self.records.values())) >= count, f"{count} records")
        messages = self.messages()
        assert len(messages) == count
        return messages


def say(router, peer, letter, **fields):
    router.send_multipart([peer, MAGIC + letter + msgpack.packb(fields)])


def is_bound(router, endpoint):
    """A socket that was closed leaves its port a moment later."""
    try:
        router.bind(endpoint)
    except zmq.ZMQError as error:
        assert error.errno == errno.EADDRINUSE
        return False
    return True


def until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(0.005)


def spools(folder):
    return sorted(Path(folder).glob("*.*.*"))


@pytest.fixture
def broker():
    broker = Broker()
    yield broker
    broker.go()


@pytest.fixture
def durable(broker, logger):
    """Adds a handler that delivers durably."""

    def add(**options):
        handler = logbus.Handler(
            delivery="durable", durable_endpoint=broker.endpoint, report=False, **options
        )
        logger.addHandler(handler)
        return handler

    return add


def test_flush_waits_for_acknowledgements(broker, durable, logger):
    handler = durable()
    for number in range(100):
        logger.info("record %d", number)
    assert not handler.flush(0.2)
    broker.come()
    assert handler.flush(PATIENCE)
    assert len(broker.messages()) == 100
    stats = handler.stats()
    assert (stats["published"], stats["acknowledged"]) == (100, 100)
    assert handler.shutdown(PATIENCE)["acknowledged"] == 100


def test_what_a_broker_refuses_is_counted(broker, durable, logger):
    broker.refused.add(logger.name)
    broker.come()
    handler = durable()
    logger.info("secret")
    assert handler.flush(PATIENCE)
    assert handler.stats()["discarded"] == {"refused: right": 1}


def test_what_is_not_acknowledged_stays_in_the_spool_and_is_adopted(
    broker, durable, logger, tmp_path
):
    handler = durable(spool=tmp_path, program="shop")
    for number in range(50):
        logger.info("before %d", number)
    report = handler.shutdown(0.1)
    assert (report["kept"], report["left"]) == (50, 0)
    assert len(spools(tmp_path)) == 1
    broker.come()
    logger.info("after")
    assert handler.flush(PATIENCE)
    assert handler.stats()["adopted"]["acknowledged"] == 50
    assert len(broker.until(51)) == 51
    handler.close()
    assert spools(tmp_path) == []


def test_dict_config_knows_every_option(broker, tmp_path):
    broker.come()
    logging.config.dictConfig(
        {
            "version": 1,
            "handlers": {
                "bus": {
                    "class": "logbus.Handler",
                    "delivery": "durable",
                    "durable_endpoint": broker.endpoint,
                    "spool": str(tmp_path),
                    "spool_bytes": 1_000_000,
                    "fsync": "always",
                    "window_messages": 10,
                    "window_bytes": 100_000,
                }
            },
            "loggers": {"configured": {"handlers": ["bus"], "level": "INFO"}},
        }
    )
    logger = logging.getLogger("configured")
    logger.info("hello")
    handler = logger.handlers.pop()
    assert handler.flush(PATIENCE)
    handler.close()
    assert broker.messages() == ["hello"]


@pytest.mark.parametrize(
    "options, named",
    [
        ({"delivery": "certain"}, "delivery: "),
        ({"spool": "/tmp"}, "spool: "),
        ({"delivery": "durable", "fsync": "often"}, "fsync: "),
        ({"delivery": "durable", "window_messages": 0}, "window_messages: "),
        ({"delivery": "durable", "spool_bytes": 0}, "spool_bytes: "),
        ({"delivery": "durable", "durable_endpoint": "nowhere"}, "durable_endpoint: "),
    ],
)
def test_an_option_that_cannot_be_is_named(options, named):
    with pytest.raises(ValueError, match=named):
        logbus.Handler(**options)


SETUP = """
import logging, os, signal, sys
import logbus
log = logging.getLogger("app")
log.setLevel("INFO")
handler = logbus.Handler(
    delivery="durable", durable_endpoint=sys.argv[1], spool=sys.argv[2], program="app", linger=0.2
)
log.addHandler(handler)
def spooled(count):
    while handler.stats()["sent"] < count:
        pass
"""


@pytest.fixture
def program(python, broker, tmp_path):
    """Runs a program that logs to the broker, with a spool."""

    def run(code):
        return python(SETUP + textwrap.dedent(code), broker.endpoint, str(tmp_path / "spool"))

    return run


KILLED = """
for number in range(500):
    log.info("%s %d", "killed", number)
spooled(500)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_sigkill_loses_nothing_that_was_spooled(broker, program, tmp_path):
    killed = program(KILLED)
    assert killed.wait(PATIENCE) == -signal.SIGKILL
    assert len(spools(tmp_path / "spool")) == 1
    broker.come()
    process = program("log.info('next'); assert handler.flush(20)")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert len(broker.until(501)) == 501
    assert spools(tmp_path / "spool") == []


def test_logpub_drains_what_a_killed_process_left(broker, program, tmp_path):
    logpub = Path(__file__).parents[3] / "target/debug/logpub"
    if not logpub.exists():
        pytest.skip("logpub is not built")
    assert program(KILLED).wait(PATIENCE) == -signal.SIGKILL
    drain = [logpub, "--drain", tmp_path / "spool", "--durable-endpoint", broker.endpoint]
    failed = subprocess.run([*drain, "--linger", "0.2"], stderr=subprocess.PIPE, text=True)
    assert (failed.returncode, "500 records" in failed.stderr) == (1, True), failed.stderr
    broker.come()
    subprocess.run(drain, check=True, timeout=PATIENCE)
    assert len(broker.until(500)) == 500
    assert spools(tmp_path / "spool") == []


def test_forked_children_have_spools_of_their_own(broker, program, tmp_path):
    process = program(
        """
        log.info("parent before")
        spooled(1)
        children = []
        for child in range(3):
            pid = os.fork()
            if pid == 0:
                for number in range(100):
                    log.info("child %d %d", child, number)
                spooled(100)
                os.kill(os.getpid(), signal.SIGKILL)
            children.append(pid)
        for pid in children:
            os.waitpid(pid, 0)
        log.info("parent after")
        spooled(2)
        print(len(os.listdir(sys.argv[2])), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL, err
    pids = {int(path.name.split(".")[1]) for path in spools(tmp_path / "spool")}
    assert process.pid in pids, "no child took or removed its parent's spool"
    broker.come()
    process = program("assert handler.flush(20); log.info('next'); assert handler.flush(20)")
    assert process.wait(PATIENCE) == 0, process.stderr.read()
    broker.until(303)
    pids = {identity["pid"] for identity in broker.identities.values()}
    assert len(pids) == 5, "each process under its own name"
    assert spools(tmp_path / "spool") == []


def test_a_child_that_lives_on_does_not_keep_its_parents_spool(broker, program, tmp_path):
    process = program(
        """
        log.info("parent")
        spooled(1)
        if os.fork() == 0:
            sys.stdin.read()
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert process.wait(PATIENCE) == -signal.SIGKILL
    broker.come()
    heir = program("log.info('heir'); assert handler.flush(20)")
    assert heir.wait(PATIENCE) == 0, heir.stderr.read()
    assert broker.until(2) == ["heir", "parent"]
    assert spools(tmp_path / "spool") == []


def test_an_outage_is_bridged_without_waiting(broker, program, tmp_path):
    broker.come()
    process = program(
        """
        for line in sys.stdin:
            log.info("line %s", line.strip())
        assert handler.flush(20)
        """
    )
    for number in range(300):
        if number in (100, 250):
            broker.go()
        if number == 200:
            broker.come()
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
    broker.come()
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert len(broker.until(300)) == 300

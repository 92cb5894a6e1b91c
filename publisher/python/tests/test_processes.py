"""Forks, exits, signals and threads: every record of every process arrives once."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from conftest import NngWire

SETUP = """
import logging, os, sys
import logbus
log = logging.getLogger("app")
log.setLevel("INFO")
log.addHandler(logbus.Handler())
"""


def finished(process, status=0):
    out, err = process.communicate(timeout=120)
    assert process.returncode == status, err
    return out, err


def run_script(wire, script, *args):
    environment = {**os.environ, "LOGBUS_ENDPOINT": wire.endpoint}
    command = [sys.executable, script, *args]
    subprocess.run(command, env=environment, cwd=script.parent, check=True, timeout=60)


def run(python, code, *args, **options):
    return python(SETUP + textwrap.dedent(code), *args, **options)


def test_a_program_that_just_ends_loses_nothing(wire, python):
    finished(run(python, "for i in range(5000): log.info('%d', i)"))
    messages = [record["message"] for record in wire.records(5000)]
    assert messages == [str(number) for number in range(5000)]
    wire.until(lambda: wire.ended, "goodbye")


def test_a_child_that_was_forked_after_the_handler_was_made_is_a_sender_of_its_own(wire, python):
    process = run(
        python,
        """
        log.info("parent before")
        children = []
        for child in range(4):
            pid = os.fork()
            if pid == 0:
                for i in range(100):
                    log.info("child %d record %d", child, i)
                sys.exit(0)
            children.append(pid)
        for pid in children:
            assert os.waitpid(pid, 0)[1] == 0
        log.info("parent after")
        """,
    )
    finished(process)
    wire.records(402)
    senders = wire.by_sender()
    assert sorted(len(messages) for messages in senders.values()) == [2, 100, 100, 100, 100]
    assert ["parent before", "parent after"] in senders.values()
    pids = {identity["pid"] for identity in wire.heartbeats.values()}
    assert len(pids) == 5


def test_a_child_that_configures_logging_anew_and_forgets_the_old_handler_ends_in_order(wire, python):
    process = run(
        python,
        """
        import gc
        log.info("parent")
        pid = os.fork()
        if pid == 0:
            [old] = log.handlers
            log.removeHandler(old)
            # Its sender gets the memory, and so the thread id, that the parent's had.
            new = logbus.Handler()
            log.addHandler(new)
            log.info("child 0")
            logging._handlers.clear()
            logging._handlerList[:] = [reference for reference in logging._handlerList if reference() is new]
            del old
            gc.collect()
            log.info("child 1")
            assert new.flush() is not False
            new.close()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        """,
    )
    finished(process)
    messages = sorted(record["message"] for record in wire.records(3))
    assert messages == ["child 0", "child 1", "parent"]
    wire.until(lambda: len(wire.ended) == 2, "two goodbyes")


def test_threads_that_log_while_the_process_forks_lose_nothing_and_stop_nothing(wire, python):
    process = run(
        python,
        """
        import threading
        def work(name):
            for i in range(2000):
                log.info("%s %d", name, i)
        threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(3)]
        for thread in threads:
            thread.start()
        children = []
        for child in range(5):
            pid = os.fork()
            if pid == 0:
                log.info("child %d", child)
                logging.shutdown()
                os._exit(0)
            children.append(pid)
        for pid in children:
            assert os.waitpid(pid, 0)[1] == 0
        for thread in threads:
            thread.join()
        """,
    )
    finished(process)
    messages = [record["message"] for record in wire.records(6005)]
    assert len(set(messages)) == 6005
    wire.by_sender()


MULTIPROCESSING = """
import multiprocessing
def work(number):
    log.info("worker %d", number)
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    workers = [context.Process(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    log.info("all done")
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_children_of_multiprocessing_hand_over_what_they_logged(wire, tmp_path, method):
    script = tmp_path / "main.py"
    script.write_text(SETUP + MULTIPROCESSING)
    run_script(wire, script, method)
    messages = sorted(record["message"] for record in wire.records(5))
    assert messages == ["all done", *(f"worker {number}" for number in range(4))]
    wire.until(lambda: len(wire.ended) == 5, "five goodbyes")


def test_a_pool_of_processes_hands_over_what_it_logged(wire, tmp_path):
    script = tmp_path / "main.py"
    script.write_text(
        SETUP
        + textwrap.dedent(
            """
            from concurrent.futures import ProcessPoolExecutor
            def work(number):
                log.info("task %d", number)
            if __name__ == "__main__":
                with ProcessPoolExecutor(3) as pool:
                    list(pool.map(work, range(50)))
            """
        )
    )
    run_script(wire, script)
    assert len({record["message"] for record in wire.records(50)}) == 50


FIRST_RECORDS = """
import logging, os, threading
import logbus
log = logging.getLogger("app")
log.setLevel("INFO")
log.addHandler(logbus.Handler(linger=0))
threads = [threading.Thread(target=log.info, args=("thread",), kwargs={"extra": {"s": {1}}})
           for _ in range(4)]
for thread in threads:
    thread.start()
children = []
for child in range(4):
    pid = os.fork()
    if pid == 0:
        log.info("child")
        os._exit(0)
    children.append(pid)
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
os._exit(0)
"""


def test_a_fork_among_the_very_first_records_leaves_no_child_waiting(python):
    # What is made for a first record is what a fork could break off; so there are many first ones.
    for _ in range(40):
        assert python(FIRST_RECORDS, endpoint="tcp://127.0.0.1:9").wait(timeout=30) == 0


def test_what_was_flushed_over_nng_outlives_os_exit(python):
    """ZeroMQ cannot say when its own thread has written; NNG's sockets here can."""
    wire = NngWire()
    process = run(
        python,
        """
        log.info("handed over")
        assert log.handlers[0].flush(20)
        os._exit(3)
        """,
        endpoint=wire.endpoint,
    )
    finished(process, 3)
    assert wire.record()["message"] == "handed over"
    wire.close()
    assert not wire.ended, "nobody said goodbye"


def test_without_a_bus_a_program_ends_within_its_linger(python):
    begun = time.monotonic()
    process = run(
        python, "for i in range(1000): log.info('%d', i)", endpoint="tcp://127.0.0.1:9"
    )
    _, err = finished(process)
    # One linger of a second, and a start of Python.
    assert time.monotonic() - begun < 20
    assert err == "logbus: 1000 records were not handed over (still queued: 1000)\n"


def test_signal_handlers_and_del_may_log_in_the_middle_of_a_record(wire, python):
    process = run(
        python,
        """
        import gc, signal
        count = 0
        class Dying:
            def __init__(self): self.cycle = self
            def __del__(self):
                global count
                count += 1
                log.info("a cycle died")
        def on_alarm(signum, frame):
            global count
            count += 1
            log.info("signal")
        class Value:
            def __str__(self):
                global count
                count += 1
                log.info("from str")
                return "value"
        signal.signal(signal.SIGALRM, on_alarm)
        signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
        gc.set_threshold(5)
        for i in range(3000):
            Dying()
            log.info("main %d", i, extra={"value": Value()})
            count += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        gc.collect()
        assert log.handlers[0].flush(20)
        print(count, flush=True)
        """,
    )
    out, _ = finished(process)
    count = int(out)
    assert count > 9000
    wire.records(count)
    wire.by_sender()


def test_many_threads_share_one_handler(wire, python):
    process = run(
        python,
        """
        import threading
        def work(name):
            for i in range(1000):
                log.info("%s %d", name, i)
        threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """,
    )
    finished(process)
    messages = [record["message"] for record in wire.records(8000)]
    for name in range(8):
        own = [message for message in messages if message.startswith(f"t{name} ")]
        assert own == [f"t{name} {number}" for number in range(1000)]


def test_a_million_records_to_nobody_stay_within_the_bounds(python):
    """Memory with no subscriber: the queue's bounds, and nothing else."""
    process = python(
        textwrap.dedent(
            """
            import logging, resource, logbus
            def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            handler = logbus.Handler("tcp://127.0.0.1:9", hold=3600, linger=0.1, report=False,
                                     queue_records=1_000_000_000, queue_bytes=32 << 20)
            log = logging.getLogger("app")
            log.setLevel("INFO")
            log.addHandler(handler)
            before = peak()
            for i in range(1_000_000):
                log.info("%d", i)
            stats = handler.stats()
            assert stats["published"] == 1_000_000
            assert stats["queued"] + stats["discarded"]["queue full"] == 1_000_000
            print(peak() - before, flush=True)
            """
        )
    )
    out, _ = finished(process)
    # The bound counts encoded bytes; the allocator and the queue's own cells come on top.
    assert int(out) < 3 * (32 << 20)


def test_sigkill_leaves_a_sender_without_goodbye(wire, python):
    process = run(
        python,
        """
        log.info("alive")
        sys.stdin.read()
        """,
    )
    assert wire.record()["message"] == "alive"
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    assert not wire.ended

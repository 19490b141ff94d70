"""A pool of processes has little to do at a time, so that it can be closed in the middle."""

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from joblib.externals.loky import ProcessPoolExecutor

import audiointerp.events.workers as scan_workers
from audiointerp.cli import report_clips
from audiointerp.util import few_at_a_time


class Counting(ThreadPoolExecutor):
    """A pool of threads in place of loky's; it counts what waits for it."""

    most = 0

    def __init__(self, workers, **_):
        super().__init__(workers)
        self.unfinished = 0

    def submit(self, function, *given):
        future = super().submit(function, *given)
        self.unfinished += 1
        Counting.most = max(Counting.most, self.unfinished)
        future.add_done_callback(self._finished)
        return future

    def _finished(self, _):
        self.unfinished -= 1

    def shutdown(self, wait=True, **_):
        super().shutdown(wait)


@pytest.fixture(autouse=True)
def _counting(monkeypatch):
    monkeypatch.setattr(Counting, "most", 0)
    for module in (report_clips, scan_workers):
        monkeypatch.setattr(module, "ProcessPoolExecutor", Counting)


class Slow:
    def made(self, number):
        time.sleep(0.01)
        return number**2

    def scan(self, classifier, name, path):
        time.sleep(0.01)


def test_a_report_gives_its_workers_a_few_clips_at_a_time(monkeypatch):
    monkeypatch.setattr(report_clips, "_worker", [Slow()])
    made = dict(report_clips._made(Slow(), range(12), 2))
    assert made == {number: number**2 for number in range(12)}
    assert 2 <= Counting.most <= 3


def test_a_scan_gives_its_workers_a_few_recordings_at_a_time(monkeypatch):
    monkeypatch.setattr(scan_workers, "_worker", [Slow(), None])
    recordings = [(str(number), None) for number in range(12)]
    assert len(list(scan_workers.scan_all(Slow(), None, recordings, 2))) == 12
    assert 2 <= Counting.most <= 3


def test_an_error_of_an_item_is_that_of_its_future():
    with ThreadPoolExecutor(2) as pool:
        done = few_at_a_time(lambda text: pool.submit(int, text), ["1", "two", "3"], 2)
        errors = {text: type(future.exception()) for text, future in done}
    assert errors == {"1": type(None), "two": ValueError, "3": type(None)}


def test_a_pool_that_is_closed_in_the_middle_says_nothing(monkeypatch):
    """With all items in the pool at once, a thread of loky fails with a KeyError, often."""
    failed = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    executor = ProcessPoolExecutor(2)
    done = few_at_a_time(lambda seconds: executor.submit(time.sleep, seconds), [0.05] * 30, 3)
    next(done)
    done.close()
    executor.shutdown(kill_workers=True)
    assert failed == []


def test_an_interrupt_waits_until_an_item_is_submitted():
    """In the middle, the pool would not know the workers that it has started, and not end them."""
    submitted = []

    def submit(number):
        signal.raise_signal(signal.SIGINT)
        # Those that are started now never receive it.
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
        submitted.append(number)
        return pool.submit(abs, number)

    with ThreadPoolExecutor(2) as pool, pytest.raises(KeyboardInterrupt):
        next(few_at_a_time(submit, [1, 2, 3], 3))
    assert submitted == [1]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])

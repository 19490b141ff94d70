"""Long work in one thread beside the kernel's own, with progress, and to be cancelled."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

from torch import Tensor, nn

from ..errors import AudioInterpError
from ..util import owned

BETWEEN = 0.2
"""Seconds between two reports of progress."""


class Cancelled(BaseException):
    """Ends work that was cancelled, at the next call of its network.

    Like an interrupt it is no ``Exception``: a check that turns what a network raises into a
    message must not catch it.

    >>> issubclass(Cancelled, Exception)
    False
    """


class Job:
    """One piece of work: its name, how far it is, and how it ended.

    Attributes:
        name: of the work.
        state: ``"waiting"``, ``"running"``, ``"done"``, ``"failed"`` or ``"cancelled"``.
        stage: what is done at present, in a word or two.
        done, total: how much of the stage; total is 0 where nobody knows.
        text: why it failed.

    >>> job = Job("rise", lambda job: job.show(32, 1000))
    >>> job.run()
    >>> job.state, job.done
    ('done', 32)
    """

    def __init__(
        self,
        name: str,
        work: Callable[["Job"], Any],
        on_change: Callable[[], Any] = lambda: None,
    ) -> None:
        self.name, self.state, self.stage, self.text = name, "waiting", "", ""
        self.done = self.total = 0
        self._last_told = 0.0
        self._work, self._on_change = work, on_change
        self._is_cancelled = threading.Event()
        self._ended = threading.Event()

    def run(self) -> None:
        """Do the work, unless it was cancelled before; an error is kept as text.

        >>> job = Job("rise", lambda job: 1 / 0)
        >>> job.run()
        >>> job.state, job.text
        ('failed', 'ZeroDivisionError: division by zero')
        """
        try:
            self.check()
            self._change("running")
            self._work(self)
            self._change("done")
        except Cancelled:
            self._change("cancelled")
        except AudioInterpError as error:
            self.text = str(error)
            self._change("failed")
        except Exception as error:
            # It would end in a thread that nobody reads, so the page has to say it.
            self.text = f"{type(error).__name__}: {error}"
            self._change("failed")
        finally:
            self._ended.set()

    def cancel(self) -> None:
        """Let the work end at its next step; what waits does not begin.

        >>> job = Job("rise", print)
        >>> job.cancel()
        >>> job.run()
        >>> job.state
        'cancelled'
        """
        self._is_cancelled.set()
        if self.state == "waiting":
            self._change("cancelled")

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody has cancelled it."""
        return self._is_cancelled.is_set()

    @property
    def is_open(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("waiting", "running")

    def check(self) -> None:
        """End the work here if it was cancelled.

        Raises:
            Cancelled: it was.

        >>> Job("rise", print).check()
        """
        if self.is_cancelled:
            raise Cancelled

    def begin(self, stage: str, total: int = 0) -> None:
        """Say what is done next, and how much of it there is.

        >>> Job("rise", print).begin("comparing", 152)
        """
        self.check()
        self.stage, self.done, self.total = stage, 0, total
        self._on_change()

    def show(self, done: int, total: int) -> None:
        """Say how much is done.

        >>> Job("rise", print).show(32, 1000)
        """
        self.check()
        self.done, self.total = done, total
        self._tell()

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended; return whether it has.

        >>> Job("rise", print).wait(0.0)
        False
        """
        return self._ended.wait(seconds)

    def _tell(self) -> None:
        """Tell how much is done, but not so often that a page could not follow."""
        now = time.monotonic()
        if now - self._last_told > BETWEEN:
            self._last_told = now
            self._on_change()

    def _change(self, state: str) -> None:
        self.state = state
        self._on_change()

    @contextmanager
    def watched(self, network: nn.Module) -> Iterator[None]:
        """Count the versions of a clip that a network sees, and end the work if it is cancelled.

        >>> import torch
        >>> job, network = Job("rise", print), nn.Identity()
        >>> with job.watched(network):
        ...     _ = network(torch.zeros(8, 1, 2, 3))
        >>> job.done, len(network._forward_pre_hooks)
        (8, 0)
        """

        @owned
        def count(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            self.check()
            is_batch = module is network and inputs and isinstance(inputs[0], Tensor)
            # A method that counts by itself knows the total too.
            if is_batch and not (self.stage == "explaining" and self.total):
                self.done += len(inputs[0])
                self._tell()

        watched = [network, *network.children()]
        handles = [module.register_forward_pre_hook(count) for module in watched]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


class Jobs:
    """Does jobs in the order in which they come, one at a time, in a thread of its own.

    Args:
        on_change: called, from either thread, when a job changes.

    >>> jobs = Jobs()
    >>> job = jobs.submit("rise", lambda job: None)
    >>> job.wait(10.0), job.state
    (True, 'done')
    """

    def __init__(self, on_change: Callable[[], Any] = lambda: None) -> None:
        self.by_name: dict[str, Job] = {}
        self._on_change = on_change
        self._queue: SimpleQueue[Job] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, name: str, work: Callable[[Job], Any]) -> Job:
        """Add a job; the one of the same name that is open is cancelled.

        >>> Jobs().submit("rise", lambda job: None).name
        'rise'
        """
        self.cancel(name)
        job = self.by_name[name] = Job(name, work, self._on_change)
        self._queue.put(job)
        if self._thread is None:
            # A daemon, so that a long job does not keep a kernel from ending.
            self._thread = threading.Thread(target=self._run, name="audiointerp", daemon=True)
            self._thread.start()
        self._on_change()
        return job

    def cancel(self, name: str) -> None:
        """Cancel the job of a name, if there is one that is open.

        >>> Jobs().cancel("rise")
        """
        job = self.by_name.get(name)
        if job is not None and job.is_open:
            job.cancel()

    def clear(self) -> None:
        """Cancel and forget all jobs.

        >>> Jobs().clear()
        """
        for name in list(self.by_name):
            self.cancel(name)
        self.by_name.clear()

    def _run(self) -> None:
        while True:
            self._queue.get().run()

"""Ends a worker process whose parent is gone; does not import torch."""

import os
import threading
import time

CHECK_SECONDS = 0.5
"""How often a worker looks whether its parent is there."""


def exit_with_parent(parent: int) -> None:
    """End this process soon after its parent is gone; otherwise it would wait for work forever.

    Args:
        parent: the number of the process that started this one.

    Example: each worker of :func:`~audiointerp.experiments.run`, with ``workers=2``, calls it.
    """
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(CHECK_SECONDS)
    os._exit(1)

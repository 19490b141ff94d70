"""Shows how many of a method's versions of a clip the network has seen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import current_process
from typing import Any

from torch import Tensor, nn
from tqdm.auto import tqdm

SECONDS_BEFORE_A_BAR = 1.0


@contextmanager
def show_calls(
    name: str, total: int, progress: bool | None = None
) -> Iterator[Callable[[int], Any]]:
    """Show a progress bar for the versions of one clip; it is removed at the end.

    Args:
        name: of the method.
        total: the number of versions.
        progress: whether there is a bar; if None, there is one where a terminal watches, but not in
            a worker process, and only for what takes more than a second.

    Returns:
        A function that is called with the number of versions that are done.

    >>> with show_calls("rise", 100, progress=False) as advance:
    ...     _ = advance(32)
    """
    # With disable=None, tqdm shows a bar on a terminal only.
    hidden = None if progress is None else not progress
    if progress is None and current_process().name != "MainProcess":
        hidden = True
    delay = SECONDS_BEFORE_A_BAR if progress is None else 0.0
    with tqdm(total=total, desc=name, unit="call", disable=hidden, leave=False, delay=delay) as bar:
        yield bar.update


class CountedScore(nn.Module):
    """A score that says how many versions of a clip it has seen.

    >>> import torch
    >>> counts = []
    >>> _ = CountedScore(nn.Flatten(), counts.append)(torch.zeros(3, 1, 2, 3))
    >>> counts
    [3]
    """

    def __init__(self, score: nn.Module, advance: Callable[[int], Any]) -> None:
        super().__init__()
        self.score, self.advance = score, advance

    def forward(self, db: Tensor) -> Tensor:
        """Return the score ``(N,)`` of features ``(N, 1, F, T)``."""
        values: Tensor = self.score(db)
        self.advance(len(db))
        return values

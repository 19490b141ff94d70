"""Maps of the clip's level alone: what a method that explains something must beat."""

from typing import Any

from torch import Tensor

from ..util import FLOOR
from .base import Explainer
from .score import Score


class Level(Explainer):
    """The level of each bin above the floor of -100 dB; the network is not asked.

    >>> import torch
    >>> from torch import nn
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    >>> Level(network)(torch.tensor([[[[-40.0, -100.0]]]])).values.tolist()
    [[[[60.0, 0.0]]]]
    """

    name = "level"
    black_box = True
    # The windows of a long clip must not be weighted by what the network makes of them.
    explains = "nothing"

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        score.settle(db)
        return db - FLOOR, {}


class LevelAboveMedian(Explainer):
    """The level of each bin minus the median of its band over the window, in dB.

    Steady sounds fall to 0 and events stand out, whatever the frequency; the network is not asked.
    The window is what the network takes: a longer clip has several, each with its own median, and
    of a clip shorter than half of it the silence that pads it is the median.

    >>> import torch
    >>> from torch import nn
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
    >>> LevelAboveMedian(network)(torch.tensor([[[[-40.0, -60.0, -70.0]]]])).values.tolist()
    [[[[20.0, 0.0, -10.0]]]]
    """

    name = "level_above_median"
    black_box = True
    explains = "nothing"

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        score.settle(db)
        return db - db.median(-1, keepdim=True).values, {}

"""The record of a scan: what a classifier hears in each window of a recording."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

from ..errors import choose
from ..util import table_html
from .heat_map import heat_map, png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

POOLINGS = ("mean", "max", "noisy_or")
"""How p of a recording follows from p of its windows: their mean, the largest, or that at least one
window has the label, 1 - prod(1 - p), as if the windows were independent. Windows that overlap
are not: with ``"noisy_or"``, scan with ``hop`` equal to the classifier's duration."""


@dataclass(frozen=True)
class Pooled:
    """p of each label for a whole recording, and how it was made of the windows.

    >>> Pooled({"dog": 0.5}, "max", 3)
    Pooled(p={'dog': 0.5}, pooling='max', windows=3)
    """

    p: Mapping[str, float]
    pooling: str
    windows: int


@dataclass(frozen=True, eq=False)
class Scan:
    """What a classifier hears in each of W windows of a recording.

    Attributes:
        recording: the name of the file; empty of a clip in memory.
        sample_rate: of the classifier, in Hz.
        length: the samples of the recording at this rate.
        window_length: the samples of a window.
        hop_length: the samples from the begin of one window to that of the next.
        labels: the C labels.
        starts: the first sample of each window, ``(W,)``.
        probabilities: ``(W, C)`` float64.
        silent: whether a window is digital silence, ``(W,)``. The classifier's answer for it is in
            ``probabilities``, too, but events and ``pooled`` take it as p = 0.

    >>> from audiointerp import Classifier, Cnn6, LogMel, scan
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"], duration=1.0)
    >>> result = scan(classifier, torch.randn(64000))
    >>> result.to_frame().shape, result
    ((3, 2), Scan(2 s, 3 windows of 1 s, 2 labels))
    """

    recording: str
    sample_rate: int
    length: int
    window_length: int
    hop_length: int
    labels: tuple[str, ...]
    starts: Tensor
    probabilities: Tensor
    silent: Tensor

    @property
    def duration(self) -> float:
        """The seconds of the recording."""
        return self.length / self.sample_rate

    @property
    def times(self) -> Tensor:
        """The begin of each window in seconds, ``(W,)`` float64."""
        return self.starts.double() / self.sample_rate

    @property
    def limits(self) -> Tensor:
        """The begin and end of the part that each window speaks for, ``(W + 1,)``, in seconds.

        A window speaks for the time around its middle, up to half-way to the next window's.
        """
        middles = (self.times + self.window_length / self.sample_rate / 2).clamp_max(self.duration)
        between = (middles[1:] + middles[:-1]) / 2
        ends = torch.tensor([0.0, self.duration], dtype=torch.float64)
        return torch.cat([ends[:1], between, ends[1:]])

    @property
    def heard(self) -> Tensor:
        """The probabilities, 0 where there is no sound, ``(W, C)``."""
        return self.probabilities.masked_fill(self.silent[:, None], 0.0)

    def to_frame(self) -> pd.DataFrame:
        """Return p as a table: a row for each window, by the second at which it begins.

        A column for each label.
        """
        index = pd.Index(self.times.tolist(), name="start (s)")
        return pd.DataFrame(self.probabilities.numpy(), index, list(self.labels))

    def pooled(self, pooling: str = "max") -> Pooled:
        """Return p of each label for the whole recording.

        Args:
            pooling: a name in :data:`POOLINGS`.

        Raises:
            ArgumentError: the name is unknown.
        """
        choose("pooling", pooling, POOLINGS)
        if pooling == "mean":
            p = self.heard.mean(0)
        elif pooling == "max":
            p = self.heard.amax(0)
        else:
            p = -torch.expm1(torch.log1p(-self.heard).sum(0))
        return Pooled(dict(zip(self.labels, p.tolist(), strict=True)), pooling, len(self.starts))

    def plot(self, ax: "Axes | None" = None) -> "AxesImage":
        """Draw p over time as a heat map, a row for each label."""
        limits = self.limits.numpy()
        return heat_map(limits, self.probabilities.T.numpy(), self.labels, ax, self.recording)

    def __repr__(self) -> str:
        place = f"{self.recording}, " if self.recording else ""
        seconds = self.window_length / self.sample_rate
        return (
            f"Scan({place}{self.duration:g} s, {len(self.starts)} windows of {seconds:g} s, "
            f"{len(self.labels)} labels)"
        )

    def _repr_html_(self) -> str:
        strongest = self.pooled("max").p
        top = sorted(strongest, key=lambda label: -strongest[label])[:5]
        rows = {
            "recording": self.recording or "in memory",
            "length": f"{self.duration:g} s",
            "windows": f"{len(self.starts)}, {int(self.silent.sum())} of them silent",
            "largest p": ", ".join(f"{label} {strongest[label]:.3f}" for label in top),
        }
        picture = f'<img alt="p of each label over time" src="{png_of(self.plot)}">'
        return table_html("Scan", rows) + picture

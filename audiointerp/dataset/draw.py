"""The random parameters of a synthetic sound."""

from collections.abc import Sequence

import torch
from torch import Tensor


class Draw:
    """A source of random parameters and noise, at one sample rate.

    Args:
        seed: equal seeds give equal draws.
        sample_rate: in Hz.

    >>> 300 <= Draw(0, 8000).pitch(300, 3000) <= 3000
    True
    """

    def __init__(self, seed: int, sample_rate: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.sample_rate = sample_rate

    def between(self, low: float, high: float) -> float:
        """Draw a number uniformly."""
        return low + (high - low) * float(torch.rand(1, generator=self.generator))

    def whole(self, low: int, high: int) -> int:
        """Draw a whole number from ``low`` to ``high``, both included."""
        return int(torch.randint(low, high + 1, (1,), generator=self.generator))

    def pitch(self, low: float, high: float) -> float:
        """Draw a frequency in Hz, uniformly on a logarithmic scale, at most 0.4 of the rate."""
        top = min(high, 0.4 * self.sample_rate)
        return float(low * (top / low) ** self.between(0, 1))

    def samples(self, low: float, high: float) -> int:
        """Draw a duration in seconds uniformly; returns the number of samples."""
        return round(self.between(low, high) * self.sample_rate)

    def uniform(self, count: int) -> Tensor:
        """Draw ``count`` numbers between 0 and 1."""
        return torch.rand(count, generator=self.generator)

    def noise(self, length: int) -> Tensor:
        """Draw white Gaussian noise with a standard deviation of 1."""
        return torch.randn(length, generator=self.generator)

    def jitter(self, values: Sequence[float], share: float) -> list[float]:
        """Change each value by a random factor between ``1 - share`` and ``1 + share``."""
        return [value * self.between(1 - share, 1 + share) for value in values]

"""From levels to what the network sees: another logarithm, offsets, limits, standardisation."""

import math
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from ..errors import ArgumentError, choose
from ..util import FLOOR, as_python, is_number, take_as_python

LOGARITHMS = ("db", "natural", "log10", "none")
NORMALIZERS = ("none", "clip", "bin", "peak", "range")
LN_10 = math.log(10)


@dataclass(frozen=True)
class Scaling:
    """What a network sees of the levels, as a function of the levels alone.

    With x, the power of a feature (the magnitude if the transform has ``power=1``):

    1. ``s = log(max(x, clamp) + offset)``, and not more than ``top_db`` below ``max(s)``,
    2. ``s = (s - location) / (spread + epsilon)``, unless ``normalize`` is ``"none"``,
    3. ``s = (s - mean) / std``.

    Attributes:
        log: ``"db"`` (10 log10 of power, 20 log10 of magnitude), ``"natural"``, ``"log10"``, or
            ``"none"`` for x itself. ``log(1 + x)`` is ``"natural"`` with an offset of 1.
        offset: in the unit of x, as ``clamp``. Levels end at the floor of -100 dB, which stands for
            silence: there, x is 0 if there is an offset or no logarithm (so log(x + offset) of
            quieter bins is too low by at most floor / offset), else log(x) is that of the floor.
            Other values than 0 are at least a power of 1e-10, or a magnitude of 1e-5.
        clamp: the least value that x is given.
        top_db: the range below the loudest bin in dB, whatever the unit of s; None for no limit.
        normalize: location and spread are the mean and standard deviation of the whole spectrogram
            (``"clip"``) or of each bin over time (``"bin"``), the maximum and 1 (``"peak"``, as
            librosa's ``ref=np.max``), or the minimum and max - min (``"range"``). They are those of
            the tensor that the network gets; in a long clip, those of each window.
        epsilon: added to the spread, so that silence does not divide by 0.
        correction: of the standard deviation, 0 as in NumPy or 1 as in torch.
        mean: a fixed number, or one for each bin, in the unit of s.
        std: the same.

    Raises:
        ArgumentError: a name is unknown, or a number is out of range.

    >>> natural = Scaling("natural", offset=1.0)
    >>> natural(torch.tensor([0.0, 10.0])).tolist() == torch.tensor([2.0, 11.0]).log().tolist()
    True
    >>> Scaling(normalize="peak", top_db=80.0, mean=-80.0, std=80.0)(torch.tensor([-99.0, -3.0]))
    tensor([0., 1.])
    """

    log: str = "db"
    offset: float = 0.0
    clamp: float = 0.0
    top_db: float | None = None
    normalize: str = "none"
    epsilon: float = 1e-5
    correction: int = 0
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0

    def __post_init__(self) -> None:
        take_as_python(self, "offset", "clamp", "epsilon", "top_db", "correction")
        choose("logarithm", self.log, LOGARITHMS)
        choose("normalisation", self.normalize, NORMALIZERS)
        for name in ("mean", "std"):
            value = getattr(self, name)
            # JSON has lists, which have no hash.
            object.__setattr__(self, name, _as_tuple(name, value))
        if any(value <= 0 for value in _values(self.std)):
            raise ArgumentError(f"std={self.std!r:.60} must be positive")
        for name in ("offset", "clamp", "epsilon"):
            if not is_number(getattr(self, name)) or getattr(self, name) < 0:
                raise ArgumentError(f"{name}={getattr(self, name)!r:.40} must be at least 0")
        if isinstance(self.correction, bool) or self.correction not in (0, 1):
            raise ArgumentError(f"correction={self.correction!r:.40} must be 0 or 1")
        if self.top_db is None:
            return
        if not is_number(self.top_db) or self.top_db <= 0 or self.log == "none":
            raise ArgumentError(
                f"top_db={self.top_db!r:.40} with log={self.log!r}: top_db must be positive, and "
                "needs a logarithm"
            )

    def check(self, power: int, num_bins: int) -> None:
        """Check that these numbers fit a transform.

        Raises:
            ArgumentError: an offset or limit is below the floor of the levels, or the numbers of
                means or standard deviations is not that of the bins.

        >>> Scaling("natural", offset=1e-6).check(power=2, num_bins=64)
        """
        floor = 10 ** (FLOOR * power / 20)
        for name in ("offset", "clamp"):
            value = getattr(self, name)
            # The floor as a user writes it, 1e-10, can be less by rounding.
            if 0 < value < floor * (1 - 1e-6):
                raise ArgumentError(
                    f"{name}={value:g} is below the floor of the levels, {floor:g} "
                    f"({FLOOR:g} dB): leave it out if quieter bins do not matter, or use the "
                    "network with its front end by Classifier.from_waveform"
                )
        for name in ("mean", "std"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != num_bins:
                raise ArgumentError(
                    f"{name} has {len(value)} values for {num_bins} bins; give one number, or one "
                    "for each bin"
                )

    def to_dict(self) -> dict[str, Any]:
        """The settings that differ from the defaults.

        >>> Scaling("natural", mean=-4.0).to_dict()
        {'log': 'natural', 'mean': -4.0}
        """
        settings = {field.name: getattr(self, field.name) for field in fields(self)}
        defaults = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in settings.items() if value != defaults[name]}

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.to_dict().items())
        return f"Scaling({settings})"

    def __call__(self, db: Tensor, power: int = 2) -> Tensor:
        """Scale levels ``(..., F, T)`` in dB; differentiable.

        Args:
            db: the levels; all but the first axis belong to one clip.
            power: 2 if x is the power, 1 if it is the magnitude.
        """
        scaled = self._logarithm(db, power)
        # A tensor without a batch axis is one clip.
        clip = tuple(range(1, scaled.ndim)) if scaled.ndim > 2 else tuple(range(scaled.ndim))
        if self.top_db is not None:
            lowest = scaled.amax(clip, keepdim=True) - self.top_db * self._unit(power)
            scaled = scaled.maximum(lowest)
        if self.normalize != "none":
            scaled = self._normalized(scaled, clip)
        if self.mean != 0 or self.std != 1:
            scaled = (scaled - _column(self.mean, scaled)) / _column(self.std, scaled)
        return scaled

    def _logarithm(self, db: Tensor, power: int) -> Tensor:
        if self.log == "db" and not self.clamp and not self.offset:
            return db
        per_db = LN_10 * power / 20
        logarithm = db * per_db
        if self.clamp:
            logarithm = logarithm.clamp_min(math.log(self.clamp))
        elif self.offset or self.log == "none":
            # The floor stands for silence.
            logarithm = logarithm.masked_fill(db <= FLOOR, -math.inf)
        if self.offset:
            logarithm = torch.logaddexp(logarithm, torch.full_like(db, math.log(self.offset)))
        if self.log == "none":
            return logarithm.exp()
        return logarithm * (self._unit(power) / per_db)

    def _unit(self, power: int) -> float:
        """What a step of 1 dB is in the logarithm."""
        return {"db": 1.0, "natural": LN_10 * power / 20, "log10": power / 20}[self.log]

    def _normalized(self, values: Tensor, clip: tuple[int, ...]) -> Tensor:
        if self.normalize == "peak":
            return values - values.amax(clip, keepdim=True)
        if self.normalize == "range":
            low = values.amin(clip, keepdim=True)
            return (values - low) / (values.amax(clip, keepdim=True) - low + self.epsilon)
        axes = clip if self.normalize == "clip" else (-1,)
        count = math.prod(values.shape[axis] for axis in axes)
        # One value has no standard deviation with a correction of 1.
        spread = values.std(axes, keepdim=True, correction=min(self.correction, count - 1))
        return (values - values.mean(axes, keepdim=True)) / (spread + self.epsilon)


def _as_tuple(name: str, value: Any) -> float | tuple[float, ...]:
    """Return a number, or a tuple of the numbers of a list, a tensor or an array."""
    values = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(values, list | tuple):
        values = tuple(as_python(number) for number in values)
    if not all(is_number(number) for number in _values(values)):
        raise ArgumentError(f"{name}={value!r:.60} must be a finite number, or one for each bin")
    return values  # type: ignore[no-any-return]


def _values(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _column(value: float | tuple[float, ...], like: Tensor) -> Tensor:
    """The values as ``(F, 1)``, which broadcasts over frames, or as one number."""
    values = torch.tensor(value, dtype=like.dtype, device=like.device)
    return values[:, None] if isinstance(value, tuple) else values


UNSCALED = Scaling()
"""The network sees the levels themselves."""

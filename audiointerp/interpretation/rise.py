"""RISE (Petsiuk, Das and Saenko, BMVC 2018), of the probability and of the logit."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ArgumentError, choose
from ..util import FILLS, Progress, fill_levels, is_number, whole_number
from .base import Explainer, seed_of
from .calls import show_calls
from .score import Score


class RISE(Explainer):
    """How much the explained probability rises, on average, where a bin is kept.

    The network hears the clip under random smooth masks: a coarse grid of cells, each kept with the
    probability ``keep``, is shifted at random by up to a cell and interpolated bilinearly to the
    bins. Of the probabilities p of the N masked versions and their masks M, the value of a bin is

        mean((p - mean p) · M) / E[M],    E[M] = keep,

    with N - 1 in place of N in the mean. That is the map of the paper (its equation 6),
    E[p | kept] = sum(p · M) / (N · E[M]), less its mean E[p], which is the same for all bins and is
    in ``info``. Its expectation is the paper's; the noise of the mean is not in it.

    In ``info``, each ``(N,)``: ``"mean_probability"``; ``"standard_error"``, the root mean square
    over the bins; ``"noise_share"``, its square divided by the variance of the values over the
    bins, at most 1. Of a share near 1 the map says nothing; four times the samples have a quarter
    of it. Of fewer than 30 samples both are too small; with few cells the share is too large, since
    noise that all bins have in common is counted. A fill that is drawn, ``"noise"`` or ``"swap"``,
    is drawn once for each clip, and the error is that of the masks alone.

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        cells: of the coarse grid, in frequency and in time.
        keep: the probability of a cell to be kept.
        fill: what is removed becomes this, a name in :data:`~audiointerp.util.fills.FILLS`.
        samples: the number of masked versions.
        seed: of the masks, together with the clip's features.
        batch: versions that are made at a time; it affects memory and rounding only.
        progress: whether to show a progress bar, by default on a terminal or in a notebook; or a
            function of (calls done, total).

    Raises:
        ArgumentError: an argument is unknown or out of range. When called: there are more cells
            than bins or frames.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(160, 2))
    >>> RISE(network, cells=(2, 4), samples=20)(torch.rand(2, 1, 8, 20)).values.shape
    torch.Size([2, 1, 8, 20])
    """

    name = "rise"
    uses_layers = False
    black_box = True
    explains = "probability"

    def __init__(
        self,
        network: nn.Module,
        cells: tuple[int, int] = (8, 8),
        keep: float = 0.5,
        fill: str = "silence",
        samples: int = 1000,
        seed: int = 0,
        batch: int = 16,
        progress: Progress = None,
    ) -> None:
        super().__init__(network)
        self.fill = choose("fill", fill, FILLS)
        is_pair = isinstance(cells, list | tuple) and len(cells) == 2
        if not is_pair:
            raise ArgumentError(
                f"cells={cells!r}: must be two whole numbers, in frequency and in time"
            )
        self.cells = tuple(whole_number("a number of cells", number, least=1) for number in cells)
        self.samples = whole_number("samples", samples, least=2)
        self.seed = whole_number("seed", seed, least=0)
        self.batch: int = whole_number("batch", batch, least=1)
        if not is_number(keep) or not 0 < keep < 1:
            raise ArgumentError(f"keep={keep!r}: must be a probability between 0 and 1")
        self.keep = keep
        self.progress = progress

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        score.settle(db)
        if self.cells[0] > db.shape[2] or self.cells[1] > db.shape[3]:
            raise ArgumentError(
                f"cells={self.cells}, in frequency and in time, are more than the bins and frames "
                f"{tuple(db.shape[2:])}"
            )
        parts = [
            self._explain_clip(score.of(number), db[number, None]) for number in range(len(db))
        ]
        values, errors, means = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
        variance = values.flatten(1).var(1, correction=0)
        info = {
            f"mean_{self.explains}": means,
            "standard_error": errors,
            "noise_share": (errors.square() / variance).nan_to_num(1.0).clamp_max(1.0),
        }
        info = {name: value.float() for name, value in info.items()}
        if self.explains == "logit":
            info["from_fill"] = self._from_fill(score, db)
        return values.to(db), info

    @torch.no_grad()
    def _from_fill(self, score: Score, db: Tensor) -> Tensor:
        """Return the logits of the clips less those of their fills, ``(N,)``."""
        fill = fill_levels(db, self.fill, self.seed)
        return score.chosen(score.logits) - score.of_versions(fill)

    @torch.no_grad()
    def _explain_clip(self, score: Score, db: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the values ``(1, 1, F, T)``, the standard error and the mean output, ``(1,)``.

        All are as exact as the device allows, since squares of small values vanish in float16. The
        masks are made twice, since all of them would not fit into memory.
        """
        fill = fill_levels(db, self.fill, self.seed)
        parts = []
        with show_calls(self.name, self.samples, self.progress) as advance:
            for masks in self._masks(db):
                parts.append(self._output(score, torch.lerp(fill, db, masks.to(db))))
                advance(len(masks))
        output = torch.cat(parts).to(precision(db))
        rise = output - output.mean()
        total = torch.zeros(db[0].numel(), dtype=output.dtype, device=db.device)
        squares = torch.zeros_like(total)
        for masks, rises in zip(self._masks(db), rise.split(self.batch), strict=True):
            shares = (masks.flatten(1) - self.keep) / self.keep
            total += rises @ shares
            squares += rises.square() @ shares.square()
        values = (total / (self.samples - 1)).view(db.shape)
        return values, standard_error(total, squares, self.samples), output.mean()[None]

    def _output(self, score: Score, versions: Tensor) -> Tensor:
        """Return what is explained of versions of a clip, ``(K,)``."""
        return score.probability(versions)

    def _masks(self, db: Tensor) -> Iterator[Tensor]:
        """Yield the masks in batches ``(K, 1, F, T)`` on the clip's device, the same each time."""
        generator = torch.Generator().manual_seed(seed_of(db, self.seed))
        kept = torch.rand((self.samples, 1, *self.cells), generator=generator) < self.keep
        sizes = [-(-size // cells) for size, cells in zip(db.shape[2:], self.cells, strict=True)]
        shifts = torch.rand((self.samples, 2), generator=generator) * torch.tensor(sizes)
        cells = kept.to(db.device, precision(db)).split(self.batch)
        corners = shifts.long().to(db.device).split(self.batch)
        for some_cells, some_corners in zip(cells, corners, strict=True):
            yield smooth_masks(some_cells, some_corners, (db.shape[2], db.shape[3]))


class LogitRISE(RISE):
    """How much the explained logit rises, on average, where a bin is kept.

    As :class:`RISE`, with the logit in place of the probability, and the clip's own background in
    place of silence. A probability also rises where another class falls, and is flat near 0 and 1;
    silence is unlike any clip. Not in the paper; ``docs/methods.md`` compares them.

    Of a network that returns probabilities of classes that compete, the logit is not known and
    log p is taken, which is flat near 1. In ``info``, ``"mean_logit"`` and ``"from_fill"``, the
    logit of the clip less that of its fill, by which windows of a long clip are weighted.

    Args:
        network, cells, keep, fill, samples, seed, batch, progress: as for :class:`RISE`.

    Raises:
        ArgumentError: as for :class:`RISE`.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(160, 2))
    >>> attribution = LogitRISE(network, cells=(2, 4), samples=20)(torch.rand(2, 1, 8, 20))
    >>> attribution.values.shape, attribution.info["mean_logit"].shape
    (torch.Size([2, 1, 8, 20]), torch.Size([2]))
    """

    name = "rise_logit"
    uses_layers = False
    explains = "logit"

    def __init__(
        self,
        network: nn.Module,
        cells: tuple[int, int] = (8, 8),
        keep: float = 0.5,
        fill: str = "background",
        samples: int = 1000,
        seed: int = 0,
        batch: int = 16,
        progress: Progress = None,
    ) -> None:
        super().__init__(network, cells, keep, fill, samples, seed, batch, progress)

    def _output(self, score: Score, versions: Tensor) -> Tensor:
        return score.of_versions(versions)


def standard_error(total: Tensor, squares: Tensor, samples: int) -> Tensor:
    """Return the standard error of means, its root mean square over the bins, ``(1,)``.

    Args:
        total: the sums over the samples, one for each bin.
        squares: the sums of their squares.
        samples: how many, at least 2.

    >>> standard_error(torch.tensor([3.0, 4.0]), torch.tensor([5.0, 8.0]), 2).tolist()
    [0.3535533845424652]
    """
    variance = (squares - total.square() / samples) / (samples - 1)
    return (variance / samples).mean().clamp_min(0).sqrt()[None]


def precision(db: Tensor) -> torch.dtype:
    """Return the most exact number type of the clip's device; MPS has no float64.

    >>> precision(torch.zeros(1))
    torch.float64
    """
    return torch.float32 if db.device.type == "mps" else torch.float64


def smooth_masks(cells: Tensor, shifts: Tensor, size: tuple[int, int]) -> Tensor:
    """Interpolate coarse masks to the bins, and shift them (section 3.2 of the paper).

    Args:
        cells: ``(K, 1, h, w)``, in [0, 1].
        shifts: bins and frames, ``(K, 2)``, from 0 to less than the size of a cell.
        size: F and T. A cell has ceil(F / h) bins and ceil(T / w) frames; the cells are
            interpolated to one cell more than that in each axis, of which F and T are cut.

    Returns:
        The masks ``(K, 1, F, T)``.

    >>> smooth_masks(torch.ones(3, 1, 2, 2), torch.tensor([[0, 0], [1, 3], [3, 4]]), (8, 10)).shape
    torch.Size([3, 1, 8, 10])
    """
    rows, columns = (
        _interpolation(cells.shape[2 + axis], shifts[:, axis], size[axis], cells.dtype)
        for axis in (0, 1)
    )
    return (rows @ cells[:, 0] @ columns.mT)[:, None]


def _interpolation(cells: int, shifts: Tensor, size: int, dtype: torch.dtype) -> Tensor:
    """Return the weight of each cell in each place of an axis, ``(K, size, cells)``.

    These are the weights of linear interpolation as ``torch.nn.functional.interpolate`` does it:
    a place takes from the two nearest cells, and at the border from the last one.
    """
    scale = cells / (-(-size // cells) * (cells + 1))
    places = torch.arange(size, device=shifts.device) + shifts[:, None]
    centres = ((places.to(dtype) + 0.5) * scale - 0.5).clamp(0, cells - 1)
    distances = centres[..., None] - torch.arange(cells, device=shifts.device)
    return (1 - distances.abs()).clamp_min(0)

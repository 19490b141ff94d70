"""The captum methods that are known by name."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import captum.attr
from torch import Tensor, nn

from ..errors import ArgumentError, choose
from ..util import FLOOR, Progress
from .calls import CountedScore, show_calls
from .captum import Captum
from .inputs import check_background
from .score import Score
from .segments import FILLINGS, SEGMENTS, filling, segmented

BATCH = 32
"""Versions of a clip in one forward pass."""


class IntegratedGradients(Captum):
    """Gradients along the path from a baseline to the clip (Sundararajan et al., ICML 2017).

    The values sum to f(clip) - f(baseline), up to the error of a finite number of ``steps``.

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        baseline: a level in dB, or features ``(1, 1, F, T)``.
        steps: points on the path.

    >>> import torch
    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> values = IntegratedGradients(linear, 0.0)(torch.ones(1, 1, 2, 3), target=1).values
    >>> bool(torch.allclose(values.flatten(), linear[1].weight[1], atol=1e-6))
    True
    """

    name = "integrated_gradients"
    uses_layers = False

    def __init__(
        self, network: nn.Module, baseline: float | Tensor = FLOOR, steps: int = 50
    ) -> None:
        start = (lambda db: baseline.to(db)) if isinstance(baseline, Tensor) else baseline
        super().__init__(
            network,
            captum.attr.IntegratedGradients,
            baselines=start,
            n_steps=steps,
            internal_batch_size=BATCH,
        )


class SmoothGrad(Captum):
    """The mean gradient over noisy copies of the clip (Smilkov et al., 2017).

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        noise: standard deviation of the noise, as a share of the clip's range in dB.
        samples: the number of copies.
        seed: of the noise.

    >>> import torch
    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> values = SmoothGrad(linear)(torch.rand(1, 1, 2, 3), target=1).values
    >>> bool(torch.allclose(values.flatten(), linear[1].weight[1], atol=1e-6))
    True
    """

    name = "smoothgrad"
    uses_layers = False
    explains = "gradient"

    def __init__(
        self, network: nn.Module, noise: float = 0.15, samples: int = 32, seed: int = 0
    ) -> None:
        super().__init__(
            network,
            lambda score: captum.attr.NoiseTunnel(captum.attr.Saliency(score)),
            seed=seed,
            abs=False,
            nt_type="smoothgrad",
            nt_samples=samples,
            nt_samples_batch_size=BATCH,
            stdevs=lambda db: noise * float(db.max() - db.min()),
        )


class GradientSHAP(Captum):
    """Expected gradients over a background; they add up as SHAP's values do, in expectation.

    Each sample is a random point between the clip and a random clip of the background (Lundberg and
    Lee, NeurIPS 2017; Erion et al., 2021).

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        background: features ``(B, 1, F, T)`` of the clips to compare with.
        samples: the number of random points.
        seed: of the random points.

    >>> import torch
    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> background, clip = torch.zeros(3, 1, 2, 3), torch.ones(1, 1, 2, 3)
    >>> values = GradientSHAP(linear, background)(clip, target=1).values
    >>> bool(torch.allclose(values.flatten(), linear[1].weight[1], atol=1e-6))
    True
    """

    name = "gradient_shap"
    uses_layers = False
    needs_background = True

    def __init__(
        self, network: nn.Module, background: Tensor, samples: int = 50, seed: int = 0
    ) -> None:
        check_background(background)
        super().__init__(
            network,
            captum.attr.GradientShap,
            seed=seed,
            baselines=lambda db: background.to(db),
            n_samples=samples,
        )


class _Counted(Captum):
    """A method whose versions of a clip are counted and shown."""

    progress: Progress

    @contextmanager
    def _counted(self, score: Score, db: Tensor, arguments: dict[str, Any]) -> Iterator[Any]:
        with show_calls(self.name, self._number_of_calls(db, arguments), self.progress) as advance:
            yield CountedScore(score, advance)

    def _number_of_calls(self, db: Tensor, arguments: dict[str, Any]) -> int:
        raise NotImplementedError


class KernelSHAP(_Counted):
    """Shapley values of segments, by weighted regression over random sets of segments.

    Each bin carries the value of its segment (Lundberg and Lee, NeurIPS 2017).

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        segments: see :class:`~audiointerp.interpretation.LIME`.
        fill: replaces a segment that is left out, see :class:`~audiointerp.interpretation.LIME`.
        samples: the number of sets; by default five for each segment and at least 500.
        seed: of the sets.
        progress: whether to show a progress bar, by default on a terminal or in a notebook; or a
            function of (calls done, total).

    Raises:
        ArgumentError: when called: the clip has one segment, or too many for ``samples``.

    >>> import torch
    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(160, 2))
    >>> KernelSHAP(linear, samples=20)(torch.ones(1, 1, 8, 20)).values.unique().numel()
    2
    """

    name = "kernel_shap"
    uses_layers = False
    black_box = True

    def __init__(
        self,
        network: nn.Module,
        segments: str = "grid",
        fill: str = "silence",
        samples: int | None = None,
        seed: int = 0,
        progress: Progress = None,
    ) -> None:
        super().__init__(network, captum.attr.KernelShap, seed=seed, perturbations_per_eval=BATCH)
        self.progress = progress
        self.segments = choose("segments", segments, SEGMENTS)
        self.fill = choose("fill", fill, FILLINGS)
        self.samples = samples

    def _arguments(self, db: Tensor) -> dict[str, Any]:
        segments = segmented(db, self.segments, self.seed)
        if not segments.any():
            raise ArgumentError(
                f"kernel_shap needs at least two segments, but {self.segments} makes only one of "
                f"this clip"
            )
        return {
            "feature_mask": segments,
            "baselines": filling(db, segments, self.fill),
            "n_samples": _number_of_samples(self.samples, int(segments.max()) + 1),
            **super()._arguments(db),
        }

    def _number_of_calls(self, db: Tensor, arguments: dict[str, Any]) -> int:
        samples: int = arguments["n_samples"]
        return samples


def _number_of_samples(samples: int | None, segments: int) -> int:
    if samples is None:
        return max(500, 5 * segments)
    if samples < 2 * segments:
        raise ArgumentError(
            f"samples={samples} cannot tell {segments} segments apart; kernel_shap needs at least "
            f"twice as many samples as segments"
        )
    return samples


class Occlusion(_Counted):
    """How much the score falls when a sliding patch is silenced (Zeiler and Fergus, ECCV 2014).

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        patch: bins and frames of the patch.
        stride: bins and frames between two positions.
        samples: the most positions; if there would be more, the patch and the stride are enlarged
            by the same whole number, the smallest that will do. By default, any number.
        progress: whether to show a progress bar, by default on a terminal or in a notebook; or a
            function of (calls done, total).

    Raises:
        ArgumentError: ``samples`` is not a whole number of at least 1.

    >>> import torch
    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> Occlusion(linear, patch=(1, 1), stride=(1, 1))(torch.ones(1, 1, 2, 3)).values.shape
    torch.Size([1, 1, 2, 3])
    """

    name = "occlusion"
    uses_layers = False
    black_box = True

    def __init__(
        self,
        network: nn.Module,
        patch: tuple[int, int] = (8, 16),
        stride: tuple[int, int] = (4, 8),
        samples: int | None = None,
        progress: Progress = None,
    ) -> None:
        super().__init__(
            network, captum.attr.Occlusion, baselines=FLOOR, perturbations_per_eval=BATCH
        )
        if samples is not None and (not isinstance(samples, int) or samples < 1):
            raise ArgumentError(f"samples={samples!r}: must be a whole number of at least 1")
        self.patch, self.stride, self.samples = tuple(patch), tuple(stride), samples
        self.progress = progress

    def _arguments(self, db: Tensor) -> dict[str, Any]:
        factor = self._factor(db)
        # A patch that a factor enlarges ends at the clip's borders.
        patch = [
            size if factor == 1 else min(factor * size, most)
            for size, most in zip(self.patch, db.shape[2:], strict=True)
        ]
        return {
            "sliding_window_shapes": (1, *patch),
            "strides": (1, *(factor * step for step in self.stride)),
            **super()._arguments(db),
        }

    def _factor(self, db: Tensor) -> int:
        """Return by how much the patch and the stride are enlarged."""
        factor = 1
        while self.samples is not None and self._positions(db, factor) > self.samples:
            factor += 1
        return factor

    def _positions(self, db: Tensor, factor: int) -> int:
        sizes = zip(db.shape[2:], self.patch, self.stride, strict=True)
        counts = [
            1 + max(0, math.ceil((size - factor * patch) / (factor * step)))
            for size, patch, step in sizes
        ]
        return math.prod(counts)

    def _number_of_calls(self, db: Tensor, arguments: dict[str, Any]) -> int:
        # The clip itself is the first.
        return 1 + self._positions(db, self._factor(db))

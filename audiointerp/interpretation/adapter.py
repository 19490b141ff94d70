"""Any attribution of captum as an explainer, and the ones that people ask for by name."""

import re
from collections.abc import Callable
from typing import Any

import captum.attr
import torch
from torch import Tensor, nn

from ..conventions import FLOOR
from ..errors import ArgumentError, ModelError, choose
from .base import Explainer, Score, check_background, on_grid, seed_of
from .gradcam import LAYOUTS
from .segments import FILLINGS, SEGMENTS, filling, segmented
from .state import seeded

BATCH = 32
"""Versions of a clip in one forward."""
AT_ONCE = ("internal_batch_size", "perturbations_per_eval", "nt_samples_batch_size")
"""Captum's names of that."""


class Captum(Explainer):
    """Any captum attribution object, ``captum.attr.DeepLift`` say.

    Each clip is explained by itself, its random draws seeded by the clip. An attribution on a layer's grid is summed over
    the channels and brought to the input's. With ``return_convergence_delta=True`` what is missed goes into ``info``.

    Args:
        network: see :class:`~audiointerp.interpretation.base.Explainer`.
        make: from the function that is explained, a module ``(K, 1, F, T)`` to ``(K,)``, to the captum object: a class,
            or a function where more than that is to be said.
        name: of the method, in results; the class's by default.
        seed: of its draws.
        layout: of a layer's grid; see :class:`~audiointerp.interpretation.gradcam.GradCAM`.
        **arguments: of the object's ``attribute``. A function is called with the clip's features ``(1, 1, F, T)``.

    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> clip = torch.ones(1, 1, 2, 3)
    >>> values = Captum(linear, captum.attr.InputXGradient)(clip, target=0).values
    >>> bool(torch.allclose(values.flatten(), linear[1].weight[0]))
    True
    >>> smooth = Captum(linear, lambda score: captum.attr.NoiseTunnel(captum.attr.Saliency(score)), name="smooth",
    ...                 abs=False, stdevs=lambda db: 0.1 * float(db.max()))
    >>> bool(torch.allclose(smooth(clip, target=0).values.flatten(), linear[1].weight[0]))
    True
    """

    name = "captum"

    def __init__(
        self,
        network: nn.Module,
        make: Callable[[Score], Any],
        *,
        name: str | None = None,
        seed: int = 0,
        layout: str | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(network)
        self.make = make
        self.seed = seed
        self.layout = str(layout or getattr(network, "activation_layout", "FT"))
        self.arguments = arguments
        self.batch = next((arguments[name] for name in AT_ONCE if name in arguments), None)
        if not callable(make):
            raise ArgumentError(f"make gives a captum object for a score: captum.attr.DeepLift, say, not {make!r}")
        choose("layout", self.layout, LAYOUTS)
        if type(self) is Captum:
            self.name = _usable_name(str(name or getattr(make, "__name__", "")))  # type: ignore[misc]  # of this object

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        score.settle(db)
        parts = [self._one(score.of(number), clip[None]) for number, clip in enumerate(db)]
        values, deltas = zip(*parts, strict=True)
        return torch.cat(values), {} if deltas[0] is None else {"convergence_delta": torch.cat(deltas)}

    def _one(self, score: Score, db: Tensor) -> tuple[Tensor, Tensor | None]:
        arguments = self._arguments(db)
        with seeded(seed_of(db, self.seed)):
            values, delta = self.make(score).attribute(db.requires_grad_(), **arguments), None
        if isinstance(values, tuple) and len(values) == 2:  # with return_convergence_delta
            values, delta = values[0], values[1].detach().mean()[None]
        if not isinstance(values, Tensor) or values.ndim != 4 or len(values) != 1:
            shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ModelError(
                f"{self.name}: an attribution is (1, 1, F, T), or (1, channels, …, …) of a layer, not {shape}"
            )
        if values.shape != db.shape:
            values = on_grid(values.sum(1, keepdim=True), db, self.layout)
        return values.to(db), delta

    def _arguments(self, db: Tensor) -> dict[str, Any]:
        """What the captum object's ``attribute`` is told of one clip."""
        arguments = {name: value(db) if callable(value) else value for name, value in self.arguments.items()}
        return arguments | {name: self.batch for name in AT_ONCE if name in arguments}


def _usable_name(name: str) -> str:
    """A method's name is a folder of results and a word in tables."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise ArgumentError(f"name={name!r}: give Captum a name of letters, digits, - and _")
    return name.lower()


class IntegratedGradients(Captum):
    """Gradients along the way from a baseline to the clip (Sundararajan, Taly and Yan, ICML 2017).

    The values sum to f(clip) - f(baseline), up to the number of ``steps``.

    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> values = IntegratedGradients(linear, baseline=0.0)(torch.ones(1, 1, 2, 3), target=1).values
    >>> bool(torch.allclose(values.flatten(), linear[1].weight[1], atol=1e-6))
    True
    """

    name = "integrated_gradients"

    def __init__(self, network: nn.Module, baseline: float | Tensor = FLOOR, steps: int = 50) -> None:
        start = (lambda db: baseline.to(db)) if isinstance(baseline, Tensor) else baseline
        super().__init__(
            network, captum.attr.IntegratedGradients, baselines=start, n_steps=steps, internal_batch_size=BATCH
        )


class SmoothGrad(Captum):
    """The mean gradient over noisy copies of the clip (Smilkov et al., 2017); ``noise`` is a share of its range in dB.

    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> values = SmoothGrad(linear)(torch.rand(1, 1, 2, 3), target=1).values
    >>> bool(torch.allclose(values.flatten(), linear[1].weight[1], atol=1e-6))
    True
    """

    name = "smoothgrad"

    def __init__(self, network: nn.Module, noise: float = 0.15, samples: int = 32, seed: int = 0) -> None:
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
    """Expected gradients over a background (Lundberg and Lee, NeurIPS 2017; Erion et al., 2021): SHAP values in expectation.

    ``background`` is features ``(B, 1, F, T)``; each of the ``samples`` is a random point between a random one and the clip.

    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> values = GradientSHAP(linear, torch.zeros(3, 1, 2, 3))(torch.ones(1, 1, 2, 3), target=1).values
    >>> bool(torch.allclose(values.flatten(), linear[1].weight[1], atol=1e-6))
    True
    """

    name = "gradient_shap"
    needs_background = True

    def __init__(self, network: nn.Module, background: Tensor, samples: int = 50, seed: int = 0) -> None:
        check_background(background)
        super().__init__(
            network, captum.attr.GradientShap, seed=seed, baselines=lambda db: background.to(db), n_samples=samples
        )


class KernelSHAP(Captum):
    """SHAP values of segments, by weighted regression over random sets of them (Lundberg and Lee, NeurIPS 2017).

    Each bin carries its segment's value; a segment left out becomes its ``fill``. ``samples`` sets of segments are drawn, by
    default five for each segment and at least 500. See
    :class:`~audiointerp.interpretation.lime.LIME` for the names of segments and fills.

    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(160, 2))
    >>> KernelSHAP(linear, samples=20)(torch.ones(1, 1, 8, 20)).values.unique().numel()
    2
    """

    name = "kernel_shap"

    def __init__(
        self,
        network: nn.Module,
        segments: str = "grid",
        fill: str = "silence",
        samples: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(network, captum.attr.KernelShap, seed=seed, perturbations_per_eval=BATCH)
        self.segments = choose("segments", segments, SEGMENTS)
        self.fill = choose("fill", fill, FILLINGS)
        self.samples = samples

    def _arguments(self, db: Tensor) -> dict[str, Any]:
        segments = segmented(db, self.segments, self.seed)
        if not segments.any():
            raise ArgumentError(
                f"kernel_shap shares a score among segments, but {self.segments} makes only one of this clip"
            )
        return {
            "feature_mask": segments,
            "baselines": filling(db, segments, self.fill),
            "n_samples": _enough(self.samples, int(segments.max()) + 1),
            **super()._arguments(db),
        }


def _enough(samples: int | None, segments: int) -> int:
    if samples is None:
        return max(500, 5 * segments)
    if samples < 2 * segments:
        raise ArgumentError(f"samples={samples} cannot tell {segments} segments apart; kernel_shap needs twice as many")
    return samples


class Occlusion(Captum):
    """What silencing a sliding patch of (bins, frames) costs (Zeiler and Fergus, ECCV 2014).

    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> Occlusion(linear, patch=(1, 1), stride=(1, 1))(torch.ones(1, 1, 2, 3)).values.shape
    torch.Size([1, 1, 2, 3])
    """

    name = "occlusion"

    def __init__(self, network: nn.Module, patch: tuple[int, int] = (8, 16), stride: tuple[int, int] = (4, 8)) -> None:
        super().__init__(
            network,
            captum.attr.Occlusion,
            sliding_window_shapes=(1, *patch),
            strides=(1, *stride),
            baselines=FLOOR,
            perturbations_per_eval=BATCH,
        )

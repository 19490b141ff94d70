"""Any captum method as an explainer."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ArgumentError, ModelError, choose
from .base import Explainer, on_grid, seed_of
from .gradcam import LAYOUTS
from .naming import usable_name
from .preserve import seeded
from .score import Score

BATCH_ARGUMENTS = ("internal_batch_size", "perturbations_per_eval", "nt_samples_batch_size")
"""The names that captum gives to the batch size."""


class Captum(Explainer):
    """Any captum method, e.g. ``captum.attr.DeepLift``.

    Each clip is explained by itself, with random draws seeded by the clip. An attribution on the
    grid of a layer is summed over the channels and interpolated to the grid of the features. With
    ``return_convergence_delta=True`` the delta is in ``info``.

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        make: makes the captum object from the explained function, a module from ``(K, 1, F, T)`` to
            ``(K,)``: a captum class, or a function that calls one.
        name: of the method in results; by default that of ``make``. It is lowered.
        seed: of the random draws.
        layout: of a layer's grid, see :class:`~audiointerp.interpretation.GradCAM`.
        **arguments: of the object's ``attribute``. A function is called with the clip's features
            ``(1, 1, F, T)``, and its result is passed.

    Raises:
        ArgumentError: ``make`` cannot be called, or the name or the layout is not usable.

    >>> import captum.attr
    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> clip = torch.ones(1, 1, 2, 3)
    >>> values = Captum(linear, captum.attr.InputXGradient)(clip, target=0).values
    >>> bool(torch.allclose(values.flatten(), linear[1].weight[0]))
    True
    >>> def smooth(score):
    ...     return captum.attr.NoiseTunnel(captum.attr.Saliency(score))
    >>> Captum(linear, smooth, abs=False, stdevs=lambda db: 0.1 * float(db.max()))(clip, target=0)
    Attribution(smooth, values (1, 1, 2, 3), target [0])
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
        self.batch = next((arguments[key] for key in BATCH_ARGUMENTS if key in arguments), None)
        if not callable(make):
            raise ArgumentError(
                f"make must be a captum class, e.g. captum.attr.DeepLift, "
                f"or a function that makes its object for a score, not {make!r}"
            )
        choose("layout", self.layout, LAYOUTS)
        if type(self) is Captum:
            method_name = usable_name(str(name or getattr(make, "__name__", ""))).lower()
            self.name = method_name  # type: ignore[misc]

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        score.settle(db)
        parts = [
            self._explain_clip(score.of(number), db[number, None]) for number in range(len(db))
        ]
        values, deltas = zip(*parts, strict=True)
        info = {} if deltas[0] is None else {"convergence_delta": torch.cat(deltas)}
        return torch.cat(values), info

    def _explain_clip(self, score: Score, db: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the values of one clip, and the convergence delta if captum returns it."""
        arguments = self._arguments(db)
        with seeded(seed_of(db, self.seed)):
            values, delta = self.make(score).attribute(db.requires_grad_(), **arguments), None
        # With return_convergence_delta=True, attribute returns a pair.
        if isinstance(values, tuple) and len(values) == 2:
            values, delta = values[0], values[1].detach().mean()[None]
        if not isinstance(values, Tensor) or values.ndim != 4 or len(values) != 1:
            shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ModelError(
                f"{self.name}: the attribution must be (1, 1, F, T), or (1, channels, ..., ...) of "
                f"a layer, not {shape}"
            )
        if values.shape != db.shape:
            values = on_grid(values.sum(1, keepdim=True), db, self.layout)
        return values.to(db), delta

    def _arguments(self, db: Tensor) -> dict[str, Any]:
        """Return the arguments of the captum object's ``attribute`` for one clip."""
        arguments = {
            key: value(db) if callable(value) else value for key, value in self.arguments.items()
        }
        return arguments | {key: self.batch for key in BATCH_ARGUMENTS if key in arguments}

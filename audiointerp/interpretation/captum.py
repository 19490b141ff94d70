"""Any captum method as an explainer."""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ArgumentError, ModelError, choose
from .base import Explainer, seed_of
from .grids import placed
from .layers import MeasuredLayer, measure_layer
from .measurement import LAYOUTS
from .naming import usable_name
from .preserve import seeded
from .score import Score, refuse_probabilities

BATCH_ARGUMENTS = ("internal_batch_size", "perturbations_per_eval", "nt_samples_batch_size")
"""The names that captum gives to the batch size."""


class Captum(Explainer):
    """Any captum method, e.g. ``captum.attr.DeepLift``.

    Each clip is explained by itself, with random draws seeded by the clip. An attribution on the
    grid of a layer is summed over the channels and interpolated to the grid of the features; which
    of the layer's axes is time is measured, see :class:`~audiointerp.interpretation.GradCAM`. With
    ``return_convergence_delta=True`` the delta is in ``info``.

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        make: makes the captum object from the explained function, a module from ``(K, 1, F, T)`` to
            ``(K,)``: a captum class, or a function that calls one.
        name: of the method in results; by default that of ``make``. It is lowered.
        seed: of the random draws.
        layout: of a layer's grid, if it cannot be measured: ``"FT"`` or ``"TF"``.
        **arguments: of the object's ``attribute``. A function is called with the clip's features
            ``(1, 1, F, T)``, and its result is passed.

    Raises:
        ArgumentError: ``make`` cannot be called, or the name or the layout is not usable. When
            called: the layout cannot be measured or is not the given one, or is ``"TF"`` for
            captum's ``GuidedGradCam``, which does not turn the map; or ``output`` says that the
            outputs are probabilities, for DeepLift and LRP, which see modules only.

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
        self.layout = None if layout is None else choose("layout", str(layout), LAYOUTS)
        self._measured: dict[Any, MeasuredLayer] = {}
        self.arguments = arguments
        self.batch = next((arguments[key] for key in BATCH_ARGUMENTS if key in arguments), None)
        if not callable(make):
            raise ArgumentError(
                f"make must be a captum class, e.g. captum.attr.DeepLift, "
                f"or a function that makes its object for a score, not {make!r}"
            )
        if type(self) is Captum:
            self.uses_input_gradients = _uses_input_gradients(make)  # type: ignore[misc]
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
        # The import takes most of a second, so it happens only when needed.
        import captum.attr

        arguments = self._arguments(db)
        with seeded(seed_of(db, self.seed)):
            method = self.make(score)
            if type(self) is Captum:
                self.gradients_by = _gradients_by(_inner(method))  # type: ignore[misc]
            # Their rules are for the modules that they know; other operations are not seen.
            if isinstance(_inner(method), captum.attr.DeepLift | captum.attr.LRP):
                refuse_probabilities(self.name, score.output)
            if isinstance(method, captum.attr.GuidedGradCam):
                self._refuse_turned(method.grad_cam.layer, db)
            values, delta = method.attribute(db.requires_grad_(), **arguments), None
        # With return_convergence_delta=True, attribute returns a pair.
        if isinstance(values, tuple) and len(values) == 2:
            values, delta = values[0], values[1].detach().mean()[None]
        if not isinstance(values, Tensor) or values.ndim != 4 or len(values) != 1:
            shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ModelError(
                f"{self.name}: the attribution must be (1, 1, F, T), or (1, channels, ..., ...) of "
                f"a layer, not {shape}"
            )
        layer = _layer_of(method)
        if layer is not None or values.shape != db.shape:
            coarse, layout = values.sum(1, keepdim=True), self._layout_of(layer, db)
            values, _, _ = placed(self.network, coarse, db, layout, self.name, "the layer")
        return values.to(db), delta

    def _refuse_turned(self, layer: nn.Module, db: Tensor) -> None:
        """Refuse captum's Guided Grad-CAM where it would take time for frequency."""
        if self._layout_of(layer, db) == "TF":
            raise ArgumentError(
                f"{self.name}: captum's GuidedGradCam takes the layer's axes (time, frequency) for "
                f"(frequency, time); use guided_gradcam, which turns them"
            )

    def _layout_of(self, layer: nn.Module | None, db: Tensor) -> str:
        if layer is not None:
            return measure_layer(self.network, db, layer, self.layout, self._measured).layout
        layout = self.layout or getattr(self.network, "activation_layout", None)
        if layout is None:
            raise ArgumentError(
                f"{self.name}: the attribution is on another grid than the features, and which of "
                f"its axes is time is not known; give layout='FT' if it is (frequency, time) or "
                f"layout='TF' if it is (time, frequency)"
            )
        return choose("layout", str(layout), LAYOUTS)

    def _arguments(self, db: Tensor) -> dict[str, Any]:
        """Return the arguments of the captum object's ``attribute`` for one clip."""
        arguments = {
            key: value(db) if callable(value) else value for key, value in self.arguments.items()
        }
        return arguments | {key: self.batch for key in BATCH_ARGUMENTS if key in arguments}


def _uses_input_gradients(make: Any) -> bool:
    """Whether it is a captum class of gradients by the input; what a function makes is not known.

    A class that changes the input, e.g. ``Occlusion``, asks the model what it hears.
    """
    # Who has a class of captum's has imported it.
    captum_methods = sys.modules.get("captum.attr")
    return (
        captum_methods is not None
        and isinstance(make, type)
        and issubclass(make, captum_methods.GradientAttribution)
    )


def _gradients_by(method: Any) -> str:
    """Return what a captum object takes gradients by; of another object, the levels at most."""
    import captum.attr

    changes_input = isinstance(method, captum.attr.PerturbationAttribution)
    of_layer = isinstance(method, captum.attr.LayerAttribution)
    takes_gradients = isinstance(method, captum.attr.GradientAttribution)
    if changes_input or (of_layer and not takes_gradients):
        return "nothing"
    return "layer" if of_layer else "levels"


def _inner(method: Any) -> Any:
    """Return the method that a NoiseTunnel contains, or the method itself."""
    return getattr(method, "attribution_method", method)


def _layer_of(method: Any) -> nn.Module | None:
    """Return the layer on whose grid a captum object attributes, or None."""
    import captum.attr

    method = _inner(method)
    layer = getattr(method, "layer", None)
    is_of_layer = isinstance(method, captum.attr.LayerAttribution)
    return layer if is_of_layer and isinstance(layer, nn.Module) else None

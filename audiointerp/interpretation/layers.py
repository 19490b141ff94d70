"""The layer of a class activation map, and which of its axes is time: measured, not assumed.

The network is run on a clip and on the same clip twice in a row. The axis of a layer's activations
that grows is time, whatever wraps the network.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ArgumentError, ModelError, choose
from ..util import run_network
from .preserve import seeded

LAYOUTS = ("FT", "TF")
"""The axes of activations: (frequency, time), or (time, frequency)."""
SMALLEST_PATCH_STRIDE = 4
"""Transformers with overlapping patches move by at least this much; the first layers of other
networks move by less."""

_Runs = list[tuple[nn.Module, tuple[int, ...]]]


@dataclass(frozen=True)
class MeasuredLayer:
    """A layer whose activations are ``(N, channels, ..., ...)``.

    Attributes:
        module: the layer.
        name: its name in the network.
        layout: ``"FT"`` if the activations are (frequency, time), ``"TF"`` if (time, frequency).
        grid: cells of the activations in frequency and in time.

    >>> MeasuredLayer(nn.Conv2d(1, 2, 3), "conv", "TF", (6, 18)).grid
    (6, 18)
    """

    module: nn.Module
    name: str
    layout: str
    grid: tuple[int, int]


def measure_layer(
    network: nn.Module,
    db: Tensor,
    layer: nn.Module | None = None,
    layout: str | None = None,
    measured: dict[Any, MeasuredLayer] | None = None,
) -> MeasuredLayer:
    """Find the layer of a class activation map and measure which of its axes is time.

    The network runs twice, without gradients and without changing random states. If the
    measurement says nothing (the network refuses the longer clip before the layer, or resizes it),
    the layout is ``layout``, or the network's own ``activation_layout``.

    Args:
        network: in evaluation mode.
        db: features ``(N, 1, F, T)``; the first clip is used.
        layer: the layer; if None, the convolution that runs last among those whose activations
            have more than one cell in time.
        layout: a name in ``LAYOUTS``, for networks that cannot be measured.
        measured: results of earlier calls, to which this one is added.

    Raises:
        ArgumentError: no convolution qualifies, or only the patch embedding of a transformer does;
            the layer does not run; the layout cannot be measured, or is not the given one.
        ModelError: the activations of the layer are not ``(N, channels, ..., ...)``.

    >>> class Turned(nn.Conv2d):
    ...     def forward(self, db):
    ...         return super().forward(db.transpose(2, 3))
    >>> network = nn.Sequential(Turned(1, 3, 3), nn.Conv2d(3, 2, 1))
    >>> layer = measure_layer(network, torch.zeros(1, 1, 8, 20))
    >>> layer.name, layer.layout, layer.grid
    ('1', 'TF', (6, 18))
    """
    measured = {} if measured is None else measured
    key = (network, layer, layout, db.shape[1:])
    if key not in measured:
        measured[key] = _Measurement(network, db[:1].detach(), layer, layout).result()
    return measured[key]


class _EnoughError(Exception):
    """Stops a network when its layers have been seen."""


class _Measurement:
    """What two runs of a network say about its convolutions, or about one layer."""

    def __init__(
        self, network: nn.Module, clip: Tensor, layer: nn.Module | None, layout: str | None
    ) -> None:
        self.network, self.layer, self.layout = network, layer, layout
        self.names = {
            module: name or "the network itself" for name, module in network.named_modules()
        }
        declared = getattr(network, "activation_layout", None)
        self.declared = choose("layout", str(declared), LAYOUTS) if declared else None
        watched = [layer] if layer is not None else _convolutions(network)
        self.runs, problem = _shapes(network, clip, watched)
        if problem is not None:
            raise problem
        # The network may refuse the longer clip behind these layers, so it is not run to its end.
        longer_runs, _ = _shapes(network, torch.cat([clip, clip], 3), watched, len(self.runs))
        # A module that is used several times has the shape of its last use.
        self.shape, self.longer = dict(self.runs), dict(longer_runs)
        counts, longer_counts = _counts(self.runs), _counts(longer_runs)
        self.comparable = {module for module in counts if counts[module] == longer_counts[module]}

    def result(self) -> MeasuredLayer:
        module = self._last_convolution() if self.layer is None else self._given_layer(self.layer)
        grows, shape = self._grows(module), self.shape[module]
        if self.layout is not None and grows is not None and grows != self.layout:
            raise ArgumentError(
                f"layout={self.layout!r} is wrong for {self._place(module)}: axis "
                f"{2 + grows.index('T')} of its activations grows with the clip's time, so they "
                f"are {grows!r}; leave layout out"
            )
        layout = self._layout_of(module)
        if layout is None:
            raise ArgumentError(
                f"which axis of {self._place(module)} is time cannot be measured: its activations "
                f"{shape} do not grow along one axis with a longer clip; give layout='FT' if they "
                f"are (frequency, time) or layout='TF' if they are (time, frequency)"
            )
        grid = (shape[2 + layout.index("F")], shape[2 + layout.index("T")])
        return MeasuredLayer(module, self.names.get(module, type(module).__name__), layout, grid)

    def _given_layer(self, layer: nn.Module) -> nn.Module:
        if layer not in self.shape:
            raise ArgumentError(
                f"{self._place(layer)} is not used in the forward of "
                f"{type(self.network).__name__}; give a layer that is"
            )
        if not _is_map(self.shape[layer]):
            raise ModelError(
                f"a class activation map needs a layer with activations (N, channels, F, T); those "
                f"of {self._place(layer)} are {self.shape[layer] or 'no tensor'} for one clip"
            )
        return layer

    def _last_convolution(self) -> nn.Module:
        network = type(self.network).__name__
        maps = [module for module, _ in reversed(self.runs) if _is_map(self.shape[module])]
        qualified = [module for module in maps if self._cells_in_time(module) > 1]
        # Without a layout, any axis may be time.
        unclear = [
            module
            for module in maps
            if self._layout_of(module) is None and max(self.shape[module][2:]) > 1
        ]
        candidates = qualified or unclear
        if not candidates:
            raise ArgumentError(
                f"no Conv2d that {network} runs has activations (N, channels, F, T) with more than "
                f"one cell in time; give layer=, or use occlusion, lime or integrated_gradients"
            )
        first = self.runs[0][0]
        if set(candidates) == {first} and _embeds_patches(first):
            raise ArgumentError(
                f"the only convolution of {network}, {self._place(first)} with kernel "
                f"{first.kernel_size} and stride {first.stride}, embeds patches, as in a "
                f"transformer: its activations precede the decision; use occlusion, lime or "
                f"integrated_gradients, or give layer="
            )
        return candidates[0]

    def _grows(self, module: nn.Module) -> str | None:
        """Return the layout that the two runs show, or None."""
        if module not in self.comparable or not _is_map(self.longer[module]):
            return None
        before, after = self.shape[module][2:], self.longer[module][2:]
        growing = [long > short for short, long in zip(before, after, strict=True)]
        if sum(growing) != 1:
            return None
        return "TF" if growing[0] else "FT"

    def _layout_of(self, module: nn.Module) -> str | None:
        return self._grows(module) or self.layout or self.declared

    def _cells_in_time(self, module: nn.Module) -> int:
        layout = self._layout_of(module)
        return 0 if layout is None else self.shape[module][2 + layout.index("T")]

    def _place(self, module: nn.Module) -> str:
        return f"{self.names.get(module, 'the layer')} ({type(module).__name__})"


def _convolutions(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)]


def _counts(runs: _Runs) -> Counter[nn.Module]:
    return Counter(module for module, _ in runs)


def _is_map(shape: tuple[int, ...]) -> bool:
    """Return whether a shape is that of one clip's activations ``(1, channels, ..., ...)``."""
    return len(shape) == 4 and shape[0] == 1


def _embeds_patches(convolution: nn.Module) -> bool:
    if not isinstance(convolution, nn.Conv2d) or max(convolution.kernel_size) == 1:
        return False
    sizes = list(zip(convolution.kernel_size, convolution.stride, strict=True))
    apart = all(size == stride for size, stride in sizes)
    overlapping = all(stride >= max(SMALLEST_PATCH_STRIDE, size / 2) for size, stride in sizes)
    return apart or overlapping


def _shapes(
    network: nn.Module, db: Tensor, watched: list[nn.Module], most: int | None = None
) -> tuple[_Runs, Exception | None]:
    """Run the network; return the modules in the order of their runs, and the error if it fails.

    It is stopped after ``most`` runs of the modules. The shape of what is not a tensor is ``()``.
    """
    runs: _Runs = []

    def recorder(module: nn.Module) -> Any:
        # DataParallel runs a copy of the module, so the module is not taken from the hook.
        def record(_: nn.Module, inputs: Any, output: Any) -> None:
            runs.append((module, tuple(output.shape) if isinstance(output, Tensor) else ()))
            if len(runs) == most:
                raise _EnoughError

        return record

    handles = [module.register_forward_hook(recorder(module)) for module in watched]
    problem = None
    try:
        with _keep_attributes(network), seeded(0), torch.no_grad():
            run_network(network, db)
    except Exception as error:
        problem = error
    finally:
        for handle in handles:
            handle.remove()
    return runs, problem


@contextmanager
def _keep_attributes(network: nn.Module) -> Iterator[None]:
    """Restore attributes of modules, e.g. what a network keeps for clips of the last length."""
    attributes = [(module, dict(vars(module))) for module in network.modules()]
    try:
        yield
    finally:
        for module, values in attributes:
            vars(module).clear()
            vars(module).update(values)

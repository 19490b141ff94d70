"""The default layer of a class activation map: the last whose activations still have cells."""

import math
from collections.abc import Callable

from torch import nn

from ..errors import ArgumentError
from ..util import network_name
from .measurement import CONVOLUTIONS_1D, CONVOLUTIONS_2D, Measurement, is_map
from .runs import Run
from .tokens import declared_grid, token_grid

MAPS = (
    *CONVOLUTIONS_2D,
    nn.BatchNorm2d,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
)
"""Layers whose outputs are ``(N, channels, ..., ...)``."""
NO_LAYERS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Softmax, nn.Identity)
SMALLEST_PATCH_STRIDE = 4
"""Transformers with overlapping patches move by at least this much; the first layers of other
networks move by less."""
INSTEAD = "use occlusion, lime, rise or integrated_gradients"


def default_layer(measurement: Measurement) -> nn.Module:
    """Return the layer that runs last among those that qualify.

    A layer qualifies if the logits depend on it and its activations have more than one cell in
    frequency and in time; if there is none, more than one in time. The output of a block is
    preferred to the same tensor under the name of a layer inside of it. A network may name the
    layers to choose from in the attribute ``cam_layers``.

    Args:
        measurement: of the network.

    Raises:
        ArgumentError: no layer qualifies.

    >>> import torch
    >>> layers = nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    >>> default_layer(Measurement(nn.Sequential(*layers), torch.zeros(1, 1, 8, 9)))
    ReLU()
    """
    if measurement.grid is not None:
        return _last_tokens(measurement, measurement.grid)
    runs = _that_reach_the_logits(measurement)
    declared = _declared_layers(measurement)
    maps = [run for run in runs if run.module in declared and is_map(run.shape)]
    conditions = [_has_time]
    if not maps:
        maps = _maps(measurement, runs)
        conditions = [_has_both, _has_time]
        patches = measurement.patches()
        if patches is not None and _embeds_patches(patches):
            return _last_of_transformer(measurement, patches)
    for condition in conditions:
        layer = _last(measurement, maps, condition)
        if layer is not None:
            return layer
    sequences = [run for run in runs if _is_long_sequence(measurement, run)]
    if sequences:
        # As in wav2vec 2.0, a transformer may follow, with a token for each step in time.
        tokens = _token_runs(measurement, lambda count: count in measurement.lengths_in_time())
        return _name_of_output(tokens) if tokens else sequences[-1].module
    declared_tokens = declared_grid(measurement.network)
    if declared_tokens is not None and declared_tokens[0] == 1:
        return _last_tokens(measurement, declared_tokens)
    unclear = [run for run in maps if measurement.layout_of(run.module) is None]
    unclear = [run for run in unclear if max(run.shape[2:]) > 1]
    if unclear:
        return unclear[-1].module
    raise ArgumentError(
        f"no layer that {network_name(measurement.network)} runs has activations "
        f"(N, channels, F, T) or (N, channels, T) with more than one cell in time; give layer=, "
        f"or {INSTEAD}"
    )


def early_layer(measurement: Measurement) -> nn.Module | None:
    """Return the last layer before the activations have less than half of the most cells.

    In a network of convolutions and poolings it is what enters the first pooling.

    Args:
        measurement: of the network.

    Returns:
        The layer; None if there is none on which the logits depend, or the first convolution embeds
        patches.

    >>> import torch
    >>> layers = nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 2, 1), nn.Flatten()
    >>> early_layer(Measurement(nn.Sequential(*layers), torch.zeros(1, 1, 8, 9)))
    ReLU()
    """
    patches = measurement.patches()
    if patches is not None and _embeds_patches(patches):
        return None
    maps = [
        run
        for run in _maps(measurement, _that_reach_the_logits(measurement))
        if run.gradient is not None
    ]
    largest = max((math.prod(run.shape[2:]) for run in maps), default=0)

    def is_fine(frequencies: int, times: int) -> bool:
        return 2 * frequencies * times > largest

    return _last(measurement, maps, is_fine)


def _that_reach_the_logits(measurement: Measurement) -> list[Run]:
    """Return the runs on whose output the logits depend, or all if that is not known.

    Of a model of sounds they are those of the part that its owner names as ``network=``.
    """
    part = getattr(measurement.network, "layers_of", measurement.network)
    inside = set(part.modules())
    runs = [run for run in measurement.runs if run.module in inside]
    reaching = [run for run in runs if run.gradient is not None]
    return reaching or runs


def _declared_layers(measurement: Measurement) -> set[nn.Module]:
    """Return the layers that the network, or one inside of it, names in ``cam_layers``."""
    return {
        module.get_submodule(name)
        for module in measurement.network.modules()
        for name in getattr(module, "cam_layers", ())
    }


def _maps(measurement: Measurement, runs: list[Run]) -> list[Run]:
    """Return the runs whose output is a map, of a convolution or behind one.

    The last two axes of a map are those of a layer that is known to return maps. So neither
    activations with the channels last nor the weights of an attention are taken for one.
    """
    sizes = {run.shape[2:] for run in measurement.runs if isinstance(run.module, MAPS)}
    shapes = [isinstance(run.module, CONVOLUTIONS_2D) for run in measurement.runs]
    first = shapes.index(True) if any(shapes) else len(shapes)
    behind = {run.module for run in measurement.runs[first:]}
    return [
        run
        for run in runs
        if is_map(run.shape)
        and run.shape[2:] in sizes
        and run.module in behind
        and not isinstance(run.module, NO_LAYERS)
    ]


def _last(
    measurement: Measurement, runs: list[Run], condition: Callable[[int, int], bool]
) -> nn.Module | None:
    """Return the last layer whose cells in frequency and time satisfy a condition, or None."""
    qualified = [run for run in runs if condition(*_cells(measurement, run.module))]
    # Hooks cannot tell the uses of a module apart.
    once = [run for run in qualified if measurement.uses[run.module] == 1] or qualified
    return _name_of_output(once) if once else None


def _name_of_output(runs: list[Run]) -> nn.Module:
    """Return the innermost block that returns the last run's output, or the last layer that does.

    ``layer4.1`` returns the same tensor as ``layer4`` and as the ReLU at its end.
    """
    same = [run.module for run in runs if run.output == runs[-1].output]
    blocks = [module for module in same if next(module.children(), None) is not None]
    return blocks[0] if blocks else same[-1]


def _cells(measurement: Measurement, module: nn.Module) -> tuple[int, int]:
    layout, shape = measurement.layout_of(module), measurement.shapes[module]
    if layout is None:
        return (0, 0)
    return shape[2 + layout.index("F")], shape[2 + layout.index("T")]


def _has_both(frequencies: int, times: int) -> bool:
    return frequencies > 1 and times > 1


def _has_time(frequencies: int, times: int) -> bool:
    return times > 1


def _is_long_sequence(measurement: Measurement, run: Run) -> bool:
    return (
        isinstance(run.module, CONVOLUTIONS_1D)
        and measurement.uses[run.module] == 1
        and measurement.is_sequence(run.module)
        and run.shape[2] > 1
    )


def _embeds_patches(convolution: nn.Module) -> bool:
    if not isinstance(convolution, nn.Conv2d) or max(convolution.kernel_size) == 1:
        return False
    sizes = list(zip(convolution.kernel_size, convolution.stride, strict=True))
    apart = all(size == stride for size, stride in sizes)
    overlapping = all(stride >= max(SMALLEST_PATCH_STRIDE, size / 2) for size, stride in sizes)
    return apart or overlapping


def _last_of_transformer(measurement: Measurement, patches: nn.Module) -> nn.Module:
    """Return the last layer of a transformer whose configuration states the grid of patches."""
    rows, columns = measurement.shapes[patches][2:]
    declared = declared_grid(measurement.network)
    if declared is not None:
        return _last_tokens(measurement, (rows, columns))
    raise ArgumentError(
        f"the only convolution of {network_name(measurement.network)}, "
        f"{measurement.place(patches)} with kernel {patches.kernel_size} and stride "
        f"{patches.stride}, embeds patches, as in a transformer: its activations precede the "
        f"decision; {INSTEAD}, or give layer=, or grid={(rows, columns)} if the tokens are the "
        f"patches in that order"
    )


def _last_tokens(measurement: Measurement, grid: tuple[int, int]) -> nn.Module:
    """Return the last layer whose patch tokens the logits depend on.

    If the class token decides, the last block's output at the patches is not used, and the layer
    is the normalisation before the last attention.
    """
    tokens = _token_runs(measurement, lambda count: token_grid(count, grid, None) is not None)
    patches = grid[0] * grid[1]
    used = [run for run in tokens if run.gradient is not None and run.gradient[-patches:].any()]
    if not used:
        raise ArgumentError(
            f"no layer that {network_name(measurement.network)} runs has the tokens of a grid "
            f"of {grid} patches that its logits depend on; give layer= and grid=(rows, columns)"
        )
    return _name_of_output(used)


def _token_runs(measurement: Measurement, fits: Callable[[int], bool]) -> list[Run]:
    """Return the runs with a fitting number of tokens ``(1, tokens, dim)``: norms and blocks."""
    return [
        run
        for run in measurement.runs
        if len(run.shape) == 3
        and run.shape[0] == 1
        and fits(run.shape[1])
        and run.gradient is not None
        and (isinstance(run.module, nn.LayerNorm) or next(run.module.children(), None) is not None)
        and measurement.uses[run.module] == 1
    ]

"""The layer of a class activation map, and which of its axes is time: measured, not assumed.

The network is run on a clip and on the same clip twice in a row (or, if it refuses that, on its
first half). The axis of a layer's activations that follows the length is time, whatever wraps the
network.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..errors import ArgumentError, ModelError
from ..util import explained_model, network_name
from .default_layer import default_layer
from .measurement import Measurement, is_map
from .tokens import TokenGrid, declared_grid, token_grid


@dataclass(frozen=True)
class MeasuredLayer:
    """A layer whose activations are a map, a sequence over time, or the tokens of a transformer.

    Attributes:
        module: the layer.
        name: its name in the network.
        layout: ``"FT"`` if the cells are (frequency, time), ``"TF"`` if (time, frequency).
        grid: cells of the activations in frequency and in time.
        tokens: where the cells are among the tokens ``(N, tokens, dim)``, or None.

    >>> import torch
    >>> layer = MeasuredLayer(nn.Conv2d(1, 2, 3), "conv", "TF", (6, 18))
    >>> layer.grid, layer.as_map(torch.zeros(1, 2, 18, 6)).shape
    ((6, 18), torch.Size([1, 2, 18, 6]))
    """

    module: nn.Module
    name: str
    layout: str
    grid: tuple[int, int]
    tokens: TokenGrid | None = None

    def as_map(self, activations: Tensor) -> Tensor:
        """Return activations, or their gradients, as ``(N, channels, ..., ...)`` in ``layout``."""
        if self.tokens is not None:
            return self.tokens.as_map(activations)
        return activations[:, :, None] if activations.ndim == 3 else activations


def measure_layer(
    network: nn.Module,
    db: Tensor,
    layer: nn.Module | None = None,
    layout: str | None = None,
    measured: dict[Any, MeasuredLayer] | None = None,
    grid: tuple[int, int] | None = None,
) -> MeasuredLayer:
    """Find the layer of a class activation map and measure which of its axes is time.

    The network runs twice, without changing random states. If the measurement says nothing (the
    network refuses other lengths before the layer, or resizes the clip), the layout is ``layout``,
    or the network's own ``activation_layout``.

    Args:
        network: in evaluation mode.
        db: features ``(N, 1, F, T)``; the first clip is used.
        layer: the layer; if None, the last that qualifies, see
            :class:`~audiointerp.interpretation.GradCAM`.
        layout: a name in ``LAYOUTS``, for networks that cannot be measured.
        measured: results of earlier calls, to which this one is added.
        grid: rows and columns of the tokens, for transformers that do not say it.

    Raises:
        ArgumentError: no layer qualifies, or only the patch embedding of a transformer does; the
            layer does not run; the layout or the grid cannot be measured, or is not the given one.
        ModelError: the activations of the layer are neither ``(N, channels, ..., ...)`` nor
            ``(N, channels, T)`` nor tokens ``(N, tokens, dim)``.

    >>> import torch
    >>> class Turned(nn.Conv2d):
    ...     def forward(self, db):
    ...         return super().forward(db.transpose(2, 3))
    >>> network = nn.Sequential(Turned(1, 3, 3), nn.Conv2d(3, 2, 1), nn.Flatten())
    >>> layer = measure_layer(network, torch.zeros(1, 1, 8, 20))
    >>> layer.name, layer.layout, layer.grid
    ('1', 'TF', (6, 18))
    """
    measured = {} if measured is None else measured
    key = (explained_model(network), layer, layout, grid, db.shape[1:])
    if key not in measured:
        measurement = Measurement(network, db[:1].detach(), layer, layout, grid)
        measured[key] = _measured_layer(measurement, layer)
    return measured[key]


def _measured_layer(measurement: Measurement, layer: nn.Module | None) -> MeasuredLayer:
    """Return the layer that was given, or the default."""
    module = default_layer(measurement) if layer is None else _given_layer(measurement, layer)
    name, shape = measurement.names.get(module, type(module).__name__), measurement.shapes[module]
    if measurement.is_sequence(module):
        return MeasuredLayer(module, name, "FT", (1, shape[2]))
    if len(shape) == 3:
        place = measurement.place(module)
        tokens, layout = locate_tokens(measurement, shape[1], place, measurement.longer.get(module))
        rows, columns = tokens.rows, tokens.columns
        cells = (rows, columns) if layout == "FT" else (columns, rows)
        return MeasuredLayer(module, name, layout, cells, tokens)
    layout = measurement.checked_layout(module)
    cells = (shape[2 + layout.index("F")], shape[2 + layout.index("T")])
    return MeasuredLayer(module, name, layout, cells)


def _given_layer(measurement: Measurement, layer: nn.Module) -> nn.Module:
    if layer not in measurement.shapes:
        raise ArgumentError(
            f"{measurement.place(layer)} is not used in the forward of "
            f"{network_name(measurement.network)}; give a layer that is"
        )
    shape = measurement.shapes[layer]
    if not is_map(shape) and not (len(shape) == 3 and shape[0] == 1):
        raise ModelError(
            f"a class activation map needs a layer with activations (N, channels, F, T), "
            f"(N, channels, T) or tokens (N, tokens, dim); those of {measurement.place(layer)} are "
            f"{shape or 'no tensor'} for one clip"
        )
    return layer


def locate_tokens(
    measurement: Measurement, count: int, place: str, longer: tuple[int, ...] | None = None
) -> tuple[TokenGrid, str]:
    """Return where the patches are among the tokens of a transformer, and their layout.

    Args:
        measurement: of the network.
        count: the tokens.
        place: the layer, for messages.
        longer: the shape of the layer's tokens for a longer clip, if it is known.

    Raises:
        ArgumentError: the grid or the layout is not known, or the grid has too many cells.

    >>> import torch
    >>> measurement = Measurement(nn.Conv2d(1, 2, 3), torch.zeros(1, 1, 8, 20), grid=(1, 20))
    >>> locate_tokens(measurement, 21, "the layer")
    (TokenGrid(rows=1, columns=20, first=1), 'FT')
    """
    patches = measurement.patches()
    cells = measurement.shapes[patches][2:] if patches is not None else None
    grid = measurement.grid or token_grid(count, cells, declared_grid(measurement.network))
    if grid is None:
        # There may be one token for each step in time.
        grows = longer is not None and longer[1] > count
        if grows or count in measurement.lengths_in_time():
            return TokenGrid(1, count, 0), "FT"
        raise ArgumentError(
            f"the {count} tokens of {place} are not known to be on a grid; give "
            f"grid=(rows, columns), e.g. the patches in frequency and in time"
        )
    first = count - grid[0] * grid[1]
    if first < 0:
        raise ArgumentError(f"grid={grid} has more cells than {place} has tokens, {count}")
    if patches is not None and grid == cells:
        return TokenGrid(*grid, first), measurement.checked_layout(patches)
    layout = measurement.layout or measurement.declared
    if layout is None and 1 in grid:
        layout = "FT" if grid[0] == 1 else "TF"
    if layout is None:
        raise ArgumentError(
            f"whether the {grid[0]} rows of tokens of {place} are frequencies cannot be "
            f"measured; give layout='FT' if they are, or layout='TF' if they are time"
        )
    return TokenGrid(*grid, first), layout

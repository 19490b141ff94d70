"""The layer of a class activation map, and the size of its cells in Hz and seconds."""

import math
from dataclasses import dataclass, replace

from ..interpretation import Attribution
from ..processing import Transform

CELL = "cell"
"""The entry of an attribution's ``info`` with the mean size of a cell, (Hz, s)."""


@dataclass(frozen=True)
class LayerCell:
    """The layer that an attribution was computed on.

    Attributes:
        layer: its name in the network; empty if the method has none.
        hertz, seconds: the mean size of its cells; NaN if unknown. On a mel scale, cells at low
            frequencies are narrower, those at high frequencies wider.

    >>> str(LayerCell("conv_block4.conv2", 1710.3, 0.161))
    'layer conv_block4.conv2, cells of 1710 Hz × 0.16 s'
    >>> str(LayerCell("conv", math.nan, math.nan)), str(LayerCell("", math.nan, math.nan))
    ('layer conv', '')
    """

    layer: str
    hertz: float
    seconds: float

    def __str__(self) -> str:
        text = f"layer {self.layer}" if self.layer else ""
        if math.isnan(self.hertz):
            return text
        return f"{text}, cells of {self.hertz:.0f} Hz × {self.seconds:.2g} s"


def with_cell(attribution: Attribution, transform: Transform, frames: int) -> Attribution:
    """Return an attribution whose ``info["cell"]`` is the size of its layer's cells, (Hz, s).

    ``info["grid"]`` has the cells of one window, in frequency and in time. Their sizes are the
    transform's span (that of the model's own bands in ``info["span"]``, if known), from its lowest
    to its highest band centre, and the window's length, divided by these. Without a grid, the
    attribution is returned as it is.

    Args:
        attribution: of one clip.
        transform: the transform of its features.
        frames: the frames of the network's window.

    >>> import torch
    >>> from audiointerp import LogSTFT
    >>> info = {"layer": "conv", "grid": (8, 10)}
    >>> attribution = Attribution(
    ...     torch.zeros(1, 1, 257, 100), torch.tensor([0]), torch.ones(1, 1), "gradcam", info
    ... )
    >>> with_cell(attribution, LogSTFT(), frames=100).info["cell"]
    (1000.0, 0.16)
    """
    grid = attribution.info.get("grid")
    if not (isinstance(grid, tuple) and len(grid) == 2 and min(grid) > 0):
        return attribution
    rows, columns = grid
    frequencies = transform.frequencies
    span = attribution.info.get("span", float(frequencies.max() - frequencies.min()))
    hertz = span / rows
    seconds = frames * transform.hop_length / transform.sample_rate / columns
    return replace(attribution, info={**attribution.info, CELL: (hertz, seconds)})


def layer_cell(attribution: Attribution) -> LayerCell:
    """Return the layer of an attribution by :func:`~audiointerp.scoring.explain.explain_clip`.

    >>> import torch
    >>> info = {"layer": "conv", "grid": (8, 10), "cell": (1000.0, 0.16)}
    >>> layer_cell(Attribution(torch.zeros(1), torch.zeros(1), torch.zeros(1), "gradcam", info))
    LayerCell(layer='conv', hertz=1000.0, seconds=0.16)
    """
    hertz, seconds = attribution.info.get(CELL, (math.nan, math.nan))
    return LayerCell(str(attribution.info.get("layer", "")), hertz, seconds)

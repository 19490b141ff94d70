"""From the grid of a layer to the grid of the features."""

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ArgumentError


def on_grid(
    coarse: Tensor,
    db: Tensor,
    layout: str,
    cell_frequencies: Tensor | None = None,
    frequencies: Tensor | None = None,
    clip_share: float = 1.0,
) -> Tensor:
    """Interpolate a layer's map ``(N, 1, ..., ...)`` bilinearly to the grid of the features.

    The rows of the map are spread evenly over those of the features. If the network computes a
    spectrogram of its own from the clip, with other bands than the features have, they are spread
    over the bands of that front end, and each row of the features takes the value at its own
    frequency. Rows that the front end does not cover get 0.

    Args:
        coarse: the map.
        db: the features ``(N, 1, F, T)``.
        layout: the axes of the map, ``"FT"`` or ``"TF"``.
        cell_frequencies: the centre of each band of the front end in Hz, rising, ``(F',)``.
        frequencies: the centre of each row of the features in Hz, ``(F,)``.
        clip_share: the share of the map, from its start, that is of the features; the rest is of
            padding and is cut off.

    Raises:
        ArgumentError: only one of the two lists of frequencies is given, or one has the wrong size
            or does not rise.

    >>> on_grid(torch.zeros(1, 1, 5, 2), torch.zeros(1, 1, 8, 20), "TF").shape
    torch.Size([1, 1, 8, 20])
    >>> rows, bands = torch.tensor([[[[1.0], [3.0]]]]), torch.tensor([100.0, 300.0])
    >>> hz = torch.tensor([100.0, 200.0, 300.0, 9000.0])
    >>> on_grid(rows, torch.zeros(1, 1, 4, 1), "FT", bands, hz).flatten().tolist()
    [1.0, 2.0, 3.0, 0.0]
    """
    swapped = (coarse.transpose(2, 3) if layout == "TF" else coarse).detach()
    rows, frames = db.shape[2:]
    padded_frames = round(frames / clip_share)
    if cell_frequencies is None:
        shape = (rows, padded_frames)
        padded = functional.interpolate(swapped, shape, mode="bilinear", align_corners=False)
        return padded[..., :frames]
    if frequencies is None:
        raise ArgumentError(
            "cell_frequencies says where the rows of the network's front end are, but not where "
            "those of the features are: give frequencies too, in Hz (F,)"
        )
    bands = _rising("cell_frequencies", cell_frequencies)
    row_hz = _rising("frequencies", frequencies)
    if len(row_hz) != rows:
        raise ArgumentError(f"frequencies has {len(row_hz)} entries, the features {rows} rows")
    in_time = functional.interpolate(
        swapped, (swapped.shape[2], padded_frames), mode="bilinear", align_corners=False
    )[..., :frames]
    weights = torch.from_numpy(_row_weights(swapped.shape[2], bands, row_hz)).to(in_time)
    return torch.einsum("fr,ncrt->ncft", weights, in_time)


def placed(
    network: nn.Module, coarse: Tensor, db: Tensor, layout: str, method: str, layer: str
) -> tuple[Tensor, tuple[int, int], dict[str, Any]]:
    """Bring a layer's map to the grid of the features, by the frequencies of the front end.

    Where a front end of the model's own has bands that are not known, the map is over time alone,
    with a warning, since it would be drawn at wrong frequencies. What is of padding behind the clip
    is cut off.

    Args:
        network: whose modules may state ``cell_frequencies``, ``frequencies`` and ``clip_share``.
        coarse: the map ``(N, 1, ..., ...)``.
        db: the features ``(N, 1, F, T)``.
        layout: the axes of the map, ``"FT"`` or ``"TF"``.
        method, layer: names, for the warning.

    Raises:
        ArgumentError: there are fewer bands than rows, or they do not fit, see :func:`on_grid`.

    Returns:
        The values ``(N, 1, F, T)``, the clip's cells in frequency and in time, and, where the
        bands are known, their ``span`` in Hz.

    >>> values, cells, _ = placed(
    ...     nn.Identity(), torch.zeros(1, 1, 5, 2), torch.zeros(1, 1, 8, 20), "TF", "cam", "conv"
    ... )
    >>> values.shape, cells
    (torch.Size([1, 1, 8, 20]), (2, 5))
    """
    bands, frequencies = _frequencies_of(network)
    rows = 3 if layout == "TF" else 2
    is_unknown = bands is None and getattr(network, "has_front_end", False)
    if is_unknown and coarse.shape[rows] > 1:
        warnings.warn(
            f"{method}: the {coarse.shape[rows]} rows of {layer} are bands of the model's own "
            f"front end, which are not known, so the map is over time alone; give bands= when the "
            f"classifier is made: Hz of each band of the front end, not of these rows",
            stacklevel=6,
        )
        coarse = coarse.mean(rows, keepdim=True)
    if bands is not None and len(bands) < coarse.shape[rows]:
        raise ArgumentError(
            f"bands: {len(bands)} bands of the front end cannot be {coarse.shape[rows]} rows of "
            f"{layer}; give the frequency of each band of the front end, in Hz"
        )
    clip_share = _clip_share_of(network)
    cells = (coarse.shape[rows], max(1, round(coarse.shape[5 - rows] * clip_share)))
    span = {} if bands is None else {"span": float(bands.max() - bands.min())}
    return on_grid(coarse, db, layout, bands, frequencies, clip_share), cells, span


def _clip_share_of(network: nn.Module) -> float:
    shares = (getattr(module, "clip_share", None) for module in network.modules())
    return next((float(share) for share in shares if share is not None), 1.0)


def _frequencies_of(network: nn.Module) -> tuple[Tensor | None, Tensor | None]:
    """Return the frequencies of the front end and of the features, if the network states them."""
    for module in network.modules():
        bands = getattr(module, "cell_frequencies", None)
        if bands is not None:
            return torch.as_tensor(bands), getattr(module, "frequencies", None)
    return None, None


def _rising(name: str, frequencies: Tensor) -> np.ndarray:
    hz: np.ndarray = torch.as_tensor(frequencies).detach().cpu().double().numpy()
    if hz.ndim != 1 or not len(hz) or not np.isfinite(hz).all() or (np.diff(hz) <= 0).any():
        raise ArgumentError(f"{name} must be rising frequencies in Hz, one for each row")
    return hz


def _row_weights(cells: int, bands: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return how much each row of the features ``(F,)`` takes from each row of a map: ``(F, R)``.

    Along the front end's bands the map is interpolated as by ``functional.interpolate``.
    """
    numbers = np.arange(len(bands))
    place = (np.interp(rows, bands, numbers) + 0.5) * cells / len(bands) - 0.5
    place = place.clip(0, cells - 1)
    lower = np.floor(place).astype(int)
    weights = np.zeros((len(rows), cells))
    row_numbers = np.arange(len(rows))
    weights[row_numbers, lower] = 1 - (place - lower)
    weights[row_numbers, np.minimum(lower + 1, cells - 1)] += place - lower
    # A band reaches to its neighbour's centre, so the outermost reach as far to the outside.
    spacing = np.diff(bands) if len(bands) > 1 else np.array([np.inf])
    covered = (rows > bands[0] - spacing[0]) & (rows < bands[-1] + spacing[-1])
    covered_weights: np.ndarray = weights * covered[:, None]
    return covered_weights

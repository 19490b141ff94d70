"""The picture of a scan: p of each label over time."""

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

MOST_COLUMNS = 2000
"""Columns of a picture; of more windows, a column shows the largest p."""
MOST_LABELS = 30
"""Labels of a picture; of more, those with the largest p are shown."""


def heat_map(
    limits: np.ndarray,
    p: np.ndarray,
    labels: Sequence[str],
    ax: Axes | None = None,
    title: str = "",
) -> AxesImage:
    """Draw p of each label over time.

    Args:
        limits: the W + 1 limits of the windows' parts, in seconds.
        p: ``(C, W)``.
        labels: the C labels.
        ax: where to draw; of a new figure if None.
        title: of the axes.

    >>> image = heat_map(np.arange(4.0), np.eye(2, 3), ["cat", "dog"])
    >>> image.get_extent(), [text.get_text() for text in image.axes.get_yticklabels()]
    ([0.0, 3.0, 1.5, -0.5], ['cat', 'dog'])
    """
    strongest = np.sort(np.argsort(-p.max(1), kind="stable")[:MOST_LABELS])
    shown = _at_even_times(limits, p[strongest])
    if ax is None:
        figure = Figure(figsize=(10, 1 + 0.25 * len(strongest)), layout="constrained")
        ax = figure.subplots()
    image = ax.imshow(
        shown,
        aspect="auto",
        interpolation="none",
        vmin=0,
        vmax=1,
        cmap="magma",
        extent=(float(limits[0]), float(limits[-1]), len(strongest) - 0.5, -0.5),
    )
    # A label or a name with dollar signs is no formula.
    ax.set_yticks(range(len(strongest)), [labels[row] for row in strongest], parse_math=False)
    ax.set_title(title, parse_math=False)
    ax.set_xlabel("time (s)")
    if ax.figure is not None:
        ax.figure.colorbar(image, ax=ax, label="p", pad=0.01)
    return image


def png_of(draw: Callable[[Any], object]) -> str:
    """Return a drawing as a data URI; ``draw`` gets the axes.

    >>> png_of(lambda ax: ax.plot([0, 1]))[:26]
    'data:image/png;base64,iVBO'
    """
    figure = Figure(figsize=(10, 3.5), layout="constrained")
    draw(figure.subplots())
    buffer = io.BytesIO()
    # Without the matplotlib version, so that the bytes do not depend on it.
    figure.savefig(buffer, format="png", dpi=90, metadata={"Software": None})
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _at_even_times(limits: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return p in columns of equal width; a column has the largest p of the parts that it meets."""
    shortest = float(np.diff(limits).min()) or 1.0
    columns = min(MOST_COLUMNS, max(1, round((limits[-1] - limits[0]) / shortest)))
    edges = np.linspace(limits[0], limits[-1], columns + 1)
    first = np.searchsorted(limits, edges[:-1], "right") - 1
    last = np.searchsorted(limits, edges[1:], "left") - 1
    rows = [
        p[:, begin : max(begin, end) + 1].max(1) for begin, end in zip(first, last, strict=True)
    ]
    return np.stack(rows, 1)

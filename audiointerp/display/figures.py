"""Figures of matplotlib as they stand in a page."""

from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .pixels import DPI, pixels_address


def figure_pixels(figure: Figure) -> np.ndarray:
    """Draw a figure once, ``(H, W, 3)`` uint8; to save it draws it again for its layout.

    The figure's own canvas and resolution are left as they are.

    >>> figure_pixels(Figure(figsize=(4, 3))).shape
    (360, 480, 3)
    """
    canvas, own_dpi = figure.canvas, figure.dpi
    try:
        figure.set_dpi(DPI)
        agg: Any = FigureCanvasAgg(figure)
        agg.draw()
        return np.array(agg.buffer_rgba())[..., :3]
    finally:
        figure.set_canvas(canvas)
        figure.set_dpi(own_dpi)


def figure_address(figure: Figure) -> str:
    """Return a figure as the data URI of a picture for a page.

    >>> figure_address(Figure())[:23]
    'data:image/webp;base64,'
    """
    return pixels_address(figure_pixels(figure))

"""Pictures as pixels ``(H, W, 3)`` uint8: as they stand in a page, and their colours."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

DPI = 120.0
"""Dots per inch of pictures."""
Colours = Sequence[tuple[int, int, int]]
MAGMA: Colours = (
    (0, 0, 4),
    (10, 8, 34),
    (29, 17, 71),
    (54, 16, 107),
    (81, 18, 124),
    (106, 28, 129),
    (131, 38, 129),
    (156, 46, 127),
    (183, 55, 121),
    (207, 64, 112),
    (229, 80, 100),
    (244, 105, 92),
    (251, 135, 97),
    (254, 165, 113),
    (254, 194, 135),
    (253, 224, 161),
    (252, 253, 191),
)
"""Levels, from silent to loud: matplotlib's magma at 17 places."""
BLUE_TO_RED: Colours = (
    (5, 48, 97),
    (33, 102, 172),
    (67, 147, 195),
    (146, 197, 222),
    (209, 229, 240),
    (247, 247, 247),
    (253, 219, 199),
    (244, 165, 130),
    (214, 96, 77),
    (178, 24, 43),
    (103, 0, 31),
)
"""Attributions, from against to for the class: ColorBrewer's RdBu, reversed."""
GREY: Colours = ((0, 0, 0), (255, 255, 255))


def coloured(values: np.ndarray, low: float, high: float, colours: Colours) -> np.ndarray:
    """Return values ``(F, T)`` as colours between those of a low and a high one, ``(F, T, 3)``.

    >>> coloured(np.array([[-9.0, 0.0, 0.5, 1.0]]), 0.0, 1.0, GREY)[0, :, 0].tolist()
    [0.0, 0.0, 127.5, 255.0]
    """
    places = np.linspace(low, high, len(colours))
    channels = [np.interp(values, places, channel) for channel in zip(*colours, strict=True)]
    return np.stack(channels, -1)


def blended(below: np.ndarray, above: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Lay colours ``(F, T, 3)`` with an opacity ``(F, T)`` in [0, 1] over others.

    >>> white = np.full((1, 2, 3), 255.0)
    >>> blended(white, 0 * white, np.array([[0.0, 1.0]]))[0, :, 0].tolist()
    [255.0, 0.0]
    """
    mixed: np.ndarray = below + (above - below) * opacity[..., None]
    return mixed


def pixels_address(pixels: np.ndarray) -> str:
    """Return pixels as the data URI of a WebP picture, which has half the size of a JPEG.

    >>> pixels_address(np.zeros((2, 2, 3), np.uint8))[:23]
    'data:image/webp;base64,'
    """
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=20, method=6)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"

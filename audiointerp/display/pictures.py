"""Figures as they stand in a page."""

import base64
import io

from matplotlib.figure import Figure


def figure_address(figure: Figure) -> str:
    """Return a figure as the data URI of a WebP picture, which has half the size of a JPEG.

    >>> figure_address(Figure())[:23]
    'data:image/webp;base64,'
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="webp", dpi=90, pil_kwargs={"quality": 40, "method": 6})
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"

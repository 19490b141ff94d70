"""The still picture of an explained clip, for files and for pages without scripts.

It shows what :func:`~audiointerp.display.plot.interpretation` shows, and is drawn here since
matplotlib takes nearly a second to be imported and to draw it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..scoring import ExplainedClip
from ..util import FLOOR
from .captions import RANGE, is_long, tick_places, time_labels, titles
from .fewer_frames import in_columns
from .pixels import BLUE_TO_RED, GREY, MAGMA, blended, coloured

WIDTH = 1680
LEFT, RIGHT, GAP = 78, 10, 20
"""Beside the panels, and between two that stand beside each other."""
ABOVE, BELOW = 58, 104
"""For two lines of text above a panel; for ticks and three lines below it."""
HEIGHT = {False: 244, True: 190}
"""The panels of a short and of a long clip."""
TEXT, TITLE, LEAST = 16.7, 20.0, 9.0
"""Sizes of text in dots; a title that is too wide is made smaller."""
TICK = 5
MOST_TICKS = {False: 6, True: 20}
Box = tuple[int, int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def still_picture(result: ExplainedClip) -> np.ndarray:
    """Draw the clip, its attribution, the kept and the removed part; long clips below each other.

    Args:
        result: of :func:`~audiointerp.predict.interpret`.

    Returns:
        ``(H, W, 3)`` uint8.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> still_picture(ai.interpret(classifier, torch.randn(32000), "saliency", compared=0)).shape
    (406, 1680, 3)
    """
    spec = result.spectrogram
    frames = spec.db.shape[-1]
    seconds = frames * spec.transform.hop_length / spec.transform.sample_rate
    boxes, size = _layout(is_long(result))
    image = Image.new("RGB", size, "white")
    ticks = tick_places(spec.transform.frequencies.numpy())
    panels = zip(boxes, panel_colours(result), titles(result), time_labels(result), strict=True)
    for number, (box, colours, title, label) in enumerate(panels):
        has_labels = is_long(result) or number == 0
        axes = _Axes(image, box, seconds, MOST_TICKS[is_long(result)])
        axes.show(colours)
        axes.mark_times(label)
        axes.mark_bins(ticks, len(colours), has_labels)
        axes.write_title(title)
    return np.asarray(image)


def panel_colours(result: ExplainedClip) -> list[np.ndarray]:
    """Return the colours of the bins, lowest first, ``(F, T, 3)`` in [0, 255], by panel.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, torch.randn(32000), "saliency", compared=0)
    >>> [colours.shape for colours in panel_colours(result)] == 4 * [(64, 101, 3)]
    True
    """
    db = result.spectrogram.db
    peak = float(db.max())
    low, high = max(FLOOR, peak - RANGE), max(peak, FLOOR + 1)
    levels = _numbers(in_columns(db, "loudest"))
    values = _numbers(in_columns(result.attribution.values, "strongest"))
    strongest = strongest_of(values)
    opacity = np.clip(np.abs(values) / strongest, 0, 1) ** 0.5
    over = coloured(values, -strongest, strongest, BLUE_TO_RED)
    explained = blended(coloured(levels, low, high, GREY), over, opacity)
    parts = [_part(result, mask) for mask in (result.mask, 1 - result.mask)]
    return [coloured(levels, low, high, MAGMA), explained, *parts]


def strongest_of(values: np.ndarray) -> float:
    """Return the absolute value with the full colour: the 99.5th percentile.

    That of a sparse attribution may be 0; any scale does for one that is all zero.

    >>> strongest_of(np.array([0.0, -3.0])), strongest_of(np.zeros(2))
    (2.985, 1.0)
    """
    magnitude = np.abs(values)
    return float(np.quantile(magnitude, 0.995)) or float(magnitude.max()) or 1.0


def _part(result: ExplainedClip, mask: Tensor) -> np.ndarray:
    """Colour a part of a clip on the clip's scale, with grey levels for what it lacks.

    So what it lacks is not taken for silence of the clip: silence that is kept is black.
    """
    spec = result.spectrogram
    peak = float(spec.db.max())
    part = _numbers(in_columns(spec.masked(mask, fill=result.fill).db, "loudest"))
    shown = coloured(part, max(FLOOR, peak - RANGE), max(peak, FLOOR + 1), MAGMA)
    visible = _numbers(in_columns(spec.db.clamp(min=peak - RANGE), "loudest"))
    lacking = coloured(visible, peak - 4 * RANGE, peak + RANGE / 4, GREY)
    return blended(shown, lacking, 1 - _numbers(in_columns(mask, "mean")))


def _numbers(values: Tensor) -> np.ndarray:
    numbers: np.ndarray = values[0, 0].detach().cpu().double().numpy()
    return numbers


def _layout(stacked: bool) -> tuple[list[Box], tuple[int, int]]:
    """Return the boxes of the four panels, and the size of the picture."""
    height = HEIGHT[stacked]
    row = ABOVE + height + BELOW
    if stacked:
        tops = [ABOVE + number * row for number in range(4)]
        return [(LEFT, top, WIDTH - RIGHT, top + height) for top in tops], (WIDTH, 4 * row)
    width = (WIDTH - LEFT - RIGHT - 3 * GAP) / 4
    lefts = [round(LEFT + number * (width + GAP)) for number in range(4)]
    return [(left, ABOVE, left + int(width), ABOVE + height) for left in lefts], (WIDTH, row)


@dataclass(frozen=True)
class _Axes:
    """Draws one panel into a picture."""

    image: Image.Image
    box: Box
    seconds: float
    most_ticks: int

    @property
    def _draw(self) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self.image)

    def show(self, colours: np.ndarray) -> None:
        """Paint the bins, the lowest at the bottom, within a frame."""
        left, top, right, bottom = self.box
        pixels = Image.fromarray(np.rint(colours[::-1]).astype(np.uint8))
        size = (right - left, bottom - top)
        self.image.paste(pixels.resize(size, Image.Resampling.NEAREST), (left, top))
        self._draw.rectangle((left - 1, top - 1, right, bottom), outline="black")

    def mark_times(self, label: str) -> None:
        """Mark seconds below the panel, and write a label below them."""
        left, _, right, bottom = self.box
        for time in time_ticks(self.seconds, self.most_ticks):
            x = left + time / self.seconds * (right - left)
            self._draw.line((x, bottom, x, bottom + TICK), "black")
            self._draw.text((x, bottom + 8), f"{time:g}", "black", _font(TEXT), "ma")
        for number, line in enumerate(label.splitlines()):
            place = ((left + right) / 2, bottom + 31 + 22 * number)
            self._draw.text(place, line, "black", _fitting([line], TEXT, self._room), "ma")

    def mark_bins(self, ticks: Sequence[tuple[float, str]], bins: int, has_labels: bool) -> None:
        """Mark frequencies at the left, with labels or without."""
        left, top, _, bottom = self.box
        for place, label in ticks:
            y = bottom - (place + 0.5) / bins * (bottom - top)
            self._draw.line((left - 1 - TICK, y, left - 1, y), "black")
            if has_labels:
                self._draw.text((left - 10, y), label, "black", _font(TEXT), "rm")
        if has_labels:
            text = Image.new("L", (bottom - top, 24), 255)
            middle = ((bottom - top) / 2, 12)
            ImageDraw.Draw(text).text(middle, "frequency (kHz)", 0, _font(TEXT), "mm")
            self.image.paste(text.transpose(Image.Transpose.ROTATE_90), (2, top))

    def write_title(self, title: str) -> None:
        """Write two lines above the panel, as large as fits."""
        left, top, right, _ = self.box
        lines = title.splitlines()
        font = _fitting(lines, TITLE, self._room)
        for number, line in enumerate(reversed(lines)):
            place = ((left + right) / 2, top - 8 - 24 * number)
            self._draw.text(place, line, "black", font, "ms")

    @property
    def _room(self) -> float:
        left, _, right, _ = self.box
        return right - left + GAP / 2


def time_ticks(seconds: float, most: int) -> list[float]:
    """Return marks of a time axis, at 1, 2 or 5 times a power of ten.

    >>> time_ticks(5.01, 6), time_ticks(0.3, 6)
    ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
    """
    rough = seconds / most
    power = 10.0 ** math.floor(math.log10(rough))
    steps = [factor * power for factor in (1, 2, 5, 10)]
    step = next(step for step in steps if step * most >= 0.9 * seconds)
    count = math.floor(seconds / step * (1 + 1e-9))
    return [round(number * step, 6) for number in range(count + 1)]


@cache
def _font(size: float) -> Font:
    """Return the font of matplotlib's figures, without importing it; else that of Pillow."""
    package = find_spec("matplotlib")
    folder = Path(package.origin).parent if package and package.origin else Path()
    path = folder / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    try:
        return ImageFont.truetype(str(path), size)
    except OSError:
        # A package of an operating system may keep the data of matplotlib elsewhere.
        return ImageFont.load_default(size)


def _fitting(lines: Sequence[str], size: float, room: float) -> Font:
    """Return a font in which no line is wider than the room, down to a least size."""
    widest = max((_font(size).getlength(line) for line in lines), default=0.0)
    return _font(max(LEAST, size * min(1.0, room / widest)) if widest else size)

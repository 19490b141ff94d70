"""The forest plot as SVG: it has the colours of its page, and grows and shrinks with it."""

import html
import math
from collections.abc import Sequence

from ..scoring import Difference

__all__ = ["Difference", "forest_svg"]

WIDTH, LEFT, RIGHT, TOP, ROW = 340, 136, 14, 6, 15
"""Places in a panel, in units of its picture; a group has a row of its own."""
MOST_TICKS = 5


def forest_svg(differences: Sequence[Difference], titles: dict[str, str] | None = None) -> str:
    """Return HTML with a panel for each score, and the legend.

    Filled marks differ from 0 after the correction, hollow ones do not. Rows, panels and groups
    keep the order in which they come first.

    Args:
        differences: the lines; those without an interval are drawn as a mark alone.
        titles: what stands for a row, by its name; by default the name.

    >>> line = Difference("FF", "gradcam", "on audio", 0.1, 0.05, 0.15, True)
    >>> forest_svg([line]).count("<svg"), forest_svg([line]).count('class="interval group0"')
    (2, 1)
    """
    panels = dict.fromkeys(line.panel for line in differences)
    groups = list(dict.fromkeys(line.group for line in differences))
    figures = ""
    for panel in panels:
        of_panel = [line for line in differences if line.panel == panel]
        figures += f"<figure><figcaption>{html.escape(panel)}</figcaption>"
        figures += f"{_panel(of_panel, groups, titles or {})}</figure>"
    keys = ""
    for number, group in enumerate(groups):
        mark = _mark(7, 7, number, True)
        keys += f'<svg class="mark" viewBox="0 0 14 14" aria-hidden="true">{mark}</svg> '
        keys += f"{html.escape(group)} "
    return f'<div class="panels">{figures}</div><p class="legend">{keys}</p>'


def _panel(lines: Sequence[Difference], groups: Sequence[str], titles: dict[str, str]) -> str:
    rows = list(dict.fromkeys(line.row for line in lines))
    step = ROW * len(groups) + 6
    bottom = TOP + step * len(rows)
    low, high = _range(lines)

    def place(value: float) -> float:
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    parts = []
    for tick in _ticks(low, high):
        x, text = place(tick), f"{tick:+g}".replace("-", "−") if tick else "0"
        kind = "tick" if tick else "zero"
        parts.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{text}</text>')
    for number, row in enumerate(rows):
        y = TOP + step * number + (step - 6) / 2 + 4
        name = html.escape(titles.get(row, row).replace("_", " "))
        parts.append(f'<text x="{LEFT - 8}" y="{y:.1f}" text-anchor="end">{name}</text>')
    for line in lines:
        group = groups.index(line.group)
        y = TOP + step * rows.index(line.row) + ROW * (group + 0.5)
        if not math.isnan(line.low):
            ends = f'x1="{place(line.low):.1f}" x2="{place(line.high):.1f}"'
            parts.append(f'<line class="interval group{group % 4}" {ends} y1="{y}" y2="{y}"/>')
        parts.append(_mark(place(line.mean), y, group, line.is_certain))
    description = html.escape("; ".join(_in_words(line, titles) for line in lines))
    return (
        f'<svg class="forest" viewBox="0 0 {WIDTH} {bottom + 22}" role="img" '
        f'aria-label="{description}">'
        f"{''.join(parts)}</svg>"
    )


def _mark(x: float, y: float, group: int, is_certain: bool) -> str:
    """Return a circle, square, diamond or triangle; each group has a shape beside its colour."""
    kind = f'class="group{group % 4}{"" if is_certain else " open"}"'
    shapes = (
        f'<circle {kind} cx="{x:.1f}" cy="{y}" r="4"/>',
        f'<rect {kind} x="{x - 3.5:.1f}" y="{y - 3.5}" width="7" height="7"/>',
        f'<path {kind} d="M{x:.1f} {y - 5}l5 5l-5 5l-5 -5z"/>',
        f'<path {kind} d="M{x:.1f} {y - 5}l5 9h-10z"/>',
    )
    return shapes[group % 4]


def _range(lines: Sequence[Difference]) -> tuple[float, float]:
    values = [0.0]
    for line in lines:
        values += [each for each in (line.low, line.mean, line.high) if not math.isnan(each)]
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or 1.0
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Return round values from a low to a high one; 0 is one of them."""
    power = 10.0 ** math.floor(math.log10((high - low) / MOST_TICKS))
    steps = [factor * power for factor in (1, 2, 5, 10)]
    step = next(step for step in steps if (high - low) / step <= MOST_TICKS)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _in_words(line: Difference, titles: dict[str, str]) -> str:
    row = titles.get(line.row, line.row)
    interval = "" if math.isnan(line.low) else f" [{line.low:+.2f}, {line.high:+.2f}]"
    certain = "" if line.is_certain else ", not certain"
    return f"{row}, {line.group}: {line.mean:+.2f}{interval}{certain}"

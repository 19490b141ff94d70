"""Draws how much faster each way is than the published one, and how the library's time grows."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .growth import Growth
from .measure import LIBRARY, Timing

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(timings: Sequence[Timing], growths: Sequence[Growth], path: Path) -> None:
    """Draw both parts and write the picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _ratios(left, [timing for timing in timings if timing.ratio not in (0, 1)])
    _growths(right, growths)
    figure.savefig(path, dpi=110)


def _ratios(ax: "Axes", timings: Sequence[Timing]) -> None:
    rows = range(len(timings))
    colours = ["tab:blue" if timing.side == LIBRARY else "tab:gray" for timing in timings]
    ratios = [timing.ratio for timing in timings]
    low = [timing.ratio - timing.ratio_low for timing in timings]
    high = [timing.ratio_high - timing.ratio for timing in timings]
    ax.barh(rows, ratios, xerr=(low, high), color=colours)
    ax.set_yticks(rows, [f"{timing.work}: {timing.side}" for timing in timings], fontsize=8)
    ax.invert_yaxis()
    ax.axvline(1, color="black", linewidth=0.8)
    goals = [(row, timing.goal) for row, timing in zip(rows, timings, strict=True) if timing.goal]
    ax.plot([goal for _, goal in goals], [row for row, _ in goals], "k|", markersize=12)
    ax.set_xlabel("times as fast as the published way (bars: quartiles; marks: goals)")


def _growths(ax: "Axes", growths: Sequence[Growth]) -> None:
    for growth in growths:
        shares = [seconds / growth.seconds[0] for seconds in growth.seconds]
        ax.plot(growth.multiples, shares, "o-", label=growth.name)
    if growths:
        ax.plot(growths[0].multiples, growths[0].multiples, "k:", label="in proportion")
        ax.legend(fontsize=8)
    ax.set_xlabel("times as many")
    ax.set_ylabel("times as long")

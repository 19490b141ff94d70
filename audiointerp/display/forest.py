"""The forest plot: differences with their intervals, one line each, around zero."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..scoring import Difference

COLORS = ("#0b5394", "#c0504d", "#6a8d3a", "#7f6084")
"""Of the groups, in their order."""
MARKERS = ("o", "s", "D", "^")


def forest_plot(
    differences: Sequence[Difference], title: str = "", figure: Figure | None = None
) -> Figure:
    """Draw differences with their intervals, a panel for each score.

    Filled marks differ from 0 after correction, hollow ones do not. Rows, panels and groups keep
    the order in which they come first.

    Args:
        differences: the lines; those without an interval are drawn as a mark alone.
        title: stands above the panels.
        figure: where to draw; a new one if None.

    >>> line = Difference("FF", "gradcam", "on audio", 0.1, 0.05, 0.15, True)
    >>> [ax.get_title() for ax in forest_plot([line], figure=Figure()).axes]
    ['FF']
    """
    panels = list(dict.fromkeys(difference.panel for difference in differences))
    rows = list(dict.fromkeys(difference.row for difference in differences))
    groups = list(dict.fromkeys(difference.group for difference in differences))
    if figure is None:
        size = (2.2 + 3.2 * len(panels), 1.6 + 0.17 * len(rows) * (len(groups) + 1))
        figure = plt.figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for ax, panel in zip(axes, panels, strict=True):
        of_panel = [difference for difference in differences if difference.panel == panel]
        _draw_panel(ax, of_panel, rows, groups)
        ax.set_title(panel, fontsize=10)
    if title:
        figure.suptitle(title, fontsize=11)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(groups), frameon=False)
    return figure


def _draw_panel(
    ax: Axes, differences: Sequence[Difference], rows: Sequence[str], groups: Sequence[str]
) -> None:
    # A row of each method, the groups below each other, and space before the next method.
    step = len(groups) + 1
    ax.axvline(0, color="0.35", linewidth=0.9)
    for number, group in enumerate(groups):
        color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
        # An entry of the legend, also where the first panel has no line of the group.
        ax.plot([], [], color=color, marker=marker, label=group)
        for difference in differences:
            if difference.group == group:
                y = -(rows.index(difference.row) * step + number)
                ax.plot([difference.low, difference.high], [y, y], color=color, linewidth=1.6)
                face = color if difference.is_certain else "white"
                ax.plot(
                    difference.mean,
                    y,
                    marker=marker,
                    color=color,
                    markerfacecolor=face,
                    markersize=5.5,
                )
    centres = [-(row * step + (len(groups) - 1) / 2) for row in range(len(rows))]
    ax.set_yticks(centres, rows)
    ax.set_ylim(-(len(rows) * step - 1) + 0.2, 0.8)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)

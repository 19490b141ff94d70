"""The smallest box in time and frequency that keeps a decision and whose removal loses it.

A map says where to look: for each of a few areas, the box with the most positive attribution is
tried. From the smallest one that passes, the edges are moved inwards while it still passes. Each
trial is heard: the box alone, and the rest without it, are made sounds and classified.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

CELLS = (16, 24)
"""The cells of bins and frames on whose edges the first boxes lie."""
AREAS = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""The largest areas of the first boxes, as shares of the window."""
STEPS = (1 / 2, 1 / 4, 1 / 8)
"""By which share of a side an edge is moved inwards."""
MOST_OVERLAP = 0.5
"""The largest IoU of a box with one of equal size that counts as elsewhere."""


@dataclass(frozen=True)
class Box:
    """A rectangle of bins and frames; the ends are not included.

    >>> Box(0, 2, 1, 4).area, Box(0, 2, 1, 4).iou(Box(0, 2, 2, 5))
    (6, 0.5)
    """

    low_bin: int
    high_bin: int
    first_frame: int
    last_frame: int

    @property
    def bins(self) -> int:
        """Its height."""
        return self.high_bin - self.low_bin

    @property
    def frames(self) -> int:
        """Its width."""
        return self.last_frame - self.first_frame

    @property
    def area(self) -> int:
        """Bins times frames."""
        return self.bins * self.frames

    def iou(self, other: "Box") -> float:
        """Return the intersection with another box over their union."""
        bins = min(self.high_bin, other.high_bin) - max(self.low_bin, other.low_bin)
        frames = min(self.last_frame, other.last_frame) - max(self.first_frame, other.first_frame)
        shared = max(0, bins) * max(0, frames)
        return shared / (self.area + other.area - shared)

    def mask(self, db: Tensor) -> Tensor:
        """Return the mask ``(1, 1, F, T)`` that keeps the box, for levels of this shape."""
        mask = torch.zeros_like(db[:1])
        mask[..., self.low_bin : self.high_bin, self.first_frame : self.last_frame] = 1
        return mask


class Trial(NamedTuple):
    """What the classifier hears in a box, and in the rest without it.

    >>> Trial(Box(0, 1, 0, 1), 0.75, 0.25).margin
    0.5
    """

    box: Box
    p_in: float
    p_out: float

    @property
    def margin(self) -> float:
        """P inside minus p outside."""
        return self.p_in - self.p_out


Try = Callable[[Sequence[Box]], list[Trial]]
"""A function that has boxes heard."""


def smallest_box(values: Tensor, attempt: Try, least: float) -> Trial:
    """Search for the smallest box with ``p_in >= least`` and ``p_out < least``.

    If not even the removal of the whole window loses the decision, the background itself is heard
    as the label, and any box would keep it: then the whole window is returned.

    Args:
        values: the attribution ``(F, T)``.
        attempt: classifies boxes.
        least: p at which the label counts as heard.

    >>> inside = Box(2, 4, 10, 14)
    >>> def attempt(boxes):
    ...     return [Trial(box, shared := box.iou(inside) ** 0.5, 1 - shared) for box in boxes]
    >>> values = inside.mask(torch.zeros(1, 1, 16, 24))[0, 0]
    >>> smallest_box(values, attempt, 0.9).box
    Box(low_bin=2, high_bin=4, first_frame=10, last_frame=14)
    """
    first_trials = attempt(first_boxes(values))
    whole = first_trials[-1]

    def passes(trial: Trial) -> bool:
        return trial.p_in >= least and trial.p_out < least

    passing = [trial for trial in first_trials if passes(trial)]
    best = min(passing, key=lambda trial: (trial.box.area, -trial.margin), default=whole)
    if not passing:
        return best
    for step in STEPS:
        while True:
            inner = [trial for trial in attempt(_inner_boxes(best.box, step)) if passes(trial)]
            if not inner:
                break
            best = max(inner, key=lambda trial: trial.margin)
    return best


def first_boxes(values: Tensor) -> list[Box]:
    """Return, for each of :data:`AREAS`, the box with the most positive attribution.

    >>> [box.area for box in first_boxes(torch.eye(32, 48))][-1]
    1536
    """
    row_edges, column_edges = (
        _edges(size, cells) for size, cells in zip(values.shape, CELLS, strict=True)
    )
    sums = torch.nn.functional.pad(values.double().clamp_min(0), (1, 0, 1, 0)).cumsum(0).cumsum(1)
    sums = sums[row_edges][:, column_edges]
    low, high = torch.triu_indices(len(row_edges), len(row_edges), 1)
    first, last = torch.triu_indices(len(column_edges), len(column_edges), 1)
    by_rows = sums[high] - sums[low]
    mass = by_rows[:, last] - by_rows[:, first]
    heights = row_edges[high] - row_edges[low]
    widths = column_edges[last] - column_edges[first]
    areas = heights[:, None] * widths
    boxes = []
    for share in AREAS:
        allowed = areas <= max(share * values.numel(), float(areas.min()))
        # Of boxes with equal mass, the smallest; mass is of the order of the values themselves.
        order = torch.where(allowed, mass, -1.0)
        largest = order.amax()
        ties = torch.where(order == largest, areas, values.numel() + 1)
        row, column = divmod(int(ties.argmin()), len(widths))
        ends = (row_edges[low[row]], row_edges[high[row]])
        times = (column_edges[first[column]], column_edges[last[column]])
        boxes.append(Box(*(int(edge) for edge in (*ends, *times))))
    boxes[-1] = Box(0, values.shape[0], 0, values.shape[1])
    return boxes


def boxes_elsewhere(box: Box, shape: tuple[int, int], count: int, seed: int = 0) -> list[Box]:
    """Draw boxes of equal size at other places; fewer if there are not so many.

    >>> boxes_elsewhere(Box(0, 4, 0, 4), (4, 6), 19)
    [Box(low_bin=0, high_bin=4, first_frame=2, last_frame=6)]
    """
    bins, frames = shape
    places = torch.cartesian_prod(
        torch.arange(bins - box.bins + 1), torch.arange(frames - box.frames + 1)
    ).view(-1, 2)
    shared_bins = (box.bins - (places[:, 0] - box.low_bin).abs()).clamp_min(0)
    shared = shared_bins * (box.frames - (places[:, 1] - box.first_frame).abs()).clamp_min(0)
    places = places[shared <= MOST_OVERLAP * (2 * box.area - shared)]
    order = torch.randperm(len(places), generator=torch.Generator().manual_seed(seed))
    return [
        Box(low, low + box.bins, first, first + box.frames)
        for low, first in places[order[:count]].tolist()
    ]


def _edges(size: int, cells: int) -> Tensor:
    """Return the edges of ``cells`` nearly equal parts; of each bin if there are fewer."""
    return torch.linspace(0, size, min(size, cells) + 1).round().long()


def _inner_boxes(box: Box, step: float) -> list[Box]:
    """Return the box with one edge moved inwards, for each edge that can be."""
    by_bins, by_frames = round(step * box.bins), round(step * box.frames)
    boxes = []
    if 1 <= by_bins < box.bins:
        boxes += [
            replace(box, low_bin=box.low_bin + by_bins),
            replace(box, high_bin=box.high_bin - by_bins),
        ]
    if 1 <= by_frames < box.frames:
        boxes += [
            replace(box, first_frame=box.first_frame + by_frames),
            replace(box, last_frame=box.last_frame - by_frames),
        ]
    return boxes

"""The summary of the paper: each method averaged over masks, each mask averaged over methods."""

from collections.abc import Iterator, Sequence

import pandas as pd

from ..tables import Table
from .columns import published_of, score_table
from .conditions import SUBSETS, Condition
from .published import PUBLISHED_METHODS, PUBLISHED_SCORES

CAPTIONS = {
    "method": "For each method, the mean of its masks' means, over the masks that every method of "
    "the experiment has. A mask that is undefined for every clip is left out.",
    "mask": "For each mask that every method of the experiment has, the mean of the methods' means "
    f"({', '.join(PUBLISHED_METHODS)}, as far as they were run).",
}


def summary_tables(conditions: Sequence[Condition], published: bool) -> Iterator[Table]:
    """Yield the mean over masks per method, the mean over methods per mask; a block per experiment.

    >>> from .conditions import find_conditions
    >>> from .example import example_rows
    >>> [table.name for table in summary_tables(find_conditions(example_rows())[:1], False)]
    ['summary_methods_all_on_features', 'summary_masks_all_on_features']
    """
    together: dict[tuple[str, ...], list[Condition]] = {}
    for condition in conditions:
        key = (condition.protocol, condition.fill, condition.on, condition.subset)
        together.setdefault(key, []).append(condition)
    for group in together.values():
        for level in ("method", "mask"):
            yield from _summary_table(group, level, published)


def _summary_table(group: Sequence[Condition], level: str, published: bool) -> Iterator[Table]:
    """Yield the table of one level, unless no experiment has a mask that all its methods have."""
    cells = {condition: _common_cells(condition, level) for condition in group}
    kept = [condition for condition in group if cells[condition]]
    if not kept:
        return
    scores = {}
    for name in PUBLISHED_SCORES:
        averages = {
            condition.label: condition.averages(level, cells[condition])[name] for condition in kept
        }
        scores[name] = pd.concat(averages, names=["experiment"])
    means = {}
    for condition in kept if published else []:
        average = _published_average(condition, cells[condition], level)
        if average is not None:
            means[condition.label] = average
    first, other_level = group[0], "mask" if level == "method" else "method"
    yield score_table(
        first.name("summary", f"{level}s", first.subset),
        f"{level.capitalize()}s, the mean over {other_level}s: "
        f"{SUBSETS[first.subset][1]}, {first.how}",
        CAPTIONS[level],
        scores,
        pd.concat(means, names=["experiment"]) if means else None,
    )


def _common_cells(condition: Condition, level: str) -> list[tuple[str, str]]:
    """Return the cells of the masks that every method has.

    Where methods are averaged over, only the published ones count.
    """
    cells = condition.cells
    masks_of: dict[str, set[str]] = {}
    for method, mask in cells:
        masks_of.setdefault(method, set()).add(mask)
    shared = set.intersection(*masks_of.values())
    methods = masks_of if level == "method" else PUBLISHED_METHODS
    return [(method, mask) for method, mask in cells if mask in shared and method in methods]


def _published_average(
    condition: Condition, cells: Sequence[tuple[str, str]], level: str
) -> pd.DataFrame | None:
    """Average the published means over the same cells, as far as they were published."""
    means = published_of(condition)
    if means is None:
        return None
    known = [cell for cell in cells if cell in means.index]
    return means.loc[known].groupby(level=level).mean() if known else None

"""The answer at the top of ``docs/validity.md``, in three sentences for a reader in a hurry."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from ..display import Difference

VIEWS = {
    ("silence", "features"): "As published (removed bins silent, the spectrogram classified)",
    ("background", "audio"): (
        "Where removed bins fall to the clip's own background and the sound is classified"
    ),
}
"""How a fill and what is scored are told; the results may lack either."""


def short_answer(
    verdicts_by_fill: Mapping[str, pd.DataFrame], differences: Sequence[Difference]
) -> str:
    r"""Return a list: how many published conclusions survive, and which methods beat their nulls.

    Args:
        verdicts_by_fill: of :func:`~audiointerp.paper.conclusions.conclusions` for the rows of each
            fill.
        differences: of :func:`~audiointerp.tables.best_null.best_null_differences`.

    Returns:
        A list item with two sentences for each of :data:`VIEWS` that the results have; empty if
        they have none.

    >>> verdicts = pd.DataFrame({"on features": ["survives: +2 to a", "open: +1 to a", "–"]})
    >>> line = Difference("FF", "lime", "silence, on features", 0.3, 0.2, 0.4, True)
    >>> print(short_answer({"silence": verdicts}, [line]).replace(". ", ".\n").partition("**: ")[2])
    1 of 2 published conclusions survives, 0 are refuted, 1 is open.
    Ahead of the best null in FF: lime.
    """
    items = []
    for (fill, on), title in VIEWS.items():
        verdicts = verdicts_by_fill.get(fill)
        if verdicts is not None and f"on {on}" in verdicts:
            lines = [line for line in differences if line.group == f"{fill}, on {on}"]
            items.append(f"- **{title}**: {_counts(verdicts[f'on {on}'])} {_ahead(lines)}")
    return "\n".join(items)


def _counts(verdicts: pd.Series) -> str:
    """Return how many conclusions there are of each verdict, in a sentence."""
    words = verdicts.str.partition(":")[0]
    counts = [int((words == word).sum()) for word in ("survives", "refuted", "open")]
    survive, refuted, still_open = counts
    return (
        f"{survive} of {sum(counts)} published conclusions survive{'s' * (survive == 1)}, "
        f"{refuted} {_are(refuted)} refuted, {still_open} {_are(still_open)} open."
    )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _ahead(lines: Sequence[Difference]) -> str:
    """Return which methods are ahead of their best null in all scores, in some and in none."""
    scores = list(dict.fromkeys(line.panel.partition(",")[0] for line in lines))
    ahead = Counter({line.row: 0 for line in lines})
    ahead.update(line.row for line in lines if line.is_certain and line.mean > 0)
    groups = {
        f"in {' and '.join(scores)}": [
            name for name, count in ahead.items() if count == len(scores)
        ],
        "in some of them": [name for name, count in ahead.items() if 0 < count < len(scores)],
        "in none": [name for name, count in ahead.items() if count == 0],
    }
    parts = [f"{place}: {', '.join(sorted(names))}" for place, names in groups.items() if names]
    return f"Ahead of the best null {'; '.join(parts)}."

"""The answer at the top of ``docs/validity.md``, for a reader in a hurry."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from ..display import Difference
from ..tables import best_null_differences, leads_by_network

VIEWS = {
    ("silence", "features"): "As published (removed bins silent, the spectrogram classified)",
    ("background", "audio"): (
        "Where removed bins fall to the clip's own background and the sound is classified"
    ),
}
"""How a fill and what is scored are told; the results may lack either."""

HALF = "topK_50"
"""The mask under which a method that is ahead on average may be behind."""
INTRODUCTION = (
    "In short (`docs/fills.md` says why the background is the one to believe; {optimal}"
    "*certainly*: significant after Holm's correction):\n"
)
OF_OPTIMAL = (
    "over it `optimal` is expected ahead, since\nit was searched for with the network that scores "
    "it; "
)


def short_answer(
    verdicts_by_fill: Mapping[str, pd.DataFrame],
    differences: Sequence[Difference],
    folds: pd.DataFrame | None = None,
) -> str:
    r"""Return a list: which published conclusions survive, and which methods beat their nulls.

    Args:
        verdicts_by_fill: of :func:`~audiointerp.paper.conclusions.conclusions` for the rows of each
            fill.
        differences: of :func:`~audiointerp.tables.best_null.best_null_differences`.
        folds: the rows of a cross-validation; None if there is none.

    Returns:
        A line, and a list item with two sentences for each of :data:`VIEWS` that the results have,
        and one for the folds, with empty lines after them; empty if they have none.

    >>> verdicts = pd.DataFrame({"score": ["FF", "AD"], "winner": ["saliency", "lime"]})
    >>> verdicts["on features"] = ["survives: +2 to shap", "refuted: -1 to shap"]
    >>> verdicts["features − smooth"] = ["open: +1 to shap", "refuted: -1 to shap"]
    >>> line = Difference("FF", "lime", "silence, on features", 0.3, 0.2, 0.4, True)
    >>> answer = short_answer({"silence": verdicts}, [line])
    >>> print(answer.replace(". ", ".\n").replace("; ", ";\n").partition("**: ")[2].strip())
    of 2 published conclusions, 0 survive minus the score of each null;
    by raw scores, 1 survive (FF saliency), 1 refuted (AD lime), 0 open.
    Certainly ahead of the best null in FF: lime.
    """
    items = []
    for (fill, on), title in VIEWS.items():
        verdicts = verdicts_by_fill.get(fill)
        if verdicts is not None:
            lines = [line for line in differences if line.group == f"{fill}, on {on}"]
            items.append(f"- **{title}**: {_conclusions(verdicts, on)} {_ahead(lines)}")
    if folds is not None and "background" in verdicts_by_fill:
        on_audio = folds[(folds["fill"] == "background") & (folds["on"] == "audio")]
        items += [_folds_item(on_audio)] * (len(on_audio) > 0)
    has_optimal = any(line.row == "optimal" for line in differences)
    introduction = INTRODUCTION.format(optimal=OF_OPTIMAL if has_optimal else "")
    return "\n".join([introduction, *items, "", ""]) if items else ""


def _folds_item(rows: pd.DataFrame) -> str:
    """Return what a cross-validation says of the methods."""
    ahead = (leads_by_network(rows) > 0).groupby("method").all().all(axis=1)
    by_each = ", ".join(ahead.index[ahead]) or "no method"
    return (
        f"- **The latter by {rows['network'].nunique()} networks of the same kind, each explained "
        f"on a fold that it was not trained on ({rows['clip'].nunique()} clips)**: "
        f"{_ahead(best_null_differences(rows))} This is the mean over these networks, as they are; "
        f"with each of them alone (the sign of its mean) ahead in all three: {by_each}."
        f"{_of_half(rows)}"
    )


def _of_half(rows: pd.DataFrame) -> str:
    """Return which methods are behind with half of the bins kept; nothing without such rows.

    The mean over masks is over all areas, and what a method is worth depends on the area.
    """
    lines = best_null_differences(rows[rows["mask"] == HALF])
    if not lines:
        return ""
    behind = [
        f"{line.row} in {line.panel.partition(',')[0]}"
        for line in lines
        if line.is_certain and line.mean < 0 and line.row != "random"
    ]
    return (
        " These are means over masks of very different areas; where half of the bins are kept "
        f"(`{HALF}`), certainly behind: {', '.join(behind) or 'no method'}."
    )


def _conclusions(verdicts: pd.DataFrame, on: str) -> str:
    """Return how many conclusions have each verdict, in a sentence, and which are decided."""
    names = verdicts["score"] + " " + verdicts["winner"]
    words = verdicts[f"on {on}"].str.partition(":")[0]
    parts = [
        _named(names[words == "survives"], "survive"),
        _named(names[words == "refuted"], "refuted"),
        f"{(words == 'open').sum()} open",
    ]
    if not_judged := (~words.isin(["survives", "refuted", "open"])).sum():
        parts.append(f"{not_judged} not judged")
    published = f"of {len(verdicts)} published conclusions,"
    minus_nulls = verdicts.filter(regex=f"^{on} −")
    if minus_nulls.empty:
        return f"{published} by raw scores, {', '.join(parts)}."
    beside = minus_nulls.apply(lambda column: column.str.startswith("survives")).all(axis=1)
    survive = _named(names[beside & (words == "survives")], "survive")
    return f"{published} {survive} minus the score of each null; by raw scores, {', '.join(parts)}."


def _named(names: pd.Series, verdict: str) -> str:
    """Return how many conclusions have a verdict, and which, e.g. "1 survive (FF saliency)"."""
    return f"{len(names)} {verdict}" + (f" ({', '.join(names)})" if len(names) else "")


def _ahead(lines: Sequence[Difference]) -> str:
    """Return which methods are ahead of their best null in all scores, in some and in none."""
    if not lines:
        return "No null was scored."
    scores = list(dict.fromkeys(line.panel.partition(",")[0] for line in lines))
    ahead = Counter({line.row: 0 for line in lines})
    ahead.update(line.row for line in lines if line.is_certain and line.mean > 0)
    every = f"{', '.join(scores[:-1])} and {scores[-1]}" if scores[1:] else scores[0]
    groups = {
        f"in {every}": [name for name, count in ahead.items() if count == len(scores)],
        "in some of these scores": [
            name for name, count in ahead.items() if 0 < count < len(scores)
        ],
        "in none": [name for name, count in ahead.items() if count == 0],
    }
    parts = [
        f"{place}: {', '.join(sorted(names)) or 'no method'}"
        for number, (place, names) in enumerate(groups.items())
        if names or number == 0
    ]
    return f"Certainly ahead of the best null {'; '.join(parts)}."

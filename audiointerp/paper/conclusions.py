"""Checks the published conclusions on other clips, beside nulls and on audio."""

from typing import NamedTuple

import pandas as pd

from ..errors import AudioInterpError
from ..interpretation import NULLS
from ..metrics import METRICS, RELATIVE
from ..tables import interval_text, nulls_in, percentile_interval, recording_column
from .comparable import comparable_masks
from .published import PUBLISHED_METHODS, PUBLISHED_SCORES, STUDY_MASKS, published_tables
from .statistics import CLIP


def _aspects(on: str) -> dict[str, tuple[str, str | None]]:
    return {f"on {on}": (on, None), **{f"{on} − {null}": (on, null) for null in NULLS}}


ASPECTS: dict[str, tuple[str, str | None]] = {**_aspects("features"), **_aspects("audio")}
"""The views of a conclusion: what is scored, and which null's score is subtracted."""


def aspects_in(rows: pd.DataFrame) -> dict[str, tuple[str, str | None]]:
    """Return the views in :data:`ASPECTS` that results allow.

    >>> list(aspects_in(pd.DataFrame({"FF": [0.5], "FF_smooth": [0.5]})))
    ['on features', 'features − smooth', 'on audio', 'audio − smooth']
    """
    known = (None, *nulls_in(rows))
    return {aspect: (on, null) for aspect, (on, null) in ASPECTS.items() if null in known}


def conclusions(rows: pd.DataFrame) -> pd.DataFrame:
    """Check for each published winner whether it is the best here; a row per winner.

    A winner is the method, or mask, with the best mean of a score over everything else, for clean
    mel clips. Here it is compared with each of the others, clip by clip.

    Args:
        rows: results on clean mel clips.

    Returns:
        Columns: score, winner, kind (method or mask), and a verdict for each of :func:`aspects_in`:
        "survives", "refuted" or "open", with the lead over one other, see :func:`_verdict`; "not
        comparable" for a soft mask; "–" where the score says nothing in that view. What is true by
        definition is not compared, see :func:`~audiointerp.paper.comparable.comparable_masks`.

    Raises:
        AudioInterpError: no clip was scored with a winner.

    >>> from .example import example_rows
    >>> rows = example_rows(masks=STUDY_MASKS, on=["features", "audio"])
    >>> conclusions(rows).loc[0, ["score", "winner"]].tolist()
    ['FF', 'saliency']
    """
    table = []
    for winner in published_winners():
        verdicts = _verdicts(rows, winner.kind, winner.score, winner.name)
        place = {"score": winner.score, "winner": winner.name, "kind": winner.kind}
        table.append({**place, **verdicts})
    return pd.DataFrame(table)


class Winner(NamedTuple):
    """The best method or mask by the mean of a published score.

    >>> Winner("method", "FF", "saliency").name
    'saliency'
    """

    kind: str
    score: str
    name: str


def published_winners() -> list[Winner]:
    """Return the best method and the best mask of each score in the published table of mel clips.

    >>> [winner.name for winner in published_winners() if winner.score == "FF"]
    ['saliency', 'bin']
    """
    published = published_tables().query(
        "model == 'mel' and experiment == 'clean' and subset == 'all'"
    )
    winners = []
    for kind in ("method", "mask"):
        for name in PUBLISHED_SCORES:
            means = published.groupby(kind)[name].mean()
            best = means.idxmax() if METRICS[name].higher_is_better else means.idxmin()
            winners.append(Winner(kind, name, str(best)))
    return winners


def _verdicts(rows: pd.DataFrame, kind: str, name: str, winner: str) -> dict[str, str]:
    aspects = aspects_in(rows)
    of_the_study = rows["method"].isin(PUBLISHED_METHODS) & rows["mask"].isin(STUDY_MASKS)
    # Rows have about a hundred columns, and each selection below copies them.
    needed = (*CLIP, "method", "mask", "on", name, *(f"{name}_{null}" for null in NULLS))
    columns = [column for column in needed if column in rows]
    scored = rows.loc[(rows["status"] == "ok") & of_the_study, columns]
    if kind == "mask":
        rivals = comparable_masks(name, winner, STUDY_MASKS)
        scored = scored[scored["mask"].isin([winner, *rivals])]
    verdicts = dict.fromkeys(aspects, "–")
    for aspect, (on, null) in aspects.items():
        part = scored[scored["on"] == on]
        if name in RELATIVE:
            values = part[name] if null is None else part[name] - part[f"{name}_{null}"]
        elif (on, null) == ("features", None):
            values = part[name]
        else:
            # A score of the mask alone is the same on audio, and for a null that has its values.
            continue
        verdicts[aspect] = _verdict(part, kind, winner, name, values)
    return verdicts


def _verdict(rows: pd.DataFrame, kind: str, winner: str, name: str, values: pd.Series) -> str:
    """Return whether the published winner is ahead of every other, and the lead that decides it.

    All intervals are percentiles, corrected for the number of others (Bonferroni), see
    :mod:`~audiointerp.tables.comparisons`. The winner survives if each
    is above 0, and is refuted if one is below 0. The lead shown is the smallest among those that
    decide: all for a winner that survives, those below 0 for a refuted one, and those that reach
    0 for an open one.
    """
    leads = _leads(rows, kind, winner, name, values)
    if not leads:
        return "not comparable"
    corrected_level = 1 - 0.05 / len(leads)
    intervals = {rival: _interval(lead, corrected_level) for rival, lead in leads.items()}
    behind = [rival for rival, (_, high) in intervals.items() if high < 0]
    undecided = [rival for rival, (low, _) in intervals.items() if not low > 0]
    verdict = "refuted" if behind else "open" if undecided else "survives"
    deciding = behind or undecided or list(leads)
    shown = min(deciding, key=lambda rival: float(leads[rival].mean()))
    lead_text = interval_text(name, float(leads[shown].mean()), *intervals[shown])
    return f"{verdict}: {lead_text} to {shown}"


def _leads(
    rows: pd.DataFrame, kind: str, winner: str, name: str, values: pd.Series
) -> dict[str, pd.Series]:
    """Return the winner's lead over each other, by clip; positive is better."""
    other = "mask" if kind == "method" else "method"
    with_values = rows.assign(value=values, recording=recording_column(rows))
    cells = with_values.pivot_table(
        index=[*CLIP, other], columns=kind, values="value", observed=True
    )
    if winner not in cells:
        raise AudioInterpError(
            f"no clip was scored with {winner}, so it cannot be judged; see the errors in results"
        )
    good = cells if METRICS[name].higher_is_better else -cells
    leads = {}
    for rival in map(str, cells):
        # Only cells that both have, so that an undefined score does not shift the comparison.
        differences = (good[winner] - good[rival]).dropna()
        if rival != winner and len(differences):
            leads[rival] = differences.groupby(CLIP).mean()
    return leads


def _interval(lead: pd.Series, level: float) -> tuple[float, float]:
    recordings = [str(name) for name in lead.index.get_level_values("recording")]
    values = lead.to_numpy(float)[:, None]
    low, high = percentile_interval(values, recordings, level=level)
    return float(low[0]), float(high[0])

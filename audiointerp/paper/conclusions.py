"""Checks the published conclusions on other clips, beside random masks and on audio."""

import pandas as pd

from ..errors import AudioInterpError
from ..metrics import METRICS, RELATIVE
from ..tables import DRAWS, bootstrap_interval, interval_text, recording_column
from .published import PUBLISHED_METHODS, PUBLISHED_SCORES, STUDY_MASKS, published_tables
from .statistics import CLIP

ASPECTS: dict[str, tuple[str, str | None]] = {
    "on features": ("features", None),
    "features − pixelwise": ("features", "pixelwise"),
    "features − smooth": ("features", "smooth"),
    "on audio": ("audio", None),
    "audio − pixelwise": ("audio", "pixelwise"),
    "audio − smooth": ("audio", "smooth"),
}
"""The views of a conclusion: what is scored, and which random mask's score is subtracted."""


def conclusions(rows: pd.DataFrame) -> pd.DataFrame:
    """Check for each published winner whether it is the best here; a row per winner.

    A winner is the method, or mask, with the best mean of a score over everything else, for clean
    mel clips. Here it is compared with each of the others, clip by clip.

    Args:
        rows: results on clean mel clips.

    Returns:
        Columns: score, winner, kind (method or mask), and a verdict for each of :data:`ASPECTS`:
        "survives", "refuted" or "open", with the lead over the best other.

    Raises:
        AudioInterpError: no clip was scored with a winner.

    >>> from .example import example_rows
    >>> rows = example_rows(masks=STUDY_MASKS, on=["features", "audio"])
    >>> conclusions(rows).loc[0, ["score", "winner"]].tolist()
    ['FF', 'saliency']
    """
    published = published_tables().query(
        "model == 'mel' and experiment == 'clean' and subset == 'all'"
    )
    table = []
    for kind in ("method", "mask"):
        for name in PUBLISHED_SCORES:
            means = published.groupby(kind)[name].mean()
            winner = str(means.idxmax() if METRICS[name].higher_is_better else means.idxmin())
            verdicts = _verdicts(rows, kind, name, winner)
            table.append({"score": name, "winner": winner, "kind": kind, **verdicts})
    return pd.DataFrame(table)


def _verdicts(rows: pd.DataFrame, kind: str, name: str, winner: str) -> dict[str, str]:
    of_the_study = rows["method"].isin(PUBLISHED_METHODS) & rows["mask"].isin(STUDY_MASKS)
    scored = rows[(rows["status"] == "ok") & of_the_study]
    verdicts = dict.fromkeys(ASPECTS, "–")
    for aspect, (on, baseline) in ASPECTS.items():
        part = scored[scored["on"] == on]
        if name in RELATIVE:
            values = part[name] if baseline is None else part[name] - part[f"{name}_{baseline}"]
        elif (on, baseline) == ("features", None):
            values = part[name]
        else:
            # A score of the mask alone is the same on audio and for a random mask.
            continue
        verdicts[aspect] = _verdict(part, kind, winner, name, values)
    return verdicts


def _verdict(rows: pd.DataFrame, kind: str, winner: str, name: str, values: pd.Series) -> str:
    """Return whether the published winner is ahead of every other, and its lead over the best.

    It survives if its 95 % interval against each other is above 0. It is refuted if an interval,
    corrected for the number of others, is below 0.
    """
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
    for rival in cells:
        # Only cells that both have, so that an undefined score does not shift the comparison.
        differences = (good[winner] - good[rival]).dropna()
        if rival != winner and len(differences):
            leads[rival] = differences.groupby(CLIP).mean()
    intervals = {rival: _interval(lead) for rival, lead in leads.items()}
    corrected_level = 1 - 0.05 / len(leads)
    # Narrower tails need more draws.
    highest = [_interval(lead, 20 * DRAWS, corrected_level)[1] for lead in leads.values()]
    if all(low > 0 for low, _ in intervals.values()):
        verdict = "survives"
    else:
        verdict = "refuted" if any(high < 0 for high in highest) else "open"
    best = min(leads, key=lambda rival: float(leads[rival].mean()))
    lead_text = interval_text(name, float(leads[best].mean()), *intervals[best])
    return f"{verdict}: {lead_text} to {best}"


def _interval(lead: pd.Series, draws: int = DRAWS, level: float = 0.95) -> tuple[float, float]:
    recordings = [str(name) for name in lead.index.get_level_values("recording")]
    low, high = bootstrap_interval(lead.to_numpy(float)[:, None], recordings, draws, level)
    return float(low[0]), float(high[0])

"""What the published conclusions are worth on other clips, beside random masks and on what is heard: ``docs/validity.md``."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from .bootstrap import DRAWS, FEWEST, bootstrap_interval
from .errors import AudioInterpError
from .faults import Fault
from .interpretation import MASKS
from .metrics import METRICS, RELATIVE
from .tables import METHODS, SCORES, compare, interval_text, published_tables, summarise

ASPECTS: dict[str, tuple[str, str | None]] = {
    "on features": ("features", None),
    "features − pixelwise": ("features", "pixelwise"),
    "features − smooth": ("features", "smooth"),
    "on audio": ("audio", None),
    "audio − pixelwise": ("audio", "pixelwise"),
    "audio − smooth": ("audio", "smooth"),
}
"""How a conclusion is looked at: what is scored, and which random mask's score is taken off."""


def conclusions(rows: pd.DataFrame) -> pd.DataFrame:
    """Whether what is best in the published tables is best here: a row per published winner.

    A winner is the method, or mask, with the best mean of a score over everything else (clean mel clips). Here it is
    compared with each of the others, clip by clip; see :func:`_verdict`.
    """
    published = published_tables()
    published = published[
        (published["model"] == "mel") & (published["experiment"] == "clean") & (published["subset"] == "all")
    ]
    found = []
    for kind in ("method", "mask"):
        for name in SCORES:
            means = published.groupby(kind)[name].mean()
            winner = str(means.idxmax() if METRICS[name].higher_is_better else means.idxmin())
            found.append({"score": name, "winner": winner, "kind": kind, **_verdicts(rows, kind, name, winner)})
    return pd.DataFrame(found)


def _verdicts(rows: pd.DataFrame, kind: str, name: str, winner: str) -> dict[str, str]:
    scored = rows[(rows["status"] == "ok") & rows["method"].isin(METHODS)]
    verdicts = dict.fromkeys(ASPECTS, "–")
    for title, (on, than) in ASPECTS.items():
        part = scored[scored["on"] == on]
        if name in RELATIVE:
            values = part[name] if than is None else part[name] - part[f"{name}_{than}"]
            verdicts[title] = _verdict(part, kind, winner, name, values)
        elif (on, than) == ("features", None):  # of the mask alone: the same on audio, and for random places
            verdicts[title] = _verdict(part, kind, winner, name, part[name])
    return verdicts


def _verdict(rows: pd.DataFrame, kind: str, winner: str, name: str, values: pd.Series) -> str:
    """Whether the published winner is ahead of every other, in words, with its lead over the best of them.

    It survives if its 95 % interval against each other is above 0, and is refuted if one of them, corrected for their
    number, is below.
    """
    other = "mask" if kind == "method" else "method"
    cells = rows.assign(value=values).pivot_table(index=["clip", other], columns=kind, values="value", observed=True)
    if winner not in cells:
        raise AudioInterpError(
            f"no clip was scored with {winner}, so nothing can be said of it; see the errors in results"
        )
    good = cells if METRICS[name].higher_is_better else -cells
    # Clip by clip over the cells that both have, so that an undefined score of one is not set against scores of another.
    leads = {rival: (good[winner] - good[rival]).dropna().groupby("clip").mean() for rival in cells if rival != winner}
    leads = {rival: lead for rival, lead in leads.items() if len(lead)}
    ends = {rival: _ends(lead) for rival, lead in leads.items()}
    corrected = [_ends(lead, 20 * DRAWS, 1 - 0.05 / len(leads))[1] for lead in leads.values()]
    survives = all(low > 0 for low, _ in ends.values())
    word = "survives" if survives else "refuted" if any(high < 0 for high in corrected) else "open"
    best = min(leads, key=lambda rival: float(leads[rival].mean()))
    low, high = ends[best]
    return f"{word}: {interval_text(name, float(leads[best].mean()), low, high)} to {best}"


def _ends(lead: pd.Series, draws: int = DRAWS, level: float = 0.95) -> tuple[float, float]:
    low, high = bootstrap_interval(lead.to_numpy(float)[:, None], [str(clip) for clip in lead.index], draws, level)
    return float(low[0]), float(high[0])


def main_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Methods × masks: FF and FidIn on features and on audio, their difference, and what they are beyond random masks."""
    means = summarise(rows)
    beyond = {kind: compare(rows, kind) for kind in ("pixelwise", "smooth")}
    heard = compare(rows, "features")
    table = pd.DataFrame(index=means.loc["features"].index)
    table["area"] = means.loc["features"]["AREA"].map("{:.2f}".format)
    for name in ("FF", "FidIn"):
        for on in ("features", "audio"):
            table[f"{name} {on}"] = means.loc[on][name].map("{:.2f}".format)
        table[f"{name} audio − features"] = _intervals(heard, name)
        for on, kind in ASPECTS.values():
            if kind is not None:
                table[f"{name} {on} − {kind}"] = _intervals(pd.DataFrame(beyond[kind].loc[on]), name)
    return table


def _intervals(table: pd.DataFrame, name: str) -> list[str]:
    return [interval_text(name, *values) for values in table[name].to_numpy()]


def better_than_random(rows: pd.DataFrame) -> pd.DataFrame:
    """In how many of a method's masks a score beats random masks of the same values, with its whole interval.

    "–" where there is no interval, since the recordings are fewer than ``FEWEST``.
    """
    found = []
    for on in ("features", "audio"):
        for kind in ("pixelwise", "smooth"):
            table = compare(rows[rows["on"] == on], kind)
            for name in ("FF", "FidIn", "AD"):
                better = table[name]["low"] > 0 if METRICS[name].higher_is_better else table[name]["high"] < 0
                unknown = table[name]["low"].isna()
                counts = better.astype(int).groupby("method").sum().where(~unknown.groupby("method").any(), "–")
                for method, count in counts.items():
                    found.append({"score": name, "on": on, "than": kind, "method": method, "masks": count})
    return pd.DataFrame(found).pivot(index=["score", "on", "than"], columns="method", values="masks")


def as_markdown(table: pd.DataFrame) -> str:
    """A table in Markdown, without its index."""
    heads = [str(name) for name in table.columns]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(str(value) for value in row) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines)


def _in_words(verdicts: pd.DataFrame, aspect: str) -> str:
    """Which conclusions survive, and which are refuted, when looked at in one way."""
    names = verdicts["score"] + " " + verdicts["winner"]
    parts = []
    for word in ("survives", "refuted", "open"):
        found = names[verdicts[aspect].str.startswith(word)]
        parts.append(f"{word} {', '.join(found) or 'none'}")
    return f"- **{aspect}**: {'; '.join(parts)}."


def failures(rows: pd.DataFrame) -> str:
    """In words, how many clips each method failed on, which its figures leave out; empty if none did."""
    counts = rows[rows["status"] == "error"].groupby("method")["clip"].nunique()
    told = ", ".join(f"{method} {count}" for method, count in counts.items())
    return (
        f"Some of the {rows['clip'].nunique()} clips failed, and a method's figures leave them out: {told}."
        if told
        else ""
    )


def report(
    rows: pd.DataFrame, found: Sequence[Fault], command: str, weights: str | os.PathLike[str], labels: Sequence[str]
) -> str:
    """The text of ``docs/validity.md``.

    Args:
        rows: of :func:`~audiointerp.experiments.run`, clean mel clips.
        found: of :func:`~audiointerp.faults.faults`.
        command: what made them.
        weights: the classifier's file.
        labels: the classes of the clips.
    """
    verdicts = conclusions(rows)
    clips = rows.loc[rows["status"] == "ok", "clip"].nunique()
    faulty = pd.DataFrame([vars(fault) for fault in found])
    summary = "\n".join(_in_words(verdicts, aspect) for aspect in ASPECTS)
    failed = failures(rows)
    return f"""# What the published conclusions are worth

Everything on this page was written by one command, on {clips} test clips (fold 5) and {Path(weights).name}.
The classes: {", ".join(labels)}. {failed and f"{failed} "}The command:

    {command}

The published figures are of ESC-50 and a Cnn14 (the study's repository, `exile8/coursework24`, `tables.ipynb`). Other clips
and a smaller network: where a conclusion falls here, it is not general; where it stands, it was seen twice.

## Four faults of the published code

| fault | figure | with it | without |
|---|---|---|---|
{chr(10).join("| " + " | ".join(row) + " |" for row in faulty.itertuples(index=False))}

Each was measured here, on our network and clips. `protocol="published"` brings back the second and the fourth (and the
published constants), `SHAP(…, strict=False)` lets the first happen; the third cannot be had.

## Which conclusions survive

The best method by each score (mean over the 14 masks), and the best mask (mean over the four methods), of the published
table for clean mel clips; how far it is ahead of the best other here, in the score's good direction, with a paired 95 %
bootstrap interval over the recordings (none of fewer than {FEWEST}). *Survives*: it is ahead of every other, each interval
above 0. *Refuted*: it is behind one, the interval, corrected for the number of others, below 0. *Open*: neither.
*− pixelwise*, *− smooth*: the score less that of a random mask with the same values, bin by bin or in blobs. SPS and COMP are
of the mask alone.

{as_markdown(verdicts.rename(columns={"winner": "published best"}).drop(columns="kind"))}

{summary}

## Does a method beat chance?

In how many of its {len(MASKS)} masks a method's score is better than that of random masks of the same values, with the whole
95 % interval. `random` is the check: it knows nothing of the sound, and never beats *pixelwise* but by chance. Where it beats
*smooth*, being scattered is what wins, not being right: on audio the windows of the transform overlap, so single holes are
filled and single bins spread, and a scattered mask keeps more of the clip than its area says. Compare a method that
scatters (saliency, shap) with *pixelwise*, one that makes blobs (gradcam, lime) with *smooth*.

{as_markdown(better_than_random(rows).reset_index())}

## The table

Means over the clips; in brackets paired 95 % bootstrap intervals, for which recordings are drawn, each with all clips that
were cut from it. *features*: the masked spectrogram is classified.
*audio*: what is heard is analysed and classified, without a change of level. *− pixelwise*, *− smooth*: less the same score
of a random mask with the same values. All scores of every clip: run the command, or `audiointerp tables`.

{as_markdown(main_table(rows).reset_index())}
"""

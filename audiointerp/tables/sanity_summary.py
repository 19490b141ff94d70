"""The sanity checks as a table: a figure, its interval and a verdict per method and check."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..scoring import CHECKS, SanityCheck
from .bootstrap import bootstrap_interval
from .cells import Column, format_interval
from .table import Table, as_markdown, table_of

NOT_DONE = "not done"
UNCLEAR = "unclear"


def sanity_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row per method and check, with the figure that decides and the verdict.

    The figure is the mean over the clips, with its BCa interval over recordings; of the two
    differences it is the largest, without an interval. Of the randomisation it is that of the last
    stage, where all layers are re-initialised. The verdict is about the whole interval; where there
    are fewer than ``FEWEST`` recordings there is none, and the mean alone decides.

    Args:
        rows: of :func:`~audiointerp.scoring.sanity`.

    Returns:
        The columns ``method``, ``check``, ``figure``, ``low``, ``high``, ``clips`` (those with a
        figure), ``verdict`` (``"passes"``, ``"fails"``, ``"unclear"`` or ``"not done"``) and
        ``reason``.

    >>> rows = pd.DataFrame({"method": "lime", "check": "shift", "clip": ["a", "b"],
    ...                      "recording": ["a", "b"], "figure": [1.0, 0.9], "reason": ""})
    >>> sanity_table(rows)[["figure", "verdict"]].values.tolist()
    [[0.95, 'unclear']]
    """
    if "share" in rows:
        rows = rows[rows["share"].isna() | (rows["share"] == 1)]
    groups = rows.groupby(["method", "check"], sort=False)
    methods = list(rows["method"].unique())
    table = [
        {
            "method": method,
            "check": name,
            **_summary(CHECKS[name], groups.get_group((method, name))),
        }
        for method in methods
        for name in CHECKS
        if (method, name) in groups.groups
    ]
    return pd.DataFrame(table)


def _summary(check: SanityCheck, rows: pd.DataFrame) -> dict[str, object]:
    values = rows["figure"].to_numpy(float)
    known = values[~np.isnan(values)]
    reasons = rows.loc[rows["reason"] != "", "reason"]
    reason = "" if reasons.empty else str(reasons.iloc[0])
    if not len(known):
        empty = {"figure": np.nan, "low": np.nan, "high": np.nan, "clips": 0}
        return {**empty, "verdict": NOT_DONE, "reason": reason}
    if len(reasons):
        reason = f"{len(reasons)} of {len(rows)} clips: {reason}"
    if check.is_difference:
        figure, low, high = float(known.max()), np.nan, np.nan
    else:
        recordings = [str(recording) for recording in rows["recording"]]
        ends = bootstrap_interval(values[:, None], recordings)
        figure, low, high = float(known.mean()), float(ends[0][0]), float(ends[1][0])
    interval = {"figure": figure, "low": low, "high": high, "clips": len(known)}
    return {**interval, "verdict": _verdict(check, figure, low, high), "reason": reason}


def _verdict(check: SanityCheck, figure: float, low: float, high: float) -> str:
    """Return the verdict of an interval; a mean without one decides nothing."""
    if check.is_difference:
        return check.verdict(figure, figure)
    return UNCLEAR if np.isnan(low) else check.verdict(low, high)


@dataclass(frozen=True)
class CheckColumn(Column):
    """A column of figures, each followed by its verdict.

    Attributes:
        check: what the figures must be.

    >>> CheckColumn("clip shifted", decimals=2, check=CHECKS["shift"]).text(0.25)
    '0.25 unclear'
    """

    check: SanityCheck = CHECKS["shift"]

    def text(self, mean: float, low: float = np.nan, high: float = np.nan) -> str:
        """Format a figure, its interval and its verdict."""
        if np.isnan(mean):
            return NOT_DONE
        verdict = _verdict(self.check, mean, low, high)
        if self.check.is_difference:
            return f"{mean:.1g} {verdict}"
        decimals = self.decimals, self.decimals
        # A verdict is read off the ends.
        text = format_interval(mean, low, high, *decimals, "z").replace("-", "−")
        return f"{text} {verdict}"


def sanity_columns(summary: pd.DataFrame) -> Table:
    """Return method × check as a :class:`Table`, for Markdown and the other formats.

    Args:
        summary: of :func:`sanity_table`.

    >>> rows = pd.DataFrame({"method": "lime", "check": "shift", "clip": ["a", "b"],
    ...                      "recording": ["a", "b"], "figure": [1.0, 0.9], "reason": ""})
    >>> print(as_markdown(sanity_columns(sanity_table(rows))).splitlines()[-1])
    | clips: 2 | lime | 0.95 unclear |
    """
    methods = list(summary["method"].unique())
    clips = summary.groupby("method")["clips"].max()
    blocks = [f"clips: {clips[method]}" for method in methods]
    index = pd.MultiIndex.from_arrays([blocks, methods], names=["", "method"])
    filled = []
    for name, check in CHECKS.items():
        of_check = summary[summary["check"] == name].set_index("method").reindex(methods)
        if of_check["figure"].notna().any():
            numbers = of_check[["figure", "low", "high"]].set_axis(["mean", "low", "high"], axis=1)
            column = CheckColumn(check.title, decimals=2, check=check)
            filled.append((column, numbers.set_axis(index)))
    return table_of("sanity", "Sanity checks", "", filled)


def cascade_table(rows: pd.DataFrame) -> Table:
    """Return the mean rank correlations of each stage of the randomisation, per method.

    Args:
        rows: of :func:`~audiointerp.scoring.sanity`.

    >>> rows = pd.DataFrame({"method": "lime", "check": "randomisation", "layer": ["fc", "conv"],
    ...                      "share": [0.5, 1.0], "figure": [0.75, 0.0], "reason": ""})
    >>> print(as_markdown(cascade_table(rows)).splitlines()[-1])
    | ρ | lime | 0.75 | 0.00 |
    """
    titles = {"randomisation": "ρ", "randomisation_magnitudes": "ρ of |values|"}
    stages = rows[rows["check"].isin(list(titles)) & rows["figure"].notna()]
    blocks = stages["check"].map(titles).rename("correlation")
    means = stages.groupby([blocks, "method", "share"], sort=False)["figure"].mean().unstack()
    layers = stages.drop_duplicates("share").set_index("share")["layer"]
    filled = [
        (Column(f"to {layer}", decimals=2), means[[share]].set_axis(["mean"], axis=1))
        for share, layer in layers.sort_index().items()
    ]
    return table_of("cascade", "Stages of the randomisation", "", filled)


def sanity_page(rows: pd.DataFrame) -> str:
    """Return a page with both tables, and the reasons of what was not done.

    Args:
        rows: of :func:`~audiointerp.scoring.sanity`, with a column ``command``: the command line
            that computed them.

    >>> rows = pd.DataFrame({"method": "lime", "check": "shift", "clip": ["a", "b"],
    ...                      "recording": ["a", "b"], "figure": [1.0, 0.9], "reason": "",
    ...                      "layer": "", "share": np.nan, "command": "audiointerp sanity"})
    >>> sanity_page(rows).splitlines()[0]
    '# Which methods pass the sanity checks?'
    """
    summary = sanity_table(rows)
    cascade = "No network could be re-initialised."
    if rows["share"].notna().any():
        cascade = as_markdown(cascade_table(rows)).partition("\n\n")[2]
    text = PAGE.format(
        verdict=_verdict_lines(summary),
        commands="\n\n".join(f"    {command}" for command in rows["command"].unique()),
        table=as_markdown(sanity_columns(summary)).partition("\n\n")[2],
        reasons="\n".join(_reason_lines(summary)) or "Every check was done.",
        cascade=cascade,
    )
    return text.rstrip() + "\n"


def _verdict_lines(summary: pd.DataFrame) -> str:
    """Return a list: the methods that pass all that was done, and what each other one misses."""
    clean, unclear, lines = [], [], []
    for method, of_method in summary[summary["verdict"] != NOT_DONE].groupby("method", sort=False):
        phrases = [
            f"{word} {_titles(of_method.loc[of_method['verdict'] == word, 'check'])}"
            for word in ("fails", "unclear")
            if (of_method["verdict"] == word).any()
        ]
        if len(phrases) == 1 and phrases[0].startswith("unclear"):
            unclear.append(f"`{method}`")
        if phrases:
            lines.append(f"- `{method}`: {'; '.join(phrases)}.")
        else:
            clean.append(f"`{method}`")
    first = f"- passes every check that was done: {', '.join(clean) or 'none'}; fails none, but is "
    first += f"unclear in some: {', '.join(unclear) or 'none'}."
    return "\n".join([first, *lines])


def _titles(names: Iterable[str]) -> str:
    return ", ".join(f"*{CHECKS[name].title}*" for name in names)


def _reason_lines(summary: pd.DataFrame) -> list[str]:
    """Return a line per reason, with the methods and the checks that it is about."""
    with_reason = summary[summary["reason"] != ""]
    lines = []
    for (reason, checks), part in _by_reason(with_reason).groupby(["reason", "checks"], sort=False):
        methods = ", ".join(f"`{method}`" for method in part["method"])
        lines.append(f"- {checks} of {methods}: {reason}.")
    return lines


def _by_reason(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row per method and reason, with the titles of the checks."""
    groups = rows.groupby(["method", "reason"], sort=False)["check"]
    table = [
        {"method": method, "reason": reason, "checks": _titles(checks)}
        for (method, reason), checks in groups
    ]
    return pd.DataFrame(table, columns=["method", "reason", "checks"])


PAGE = """# Which methods pass the sanity checks?

A check asks what a map must do whatever the truth about the clip is. The figures were computed by:

{commands}

{verdict}

## The checks

- **random weights**: the network is re-initialised from the output down (Adebayo et al., NeurIPS
  2018), each clip with other weights, and the clip is explained again. Spearman's ρ of the map and
  the original, of the values as they are and of their magnitudes. If the weights decide, ρ is near
  0; a method that draws the sound keeps its map. Passes: the mean ρ over the clips between −0.1 and
  0.1 when nothing learned is left; single clips scatter more.
- **two calls**: the largest difference of two calls from different global random states, as a share
  of the largest magnitude; the largest over the clips. Passes: at most 1e-6.
- **alone or in a batch**: the same for the clip alone and in a batch. Passes: at most 1e-3.
- **clip shifted**: ρ of the map with that of the clip rolled in time, rolled back, far from the
  ends. Passes: at least 0.9.
- **second class**: ρ of the maps of the two most probable classes. Passes: at most 0.5.
- **other networks**: mean ρ of the maps by networks of other seeds. Passes: at least 0.5.

The bounds are chosen. Figures are means over the clips, with 95 % BCa intervals over recordings
(none if there are fewer than 20). *passes*: the whole interval does; *fails*: no part of it does;
*unclear*: neither, or no interval. A method that draws at random (`lime`, `rise`, `rise_logit`,
`mask_gradient`, `optimal`) draws anew for a shifted clip, so a part of what it fails there is noise
of the sampling. No check says that a map is right.

## Method × check

{table}

{reasons}

## Stage by stage

Mean ρ when all layers from the output down to the named one are re-initialised.

{cascade}
"""

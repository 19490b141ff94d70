"""Summaries of results: means, and comparisons with the nulls."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..errors import ArgumentError, AudioInterpError, choose
from ..interpretation import MASKS, NULLS
from ..metrics import METRICS, RELATIVE
from ..scoring import AREAS, CONTENT
from .bootstrap import bootstrap_interval, mean_of
from .nulls_present import has_null
from .results import recording_column

GROUPS = (
    "transform",
    "experiment",
    "protocol",
    "fill",
    "on",
    "method",
    "mask",
    "correct",
    "target",
    "predicted",
    "explained",
    "clip",
    "recording",
)
"""Columns that a summary may group by."""
SPLIT_BY = ("transform", "experiment", "protocol", "fill", "on")
"""Columns whose values are never averaged over: groups are split by them."""
REFERENCES = (*NULLS, "features")
"""What :func:`compare` may subtract from a score."""


def summarise(rows: pd.DataFrame, by: Sequence[str] = ("method", "mask")) -> pd.DataFrame:
    """Mean of each score over the clips of each group, without undefined scores (NaN).

    Clips that failed are left out. Transforms, experiments, protocols, fills, and scores on
    features and on audio are never mixed: groups are split by these columns even if ``by`` does not
    name them.

    Args:
        rows: from :func:`~audiointerp.tables.results.read_results`, or of a run.
        by: columns to group by, names in ``GROUPS``.

    Returns:
        A row per group, masks in the order of ``MASKS``, the fill ``background`` before the
        published ``silence``. Columns: the scores; what the parts hold, names in ``CONTENT``;
        ``undefined``, the share of masks that are all zero (SPS and COMP are undefined);
        ``constant``, the share of masks with a single value; ``clips``, the number of scored clips.

    Raises:
        AudioInterpError: no clip was scored.

    >>> rows = pd.DataFrame({"method": "random", "mask": "bin", "status": "ok", "on": "features",
    ...                      "clip": ["a", "b"], "protocol": "corrected",
    ...                      **dict.fromkeys(METRICS, [0.0, 1.0])})
    >>> summarise(rows)["FF"].tolist()
    [0.5]
    """
    scored = with_shares(scored_rows(rows))
    groups = scored.groupby(group_columns(scored, by), sort=True, observed=True)
    others = [name for name in (*CONTENT, *AREAS) if name in scored and scored[name].notna().any()]
    table = groups[[*METRICS, *others, "undefined", "constant"]].mean()
    table["clips"] = groups["clip"].nunique()
    return table


def compare(rows: pd.DataFrame, than: str, by: Sequence[str] = ("method", "mask")) -> pd.DataFrame:
    """Mean difference between each score and a reference, for the same clip and mask.

    Has 95 % BCa intervals of a paired bootstrap over recordings: a draw takes both scores of a
    clip. They are not corrected for the number of comparisons. With fewer than ``FEWEST``
    recordings, intervals are NaN.

    Args:
        rows: as in :func:`summarise`.
        than: the reference. A name in ``NULLS``: the same score of that null, where it is defined.
            ``"features"``: the difference is the score on audio minus the score on features.
        by: as in :func:`summarise`.

    Returns:
        A row per group; columns of two levels: the score, and ``mean``, ``low``, ``high``.

    Raises:
        ArgumentError: ``than`` is unknown, or the rows do not have the reference.
        AudioInterpError: no clip was scored.

    >>> rows = pd.DataFrame({"method": "random", "mask": "bin", "status": "ok", "on": "features",
    ...                      "clip": ["a", "b"], "protocol": "corrected",
    ...                      **dict.fromkeys(AREAS, np.nan), **dict.fromkeys(RELATIVE, 0.5),
    ...                      **{f"{name}_smooth": [0.0, 0.25] for name in RELATIVE}})
    >>> float(compare(rows, "smooth").loc[("random", "bin"), ("FF", "mean")])
    0.375
    """
    by_clip = paired_differences(rows, than, by)
    keys = [name for name in by_clip.index.names if name not in _clip_keys(by)]
    # pandas 2.2 warns of a list of one level.
    levels = keys if len(keys) > 1 else keys[0]
    groups = by_clip.groupby(level=levels, sort=True, observed=True)
    statistics = []
    for _, group in groups:
        values = group.to_numpy(float)
        recordings = group.index.get_level_values("recording").tolist()
        low, high = bootstrap_interval(values, recordings)
        statistics.append(np.stack([mean_of(values), low, high], 1).ravel())
    columns = pd.MultiIndex.from_product([by_clip.columns, ["mean", "low", "high"]])
    return pd.DataFrame(np.array(statistics), groups.mean().index, columns)


def paired_differences(
    rows: pd.DataFrame, than: str, by: Sequence[str] = ("method", "mask")
) -> pd.DataFrame:
    """Difference between each score and a reference, for each group and clip.

    Args:
        rows, than, by: as in :func:`compare`.

    Returns:
        A row per group and clip, indexed by the columns of ``by`` and by clip and recording; a
        column per score. A clip counts once, however many rows of it are in a group.

    Raises:
        ArgumentError: ``than`` is unknown, or the rows do not have the reference.
        AudioInterpError: no clip was scored.

    >>> rows = pd.DataFrame({"method": "random", "mask": "bin", "status": "ok", "on": "features",
    ...                      "clip": ["a", "b"], "protocol": "corrected",
    ...                      **dict.fromkeys(AREAS, np.nan), **dict.fromkeys(RELATIVE, 0.5),
    ...                      **{f"{name}_smooth": [0.0, 0.25] for name in RELATIVE}})
    >>> paired_differences(rows, "smooth")["FF"].tolist()
    [0.5, 0.25]
    """
    choose("comparison", than, REFERENCES)
    scored = scored_rows(rows)
    names = [*RELATIVE, *(name for name in AREAS if scored[name].notna().any())]
    if than == "features":
        differences = _audio_minus_features(scored, names)
    else:
        differences = _minus_null(scored, names, than)
    keys = [name for name in group_columns(differences, by) if name in differences]
    by_clip = differences.groupby([*keys, *_clip_keys(by)], sort=True, observed=True)
    return by_clip[names].mean()


def _clip_keys(by: Sequence[str]) -> list[str]:
    """Return the columns that tell clips apart within a group."""
    return [name for name in ("clip", "recording") if name not in by]


def _audio_minus_features(scored: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Subtract the scores on features from those on audio, for the rows that have both."""
    keys = [name for name in GROUPS if name in scored and name != "on"]
    on_features, on_audio = (
        scored[scored["on"] == on].set_index(keys)[[*names]] for on in ("features", "audio")
    )
    shared = on_features.index.intersection(on_audio.index)
    if shared.empty:
        raise ArgumentError(
            "to compare audio with features, the rows must hold both; "
            'run with on=("features", "audio")'
        )
    return (on_audio.loc[shared] - on_features.loc[shared]).reset_index()


def _minus_null(scored: pd.DataFrame, names: Sequence[str], null: str) -> pd.DataFrame:
    """Subtract the scores of a null, for the rows that have them."""
    if not has_null(scored, null):
        raise ArgumentError(f"the rows hold no null {null!r}; run with nulls=[{null!r}]")
    differences = scored.loc[scored[f"FF_{null}"].notna()].copy()
    for name in names:
        differences[name] = differences[name] - differences[f"{name}_{null}"]
    return differences


def scored_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of scored clips, with ordered masks and the recording of every clip.

    Raises:
        AudioInterpError: no clip was scored.

    >>> rows = pd.DataFrame({"clip": ["a", "b"], "mask": "bin", "status": ["ok", "error"]})
    >>> len(scored_rows(rows))
    1
    """
    scored = rows[rows["status"] == "ok"].copy()
    if scored.empty:
        raise AudioInterpError("no clip was scored; see the columns stage and error of the results")
    # The study's masks in their order, then the user's own in order of appearance.
    names = scored["mask"].astype(str)
    masks = names.unique()
    order = [name for name in MASKS if name in masks]
    order += [name for name in masks if name not in MASKS]
    scored["mask"] = pd.Categorical(names, order)
    scored["recording"] = recording_column(scored)
    return scored


def with_shares(scored: pd.DataFrame) -> pd.DataFrame:
    """Add the columns ``undefined`` and ``constant``, whose means are shares of the masks.

    >>> rows = pd.DataFrame({"COMP": [np.nan, 5.0], "SPS": [np.nan, 0.5]})
    >>> with_shares(rows)["constant"].tolist()
    [True, False]
    """
    undefined = scored["COMP"].isna()
    return scored.assign(undefined=undefined, constant=(scored["SPS"] == 0) | undefined)


def group_columns(rows: pd.DataFrame, by: Sequence[str]) -> list[str]:
    """Return ``by``, and before it the columns of ``SPLIT_BY`` that have several values.

    Raises:
        ArgumentError: a row has no value in one of them, and would be in no group.

    >>> group_columns(pd.DataFrame({"on": ["audio", "features"]}), ["method"])
    ['on', 'method']
    """
    split_by = [
        name for name in SPLIT_BY if name in rows and name not in by and rows[name].nunique() > 1
    ]
    columns = [*split_by, *by]
    refuse_missing(rows, columns)
    return columns


def refuse_missing(rows: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse rows that would be in no group, since pandas leaves them out without a word.

    Args:
        rows: any.
        columns: to group by; those that the rows do not have are passed over.

    Raises:
        ArgumentError: a row has no value in one of them.

    >>> refuse_missing(pd.DataFrame({"on": ["audio", "features"]}), ["on"])
    """
    for name in columns:
        missing = int(rows[name].isna().sum()) if name in rows else 0
        if missing:
            raise ArgumentError(
                f"{missing} of {len(rows)} rows have no value in column {name!r}, by which rows "
                "are grouped; give them one, or take the rows that have one"
            )

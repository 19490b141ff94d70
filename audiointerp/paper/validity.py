"""Tables of ``docs/validity.md``: scores beside those of nulls, on features and on audio."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..metrics import METRICS
from ..tables import (
    bootstrap_p_values,
    compare,
    holm,
    interval_text,
    mean_of,
    nulls_in,
    paired_differences,
    summarise,
)
from .comparable import distinct_masks
from .conclusions import aspects_in

LEVEL = 0.05
"""Largest adjusted p-value at which a mask beats chance."""


def main_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return methods × masks: FF and FidIn on features and on audio, and differences, as text.

    The differences are audio minus features, and each minus the nulls that the rows have.

    >>> from .example import example_rows
    >>> from .published import STUDY_MASKS
    >>> table = main_table(example_rows(masks=STUDY_MASKS, on=["features", "audio"]))
    >>> list(table.columns)[:4]
    ['area', 'FF features', 'FF audio', 'FF audio − features']
    """
    means = summarise(rows)
    beyond = {null: compare(rows, null) for null in nulls_in(rows)}
    audio_minus_features = compare(rows, "features")
    table = pd.DataFrame(index=means.loc["features"].index)
    table["area"] = means.loc["features"]["AREA"].map("{:.2f}".format)
    for name in ("FF", "FidIn"):
        for on in ("features", "audio"):
            table[f"{name} {on}"] = means.loc[on][name].map("{:.2f}".format)
        table[f"{name} audio − features"] = _interval_texts(audio_minus_features, name)
        for on, null in aspects_in(rows).values():
            if null is not None:
                differences = pd.DataFrame(beyond[null].loc[on])
                table[f"{name} {on} − {null}"] = _interval_texts(differences, name)
    return table


def _interval_texts(table: pd.DataFrame, name: str) -> list[str]:
    return [interval_text(name, *values) for values in table[name].to_numpy()]


def better_than_random(rows: pd.DataFrame) -> pd.DataFrame:
    """Count the masks in which a method's score beats that of a null.

    A mask counts if its mean difference is on the good side and its p-value, adjusted by Holm over
    the method's masks, is at most 0.05. Masks with the same scores count once, see
    :func:`~audiointerp.paper.comparable.distinct_masks`.

    Returns:
        A row per score, ``on`` and null; a column per method: "12 / 13", the masks
        that beat chance and the distinct masks; "–" where there are fewer than ``FEWEST``
        recordings, so no p-value.

    >>> from .example import example_rows
    >>> counts = better_than_random(example_rows(on=["features", "audio"]))
    >>> counts.loc[("FF", "audio", "smooth"), "lime"]
    '–'
    """
    table = []
    for on in ("features", "audio"):
        part = rows[(rows["on"] == on) & (rows["status"] == "ok")]
        masks_of = {method: distinct_masks(scored) for method, scored in part.groupby("method")}
        for null in nulls_in(part):
            differences = paired_differences(part, null)
            for method, masks in masks_of.items():
                for name in ("FF", "FidIn", "AD"):
                    of_score = pd.Series(differences[name].xs(method, level="method"))
                    by_mask = of_score.unstack("mask")
                    by_mask = by_mask[[mask for mask in masks if mask in by_mask]]
                    place = {"score": name, "on": on, "than": null, "method": method}
                    table.append({**place, "masks": _masks_beaten(by_mask, name)})
    return pd.DataFrame(table).pivot(
        index=["score", "on", "than"], columns="method", values="masks"
    )


def _masks_beaten(differences: pd.DataFrame, name: str) -> str:
    """Count the masks (columns) whose mean over the clips is on the good side, by Holm."""
    values = differences.to_numpy(float)
    recordings = [str(recording) for recording in differences.index.get_level_values("recording")]
    p_values = bootstrap_p_values(values, recordings)
    if np.isnan(p_values).any():
        return "–"
    means = mean_of(values)
    good = means > 0 if METRICS[name].higher_is_better else means < 0
    return f"{np.count_nonzero(good & (holm(p_values) <= LEVEL))} / {len(means)}"


def frame_as_markdown(frame: pd.DataFrame) -> str:
    """Return the columns of a frame as a Markdown table, without its index.

    >>> print(frame_as_markdown(pd.DataFrame({"a": [1], "b": ["x"]})))
    | a | b |
    |---|---|
    | 1 | x |
    """
    heads = [str(name) for name in frame.columns]
    lines = [_markdown_row(heads), "|" + "---|" * len(heads)]
    return "\n".join([*lines, *map(_markdown_row, frame.itertuples(index=False))])


def _markdown_row(values: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, values))} |"


def failures(rows: pd.DataFrame) -> str:
    """Return a sentence on how many clips each method failed on; empty if none did.

    >>> from .example import example_rows
    >>> failures(example_rows())
    ''
    """
    counts = rows[rows["status"] == "error"].groupby("method")["clip"].nunique()
    if counts.empty:
        return ""
    failed = ", ".join(f"{method} {count}" for method, count in counts.items())
    return (
        f"Some of the {rows['clip'].nunique()} clips failed and are left out of a method's "
        f"figures: {failed}."
    )

"""The page ``docs/validity.md``: do the published conclusions hold on other clips?"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..metrics import METRICS
from ..tables import (
    FEWEST,
    bootstrap_p_values,
    compare,
    holm,
    interval_text,
    mean_of,
    paired_differences,
    summarise,
)
from .comparable import SOFT_MASKS, distinct_masks
from .conclusions import aspects_in, conclusions, nulls_in
from .published import STUDY_MASKS
from .published_faults import Fault

LEVEL = 0.05
"""Largest adjusted p-value at which a mask beats chance."""

FILL_TITLES = {
    "background": "**Where removed bins fall to the clip's own background:**",
    "silence": "**Where removed bins are silent, as published:**",
}
"""What stands before the figures of a fill, if there are several."""


def main_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return methods × masks: FF and FidIn on features and on audio, and differences, as text.

    The differences are audio minus features, and each minus the nulls that the rows have.

    >>> from .example import example_rows
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
        for null in nulls_in(part):
            differences = paired_differences(part, null)
            for method, of_method in part.groupby("method"):
                masks = distinct_masks(of_method)
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


def _summary_line(verdicts: pd.DataFrame, aspect: str) -> str:
    """Return a list item: which conclusions survive, are refuted or open in one view."""
    names = verdicts["score"] + " " + verdicts["winner"]
    parts = []
    for verdict in ("survives", "refuted", "open", "not comparable"):
        matching = names[verdicts[aspect].str.startswith(verdict)]
        parts.append(f"{verdict} {', '.join(matching) or 'none'}")
    return f"- **{aspect}**: {'; '.join(parts)}."


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


def report(
    rows: pd.DataFrame,
    measured_faults: Sequence[Fault],
    command: str,
    weights: str | os.PathLike[str],
    labels: Sequence[str],
    origin: str = "",
) -> str:
    """Return the text of ``docs/validity.md``.

    Args:
        rows: results of :func:`~audiointerp.experiments.runner.run` on clean mel clips.
        measured_faults: of :func:`~audiointerp.paper.published_faults.faults`.
        command: the command line that made the results.
        weights: the classifier's file.
        labels: the classes of the clips.
        origin: a sentence on where the results come from, if the command did not compute them.

    Raises:
        AudioInterpError: no clip was scored with a published winner.

    >>> from .example import example_rows
    >>> rows = example_rows(masks=STUDY_MASKS, on=["features", "audio"])
    >>> page = report(rows, [], "audiointerp validate", "mel.safetensors", ["dog"])
    >>> page.splitlines()[0]
    '# Do the published conclusions hold?'
    """
    faults_table = pd.DataFrame(
        [vars(fault) for fault in measured_faults], columns=["name", "figure", "before", "after"]
    ).set_axis(["fault", "figure", "with it", "without"], axis=1)
    failed = failures(rows)
    return PAGE.format(
        clips=rows.loc[rows["status"] == "ok", "clip"].nunique(),
        weights=Path(weights).name,
        labels=", ".join(labels),
        failures=failed and f"{failed} ",
        command=f"{command}\n\n{origin}".rstrip(),
        faults=frame_as_markdown(faults_table),
        fewest=FEWEST,
        masks=len(STUDY_MASKS),
        soft=", ".join(f"`{mask}`" for mask in SOFT_MASKS),
        verdicts=_by_fill(rows, _verdicts),
        counts=_by_fill(
            rows, lambda part: frame_as_markdown(better_than_random(part).reset_index())
        ),
        table=_by_fill(rows, lambda part: frame_as_markdown(main_table(part).reset_index())),
    )


def _by_fill(rows: pd.DataFrame, text_of: Callable[[pd.DataFrame], str]) -> str:
    """Return the text on the rows of each fill, the published silence last, with a line before.

    Rows of one fill have no such line.
    """
    fills = sorted(
        set(rows.loc[rows["status"] == "ok", "fill"]), key=lambda fill: fill == "silence"
    )
    texts = {fill: text_of(rows[rows["fill"] == fill]) for fill in fills}
    if len(texts) == 1:
        return "".join(texts.values())
    return "\n\n".join(f"{FILL_TITLES.get(fill, fill)}\n\n{text}" for fill, text in texts.items())


def _verdicts(rows: pd.DataFrame) -> str:
    """Return the table of the published conclusions, and a list of which survive."""
    verdicts = conclusions(rows)
    table = verdicts.rename(columns={"winner": "published best"}).drop(columns="kind")
    lines = [_summary_line(verdicts, aspect) for aspect in aspects_in(rows)]
    return "\n".join([frame_as_markdown(table), "", *lines])


PAGE = """# Do the published conclusions hold?

One command wrote this page, run on {clips} test clips (fold 5) and {weights}.
The classes: {labels}. {failures}The command:

    {command}

The published figures (the study's repository, `exile8/coursework24`, `tables.ipynb`) are of ESC-50
and Cnn14. These are other clips and a smaller network: a conclusion that fails here is not general;
one that holds has been seen twice.

## Five faults of the published code

{faults}

Each was measured on our network and clips. `protocol="published"` reproduces the second and the
fourth (and the published constants), and with `interpret` plays the sounds of the fifth;
`SHAP(…, strict=False)` allows the first; the third cannot be reproduced.

## Which conclusions survive

For each score, the best method (mean over the {masks} masks) and the best mask (mean over the four
methods) of the published table for clean mel clips, and its lead here over another one: positive is
better, with a paired bootstrap interval over the recordings (none if there are fewer than
{fewest}): percentiles, corrected for the number of others, 95 % together (Bonferroni).
*Survives*: ahead of every other, each interval above 0. *Refuted*: behind at least one, the
interval below 0. *Open*: neither. The lead shown is the one that decides: the smallest; among
those below 0 if refuted; among those that reach 0 if open. *− pixelwise*, *− smooth*: minus the
score of a random mask with the same values, bin by bin or in blobs; *− rolled*, *− other*, where
the runs have them: minus that of the mask rolled in time, and of another clip's mask. SPS and COMP
depend on the mask alone.

Two comparisons say nothing about a mask's choice of bins and are left out. In the scores of the
masked sound, soft masks and any others (*not comparable*): {soft}
lower every level, which the network does not tolerate, wherever the mask is high, on features or on
audio. In SPS and COMP, masks that contain each other by definition, as `topK_5` contains
`topK_5_pos`, and `pos_thresh_50` contains `pos_thresh_75`. The means over the {masks} masks include
the soft masks, as published.

{verdicts}

## Does a method beat chance?

The number of a method's masks whose score is better than that of a null, a mask that knows nothing
about the clip, and of how many. The p-values are two-sided, twice the share of bootstrap draws on
the wrong side of 0, and adjusted by Holm over the masks of a cell (at most 0.05: the chance of any
false one in a cell is 5 %). Masks with the same scores in 95 % of the clips, mostly `topK_…` and
`topK_…_pos`, count once. `random` is the control: it does not look at the sound, and beats
*pixelwise* only by chance. Where it beats *smooth*, scattered masks win without being right: on
audio the transform's windows overlap, so single holes are filled and single bins spread, and a
scattered mask keeps more of the clip than its area says. Compare a method that scatters (saliency,
shap) with *pixelwise*, and one that makes blobs (gradcam, lime) with *smooth*. The nulls *rolled*
and *other* have the shape of the method's own masks: what is left beyond them is the choice of
frames, and the answer to this clip.

{counts}

## The table

Means over the clips; in brackets, paired 95 % BCa bootstrap intervals that draw recordings, each
with all clips cut from it. They are not corrected for the number of cells: about one in twenty
misses, so a single cell is no finding. *features*: the masked spectrogram is classified. *audio*:
the reconstructed sound is analysed and classified, its level unchanged. *− pixelwise*, …:
minus the same score of that null. For all scores of every clip, run the command, or
`audiointerp tables`.

{table}
"""

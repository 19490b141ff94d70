"""The page ``docs/validity.md``: do the published conclusions hold on other clips?"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from ..display import Difference
from ..tables import FEWEST, SOFT_MASKS, best_null_differences
from .conclusions import aspects_in, conclusions, published_winners
from .published import STUDY_MASKS
from .published_faults import Fault
from .validity import better_than_random, failures, frame_as_markdown, main_table
from .validity_answer import short_answer
from .validity_sanity import sanity_section

FILL_TITLES = {
    "background": "**Where removed bins fall to the clip's own background:**",
    "silence": "**Where removed bins are silent, as published:**",
}
"""What stands before the figures of a fill, if there are several."""


def _summary_line(verdicts: pd.DataFrame, aspect: str) -> str:
    """Return a list item: which conclusions survive, are refuted or open in one view."""
    names = verdicts["score"] + " " + verdicts["winner"]
    parts = []
    for verdict in ("survives", "refuted", "open", "not comparable"):
        matching = names[verdicts[aspect].str.startswith(verdict)]
        parts.append(f"{verdict} {', '.join(matching) or 'none'}")
    return f"- **{aspect}**: {'; '.join(parts)}."


def report(
    rows: pd.DataFrame,
    measured_faults: Sequence[Fault],
    command: str,
    weights: str | os.PathLike[str],
    labels: Sequence[str],
    picture: str,
    origin: str = "",
    checks: pd.DataFrame | None = None,
    folds: pd.DataFrame | None = None,
) -> str:
    """Return the text of ``docs/validity.md``.

    Args:
        rows: results of :func:`~audiointerp.experiments.runner.run` on clean mel clips.
        measured_faults: of :func:`~audiointerp.paper.published_faults.faults`.
        command: the command line that made the results.
        weights: the classifier's file.
        labels: the classes of the clips.
        picture: the file beside the page with the forest plot of
            :func:`~audiointerp.tables.best_null.best_null_differences`.
        origin: a sentence on where the results come from, if the command did not compute them.
        checks: of :func:`~audiointerp.paper.validity_sanity.study_sanity`, if they were done.
        folds: the rows of a cross-validation, if there is one.

    Raises:
        AudioInterpError: no clip was scored with a published winner.

    >>> from .example import example_rows
    >>> rows = example_rows(masks=STUDY_MASKS, on=["features", "audio"])
    >>> page = report(rows, [], "audiointerp validate", "mel.safetensors", ["dog"], "validity.png")
    >>> page.splitlines()[0]
    '# Do the published conclusions hold?'
    """
    faults_table = pd.DataFrame(
        [vars(fault) for fault in measured_faults], columns=["name", "figure", "before", "after"]
    ).set_axis(["fault", "figure", "with it", "without"], axis=1)
    failed = failures(rows)
    verdicts = {fill: conclusions(part) for fill, part in _of_fills(rows).items()}
    differences = best_null_differences(rows)
    return PAGE.format(
        answer=short_answer(verdicts, differences, folds),
        clips=rows.loc[rows["status"] == "ok", "clip"].nunique(),
        weights=Path(weights).name,
        labels=", ".join(labels),
        failures=failed and f"{failed} ",
        command=f"{command}\n\n{origin}".rstrip(),
        published=_published_text(),
        faults=frame_as_markdown(faults_table),
        picture=picture,
        beyond=_beyond_best_null(differences),
        distances=_distances(rows),
        checks="were not done." if checks is None else sanity_section(checks),
        fewest=FEWEST,
        masks=len(STUDY_MASKS),
        soft=", ".join(f"`{mask}`" for mask in SOFT_MASKS),
        verdicts=_by_fill(
            {fill: _verdicts(table, aspects_in(rows)) for fill, table in verdicts.items()}
        ),
        counts=_by_fill(_tables(rows, better_than_random)),
        table=_by_fill(_tables(rows, main_table)),
    )


def _published_text() -> str:
    """Return a list: the published best method and the best mask by each score."""
    winners = pd.DataFrame(published_winners())
    items = []
    for kind, of_kind in winners.groupby("kind", sort=False):
        scores_of = of_kind.groupby("name", sort=False)["score"].agg(", ".join)
        names = "; ".join(f"`{name}` by {scores}" for name, scores in scores_of.items())
        items.append(f"- the best {kind} is {names}.")
    return "\n".join(items)


def _beyond_best_null(differences: Sequence[Difference]) -> str:
    """Return a list: which methods are certainly better or worse than their best null."""
    items = []
    for group in dict.fromkeys(difference.group for difference in differences):
        parts = []
        for panel in dict.fromkeys(difference.panel for difference in differences):
            certain = [
                difference
                for difference in differences
                if (difference.group, difference.panel) == (group, panel) and difference.is_certain
            ]
            better = [difference.row for difference in certain if difference.mean > 0]
            worse = [difference.row for difference in certain if difference.mean < 0]
            score = panel.partition(",")[0]
            parts.append(
                f"{score}: better {', '.join(better) or 'none'}, worse {', '.join(worse) or 'none'}"
            )
        items.append(f"- **{group}**: {'; '.join(parts)}.")
    return "\n".join(items)


def _distances(rows: pd.DataFrame) -> str:
    """Return how far the parts lie from clean clips; empty where the results do not say it."""
    scored = rows[(rows["status"] == "ok") & ~rows["mask"].isin(SOFT_MASKS)]
    if "ood_in" not in rows or scored["ood_in"].isna().all():
        return ""
    means = scored.groupby(["fill", "on"])[["ood_in", "ood_out"]].mean().round(2).reset_index()
    table = frame_as_markdown(means.astype(str))
    return (
        "How far the parts under masks of zeros and ones lie from the training clips in the "
        "network's embedding, kept\n(`ood_in`) and removed (`ood_out`), as a ratio to clean clips:"
        f"\n\n{table}\n\n"
    )


def _of_fills(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows of each fill, the published silence last."""
    fills = set(rows.loc[rows["status"] == "ok", "fill"])
    ordered = sorted(fills, key=lambda fill: (fill == "silence", fill))
    return {fill: rows[rows["fill"] == fill] for fill in ordered}


def _tables(rows: pd.DataFrame, table_of: Callable[[pd.DataFrame], pd.DataFrame]) -> dict[str, str]:
    return {
        fill: frame_as_markdown(table_of(part).reset_index())
        for fill, part in _of_fills(rows).items()
    }


def _by_fill(texts: Mapping[str, str]) -> str:
    """Join the text on each fill, with a line before; that on a single fill has no such line."""
    if len(texts) == 1:
        return "".join(texts.values())
    return "\n\n".join(f"{FILL_TITLES.get(fill, fill)}\n\n{text}" for fill, text in texts.items())


def _verdicts(verdicts: pd.DataFrame, aspects: Iterable[str]) -> str:
    """Return the table of the published conclusions, and a list of which survive."""
    table = verdicts.rename(columns={"winner": "published best"}).drop(columns="kind")
    lines = [_summary_line(verdicts, aspect) for aspect in aspects]
    return "\n".join([frame_as_markdown(table), "", *lines])


PAGE = """# Do the published conclusions hold?

{answer}One command wrote this page, run on {clips} test clips (fold 5) and {weights}.
The classes: {labels}. {failures}The command:

    {command}

The published figures (the study's repository, `exile8/coursework24`, `tables.ipynb`) are of ESC-50
and Cnn14. These are other clips and a smaller network: a conclusion that fails here is not general;
one that holds has been seen twice.

## What was published

On clean mel clips, by the mean over the {masks} masks or over the four methods,

{published}

## What is wrong with it

{faults}

Each was measured on our network and clips. `protocol="published"` reproduces the second and the
fourth (and the published constants), and with `interpret` plays the sounds of the fifth;
`SHAP(…, strict=False)` allows the first; the third cannot be reproduced.

And no score was compared with chance, nor with what the network says of the *sound*.

## What survives

A **null** is a mask to compare with: random, as blobs or bin by bin, with the same values or with
as many audible bins; the mask itself moved in time; that of another clip (`docs/scores.md`). The
last two keep what a method knows of bands, and of clips in general. A method that is no better has
explained nothing of this clip, whatever its score is. Here each method's mean score over the masks
of zeros and ones, minus that of its best null, which may be another one for each method:

![Each method minus its best null]({picture})

Right of the line is better. Bars are 95 % intervals over recordings; filled marks differ from the
null after Holm's correction over all marks of a colour: on the right, from each null; on the left,
from the best one, with p times the number of nulls that it was chosen from. *Silence* and
*background*: what a removed bin becomes. *On features*: the masked spectrogram is classified, as
published; *on audio*: its sound. `random` does not look at the clip: it is the control. Its bins
are scattered, and blobs score higher, so it can lie below its best null. `optimal` was searched for
with this network over the background, so there it is expected ahead.

{beyond}

{distances}Where two colours disagree, the score measures how the network bears the
holes, not what it listens to: a hole of silence on features is unlike any clip that it was trained
on. `docs/fills.md` says which one to believe: under silence on features the loudest fifth of a
sound's true region is not ahead of scattered random bins in FF; over the background on audio it is.

## What any map must do

{checks}

## Details: the published conclusions

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
lower every level, which a network tolerates badly, wherever the mask is high, on features or on
audio. In SPS and COMP, masks that contain each other by definition, as `topK_5` contains
`topK_5_pos`, and `pos_thresh_50` contains `pos_thresh_75`. The means over the {masks} masks include
the soft masks, as published.

{verdicts}

## Details: does a method beat chance?

The number of a method's masks whose score is better than that of a null, and of how many. The
p-values are two-sided, twice the share of bootstrap draws on
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

## Details: the table

Means over the clips; in brackets, paired 95 % BCa bootstrap intervals that draw recordings, each
with all clips cut from it. They are not corrected for the number of cells: about one in twenty
misses, so a single cell is no finding. *features*: the masked spectrogram is classified. *audio*:
the reconstructed sound is analysed and classified, its level unchanged. *− pixelwise*, …:
minus the same score of that null. For all scores of every clip, run the command, or
`audiointerp tables`.

{table}
"""

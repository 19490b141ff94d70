"""The page docs/localisation.md, and its picture."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..dataset import ClipDataset
from ..errors import AudioInterpError
from ..interpretation import Explainer
from ..model import Classifier
from ..scoring import LEAST_P, LOCALISATION_SCORES
from ..tables import FEWEST, mean_of
from ..util import make_folder, write_text
from .localisation_picture import draw_median_mixture
from .localisation_run import BASELINE_NAMES, Measured, budgets_of
from .localisation_tables import (
    LEVEL,
    MAIN,
    SHOWN,
    SIGNIFICANT,
    contrast_elsewhere,
    differences_from_level,
    differences_table,
    means_table,
    rivals_of,
    scored_at,
    values_by_clip,
)
from .validity import frame_as_markdown


def write_localisation(
    out: str | os.PathLike[str],
    rows: pd.DataFrame,
    classifier: Classifier,
    dataset: ClipDataset,
    ratios: Sequence[Measured],
    methods: Mapping[str, Explainer],
    command: str,
    weights: str,
    *,
    min_p: float = LEAST_P,
) -> None:
    """Write the page, and its picture beside it.

    Args:
        out: the page.
        rows: of :func:`~audiointerp.paper.localisation_run.measure_localisation`.
        classifier, dataset, ratios, methods: what was measured, for the picture.
        command: the command line.
        weights: the name of the classifier's file.
        min_p: the least p of an explained class.

    Raises:
        AudioInterpError: no class was explained at 0 dB.

    Example: ``audiointerp localise`` calls it.
    """
    path = Path(out)
    make_folder(path.parent)
    picture = path.with_suffix(".png")
    caption = draw_median_mixture(picture, rows, classifier, dataset, ratios, methods)
    page = localisation_page(rows, methods, command, weights, picture.name, caption, min_p)
    write_text(path, page)


def localisation_page(
    rows: pd.DataFrame,
    methods: Mapping[str, Explainer],
    command: str,
    weights: str,
    picture: str = "",
    caption: str = "",
    min_p: float = LEAST_P,
) -> str:
    """Return the text of the page.

    Args:
        rows, methods, command, weights: as for :func:`write_localisation`.
        picture: the name of the picture's file; none if empty.
        caption: below the picture.
        min_p: the least p of an explained class.

    Raises:
        AudioInterpError: no class was explained at 0 dB.

    Example: ``audiointerp localise`` calls it.
    """
    main = scored_at(rows, MAIN)
    if main.empty:
        raise AudioInterpError(
            "no class was explained at 0 dB; give a ratio of 0, or see the columns stage and error "
            "of the rows"
        )
    ratio_values = rows.loc[rows["status"] == "ok", "ratio_db"].round().astype(int).unique()
    ratios = [int(each) for each in sorted(ratio_values, key=abs)]
    return PAGE.format(
        command=command,
        min_p=min_p,
        weights=weights,
        network=weights.partition(".")[0],
        at_some=AT_SOME if len(ratios) > 1 else "",
        verdict=verdict(main) + contrast_elsewhere(rows, ratios[1:]),
        counts=_counts(rows),
        settings=budgets_of(methods),
        fewest=FEWEST,
        alpha=SIGNIFICANT,
        unit=FRAMES if (main["axis"] == "time").all() else "",
        scores=", ".join(f"*{name}*: {score.title}" for name, score in LOCALISATION_SCORES.items()),
        picture=f"![{caption}]({picture})\n\n{caption}\n" if picture else "",
        sections="\n\n".join(_section(scored_at(rows, each), each) for each in ratios),
    )


def _section(rows: pd.DataFrame, ratio: int) -> str:
    groups = rows["recording"].nunique()
    classes = rows.drop_duplicates(["clip", "explained"])["clip"].size
    parts = [
        f"### The explained sound at {ratio:+d} dB".replace("+0", "0").replace("-", "−"),
        f"{classes} explained classes, {groups} independent groups of recordings; the explained "
        f"sound has {100 * rows['truth_share'].mean():.0f} % of the bins.",
        frame_as_markdown(means_table(rows)),
    ]
    if groups >= FEWEST:
        parts += [
            "Minus the level, the same classes:",
            frame_as_markdown(differences_table(rows)),
        ]
    return "\n\n".join(parts)


def verdict(rows: pd.DataFrame) -> str:
    """Return the sentences that come first: who beats the level, and who does not.

    Args:
        rows: the scored rows at one ratio.

    Example: ``audiointerp localise`` calls it.
    """
    differences = differences_from_level(rows)
    lines = []
    for score, weight in (("contrast", "none"), ("pointing", "level"), ("iou", "level")):
        values = values_by_clip(rows, score)
        means = pd.Series(mean_of(values.to_numpy(float)), values.columns)
        of_weight = means.xs(weight, level="weight").drop(list(BASELINE_NAMES), errors="ignore")
        best = str(of_weight.idxmax())
        printed = {str(name): f"{mean:.2f}" for name, mean in of_weight.items()}
        alike = ", ".join(name for name, mean in printed.items() if mean == printed[best])
        lead = differences.xs((best, weight, score)).astype(float)
        is_known = not np.isnan(lead["p_value"])
        finding = "significant" if lead["p_value"] <= SIGNIFICANT else "not significant"
        rivals = ", ".join(rivals_of(rows, best, weight, score))
        behind = f"not certainly ahead of: {rivals}" if rivals else "certainly ahead of all others"
        weighted = ", weighted by the level" if weight == "level" else ""
        others = means.xs(weight, level="weight").reindex(sorted(BASELINE_NAMES - {LEVEL})).dropna()
        beside = ", ".join(f"{name} {mean:.2f}" for name, mean in others.items())
        lines.append(
            f"- **{score}**{weighted}: best {alike}, {printed[best]}; the level has "
            f"{means[LEVEL, 'none']:.2f}{'; with this weight ' if weighted else ', '}{beside}; "
            f"difference of {best} to the level {lead['mean']:+.2f}"
            + (f" ({finding} after Holm)" if is_known else "")
            + f"; {behind}."
        )
    lines.append(_both_explained(rows))
    return "\n".join(lines).replace("level -", "level −")


def _both_explained(rows: pd.DataFrame) -> str:
    """Say how many mixtures have both classes explained, and the contrast there.

    Where the network hears one class only, a map that is the same for every class would do.
    """
    plain = rows[rows["weight"] == "none"]
    explained = plain.drop_duplicates(["clip", "explained"]).groupby("clip").size()
    both = plain[plain["clip"].isin(explained.index[explained > 1])]
    text = (
        f"- **Which of two sounds**: in {(explained > 1).sum()} of {len(explained)} mixtures both "
        "are explained, and a map must differ between them; in the others, one that is the same "
        "for every class could show the one."
    )
    if both.empty:
        return text
    means = both.groupby("method")["contrast"].mean()
    highest = means.drop(list(BASELINE_NAMES), errors="ignore").nlargest(SHOWN)
    named = ", ".join(f"{name} {mean:.2f}" for name, mean in highest.items())
    return f"{text} Contrast there, highest first: {named}; the level {means[LEVEL]:.2f}."


def _counts(rows: pd.DataFrame) -> str:
    """Say how many mixtures there are, and what was left out."""
    skipped = rows[rows["status"] == "skipped"]
    failed = rows[rows["status"] == "error"]
    explained = rows[rows["status"] == "ok"].drop_duplicates(["clip", "explained"])
    text = (
        f"{rows['clip'].nunique()} mixtures: {len(explained)} classes are explained; "
        f"{len(skipped)} have too small a p and are left out."
    )
    if len(failed):
        counts = failed.groupby("method")["clip"].nunique()
        names = ", ".join(f"{method} {count}" for method, count in counts.items())
        text += f" Clips that failed, by method: {names}."
    return text


FRAMES = (
    " Here frames alone are compared: of a source's power its sum over bands, of a map its mean."
)
AT_SOME = " Methods without gradients are measured at some of the ratios only."
PAGE = """# Does a map of {network} show the sound that it explains?

At 0 dB:

{verdict}

One command wrote this page, with {weights}. {counts}

    {command}

## What was measured

Two clips of different classes are mixed, and both are known; of fold 5 unless the command says
`--folds`. Each class to which the network gives a p of at least {min_p:g} is explained. A bin is
the explained sound's where it is louder than the other and within 40 dB of its own maximum.{unit}

- {scores}.
- *contrast* asks which of the two sounds, not how loud: it counts only bins where one of them is
  audible (within 40 dB of its own largest level). *AUC* and *AP* also reward a map that is high
  wherever anything is heard.
- **The level is a method.** `level` is the mixture's own level, `level_above_median` that minus the
  median of each band, `random` random values. Only of a method that beats the level is it shown
  that its maps know more.
- *level* in the column weight: the ranks of the map times a weight of the bin's level, 0 from 60 dB
  below the mixture's largest on, and 1 from 40 dB below up: among bins within 40 dB of the loudest
  the map alone decides. `random` with this weight is what the weight alone does.
- Fewer forward passes than by default: {settings}. Others have their defaults (RISE's is 1000),
  so budgets are not equal.{at_some}
- In brackets: 95 % BCa intervals. Mixtures that share a recording, or share one with a third, are
  one group, and groups are drawn; with fewer than {fewest} there is no interval, and with some
  twenty an interval of 95 % covers about nine in ten (`docs/scores.md`). Differences from
  the level are paired by class, with percentile intervals; **bold** is a p-value of at most
  {alpha:g} after Holm's correction over the table (*certainly*: over all pairs of
  methods, since the best one was chosen), either way.

{picture}
## By ratio

{sections}
"""

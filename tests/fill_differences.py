"""docs/fills.md and its picture: which fill should be believed.

Usage: python tests/fill_differences.py DATA [--mixtures N] [--rows FILE] [--out FILE]

DATA is ESC-10 in the layout of ESC-50. 60 mixtures take about 25 minutes of one core. The rows of
finished mixtures are kept in a file (results/fills/fills.csv), and the same command goes on after
them: delete it to measure anew. What is measured stands in fill_rows.py.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import torch
from fill_figures import (
    BETTER,
    CLASS,
    NOT_ORDERED,
    SIGNS,
    TRUTH,
    YARDSTICKS,
    adjusted,
    by_setting,
    ends,
    interval,
    location_table,
    map_table,
    order_table,
    truth_table,
    wide,
)
from fill_rows import AREA, METHODS, RISE_SAMPLES, Bench, measure, open_esc10
from matplotlib.figure import Figure

from audiointerp import Classifier
from audiointerp.dataset import Mixtures
from audiointerp.experiments import TEST_FOLDS, sha256_of_state
from audiointerp.paper.localisation_run import budgets_of
from audiointerp.util import (
    HELD_OUT_SEED,
    atomic_write,
    make_folder,
    read_json,
    write_json,
    write_text,
)

WEIGHTS = Path(__file__).parents[1] / "weights" / "esc10_mel_cnn10.safetensors"
PAGE = """# What should a removed bin become?

{verdict}

One command measured this and wrote this page, with `weights/esc10_mel_cnn10`:

    python tests/fill_differences.py DATA

![Each setting, with 95 % intervals over groups of recordings.]({picture})

## What was measured

Two test clips of ESC-10 of different classes are mixed at 0 dB: {mixtures} mixtures, {classes}
explained classes (p at least 0.3) in {groups} groups that share no recording. Both sounds are
known, so it is known where the explained one is. A mask keeps the first {area} % of the bins of a
map, or as many as the truth has ({truth_area} % on average), and the others become a fill.

- `truth`: the bins where the explained sound is louder and audible, its loudest first. It is what
  a map should show, so a score that can be believed puts it ahead of maps that are wrong by
  construction: `random blobs`, `random bins`, `truth, shifted` (half the clip later) and
  `other sound` (the region of the other sound).
- `ood_in`, `ood_out`: how far the kept and the removed part lie from the training clips in the
  network's embedding; 1 is the median of clean clips. The mixtures themselves have {clean}.
- Methods and their calls: saliency, Grad-CAM and LayerCAM one pass with gradients, SHAP (DeepLIFT)
  20 clips of background, the optimal mask 40 steps, {budgets}.
- In brackets: 95 % BCa intervals over groups; of some twenty they cover about nine in
  ten. **Bold**: a p-value of at most 0.05 after Holm's
  correction over the table. FF is better if high, AD if low.

## Is the true region ahead of maps that know nothing?

The true region minus random maps, {area} % of the bins:

{truth_table}

The whole true region, and as many bins of random maps:

{exact_table}

## Do the scores order maps as the truth does?

*Truth ahead*: the share of the four wrong maps that the true region is ahead of; a coin has 0.50.
*ρ*: Spearman's correlation within each class of the order of {maps} maps (the methods, the level
and the two random maps) by the score with their order by average precision, or by contrast; 0 if
the score is the same for all.

{order_table}

How well each map shows the explained sound, whatever the fill:

{location_table}

## All maps under all fills

Means over the classes, {area} % of the bins. FidIn is of classes that are also the predicted one.

### FF

{table_FF}

### AD

{table_AD}

### FidIn

{table_FidIn}

### Distance of the kept part, `ood_in`

{table_ood_in}

### Distance of the removed part, `ood_out`

{table_ood_out}

## What follows

- Read FF and AD with `fill="background"` and `on="audio"`, the defaults of `score`: the parts are
  sounds that a listener can hear, and what is kept of the true region lies about as far from the
  training clips as clean clips do. What is removed, and what methods keep, lies further: see
  `ood_out` and the table of `ood_in`.
  `noise` does as well, but is one draw of many, and `background` never makes a bin louder.
- With silence on features, the published way, FF puts the loudest fifth of the true region behind
  scattered bins or beside them; what is kept lies far from all training clips. The whole region is
  ahead there, too, by less than over the background on audio: so the faults are those of parts.
- The fill was chosen by these mixtures, which are of fold 5, and with one network.
- A map can be ahead of the true region. In AD, over the background on audio: {ahead}. They find
  bins that suffice for this network, not the sound: a low AD is a statement about the network, and
  where the sound is, only the truth tells ([localisation.md](localisation.md)).
"""


def verdict(figures: dict[tuple[str, str], pd.DataFrame]) -> str:
    """The sentences that come first."""
    p_values = adjusted(figures)
    bad = [setting for setting in figures if max(p_values[setting].values()) > BETTER]
    means = {setting: frame.mean() for setting, frame in figures.items()}
    lines = [
        f"- **The true region ({100 * AREA:.0f} % of the bins, its loudest) beats random maps** in "
        "FF and in AD, blobs and bins alike, in "
        f"{len(figures) - len(bad)} of {len(figures)} settings; not under: {named(bad)}."
    ]
    for setting in (("features", "silence"), ("audio", "background")):
        frame, mean = figures[setting], means[setting]
        lines.append(
            f"- **{setting[1]} on {setting[0]}**: the true region minus random bins has FF "
            f"{interval(frame['FF', 'random bins'], 2, '+z')} and AD "
            f"{interval(frame['AD', 'random bins'], 1, '+z')}; its kept part lies "
            f"{mean['ood_in', TRUTH]:.2f} times as far from the training clips as clean clips do; "
            f"it is ahead of {100 * mean['FF', 'wins']:.0f} % of the wrong maps by FF and of "
            f"{100 * mean['AD', 'wins']:.0f} % by AD."
        )
    closest = sorted(figures, key=lambda setting: means[setting]["ood_in", TRUTH])[:4]
    lines.append(
        f"- **Closest to clean clips** are the true region's kept parts in: {named(closest)}."
    )
    highest = max(
        (abs(means[setting][score, yardstick]), setting, score, yardstick)
        for setting in figures
        for score in SIGNS
        for yardstick in YARDSTICKS
    )
    lines.append(
        "- **No score is a measure of location**: within a clip, the order of the maps by FF or AD "
        f"agrees with that by average precision or contrast by ρ {highest[0]:.2f} at most "
        f"({highest[2]} and {highest[3]}, {named([highest[1]])})."
    )
    return "\n".join(lines)


def ahead_of_truth(rows: pd.DataFrame) -> str:
    """The maps whose mean AD is below that of the truth, over the background on audio."""
    means = wide(rows, "audio", "background", "AD").mean().sort_values()
    lower = means[means < means[TRUTH]]
    return ", ".join(f"{name} {mean:.1f}" for name, mean in lower.items()) + (
        f" (the true region: {means[TRUTH]:.1f})"
    )


def named(settings: list[tuple[str, str]]) -> str:
    return ", ".join(f"{fill} on {on}" for on, fill in settings) or "none"


def draw(figures: dict[tuple[str, str], pd.DataFrame]) -> Figure:
    """Four panels: the truth minus random bins in FF and AD, the distance, and the order."""
    panels = {
        ("FF", "random bins"): "FF: truth minus random bins\n(right is better)",
        ("AD", "random bins"): "AD: truth minus random bins\n(left is better)",
        ("ood_in", TRUTH): "distance of the truth's kept part\n(1: as clean clips)",
        ("FF", "wins"): "wrong maps behind the truth, FF\n(right is better)",
        ("AD", "wins"): "wrong maps behind the truth, AD\n(right is better)",
    }
    figure, axes = plt.subplots(1, len(panels), figsize=(15, 4), sharey=True)
    lines = {("FF", "wins"): 0.5, ("AD", "wins"): 0.5, ("ood_in", TRUTH): 1.0}
    for axis, (column, title) in zip(axes, panels.items(), strict=True):
        axis.axvline(lines.get(column, 0.0), color="0.6", linewidth=1)
        for place, (on, fill) in enumerate(figures):
            values = figures[on, fill][column]
            color = "#b3471d" if on == "features" else "#1d5fb3"
            axis.plot(ends(values), [place, place], color=color, linewidth=2)
            axis.plot(values.mean(), place, "o", color=color)
        axis.set_title(title, fontsize=10)
        axis.set_yticks(range(len(figures)), [f"{fill}, {on}" for on, fill in figures])
    axes[0].invert_yaxis()
    figure.tight_layout()
    return figure


def page(rows: pd.DataFrame, mixtures: int, picture: str) -> str:
    figures, exact = by_setting(rows), by_setting(rows, "truth")
    classes = rows.drop_duplicates(CLASS)
    at_truth = rows.loc[rows["area"] == "truth", "share"]
    values = {
        "verdict": verdict(figures),
        "mixtures": mixtures,
        "classes": len(classes),
        "groups": classes["recording"].nunique(),
        "area": f"{100 * AREA:.0f}",
        "truth_area": f"{100 * at_truth.mean():.0f}",
        "clean": f"{rows.drop_duplicates(CLASS)['ood_clean'].mean():.2f}",
        "ahead": ahead_of_truth(rows),
        "maps": rows["method"].nunique() - len(NOT_ORDERED),
        "budgets": fewer_passes(),
        "picture": picture,
        "truth_table": truth_table(figures),
        "exact_table": truth_table(exact),
        "order_table": order_table(figures),
        "location_table": location_table(rows),
        **{
            f"table_{score}": map_table(rows, score, 1 if score == "AD" else 2)
            for score in ("FF", "AD", "FidIn", "ood_in", "ood_out")
        },
    }
    return PAGE.format(**values)


def fewer_passes() -> str:
    """Return which methods use fewer forward passes than by default."""
    return f"{budgets_of(METHODS)}, rise (cells (8, 8), samples {RISE_SAMPLES})"


def refuse_other_rows(path: Path, classifier: Classifier) -> None:
    """Stop if the rows have other settings than the file beside them says; write it if missing.

    Raises:
        SystemExit: they are.
    """
    record = {
        "network_sha256": sha256_of_state(classifier.network),
        # Rows of other methods, numbers of passes or draws are measured anew.
        "methods": list(METHODS),
        "fewer_passes": fewer_passes(),
        "seed_of_fills": HELD_OUT_SEED,
    }
    if path.is_file() and read_json(path) != record:
        raise SystemExit(
            f"{path}: the rows beside it are of another network, methods or seed; delete both"
        )
    make_folder(path.parent)
    write_json(path, record)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--mixtures", type=int, default=60)
    parser.add_argument("--rows", type=Path, default=Path("results/fills/fills.csv"))
    parser.add_argument("--out", type=Path, default=Path("docs/fills.md"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    classifier = Classifier.load(WEIGHTS)
    mixtures = Mixtures(open_esc10(classifier, options.data, TEST_FOLDS), options.mixtures, 0.0)
    refuse_other_rows(options.rows.with_suffix(".json"), classifier)
    rows = measure(Bench.of(classifier, options.data), mixtures, options.rows)
    picture = options.out.with_suffix(".png")
    with atomic_write(picture) as part:
        draw(by_setting(rows)).savefig(part, format="png", dpi=90)
    write_text(options.out, page(rows, len(mixtures), picture.name))


if __name__ == "__main__":
    main()

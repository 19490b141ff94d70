"""The figures of README and of docs/ that come from results: computed anew, compared, written.

    python tests/figures.py            names the sentences that differ from the results
    python tests/figures.py --write    writes their figures anew

Each figure stands in a sentence of a page, which names the results that it comes from. A sentence
may claim something of its figures, e.g. that one is below another: what no longer holds is named
too, and must be worded anew by hand. Pages that one command writes are compared as a whole, by
tests/test_figures.py.
"""

import argparse
import re
import sys

from page_figures import (
    CLEAN,
    FILLS,
    FOLDS,
    LOCALISATION,
    LOCALISATION_CLEAN,
    PICTURE,
    accuracy_of_folds,
    ahead_in_ad,
    ahead_in_folds,
    area_table,
    as_networks,
    best_and_level,
    best_order,
    best_random,
    caption,
    clips_and_recordings,
    distances_removed,
    ends,
    kept_better_at_half,
    leader_on_fold_4,
    networks_disagree,
    picture,
    reaches_zero,
    results_table,
    rivals_in,
    share_kept,
    truth_under,
)
from page_sentence import ROOT, Sentence

from audiointerp.util import write_text

RESULTS_PAGE = "results/README.md"
CLIP_SHARE = "topK_30"
"""The mask of README's picture, whose share its caption spells out."""
TABLE = re.compile(r"^\| folder \|.*\n(?:\|.*\n?)*", re.M)
AREA_TABLE = re.compile(r"^\| method \| FF: 5, 30.*\n(?:\|.*\n?)*", re.M)
TABLES = {RESULTS_PAGE: (TABLE, results_table), "docs/reproduce.md": (AREA_TABLE, area_table)}
"""The pages with a table, its place there and what makes it."""


def write_tables() -> None:
    """Put the tables into their pages."""
    for page, (place, make) in TABLES.items():
        text = (ROOT / page).read_text(encoding="utf-8")
        write_text(ROOT / page, place.sub(f"{make()}\n", text, count=1))


def table_faults() -> list[str]:
    """Return which pages have another table than the results."""
    return [
        f"{page}: its table differs from the results"
        for page, (_, make) in TABLES.items()
        if make() not in (ROOT / page).read_text(encoding="utf-8")
    ]


SILENCE, BACKGROUND = "silence on features", "background on audio"
SENTENCES = (
    Sentence(
        "README.md",
        "A crow of ESC-10 (after {} s the file is silent)",
        PICTURE,
        lambda: [str(picture()["seconds"])],
    ),
    Sentence(
        "README.md",
        "The kept 30 % alone is still heard as a rooster (p of its sound {}, of the clip {}), the "
        "rest is not ({}).",
        PICTURE,
        lambda: caption("p_in", "p", "p_out"),
        lambda: picture()["mask"] == CLIP_SHARE,
    ),
    Sentence(
        "README.md",
        "None of {} random masks of that size does as well: they keep p {} at most, and leave a "
        "rest of p {} at least",
        PICTURE,
        lambda: [*best_random(), *caption("p_out_random")],
    ),
    Sentence(
        "README.md",
        "even the loudest fifth of a sound's *true* region is not ahead of random bins (FF {};",
        FILLS,
        lambda: [truth_under(SILENCE)["FF"]],
        lambda: ends(truth_under(SILENCE)["FF"])[0] <= 0,
    ),
    Sentence(
        "README.md",
        "over the band's own quiet level, as heard, it is ({})",
        FILLS,
        lambda: [truth_under(BACKGROUND)["FF"]],
        lambda: ends(truth_under(BACKGROUND)["FF"])[0] > 0,
    ),
    Sentence(
        "README.md",
        "At 0 dB {} lies best on the explained sound: contrast {} (chance 0.50, the level {}, {} "
        "{})",
        LOCALISATION,
        lambda: best_and_level(LOCALISATION),
        lambda: (
            rivals_in(LOCALISATION) == {"rise_logit"}
            and leader_on_fold_4() == "esc10-mel-noise"
            and rivals_in(LOCALISATION, "iou", "level")
            == {"level_above_median", "gradcam", "layercam_conv_block1", "optimal"}
        ),
    ),
    Sentence(
        "README.md",
        "by `esc10-mel` {} has {} (the level {}, {} {})",
        LOCALISATION_CLEAN,
        lambda: best_and_level(LOCALISATION_CLEAN),
        lambda: rivals_in(LOCALISATION_CLEAN) == {"rise", "rise_logit"},
    ),
    Sentence(
        "docs/scores.md",
        "At 0 dB by `esc10-mel-noise` {} has a contrast of {} (the level {}), {} {}; by "
        "`esc10-mel`",
        LOCALISATION,
        lambda: best_and_level(LOCALISATION),
    ),
    Sentence(
        "docs/scores.md",
        "by `esc10-mel` {} has {} (the level {}), {} {}.",
        LOCALISATION_CLEAN,
        lambda: best_and_level(LOCALISATION_CLEAN),
    ),
    Sentence(
        "README.md",
        "minus that of the best of these is {} for saliency, {} for Grad-CAM and {} for random "
        "values",
        FOLDS,
        lambda: [ahead_in_folds()[name] for name in ("saliency", "gradcam", "random")],
        lambda: (
            networks_disagree("saliency")
            and networks_disagree("gradcam")
            and not kept_better_at_half() & {"saliency", "gradcam"}
        ),
    ),
    Sentence(
        "docs/reproduce.md",
        "taken as a sample of networks, their leads have wide intervals: saliency {} ± {} points "
        "of AD and {} ± {} in FidIn",
        FOLDS,
        lambda: [*as_networks("saliency", "AD"), *as_networks("saliency", "FidIn")],
        lambda: all(
            reaches_zero(method, score)
            for method in ("saliency", "gradcam", "integrated_gradients")
            for score in ("AD", "FidIn")
        ),
    ),
    Sentence(
        "docs/reproduce.md",
        "(`pos_thresh_25` keeps {} % of saliency's bins and {} % of RISE's)",
        FOLDS,
        lambda: [share_kept("pos_thresh_25", name) for name in ("saliency", "rise")],
    ),
    Sentence(
        "docs/reproduce.md",
        "The five networks hear {} [{}, {}] of the clips right",
        FOLDS,
        accuracy_of_folds,
    ),
    Sentence(
        "docs/reproduce.md",
        "saliency is ahead in AD by {} points with the committed network (below; trained on folds "
        "1 to 3, the best of three seeds) and by {} with that of the cross-validation (folds 2 to "
        "4, one seed), Grad-CAM by {} and {}.",
        FOLDS,
        lambda: [
            ahead_in_ad(folder)[name]
            for name in ("saliency", "gradcam")
            for folder in ("results", FOLDS)
        ],
    ),
    Sentence(
        "docs/scores.md",
        "Under `silence` on features FF does not (the true region minus random bins, 20 % of the "
        "bins: FF {}, AD {}), and what is kept of it lies {} times as far",
        FILLS,
        lambda: [truth_under(SILENCE)[name] for name in ("FF", "AD", "distance")],
        lambda: ends(truth_under(SILENCE)["FF"])[0] <= 0,
    ),
    Sentence(
        "docs/scores.md",
        "Over the `background` on audio both do (FF {}, AD {}), at {} times the distance",
        FILLS,
        lambda: [truth_under(BACKGROUND)[name] for name in ("FF", "AD", "distance")],
        lambda: ends(truth_under(BACKGROUND)["FF"])[0] > 0 > ends(truth_under(BACKGROUND)["AD"])[1],
    ),
    Sentence(
        "docs/scores.md",
        "What is removed, which FF depends on, lies further: {} and {} times.",
        FILLS,
        distances_removed,
    ),
    Sentence(
        "docs/scores.md",
        "do FF and AD order methods as the truth does (ρ at most {})",
        FILLS,
        lambda: [best_order()],
    ),
    Sentence(
        "docs/scores.md",
        "On fold 5 of ESC-10 ({} clips from {} recordings)",
        CLEAN,
        clips_and_recordings,
    ),
    Sentence(
        RESULTS_PAGE,
        "{} clips of {} recordings are few",
        CLEAN,
        clips_and_recordings,
    ),
)


def main() -> None:
    """Run as the module's docstring says; exit with 1 if something differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write the figures into the pages")
    if parser.parse_args().write:
        for sentence in SENTENCES:
            sentence.write()
        write_tables()
    faults = [fault for sentence in SENTENCES for fault in sentence.faults()] + table_faults()
    print("\n".join(faults) or f"{len(SENTENCES)} sentences have the figures of their results")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()

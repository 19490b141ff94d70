"""The figures of README and of docs/ that come from results: computed anew, compared, written.

    python tests/figures.py            names the sentences that differ from the results
    python tests/figures.py --write    writes their figures anew

Each figure stands in a sentence of a page, which names the results that it comes from. A sentence
may claim something of its figures, e.g. that one is below another: what no longer holds is named
too, and must be worded anew by hand. Pages that one command writes are compared as a whole, by
tests/test_figures.py.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
from scipy import stats

from audiointerp.cli.crossval import accuracy_text
from audiointerp.display import METHOD_TITLES
from audiointerp.paper.localisation_page import MAIN
from audiointerp.paper.localisation_run import BASELINE_NAMES
from audiointerp.paper.localisation_tables import scored_at, values_by_clip
from audiointerp.tables import (
    best_null_differences,
    leads_by_network,
    mean_of,
    read_results,
    read_runs,
    recording_column,
)
from audiointerp.util import read_json, write_text

ROOT = Path(__file__).parents[1]
PICTURE = "docs/rooster.json"
LOCALISATION = "results/localisation/localisation.csv"
FILLS = "docs/fills.md"
"""A page that one command writes; its rows are not always there."""
CLEAN = "results/mel/mel_clean/gradcam"
FOLDS = "results/crossval_mel_clean"
RESULTS_PAGE = "results/README.md"
CLIP_SHARE = "topK_30"
"""The mask of README's picture, whose share its caption spells out."""
INTERVAL = r"[+−][\d.]+\s\[[+−][\d.]+,\s[+−][\d.]+\]"
VALUE = rf"{INTERVAL}|[+−]?[\d.]*\d|[A-Za-z][\w-]*"
"""What a figure looks like: a number, with its interval; or the name of a method."""


@dataclass(frozen=True)
class Sentence:
    """A sentence of a page whose figures come from results.

    Attributes:
        page: the page, from the root of the repository.
        text: the sentence, or a part of it that the page has once; each ``{}`` is a figure.
        source: the file that the figures come from.
        figures: computes them, as they are printed.
        holds: whether what the words claim is true of the figures.
    """

    page: str
    text: str
    source: str
    figures: Callable[[], Sequence[str]]
    holds: Callable[[], bool] = lambda: True

    @property
    def pattern(self) -> re.Pattern[str]:
        """Find the sentence with any figures, however its lines are broken."""
        parts = [re.escape(part) for part in re.split(r"\s+", self.text)]
        return re.compile(r"\s+".join(parts).replace(r"\{\}", f"({VALUE})"))

    def printed(self) -> list[str]:
        """Return the figures that the page has.

        Raises:
            ValueError: the page does not have the sentence once.
        """
        found = self.pattern.findall((ROOT / self.page).read_text(encoding="utf-8"))
        if len(found) != 1:
            raise ValueError(f"{self.page}: has {len(found)} times, not once: {self.text!r}")
        figures = [found[0]] if isinstance(found[0], str) else found[0]
        return [" ".join(figure.split()) for figure in figures]

    def faults(self) -> list[str]:
        """Name what differs from the results, and a claim that they do not bear."""
        printed, computed = self.printed(), list(self.figures())
        faults = []
        if printed != computed:
            faults.append(f"{self.page}: {printed} should be {computed}, by {self.source}")
        if not self.holds():
            faults.append(f"{self.page}: no longer true by {self.source}: {self.text!r}")
        return faults

    def write(self) -> None:
        """Put the figures of the results into the page."""
        path = ROOT / self.page
        text = path.read_text(encoding="utf-8")
        (match,) = self.pattern.finditer(text)
        # From the last one, so that the places of the others stay.
        for number, figure in reversed(list(enumerate(self.figures(), 1))):
            text = text[: match.start(number)] + figure + text[match.end(number) :]
        write_text(path, text)


@cache
def picture() -> Mapping[str, object]:
    """Read the figures of README's picture."""
    return json.loads((ROOT / PICTURE).read_text(encoding="utf-8"))


def caption(*names: str) -> list[str]:
    """Return probabilities of the picture as the caption has them."""
    return [f"{picture()[name]:.3f}".lstrip("0") for name in names]


def best_random() -> Sequence[str]:
    """Return how many random masks the picture's verdict counts, and the p of the best of them."""
    found = re.search(
        r"none of (\d+) random masks does as well \(the best: p ([\d.]+)\)", verdict()
    )
    if found is None:
        raise ValueError(f"{PICTURE}: README needs a clip that is explained, this is: {verdict()}")
    return found.groups()


def verdict() -> str:
    """Return the verdict on the picture's clip."""
    return str(picture()["verdict"])


@cache
def contrasts() -> pd.Series:
    """Compute the mean contrast of each method at 0 dB, without the level and random maps."""
    rows = scored_at(pd.read_csv(ROOT / LOCALISATION, dtype={"recording": str}), MAIN)
    values = values_by_clip(rows, "contrast").xs("none", axis=1, level="weight")
    means = pd.Series(mean_of(values.to_numpy(float)), values.columns)
    return means.drop(list(BASELINE_NAMES), errors="ignore")


def best_contrasts() -> list[str]:
    """Return the two methods that show best which of two sounds they explain, and by how much."""
    best = contrasts().nlargest(2).items()
    return [
        text for name, value in best for text in (METHOD_TITLES.get(name, name), f"{value:.2f}")
    ]


@cache
def truth_under(setting: str) -> Mapping[str, str]:
    """Return what docs/fills.md says of the true region under a fill, on features or on audio."""
    pattern = (
        rf"- \*\*{setting}\*\*: the true region minus random bins has FF (?P<FF>{INTERVAL}) and "
        rf"AD (?P<AD>{INTERVAL}); its kept part lies (?P<distance>[\d.]+) times as far"
    )
    found = re.search(pattern, (ROOT / FILLS).read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{FILLS}: says nothing of {setting}")
    return found.groupdict()


def best_order() -> str:
    """Return the largest agreement of an order by FF or AD with that by truth in docs/fills.md."""
    found = re.search(r"by ρ ([\d.]+) at most", (ROOT / FILLS).read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{FILLS}: does not say how well the orders agree")
    return found[1]


def ends(interval: str) -> tuple[float, float]:
    """Return the ends of a printed interval.

    >>> ends("−0.10 [−0.16, +0.02]")
    (-0.16, 0.02)
    """
    low, high = re.findall(r"[+−][\d.]+", interval)[1:]
    return float(low.replace("−", "-")), float(high.replace("−", "-"))


@cache
def clips_and_recordings() -> list[str]:
    """Return the number of test clips, and of the recordings that they were cut from."""
    rows = read_runs([ROOT / CLEAN])
    return [str(rows["clip"].nunique()), str(recording_column(rows).nunique())]


@cache
def folds() -> pd.DataFrame:
    """Read the rows of the cross-validation."""
    return read_results(ROOT / FOLDS)


def networks_disagree(method: str) -> bool:
    """Return whether a method is behind its best null in AD and FidIn with some of the networks."""
    leads = leads_by_network(folds()).xs(method, level="method")[["FidIn", "AD"]]
    return bool(((leads.min() < 0) & (leads.max() > 0)).all())


@cache
def ahead_in_folds() -> Mapping[str, str]:
    """Return by how much each method is ahead of its best null in FF, over five folds."""
    return {
        line.row: f"{line.mean:+.2f} [{line.low:+.2f}, {line.high:+.2f}]".replace("-", "−")
        for line in best_null_differences(folds())
        if line.panel.startswith("FF")
    }


@cache
def ahead_in_ad(folder: str) -> Mapping[str, str]:
    """Return by how many points of AD each method is ahead of its best null, on fold 5."""
    rows = folds() if folder == FOLDS else read_results(ROOT / folder)
    rows = rows[(rows["experiment"] == "mel_clean") & rows["clip"].str.startswith("5-")]
    heard = rows[(rows["fill"] == "background") & (rows["on"] == "audio")]
    leads = leads_by_network(heard)["AD"].droplevel("network")
    return {name: f"{lead:+.0f}".replace("-", "−") for name, lead in leads.items()}


def accuracy_of_folds() -> list[str]:
    """Return the accuracy over five folds, and the ends of its interval."""
    rows = folds()
    text = accuracy_text(rows.assign(fold=rows["clip"].str[0]))
    return re.findall(r"[\d.]+", text.partition("]")[0])


def results_table() -> str:
    """Return the table of the results: by experiment its network, and its methods by device."""
    lines = ["| folder | network | methods, by the device that computed them |", "|---|---|---|"]
    for folder in sorted(ROOT.glob("results/*/*")):
        records = {path.parent.name: read_json(path) for path in sorted(folder.glob("*/run.json"))}
        if not records:
            continue
        by_device: dict[str, list[str]] = {}
        for name in METHOD_TITLES:
            if name in records:
                by_device.setdefault(records[name]["device"], []).append(METHOD_TITLES[name])
        devices = [f"{device}: {', '.join(by_device[device])}" for device in sorted(by_device)]
        trained = "_noise" if folder.name.endswith("_noise_trained") else ""
        lines.append(
            f"| `{folder.relative_to(ROOT / 'results').as_posix()}` "
            f"| `esc10_{folder.parent.name}_cnn10{trained}` | {'; '.join(devices)} |"
        )
    return "\n".join(lines)


def area_table() -> str:
    """Return the table of the leads over five folds by the share of the bins that is kept."""
    masks, scores = ("topK_5", "topK_30", "topK_50"), ("FF", "FidIn", "AD")
    leads = {}
    for mask in masks:
        for line in best_null_differences(folds()[folds()["mask"] == mask]):
            score = line.panel.partition(",")[0]
            text = f"{line.mean:+.0f}" if score == "AD" else f"{line.mean:+.2f}"
            leads[score, mask, line.row] = text.replace("-", "−") + "*" * line.is_certain
    heads = " | ".join(f"{score}: 5, 30, 50 %" for score in scores)
    lines = [f"| method | {heads} |", "|---|---|---|---|"]
    for method in sorted({method for *_, method in leads}):
        lines.append(f"| {method} |")
        for score in scores:
            lines[-1] += f" {', '.join(leads[score, mask, method] for mask in masks)} |"
    return "\n".join(lines)


@cache
def kept_better_at_half() -> set[str]:
    """Return the methods whose kept half keeps the class better than a null's, in FidIn or AD."""
    lines = best_null_differences(folds()[folds()["mask"] == "topK_50"])
    kept = [line for line in lines if not line.panel.startswith("FF")]
    return {line.row for line in kept if line.is_certain and line.mean > 0}


@cache
def as_networks(method: str, score: str) -> list[str]:
    """Return the mean of a method's leads by network, and the half of its t interval over them."""
    leads = leads_by_network(folds()).xs(method, level="method")[score]
    half = stats.t.ppf(0.975, len(leads) - 1) * leads.std(ddof=1) / len(leads) ** 0.5
    digits = 0 if score == "AD" else 2
    return [f"{leads.mean():+.{digits}f}".replace("-", "−"), f"{half:.{digits}f}"]


def reaches_zero(method: str, score: str) -> bool:
    """Return whether the t interval of a method's lead over the networks reaches 0."""
    mean, half = (float(text.replace("−", "-")) for text in as_networks(method, score))
    return abs(mean) < half


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
        "{} (contrast {}) and {} ({}) show best which of two sounds at 0 dB they explain, though "
        "few differences between methods are certain, and no method reaches 0.75",
        LOCALISATION,
        best_contrasts,
        lambda: contrasts().max() < 0.75,
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

"""The figures of README and of docs/ that come from results, as tests/figures.py compares them."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache

import pandas as pd
from page_sentence import INTERVAL, ROOT
from scipy import stats

from audiointerp.cli.crossval import accuracy_text
from audiointerp.display import METHOD_TITLES
from audiointerp.paper.localisation_run import BASELINE_NAMES
from audiointerp.paper.localisation_tables import MAIN, rivals_of, scored_at, values_by_clip
from audiointerp.tables import (
    best_null_differences,
    leads_by_network,
    mean_of,
    read_results,
    read_runs,
    recording_column,
)
from audiointerp.util import read_json

PICTURE = "docs/rooster.json"
LOCALISATION = "results/localisation/localisation.csv"
LOCALISATION_CLEAN = "results/localisation_clean/localisation.csv"
FILLS = "docs/fills.md"
"""A page that one command writes; its rows are not always there."""
CLEAN = "results/mel/mel_clean/gradcam"
FOLDS = "results/crossval_mel_clean"


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
def contrasts(path: str) -> pd.Series:
    """Compute the mean contrast of each method at 0 dB, the level and random maps among them."""
    rows = scored_at(pd.read_csv(ROOT / path, dtype={"recording": str}), MAIN)
    values = values_by_clip(rows, "contrast").xs("none", axis=1, level="weight")
    return pd.Series(mean_of(values.to_numpy(float)), values.columns)


def best_contrasts(path: str) -> list[str]:
    """Return the two methods that show best which of two sounds they explain, and by how much."""
    best = contrasts(path).drop(list(BASELINE_NAMES), errors="ignore").nlargest(2).items()
    return [
        text for name, value in best for text in (METHOD_TITLES.get(name, name), f"{value:.2f}")
    ]


def best_and_level(path: str) -> list[str]:
    """Return the best method, its contrast and that of the level, then the second best."""
    best, contrast, *second = best_contrasts(path)
    return [best, contrast, f"{contrasts(path)['level']:.2f}", *second]


def rivals_in(path: str, score: str = "contrast", weight: str = "none") -> set[str]:
    """Return the methods that the best one by contrast is not certainly ahead of, at 0 dB."""
    rows = scored_at(pd.read_csv(ROOT / path, dtype={"recording": str}), MAIN)
    best = contrasts(path).drop(list(BASELINE_NAMES), errors="ignore").idxmax()
    return set(rivals_of(rows, str(best), weight, score))


def leader_on_fold_4() -> str:
    """Return the network by which MaskGradient has the largest contrast on mixtures of fold 4."""
    text = (ROOT / "results" / "printed" / "networks_on_fold_4.txt").read_text(encoding="utf-8")
    rows = re.findall(r"--weights (\S+)\n(?:.*\n)*?\| gradient_components_8 \| ([\d.]+)", text)
    return max(rows, key=lambda row: float(row[1]))[0]


def distances_removed() -> list[str]:
    """Return how far what is removed of the true region lies, in distances of clean clips.

    By docs/fills.md, under silence on features, and under the background on audio.
    """
    # The first table of the page has these columns; later ones have other scores.
    table = (ROOT / FILLS).read_text(encoding="utf-8").split("\n\n| on | fill |", 1)[1]
    return [
        re.search(rf"^\| {on} \| {fill} \|.*\| ([\d.]+) \|$", table, re.M)[1]
        for on, fill in (("features", "silence"), ("audio", "background"))
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


def share_kept(mask: str, method: str) -> str:
    """Return the mean share of the bins that a mask keeps over five folds, in whole percent."""
    rows = folds()[(folds()["mask"] == mask) & (folds()["method"] == method)]
    return f"{100 * rows['AREA'].mean():.0f}"


def area_table() -> str:
    """Return the table of the leads over five folds by the share of the bins that is kept."""
    masks, scores = ("topK_5", "topK_30", "topK_50"), ("FF", "FidIn", "AD")
    leads = {}
    for mask in masks:
        for line in best_null_differences(folds()[folds()["mask"] == mask]):
            score = line.panel.partition(",")[0]
            text = f"{line.mean:+.0f}" if score == "AD" else f"{line.mean:+.2f}"
            bold = "**" * line.is_certain
            leads[score, mask, line.row] = f"{bold}{text}{bold}".replace("-", "−")
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

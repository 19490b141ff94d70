"""The rows of a finished run, to show them again without running it."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..dataset import ClipDataset
from ..errors import AudioInterpError
from ..experiments import Experiment, sha256_of_state
from ..model import Classifier
from ..tables import completed_rows, read_runs, unfinished
from ..util import encodable
from .published import STUDY_MASKS, STUDY_METHODS

NEEDED: dict[str, Sequence[str]] = {
    "method": STUDY_METHODS,
    "mask": STUDY_MASKS,
    "on": ("features", "audio"),
}
"""The values that the columns of such rows must have."""


def finished_rows(
    root: str | os.PathLike[str], classifier: Classifier, dataset: ClipDataset
) -> pd.DataFrame:
    """Read the rows of a finished run of ``mel_clean`` on this network and these clips.

    Args:
        root: a folder of results.
        classifier: the classifier that was run.
        dataset: the clips that were scored.

    Raises:
        AudioInterpError: there are no such results, they are of another network or of other clips,
            or a method, a mask, or the scores on features or on audio are missing.

    Example::

        finished_rows("results", classifier, test)["method"].unique()
    """
    results = completed_rows(root)
    rows = results[results["experiment"] == "mel_clean"].reset_index(drop=True)
    if rows.empty:
        raise AudioInterpError(f"{root}: holds no results of mel_clean; leave out --rows to run it")
    if not _is_of_network(rows, classifier):
        raise AudioInterpError(
            f"{root}: its results of mel_clean are of another network than the weights; give the "
            "weights that they were made with, or leave out --rows"
        )
    differing = _other_clips(rows, dataset)
    if differing:
        raise AudioInterpError(
            f"{root}: its results of mel_clean are of other clips than the data ({len(differing)} "
            f"differ, e.g. {differing[0]}); give the same --data and --subset, or leave out --rows"
        )
    for column, names in NEEDED.items():
        missing = [name for name in names if name not in set(rows[column])]
        if missing:
            raise AudioInterpError(
                f"{root}: its results of mel_clean have no {column} {', '.join(missing)}; leave "
                "out --rows to compute them"
            )
    return rows


def fold_rows(root: str | os.PathLike[str], experiment: str) -> pd.DataFrame | None:
    """Read the cross-validation of an experiment that lies in a folder of results, if one does.

    Raises:
        AudioInterpError: it is not finished, a table is damaged, or a clip is in two folds.

    >>> fold_rows("no such folder", "mel_clean") is None
    True
    """
    folder = Path(root) / f"crossval_{experiment}"
    if not folder.is_dir():
        return None
    for sentence in unfinished(folder):
        raise AudioInterpError(f"{folder}: {sentence}; finish it, or move the folder away")
    return completed_rows(folder)


def find_rows(
    experiment: Experiment,
    classifier: Classifier,
    dataset: ClipDataset,
    methods: Sequence[str],
    masks: Sequence[str],
    *,
    noise: str | os.PathLike[str] | None = None,
    root: str | os.PathLike[str] = "results",
) -> pd.DataFrame | None:
    """Read the rows of a finished run of this network on these clips; None if there are none.

    The fills, what was scored, and the nulls are those of that run.

    Args:
        experiment, classifier, dataset: what was run.
        methods: all of them must be there.
        masks: their rows are returned; each method must have all of them.
        noise: a recording in place of the experiment's own noise; no finished run has one.
        root: a folder of results.

    Raises:
        AudioInterpError: a table is damaged, or two methods differ in their clips.

    >>> from ..dataset import Synthetic
    >>> from ..model import Cnn6
    >>> from ..processing import LogMel
    >>> clips = Synthetic((5,))
    >>> classifier = Classifier(Cnn6(10, base_channels=2), LogMel(), clips.labels)
    >>> find_rows(Experiment("own", "mel"), classifier, clips, ["lime"], ["bin"]) is None
    True
    """
    place = Path(root) / experiment.transform / experiment.name
    folders = [place / method for method in methods]
    if noise is not None or not all(_is_finished(folder) for folder in folders):
        return None
    rows = read_runs(folders)
    is_same = _is_of_network(rows, classifier) and not _other_clips(rows, dataset)
    of_masks = rows[rows["mask"].isin(masks) | (rows["status"] != "ok")]
    scored = of_masks.groupby("method")["mask"].agg(set)
    has_masks = all(set(masks) <= scored.get(method, set()) for method in methods)
    return of_masks.reset_index(drop=True) if is_same and has_masks else None


def _is_finished(folder: Path) -> bool:
    has_table = (folder / "metrics.csv").is_file() or (folder / "shards").is_dir()
    return has_table and (folder / "run.json").is_file()


def _is_of_network(rows: pd.DataFrame, classifier: Classifier) -> bool:
    return set(rows["network"]) == {sha256_of_state(classifier.network)}


def _other_clips(rows: pd.DataFrame, dataset: ClipDataset) -> list[str]:
    """Return the clips that are in the rows or in the data alone."""
    clips = {encodable(dataset.clip_id(index)) for index in range(len(dataset))}
    return sorted(clips ^ set(rows["clip"]))

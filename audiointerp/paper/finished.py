"""The rows of a finished run, to write the page of validity again without running it."""

import os
from collections.abc import Sequence

import pandas as pd

from ..dataset import ClipDataset
from ..errors import AudioInterpError
from ..experiments import sha256_of_state
from ..model import Classifier
from ..tables import read_results
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
    results = read_results(root)
    rows = results[results["experiment"] == "mel_clean"].reset_index(drop=True)
    if rows.empty:
        raise AudioInterpError(f"{root}: holds no results of mel_clean; leave out --rows to run it")
    if set(rows["network"]) != {sha256_of_state(classifier.network)}:
        raise AudioInterpError(
            f"{root}: its results of mel_clean are of another network than the weights; give the "
            "weights that they were made with, or leave out --rows"
        )
    clips = {encodable(dataset.clip_id(index)) for index in range(len(dataset))}
    differing = sorted(clips ^ set(rows["clip"]))
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

"""Results with random scores, for the examples of this room."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from ..scoring import VALUES
from ..tables import SOFT_MASKS
from .published import PUBLISHED_METHODS


def example_rows(
    experiments: Sequence[str] = ("mel_clean",),
    methods: Sequence[str] = PUBLISHED_METHODS,
    masks: Sequence[str] = ("bin", "topK_30"),
    on: Sequence[str] = ("features",),
    clips: int = 2,
) -> pd.DataFrame:
    """Make a table of results in the form of :func:`~audiointerp.tables.results.read_results`.

    Every score is a seeded random number, but for SPS of 0/1 masks, which follows from AREA; every
    clip is classified correctly.

    Args:
        experiments: names in ``EXPERIMENTS``.
        methods: names in ``METHODS``.
        masks: names in ``MASKS``.
        on: names in ``ON``.
        clips: the number of clips, each a recording of its own.

    >>> len(example_rows())
    16
    """
    files = [f"{number}.wav" for number in range(clips)]
    keys = list(product(experiments, methods, files, on, masks))
    rows = pd.DataFrame(keys, columns=["experiment", "method", "clip", "on", "mask"])
    scores = np.random.default_rng(0).random((len(rows), len(VALUES)))
    rows = rows.assign(
        transform=rows["experiment"].str.split("_").str[0],
        recording=rows["clip"],
        network="",
        protocol="corrected",
        fill="silence",
        correct=True,
        status="ok",
        **dict(zip(VALUES, scores.T, strict=True)),
    )
    is_soft = rows["mask"].isin(SOFT_MASKS)
    return rows.assign(SPS=rows["SPS"].where(is_soft, 1 - rows["AREA"]))

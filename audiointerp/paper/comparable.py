"""Which masks of the study a verdict may compare: what is equal or true by definition is left out.

Soft masks lower the level of every bin, which the study's networks do not tolerate: under
``sigmoid``, about half of the level in dB everywhere, they classify by chance (FidIn 0.11 for ten
classes, on features and on audio). Scores of the masked sound then measure that, not the mask's
choice of bins.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..metrics import METRICS, RELATIVE
from ..tables import SOFT_MASKS

PARTS_OF = {
    "topK_5": ("topK_30", "topK_50"),
    "topK_30": ("topK_50",),
    "topK_5_pos": ("topK_5", "topK_30", "topK_50", "topK_30_pos", "topK_50_pos", "bin"),
    "topK_30_pos": ("topK_30", "topK_50", "topK_50_pos", "bin"),
    "topK_50_pos": ("topK_50", "bin"),
    "pos_thresh_75": ("pos_thresh_50", "pos_thresh_25", "bin"),
    "pos_thresh_50": ("pos_thresh_25", "bin"),
    "pos_thresh_25": ("bin",),
}
"""By 0/1 mask: the masks that contain it for every attribution, by their definitions."""
DUPLICATE = 0.95
"""Share of clips in which two masks have the same scores, from which on they count as one."""


def nested(first: str, second: str) -> bool:
    """Tell whether one of two masks contains the other by definition.

    SPS, COMP and AREA of 0/1 masks depend on the number of kept bins alone, so their order is then
    known without any clip.

    >>> nested("topK_5", "topK_5_pos"), nested("bin", "topK_50")
    (True, False)
    """
    return second in PARTS_OF.get(first, ()) or first in PARTS_OF.get(second, ())


def comparable_masks(name: str, winner: str, masks: Sequence[str]) -> list[str]:
    """Return the masks that a mask can be compared with in a score; empty if with none.

    Args:
        name: the score.
        winner: the mask.
        masks: candidates; the winner itself is left out.

    Returns:
        For a score of the masked sound, the 0/1 masks, and none for a soft winner. For a score of
        the mask alone (SPS, COMP), those that are not nested in the winner, nor it in them.

    >>> comparable_masks("AD", "sigmoid", ["bin", "sigmoid"])
    []
    >>> comparable_masks("SPS", "topK_5", ["bin", "topK_5_pos"])
    ['bin']
    """
    others = [mask for mask in masks if mask != winner]
    if name not in RELATIVE:
        return [mask for mask in others if not nested(winner, mask)]
    if winner in SOFT_MASKS:
        return []
    return [mask for mask in others if mask not in SOFT_MASKS]


def distinct_masks(rows: pd.DataFrame) -> list[str]:
    """Return the masks of one method, each once where several have the same scores.

    ``topK_50`` and ``topK_50_pos``, for example, are equal for a clip in which half of the bins
    are positive. Masks with the same scores (all of ``METRICS``) in at least 95 % of the clips
    (:data:`DUPLICATE`) count once: the first stays.

    Args:
        rows: scored rows of one method and one ``on``.

    >>> rows = pd.DataFrame({"clip": ["a", "b"] * 2, "mask": ["topK_5"] * 2 + ["topK_5_pos"] * 2,
    ...                      **dict.fromkeys(METRICS, 0.5)})
    >>> distinct_masks(rows)
    ['topK_5']
    """
    clips = rows["clip"].unique()
    scores = {
        str(mask): part.set_index("clip")[list(METRICS)].reindex(clips).to_numpy(float)
        for mask, part in rows.groupby("mask", sort=False, observed=True)
    }
    kept: list[str] = []
    for mask, values in scores.items():
        if not any(_share_equal(values, scores[other]) >= DUPLICATE for other in kept):
            kept.append(mask)
    return kept


def _share_equal(values: np.ndarray, others: np.ndarray) -> float:
    """Share of rows that agree; undefined scores (NaN) agree with each other."""
    # Rounding in another batch moves probabilities by 1e-7.
    equal = np.isclose(values, others, rtol=0, atol=1e-6, equal_nan=True)
    return float(equal.all(axis=1).mean())

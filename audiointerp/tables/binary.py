"""Masks of zeros and ones, whose sparseness and complexity say what their area says; and others."""

import pandas as pd

TOLERANCE = 1e-3
"""How far SPS may be from 1 - AREA: the published protocol adds 1e-7 to each bin."""


SOFT_MASKS = ("minmax", "sigmoid", "minmax_pos", "sigmoid_pos")
"""Masks of the study with values between 0 and 1."""


def binary_masks(rows: pd.DataFrame) -> set[str]:
    """Return the names of the masks that are 0/1 in every row, as far as their scores tell.

    Args:
        rows: of scored clips. An empty mask, and a constant one, tell nothing.

    >>> rows = pd.DataFrame({"mask": ["bin", "minmax"], "SPS": [0.7, 0.6], "AREA": [0.3, 0.3],
    ...                      "COMP": [5.0, 6.0]})
    >>> binary_masks(rows)
    {'bin'}
    """
    telling = _telling(rows)
    return {str(mask) for mask in telling["mask"].unique()} - _seen_soft(telling)


def soft_masks(rows: pd.DataFrame) -> set[str]:
    """Return the names of the masks with values between 0 and 1: of the study, and of your own.

    Args:
        rows: of scored clips. A mask of your own is soft if the scores of a row say so; where the
            columns ``SPS``, ``COMP`` and ``AREA`` are missing, only names tell.

    >>> rows = pd.DataFrame({"mask": ["bin", "mine"], "SPS": [0.7, 0.6], "AREA": [0.3, 0.3],
    ...                      "COMP": [5.0, 6.0]})
    >>> soft_masks(rows)
    {'mine'}
    """
    named = {mask for mask in SOFT_MASKS if (rows["mask"] == mask).any()}
    if not {"SPS", "COMP", "AREA"} <= set(rows):
        return named
    return named | _seen_soft(_telling(rows))


def _telling(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["COMP"].notna() & (rows["SPS"] > 0)]


def _seen_soft(telling: pd.DataFrame) -> set[str]:
    differs = (telling["SPS"] - (1 - telling["AREA"])).abs() > TOLERANCE
    return set(telling.loc[differs, "mask"].astype(str))

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
    soft, telling = soft_and_telling(rows)
    return telling - soft


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
    return named | soft_and_telling(rows)[0]


def soft_and_telling(rows: pd.DataFrame) -> tuple[set[str], set[str]]:
    """Return the masks that are not 0/1 in some row, and those of which any row tells.

    Args:
        rows: as in :func:`binary_masks`.

    >>> soft_and_telling(pd.DataFrame({"mask": ["bin"], "SPS": 0.7, "AREA": 0.3, "COMP": 5.0}))
    (set(), {'bin'})
    """
    telling = rows[rows["COMP"].notna() & (rows["SPS"] > 0)]
    differs = (telling["SPS"] - (1 - telling["AREA"])).abs() > TOLERANCE
    soft = set(telling.loc[differs, "mask"].astype(str))
    return soft, {str(mask) for mask in telling["mask"].unique()}

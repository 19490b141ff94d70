"""Which nulls results have scores of."""

import pandas as pd

from ..interpretation import NULLS


def has_null(rows: pd.DataFrame, null: str) -> bool:
    """Return whether results hold the scores of a null.

    >>> has_null(pd.DataFrame({"FF": [0.5], "FF_smooth": [0.25]}), "smooth")
    True
    """
    return f"FF_{null}" in rows and bool(rows[f"FF_{null}"].notna().any())


def nulls_in(rows: pd.DataFrame) -> list[str]:
    """Return the nulls that results have scores of; version 0.1.0 knew only the random masks.

    >>> nulls_in(pd.DataFrame({"FF": [0.5], "FF_smooth": [0.5]}))
    ['smooth']
    """
    return [null for null in NULLS if has_null(rows, null)]

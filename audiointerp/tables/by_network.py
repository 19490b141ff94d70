"""How far the networks of a cross-validation agree on which methods beat chance."""

import numpy as np
import pandas as pd

from ..metrics import PERCENT
from .best_null import PANELS, differences_to_nulls
from .binary import soft_masks
from .nulls_present import nulls_in


def networks_beside(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Say by how many of several networks each method is ahead of its best null, and how far.

    Args:
        rows: of one fill and place.

    Returns:
        Words by method and score; None for a single network, or without nulls.

    >>> networks_beside(pd.DataFrame({"network": ["a", "a"]})) is None
    True
    """
    if "network" not in rows or rows["network"].nunique() < 2 or not nulls_in(rows):
        return None
    leads = leads_by_network(rows)
    return pd.DataFrame({name: leads[name].groupby("method").agg(_leads_text) for name in leads})


def networks_text(table: pd.DataFrame) -> str:
    """Print the table of :func:`networks_beside`, with what it says above it.

    >>> print(networks_text(pd.DataFrame({"FF": ["2 of 2"]}, ["lime"])).splitlines()[-1])
      lime 2 of 2
    """
    title = (
        "The intervals are over recordings, the networks taken as they are. By each network\n"
        "alone: how many are ahead of their best null, and the least and the largest lead"
    )
    return f"{title}\n\n{table.rename_axis('method').reset_index().to_string(index=False)}"


def _leads_text(leads: pd.Series) -> str:
    decimals = 0 if leads.name in PERCENT else 2
    low, high = (f"{end:+.{decimals}f}" for end in (leads.min(), leads.max()))
    return f"{(leads > 0).sum()} of {len(leads)}: {low} to {high}"


def leads_by_network(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the mean lead of each method over its best null, for each network alone.

    Args:
        rows: of one fill and place, with nulls and the column ``network`` of
            :func:`~audiointerp.tables.results.read_results`.

    Returns:
        A row for each network and method, a column for each score; positive is better. As for
        :func:`best_null_differences`, over 0/1 masks.

    >>> from audiointerp.paper.example import example_rows
    >>> rows = example_rows(on=["audio"]).assign(network="a")
    >>> leads_by_network(rows).columns.tolist()
    ['FF', 'FidIn', 'AD']
    """
    scored = rows[rows["status"] == "ok"]
    scored = scored[~scored["mask"].isin(soft_masks(scored))]
    leads = {}
    for key, part in scored.groupby(["network", "method"]):
        leads[key] = {name: _least_mean(part, name) for name in PANELS}
    index = pd.MultiIndex.from_tuples(leads, names=["network", "method"])
    return pd.DataFrame(list(leads.values()), index, columns=list(PANELS))


def _least_mean(rows: pd.DataFrame, name: str) -> float:
    """Return the mean difference of a method to its best null."""
    return min((each.mean() for each in differences_to_nulls(rows, name)), default=np.nan)

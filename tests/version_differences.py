"""How far two versions' results differ: the largest difference of means, by method.

    python tests/version_differences.py results results/0.2.0

The means are over clips and masks of what both have: the same experiments, methods, masks and
clips, under silence. Soft masks are left out, as in the tables.
"""

import sys

from audiointerp.tables import SOFT_MASKS, read_results

SHARES, PERCENT = ["FF", "FidIn"], ["AI", "AD"]
PLACE = ["experiment", "method", "on"]


def means_of(folder):
    """The means of a folder of results by experiment, method, and what was scored."""
    rows = read_results(folder)
    rows = rows[(rows["fill"] == "silence") & ~rows["mask"].isin(SOFT_MASKS)]
    return rows.groupby(PLACE)[SHARES + PERCENT].mean()


def table_of(older, newer):
    """The lines of a table: by method, the largest differences of shares and of percentages."""
    largest = (newer - older).dropna().abs().groupby("method").max()
    rows = [
        f"| {method} | {row[SHARES].max():.3f} | {row[PERCENT].max():.1f} |"
        for method, row in largest.iterrows()
    ]
    return ["| method | FF, FidIn | AI, AD, points |", "|---|---|---|", *rows]


if __name__ == "__main__":
    print("\n".join(table_of(*map(means_of, sys.argv[1:3]))))

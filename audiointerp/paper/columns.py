"""What the tables of the paper have in common: the columns of scores, the captions, the published means beside ours."""

import pandas as pd

from ..exports import Column, Table, table_of
from ..metrics import METRICS, PERCENT
from ..tables import SCORES, published_tables
from .settings import SHARES, Setting

BESIDE = (
    "Published: the study's repository, exile8/coursework24, tables.ipynb; ESC-50 fold 5 (400 clips), Cnn14, its own code's "
    "definitions, and under noise other recordings of noise (ours are synthetic): other clips and another network than ours."
)
INTERVALS = "In brackets 95 % bootstrap intervals over the recordings."
Filled = list[tuple[Column, pd.DataFrame]]


def score_column(name: str, sub: str = "", head: str | None = None, *, difference: bool = False) -> Column:
    """A score's column, with its own decimals and direction; a difference has a sign and no direction."""
    better = None if difference or name not in METRICS else METRICS[name].higher_is_better
    return Column(name if head is None else head, sub, 2 if name in PERCENT else 3, difference, better)


def filled(parts: dict[str, pd.DataFrame], published: pd.DataFrame | None) -> Filled:
    """The columns of a table of scores, the published means, if any, each beside ours.

    Args:
        parts: by head, as ``Setting.scores``, all with one index.
        published: columns by score; rows that are not in ours are left out.
    """
    columns: Filled = []
    for head, part in parts.items():
        decimals = {"clips": 0, **dict.fromkeys(SHARES, 1)}.get(head)
        columns.append((score_column(head) if decimals is None else Column(head, decimals=decimals), part))
        if published is not None and head in published:
            theirs = published[[head]].set_axis(["mean"], axis=1).reindex(part.index)
            columns.append((score_column(head, "published"), theirs))
    return columns


def published_of(setting: Setting) -> pd.DataFrame | None:
    """The published means of a setting, the index (method, mask); None where none were published, as on audio."""
    table = published_tables()
    own = (table["model"] == setting.features) & (table["model"] + "_" + table["experiment"] == setting.experiment)
    same = own & (table["subset"] == setting.subset)
    if setting.on != "features" or not same.any():
        return None
    return table[same].set_index(["method", "mask"])[list(SCORES)]


def score_table(
    name: str, title: str, caption: str, parts: dict[str, pd.DataFrame], published: pd.DataFrame | None
) -> Table:
    """A table of scores whose caption says what the brackets and the published columns are."""
    told = [caption, INTERVALS, *([BESIDE] if published is not None else [])]
    return table_of(name, title, " ".join(told), filled(parts, published))


def clips_in(setting: Setting) -> str:
    """How many clips were scored, as text; methods may differ in it where some failed."""
    counts = setting.rows.groupby("method")["clip"].nunique()
    return f"{counts.min()} clips" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()} clips"

"""The columns of the rows of results, and how a table of them is read."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..interpretation import NULLS, Attribution, additivity_gap, is_constant, surrogate_fit
from ..metrics import METRICS, RELATIVE
from .cells import layer_cell
from .protocols import RENAMED

if TYPE_CHECKING:
    import pandas as pd

AREAS = ("deletion", "insertion")
PROBABILITIES = ("p", "p_in", "p_out", "log_odds", "log_odds_in", "log_odds_out")
CONTENT = ("ENERGY", "HEARD", "ood_in", "ood_out")
"""What the parts hold of the clip, and how far they lie from clean clips."""
NULL_SCORES = (*RELATIVE, "HEARD", *AREAS)
"""The scores that are also computed for each null: those that do not depend on the mask alone."""
VALUES = (
    *(*METRICS, *PROBABILITIES, *AREAS, "additivity_gap", "surrogate_r2"),
    *("tie_share", "cell_hz", "cell_s"),
    *CONTENT,
    *(f"{name}_{null}" for null in NULLS for name in NULL_SCORES),
)
"""The columns of scores; NaN where undefined."""
BATCHES = ("batch", "explainer_batch")
NUMBERS = frozenset((*VALUES, *BATCHES))
"""The columns of numbers; the others hold words."""
TRUTHS = ("correct", "constant")
"""The columns that hold True or False, and None where undefined."""
COLUMNS = (
    *("method", "clip", "recording", "target", "predicted", "explained", "correct"),
    *("protocol", "on", "fill", "mask", "layer", "constant", "optimize"),
    *VALUES,
    *BATCHES,
    *("status", "stage", "error_type", "error"),
)
ADDED = (
    *("fill", "layer", "constant", "optimize", "tie_share", "cell_hz", "cell_s"),
    *CONTENT,
    *(f"{name}_{null}" for null in ("rolled", "other", "matched") for name in NULL_SCORES),
    *(f"HEARD_{null}" for null in ("pixelwise", "smooth")),
)
"""The columns that results of version 0.1.0 lack."""
TRUTH_OF_WORD = {"True": True, "False": False}


def attribution_cells(attribution: Attribution) -> dict[str, Any]:
    """Return the cells that describe an attribution: its layer, and whether it can be trusted.

    >>> import torch
    >>> values = torch.zeros(1, 1, 2, 3)
    >>> attribution = Attribution(values, torch.tensor([0]), torch.ones(1, 2), "mine")
    >>> attribution_cells(attribution)["constant"], attribution_cells(attribution)["layer"]
    (True, '')
    """
    cell = layer_cell(attribution)
    return {
        "layer": cell.layer,
        "constant": is_constant(attribution.values),
        "additivity_gap": additivity_gap(attribution),
        "surrogate_r2": surrogate_fit(attribution),
        "cell_hz": cell.hertz,
        "cell_s": cell.seconds,
    }


def row_of(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with all columns in order; missing numbers are NaN, missing words empty.

    Columns of your own follow.

    >>> row = row_of({"method": "gradcam", "FF": 0.5})
    >>> row["FF"], row["AI"], row["clip"], row["correct"]
    (0.5, nan, '', None)
    """
    row = {name: cells.get(name, empty_cell(name)) for name in COLUMNS}
    return row | {name: cell for name, cell in cells.items() if name not in row}


def empty_cell(name: str) -> float | str | None:
    """Return what stands in a column where nothing is known.

    >>> empty_cell("FF"), empty_cell("layer"), empty_cell("constant")
    (nan, '', None)
    """
    if name in TRUTHS:
        return None
    return float("nan") if name in NUMBERS else ""


def read_rows(source: Path | io.StringIO) -> "pd.DataFrame":
    r"""Read rows from the CSV they were written to.

    Words are read as they are (a clip ``1001`` stays a word), numbers as floats that equal those
    written to the last bit, NaN where the cell is empty; ``correct`` and ``constant`` are True,
    False or None. A protocol's old name becomes today's. Columns that the table lacks are not
    added.

    Args:
        source: a file, or its text.

    Raises:
        ValueError: it is not such a table.

    >>> rows = read_rows(io.StringIO("clip,correct,FF\n1001,True,0.1\n"))
    >>> rows["clip"].tolist(), rows["correct"].tolist(), rows["FF"].tolist()
    (['1001'], [True], [0.1])
    """
    # Only here: to explain one clip, nothing needs pandas, and it takes long to import.
    import pandas as pd

    header = pd.read_csv(source, nrows=0).columns
    if isinstance(source, io.StringIO):
        source.seek(0)
    numbers = [name for name in header if name in NUMBERS]
    version = tuple(int(number) for number in pd.__version__.split(".")[:2])
    # What reads floats to the last bit; pandas 3.1 always does.
    exact: dict[str, Any] = {} if version >= (3, 1) else {"float_precision": "round_trip"}
    frame: pd.DataFrame = pd.read_csv(
        source,
        dtype={name: "str" for name in header if name not in NUMBERS},
        keep_default_na=False,
        na_values={name: [""] for name in numbers},
        **exact,
    )
    # A column with a word in it is left as it is, so that the caller can name it.
    integers = frame[numbers].select_dtypes("int").columns
    frame[integers] = frame[integers].astype(float)
    for name in TRUTHS:
        if name in frame:
            frame[name] = [TRUTH_OF_WORD.get(word) for word in frame[name]]
    if "protocol" in frame:
        frame["protocol"] = frame["protocol"].replace(RENAMED)
    return frame

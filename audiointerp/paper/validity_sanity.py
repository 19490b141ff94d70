"""The checks of docs/validity.md that need no truth: what any map must do."""

import pandas as pd
from torch import Tensor

from ..dataset import ClipDataset, some_per_class
from ..model import Classifier
from ..scoring import sanity
from ..tables import as_markdown, sanity_columns, sanity_table
from .localisation_run import budgets_of, localisation_methods
from .published import STUDY_METHODS

INTRODUCTION = """Whatever a clip holds, a map must change with the weights of the network, be the
same when asked twice or in a batch, move with the clip, and differ between classes
(`docs/sanity.md` says what each check does). The first clips of each class, each of another
recording; with fewer than 20 there are no intervals, and a check is *unclear*. Fewer passes than by
default: {budgets}; SHAP has {background} background clips.

{table}"""
BACKGROUND = 8
"""Background clips of SHAP, which passes over all of them in each check."""


def study_sanity(
    classifier: Classifier, dataset: ClipDataset, background: Tensor, per_class: int
) -> pd.DataFrame:
    """Check all methods of the study on some clips of each class, with few forward passes.

    Args:
        classifier: the classifier.
        dataset: the test clips.
        background: for SHAP, which gets the first eight.
        per_class: the number of clips of each class.

    Returns:
        The rows of :func:`~audiointerp.scoring.sanity`.

    Example: ``audiointerp validate`` calls it.
    """
    few = background[:BACKGROUND]
    methods = localisation_methods(STUDY_METHODS, classifier, few)
    clips = some_per_class(dataset, per_class)
    return sanity(classifier, clips, list(methods.values()), background=few)


def sanity_section(rows: pd.DataFrame) -> str:
    """Return the text on these rows: the checks, and method × check with figure and verdict.

    >>> rows = pd.DataFrame({"method": "lime", "check": "shift", "clip": ["a", "b"],
    ...                      "recording": ["a", "b"], "figure": [1.0, 0.9], "reason": ""})
    >>> print(sanity_section(rows).splitlines()[-1])
    | clips: 2 | lime | 0.95 unclear |
    """
    table = as_markdown(sanity_columns(sanity_table(rows))).strip()
    budgets = budgets_of(rows["method"].unique())
    return INTRODUCTION.format(budgets=budgets, background=BACKGROUND, table=table)

"""The methods, masks and scores of the study, and the means that it published."""

from pathlib import Path

import pandas as pd

PUBLISHED_METHODS = ("saliency", "gradcam", "shap", "lime")
"""The methods of the published tables."""
PUBLISHED_SCORES = ("FF", "AI", "AD", "AG", "FidIn", "SPS", "COMP")
"""The scores of the published tables."""
STUDY_MASKS = (
    "bin",
    "minmax",
    "sigmoid",
    "topK_5",
    "topK_30",
    "topK_50",
    "minmax_pos",
    "sigmoid_pos",
    "pos_thresh_25",
    "pos_thresh_50",
    "pos_thresh_75",
    "topK_5_pos",
    "topK_30_pos",
    "topK_50_pos",
)
"""The masks of the published tables, and of our results. ``MASKS`` may have more."""
STUDY_METHODS = (*PUBLISHED_METHODS, "random")
"""The methods of the study: the published ones and random attributions, as a control."""
COMPARED_METHODS = (
    *PUBLISHED_METHODS,
    "layercam",
    "integrated_gradients",
    "occlusion",
    "rise",
    "optimal",
    "random",
)
"""The methods that ``results`` runs: those of the study, and others beside them."""


def published_tables() -> pd.DataFrame:
    """Read the means that the study's repository prints, 504 rows.

    The source is ``tables.ipynb`` of ``exile8/coursework24``.

    Returns:
        Columns: model, experiment, method, mask, subset (all, correct, incorrect) and the seven
        scores.

    >>> len(published_tables())
    504
    """
    return pd.read_csv(Path(__file__).with_name("published_tables.csv"))

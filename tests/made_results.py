"""Rows of results as a run of the whole study has them, made: known scores, no network."""

import numpy as np
import pandas as pd

from audiointerp.experiments import EXPERIMENTS
from audiointerp.interpretation import MASKS
from audiointerp.metrics import METRICS, RELATIVE
from audiointerp.rows import COLUMNS, VALUES

STUDY = ("saliency", "gradcam", "shap", "lime", "random")


def made_rows(
    experiments=tuple(EXPERIMENTS), methods=STUDY, masks=tuple(MASKS), on=("features", "audio"), clips=20, seed=0
):
    """Every clip × method × mask × on of every experiment; the first half of the clips is classified correctly."""
    random = np.random.default_rng(seed)
    keys = [(name.split("_")[0], name, method, f"{clip}.wav", one, mask)
            for name in experiments for method in methods for clip in range(clips) for one in on for mask in masks]  # fmt: skip
    rows = pd.DataFrame(keys, columns=["features", "experiment", "method", "clip", "on", "mask"])
    values = dict.fromkeys(VALUES, np.nan)
    for name in (*METRICS, *(f"{name}_{kind}" for name in RELATIVE for kind in ("pixelwise", "smooth"))):
        values[name] = random.random(len(rows)) * (100 if name.split("_")[0] in ("AI", "AD", "AG") else 1)
    correct = rows["clip"].str.split(".").str[0].astype(int) < clips / 2
    words = {
        "target": "dog",
        "predicted": "dog",
        "explained": "dog",
        "protocol": "sound",
        "status": "ok",
        "network": "n",
    }
    rest = dict.fromkeys(("stage", "error_type", "error"), "")
    rows = rows.assign(**words, **values, **rest, correct=correct.astype(object), batch=1, explainer_batch=1)
    return rows[["features", "experiment", "network", *COLUMNS]]

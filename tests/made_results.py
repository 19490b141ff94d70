"""Synthetic rows of results, as a run of the whole study has them, without a network."""

import numpy as np
import pandas as pd

from audiointerp.experiments.study import EXPERIMENTS
from audiointerp.metrics import METRICS, RELATIVE
from audiointerp.paper.published import STUDY_MASKS
from audiointerp.scoring.columns import COLUMNS, VALUES

STUDY = ("saliency", "gradcam", "shap", "lime", "random")


def made_rows(
    experiments=tuple(EXPERIMENTS),
    methods=STUDY,
    masks=STUDY_MASKS,
    on=("features", "audio"),
    clips=20,
    seed=0,
):
    """Rows of every experiment, method, clip, on and mask; half of the clips are correct."""
    random = np.random.default_rng(seed)
    keys = [
        (name.split("_")[0], name, method, f"{clip}.wav", scored_on, mask)
        for name in experiments
        for method in methods
        for clip in range(clips)
        for scored_on in on
        for mask in masks
    ]
    rows = pd.DataFrame(keys, columns=["transform", "experiment", "method", "clip", "on", "mask"])
    values = dict.fromkeys(VALUES, np.nan)
    baselines = [f"{name}_{kind}" for name in RELATIVE for kind in ("pixelwise", "smooth")]
    for name in (*METRICS, *baselines):
        scale = 100 if name.split("_")[0] in ("AI", "AD", "AG") else 1
        values[name] = random.random(len(rows)) * scale
    correct = rows["clip"].str.split(".").str[0].astype(int) < clips / 2
    words = {
        "target": "dog",
        "predicted": "dog",
        "explained": "dog",
        "protocol": "corrected",
        "status": "ok",
        "network": "n",
        "layer": "",
        "fill": "silence",
        "optimize": "none",
    }
    rest = dict.fromkeys(("stage", "error_type", "error"), "")
    rows = rows.assign(
        **words,
        **values,
        **rest,
        recording=rows["clip"],
        correct=correct.astype(object),
        constant=False,
        batch=1,
        explainer_batch=1,
    )
    return rows[["transform", "experiment", "network", *COLUMNS]]

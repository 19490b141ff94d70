"""Out-of-memory: the batch is halved until it fits, and the rows record it."""

import gc
import subprocess
import sys

import pandas as pd
import pytest
import torch
from conftest import small_classifier, torture
from survival import CLASSIFIER, Bursts
from torch import nn

import audiointerp as ai
from audiointerp.model.classifier import Classifier
from audiointerp.predict import score
from audiointerp.util import importing


class Crowded(nn.Module):
    """A network that runs out of memory for more than a few clips at once."""

    activation_layout = "TF"

    def __init__(self, room):
        super().__init__()
        self.network, self.room = small_classifier(duration=0.3).network, room

    def forward(self, db):
        if len(db) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return self.network(db)


@pytest.mark.torture
def test_short_of_memory_the_batch_is_halved(figure):
    methods = ["saliency", "gradcam", "random", "integrated_gradients", "smoothgrad", "occlusion"]
    rooms = torture([3], [1, 2, 3, 5, 8, 13])

    def scored(room):
        network = Crowded(room)
        quick = [ai.LIME(network, "grid", samples=200), ai.KernelSHAP(network, samples=200)]
        classifier = Classifier(network, ai.LogMel(), CLASSIFIER.labels, 0.3)
        masks = torture(["bin", "topK_30", "minmax"], list(ai.MASKS))
        return score(
            classifier,
            Bursts(2),
            [*methods, *quick],
            masks,
            on=["features", "audio"],
            fill="silence",
            progress=False,
        )

    free, worst, by_masks = scored(1000), 0.0, 0.0
    assert set(free["batch"]) == {16}
    for room in rooms:
        rows = scored(room)
        assert (rows["status"] == "ok").all()
        halved = max(batch for batch in (16, 8, 4, 2, 1) if batch <= room)
        assert set(rows["batch"]) == {halved}
        used = rows.groupby("method")["explainer_batch"].first()
        assert used["lime"] == halved
        assert used["kernel_shap"] <= max(room, 1)
        assert pd.isna(used["saliency"])
        moved = (rows[["p", "p_in", "p_out"]] - free[["p", "p_in", "p_out"]]).abs().max(axis=1)
        same_masks = rows["method"].isin(["saliency", "gradcam", "random"])
        worst, by_masks = (
            max(worst, moved[same_masks].max()),
            max(by_masks, moved[~same_masks].max()),
        )
    assert worst <= 1e-5
    # The method itself was halved, so a bin near a mask's threshold can change sides.
    assert by_masks <= 1e-3
    refused = scored(0)
    assert set(refused["stage"]) == {"explain"}
    assert set(refused["error_type"]) == {"OutOfMemoryError"}
    figure(
        "out of memory injected above batch k",
        f"k = {', '.join(map(str, rooms))}: halved until it fits, and recorded in the row; "
        f"probabilities within {worst:.0e} under the same masks (stated: 1e-5), "
        f"within {by_masks:.0e} if the method was halved too; k = 0: error rows",
    )


def test_imports_are_not_searched_for_garbage():
    code = (
        "import gc; from audiointerp.util import importing\n"
        "with importing():\n"
        "    print(gc.isenabled())\n"
        "print(gc.isenabled(), gc.get_freeze_count() > 1000)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False\nTrue True\n"


def test_where_torch_is_imported_garbage_is_searched_for_as_before():
    frozen = gc.get_freeze_count()
    with importing():
        assert gc.isenabled()
    assert gc.get_freeze_count() == frozen

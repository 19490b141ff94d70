"""The columns beside the scores: ties, constant attributions, the layer and its cells."""

import io
import math
from functools import partial

import pandas as pd
import pytest
import torch
from conftest import noise, small_classifier

import audiointerp as ai
from audiointerp.dataset import LoadedClip
from audiointerp.display import players_html, plot, write_interpretation
from audiointerp.interpretation import GradCAM, tie_share, top
from audiointerp.interpretation.attribution import Attribution
from audiointerp.model.classifier import Classifier
from audiointerp.predict import interpret
from audiointerp.processing.spectrogram import LogMel, LogSTFT
from audiointerp.scoring import COLUMNS, clip_rows, explain_clip, layer_cell, read_rows
from audiointerp.scoring.columns import ADDED, NUMBERS, TRUTHS
from audiointerp.scoring.plan import Plan

# The number of shares in a page is not what is tested here.
pytestmark = pytest.mark.usefixtures("few_shares")

CLASSIFIER = small_classifier(duration=0.3)


def rows_of(explainer, masks, wav=None, **plan):
    loaded = LoadedClip("a", "a", noise(0.3)[0] if wav is None else wav, "label0", sha256="0")
    (result,) = clip_rows(CLASSIFIER, loaded, [explainer], Plan(masks, nulls=[], **plan))
    return pd.DataFrame(result.rows)


class Steps(ai.Saliency):
    """Ten equal values, then 20 equal ones, in bins and frames; the rest is 0."""

    name = "steps"

    def _attribute(self, score_of, db):
        values, _ = super()._attribute(score_of, db)
        values = torch.zeros_like(values)
        values.flatten()[:10] = 2.0
        values.flatten()[10:30] = 1.0
        return values, {}


def test_the_share_of_ties_by_hand():
    def first(values):
        return top(values, 0.5)

    explainer = Steps(CLASSIFIER.network)
    entries = 64 * 31
    percentages = {"topK_0.5": 10, "topK_1": 20, "topK_5": 99, "topK_5_pos": 99}
    rows = rows_of(explainer, [*percentages, "bin", "minmax", first])
    shares = rows.set_index("mask")["tie_share"]
    assert [math.floor(share * entries + 0.5) for share in (0.005, 0.01, 0.05)] == [10, 20, 99]
    # All of one step; half of the other; zeros, which no positive mask takes.
    assert shares["topK_0.5"] == 0
    assert shares["topK_1"] == 10 / 20
    assert shares["topK_5"] == 69 / 99
    assert shares["topK_5_pos"] == 0
    assert shares[["bin", "minmax", "first"]].isna().all()
    attribution = explain_clip(CLASSIFIER, CLASSIFIER.transform(noise(0.3)), explainer)
    assert shares["topK_1"] == tie_share(attribution.values, 0.01).item()
    # The published masks keep all ties.
    published = rows_of(explainer, ["topK_5"], protocol="published")
    assert published["tie_share"].isna().all()
    assert rows_of(explainer, [partial(top, share=0.01)])["tie_share"].tolist() == [0.5]


def test_a_constant_attribution_is_marked():
    assert rows_of(ai.Saliency(CLASSIFIER.network), ["bin"])["constant"].tolist() == [False]

    class Same(ai.Saliency):
        name = "same"

        def _attribute(self, score_of, db):
            values, info = super()._attribute(score_of, db)
            return torch.ones_like(values) + 1e-8 * values, info

    rows = rows_of(Same(CLASSIFIER.network), ["bin", "minmax"])
    assert rows["constant"].tolist() == [True, True]
    failed = rows_of(Same(CLASSIFIER.network), ["bin"], wav=torch.full((1, 9600), math.nan))
    assert failed["constant"].tolist() == [None]
    text = pd.concat([rows, failed])[list(COLUMNS)].to_csv(index=False)
    assert read_rows(io.StringIO(text))["constant"].tolist() == [True, True, None]


@pytest.mark.parametrize("transform", [LogMel(), LogSTFT()], ids=["mel", "stft"])
def test_the_layer_and_its_cells_by_hand(transform):
    """Three poolings by 2: cells of 8 frames and bins, if these are multiples of 8."""
    classifier = small_classifier(transform=transform)
    rate = transform.sample_rate
    result = interpret(classifier, noise(1.0, rate), "gradcam")
    rows, columns = result.attribution.info["grid"]
    assert (rows, columns) == (transform.num_bins // 8, transform.num_frames(rate) // 8)
    cell = layer_cell(result.attribution)
    assert cell.layer == "conv_block4.conv2"
    low, high = {64: (50, 14000), 257: (0, 8000)}[transform.num_bins]
    assert cell.hertz == pytest.approx((high - low) / rows, rel=0.05)
    assert cell.seconds == pytest.approx(1 / columns, rel=0.02)
    # A longer clip has the cells of its windows.
    longer = interpret(classifier, noise(2.3, rate), "gradcam", windows="all")
    assert layer_cell(longer.attribution) == cell
    shorter = interpret(classifier, noise(0.4, rate), "gradcam")
    assert layer_cell(shorter.attribution) == cell


def test_methods_without_a_layer_have_no_cells():
    methods = [ai.Saliency(CLASSIFIER.network), GradCAM(CLASSIFIER.network)]
    rows = pd.concat([rows_of(method, ["bin"]) for method in methods])
    assert rows["layer"].tolist() == ["", "conv_block4.conv2"]
    assert rows["cell_hz"].isna().tolist() == [True, False]
    assert rows["cell_s"].isna().tolist() == [True, False]
    cell = layer_cell(Attribution(torch.zeros(1), torch.zeros(1), torch.zeros(1), "mine"))
    assert (cell.layer, str(cell)) == ("", "")


def test_a_page_and_a_picture_show_the_layer(tmp_path):
    result = interpret(CLASSIFIER, noise(0.3), "gradcam")
    text = str(layer_cell(result.attribution))
    assert text.startswith("layer conv_block4.conv2, cells of ")
    assert f"mask topK_30, {text}.</p>" in players_html(result)
    figure = plot.interpretation(result)
    assert figure.axes[1].get_xlabel() == (f"time (s)\nred: for it, blue: against it\n{text}")
    write_interpretation(result, tmp_path, "noise")
    assert '"layer": "conv_block4.conv2"' in (tmp_path / "scores.json").read_text()
    plain = interpret(CLASSIFIER, noise(0.3), "saliency")
    assert "layer" not in players_html(plain)
    assert plot.interpretation(plain).axes[1].get_xlabel() == (
        "time (s)\nred: for it, blue: against it"
    )


def test_the_name_of_a_layer_is_escaped():
    network = CLASSIFIER.network

    class Odd(GradCAM):
        def _attribute(self, score_of, db):
            values, info = super()._attribute(score_of, db)
            return values, {**info, "layer": "<b>&"}

    result = interpret(Classifier(network, LogMel(), CLASSIFIER.labels, 0.3), noise(0.3), Odd)
    assert "layer &lt;b&gt;&amp;, cells" in players_html(result)


def test_added_columns_are_columns():
    assert set(ADDED) < set(COLUMNS)
    assert set(TRUTHS) < set(COLUMNS)
    assert not NUMBERS & {*TRUTHS, "layer"}

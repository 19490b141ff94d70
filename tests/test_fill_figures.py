"""The figures of docs/fills.md: orders, wins and regions, by hand and by an oracle."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import small_classifier
from fill_differences import page
from fill_figures import CLASS, NOT_ORDERED, by_setting, order_agreement, wins
from fill_rows import SCORES, Bench, mixture_rows, region
from scipy.stats import spearmanr

from audiointerp.dataset import Mixtures, Synthetic
from audiointerp.interpretation import top
from audiointerp.paper import localisation_methods
from audiointerp.scoring import OutOfDistribution, truth_of

TWO_FILLS = ["silence", "background"]
FOUR_SETTINGS = list(itertools.product(["features", "audio"], TWO_FILLS))


@pytest.fixture(scope="module", autouse=True)
def two_fills():
    """Two of the fills, which are enough and take seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fill_rows.FILLS", TWO_FILLS)
        patch.setattr("fill_rows.LEAST_P", 0.0)
        patch.setattr("fill_figures.SETTINGS", FOUR_SETTINGS)
        yield


@pytest.fixture(scope="module")
def rows(two_fills):
    """The rows of a mixture by a network of random weights, with both classes explained."""
    mixtures = Mixtures(Synthetic((5,), sample_rate=32000, duration=3.0), 1)
    classifier = small_classifier(10, duration=3.0)
    methods = localisation_methods(["saliency"], classifier)
    reference = OutOfDistribution(torch.zeros(5, 32), 1.0)
    bench = Bench(classifier, classifier, methods, reference)
    return pd.DataFrame(mixture_rows(bench, mixtures, 0))


def test_orders_agree_as_spearman_says():
    values = np.random.default_rng(0).integers(0, 5, (2, 30, 7)).astype(float)
    scores, truth = (pd.DataFrame(each) for each in values)
    expected = [spearmanr(*pair).statistic for pair in zip(*values, strict=True)]
    assert order_agreement(scores, truth).to_numpy() == pytest.approx(np.array(expected))
    assert order_agreement(scores * 0, truth).eq(0).all()
    assert order_agreement(scores, 2 * scores + 1).to_numpy() == pytest.approx(1)


def test_the_truth_wins_against_what_is_below_it():
    scores = pd.DataFrame(
        {
            "truth": [0.5],
            "random blobs": [0.4],
            "random bins": [0.5],
            "truth, shifted": [0.6],
            "other sound": [0.1],
        }
    )
    assert wins(scores).tolist() == [2.5 / 4]


def test_as_many_bins_of_the_region_as_it_has_are_the_region():
    generator = torch.Generator().manual_seed(0)
    source, other = (-100 * torch.rand(2, 1, 1, 8, 20, generator=generator)).unbind()
    truth = truth_of(source, other).source
    values = region(source, other)
    assert top(values, float(truth.double().mean())).bool().equal(truth)
    loudest = top(values, 1 / truth.numel()).bool()
    assert float(source[loudest]) == float(source[truth].max())


def test_each_class_has_a_row_for_each_map_area_and_setting(rows):
    maps = rows["method"].nunique()
    assert maps == 1 + len(["level", "random blobs", "random bins", *NOT_ORDERED])
    assert len(rows) == 2 * maps * 2 * len(FOUR_SETTINGS)
    assert not rows.duplicated([*CLASS, "method", "area", "on", "fill"]).any()
    located = rows.loc[rows["method"] == "truth", ["ap", "contrast", "iou"]]
    assert located.to_numpy() == pytest.approx(1)
    assert rows[[score for score in SCORES if score != "HEARD"]].notna().all(axis=None)
    # Only the parts differ between settings.
    assert rows.groupby([*CLASS, "method"])["ap"].nunique().eq(1).all()
    assert set(zip(rows["on"], rows["fill"], strict=True)) == set(FOUR_SETTINGS)


def test_the_page_has_a_line_for_each_setting_and_map(rows):
    figures = by_setting(rows)
    assert list(figures) == FOUR_SETTINGS
    text = page(rows, 1, "fills.png")
    for on, fill in FOUR_SETTINGS:
        assert text.count(f"| {on} | {fill} |") == 3
    for name in rows["method"].unique():
        assert text.count(f"| {name} |") == 6

"""The published definitions, computed by hand, beside the corrected ones."""

import math

import pytest
import torch
from conftest import snr, torture
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from audiointerp import Classifier, Cnn6, LogMel, interpret
from audiointerp.errors import ArgumentError
from audiointerp.interpretation import resolve_mask
from audiointerp.interpretation.masks import MASKS
from audiointerp.metrics import METRICS, evaluate
from audiointerp.paper.published import STUDY_MASKS
from audiointerp.scoring import Plan
from audiointerp.scoring.protocols import PROTOCOLS, ScoringProtocol, protocol_of

LAWS_OF = "masks"
# Ten entries, three of them positive, so that more than half of A+ is zero.
MAP = torch.tensor([4.0, 2.0, 1.0, 0.0, 0.0, 0.0, -1.0, -1.0, -2.0, -6.0]).view(1, 1, 2, 5)
E7 = 1e-7


def gini(ones, entries):
    """The Gini index of a 0/1 mask, by hand, with the published 1e-7 added to every entry."""
    low, high = (entries - ones) * E7, ones * (1 + E7)
    # sum over ranks of (2 rank - n - 1) * value, the zeros first
    ranks = [2 * rank - entries - 1 for rank in range(1, entries + 1)]
    weighted = E7 * sum(ranks[: entries - ones]) + (1 + E7) * sum(ranks[entries - ones :])
    return weighted / (entries * (low + high))


# The published masks of MAP by hand; quantiles are linear between the sorted entries.
# A sorted: -6 -2 -1 -1 0 0 0 1 2 4; the 0.5 quantile is 0 (places 4 and 5), the 0.7 quantile is at
# 6.3: 0.3, the 0.95 quantile at 8.55: 3.1.
# A+ sorted: 0 0 0 0 0 0 0 1 2 4; 0.5 -> 0, 0.7 -> 0.3, 0.95 -> 3.1.
PUBLISHED_BY_HAND = {
    "topK_50": ([1, 1, 1, 1, 1, 1, 0, 0, 0, 0], gini(6, 10), math.log(6)),
    "topK_30": ([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], gini(3, 10), math.log(3)),
    "topK_5": ([1, 0, 0, 0, 0, 0, 0, 0, 0, 0], gini(1, 10), 0.0),
    "topK_50_pos": ([1] * 10, 0.0, 0.0),
    "topK_30_pos": ([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], gini(3, 10), math.log(3)),
    "topK_5_pos": ([1, 0, 0, 0, 0, 0, 0, 0, 0, 0], gini(1, 10), 0.0),
    "bin": ([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], gini(3, 10), math.log(3)),
    "pos_thresh_25": ([1, 1, 0, 0, 0, 0, 0, 0, 0, 0], gini(2, 10), math.log(2)),
    "pos_thresh_50": ([1, 0, 0, 0, 0, 0, 0, 0, 0, 0], gini(1, 10), 0.0),
    "pos_thresh_75": ([1, 0, 0, 0, 0, 0, 0, 0, 0, 0], gini(1, 10), 0.0),
}


@pytest.mark.parametrize("name", PUBLISHED_BY_HAND)
def test_the_published_table_by_hand(name):
    """pos_thresh: 4 / (4 + 1e-8), 2 / (4 + 1e-8) and 1 / (4 + 1e-8). Float32 loses the constant,
    which matters only if an entry equals a threshold: 0.25 * (1 - 2.5e-9) is rounded to 0.25."""
    expected, sps, comp = PUBLISHED_BY_HAND[name]
    protocol = PROTOCOLS["published"]
    values = MAP.double() if name.startswith("pos_thresh") else MAP
    mask = protocol.masks[name](values)
    assert mask.flatten().tolist() == expected
    probs = torch.tensor([[0.8, 0.2]], dtype=torch.float64)
    probs_in = torch.tensor([[0.9, 0.1]], dtype=torch.float64)
    probs_out = torch.tensor([[0.3, 0.7]], dtype=torch.float64)
    row = evaluate(probs, probs_in, probs_out, torch.tensor([0]), mask, protocol.metrics)
    by_hand = {
        "FF": 0.5,
        "AI": 100,
        "AD": 0,
        "AG": 100 * 0.1 / (0.2 + 1e-6),
        "FidIn": 1,
        "SPS": sps,
        "COMP": comp,
    }
    for score, value in by_hand.items():
        assert row[score].item() == pytest.approx(value, abs=1e-9), score
    drop = evaluate(probs, probs_out, probs_in, torch.tensor([0]), mask, protocol.metrics)
    assert drop["AD"].item() == pytest.approx(100 * 0.5 / (0.8 + 1e-6), abs=1e-9)
    assert drop["FidIn"].item() == 0


def test_soft_masks_carry_the_published_constant():
    masks = PROTOCOLS["published"].masks
    assert masks["minmax"](MAP.double())[0, 0, 0, 0].item() == 10 / (10 + 1e-8)
    assert masks["minmax_pos"](MAP.double())[0, 0, 0, 1].item() == 2 / (4 + 1e-8)
    assert (masks["minmax_pos"](-MAP.abs()) == 0).all()
    assert masks["sigmoid"](MAP).equal(MASKS["sigmoid"](MAP))


def test_the_default_keeps_exactly_the_positive_ones():
    mask = MASKS["topK_50_pos"](MAP)
    assert mask.equal((MAP > 0).to(mask))
    row = evaluate(*[torch.tensor([[0.8, 0.2]])] * 3, torch.tensor([0]), mask)
    assert row["SPS"].item() == pytest.approx(0.7)
    assert row["COMP"].item() == pytest.approx(math.log(3))


def test_undefined_values():
    """For an all-zero mask SPS and COMP are undefined, but 0 in the published protocol, which also
    counts any rounding error as an increase."""
    probs = torch.tensor([[0.8, 0.2]], dtype=torch.float64)
    for mask in (torch.zeros(1, 1, 2, 5), torch.ones(1, 1, 2, 5), torch.full((1, 1, 2, 5), 0.5)):
        row = evaluate(probs, probs, probs, torch.tensor([0]), mask, PROTOCOLS["published"].metrics)
        assert (row["SPS"].item(), row["COMP"].item()) == (0, 0)
    nearly = torch.full((1, 1, 2, 5), 0.5)
    nearly[0, 0, 0, 0] += 4e-6  # below 1e-8 + 1e-5 * max: constant
    assert (
        evaluate(probs, probs, probs, torch.tensor([0]), nearly, PROTOCOLS["published"].metrics)[
            "COMP"
        ].item()
        == 0
    )
    rounding = probs + torch.tensor([[1e-12, -1e-12]], dtype=torch.float64)
    increase = {}
    for name, protocol in PROTOCOLS.items():
        scores = evaluate(probs, rounding, probs, torch.tensor([0]), nearly, protocol.metrics)
        increase[name] = scores["AI"].item()
    assert increase == {"corrected": 0, "published": 100}
    corrected = evaluate(probs, probs, probs, torch.tensor([0]), torch.zeros(1, 1, 2, 5))
    assert corrected["SPS"].isnan().all()
    assert corrected["COMP"].isnan().all()


@settings(max_examples=torture(100, 2000))
@given(arrays("float32", (1, 1, 3, 5), elements=st.floats(-1e6, 1e6, width=32), unique=True))
def test_both_protocols_agree_where_nothing_is_tied(array):
    values = torch.from_numpy(array)
    for protocol in PROTOCOLS.values():
        for name, make in protocol.masks.items():
            mask = make(values)
            assert ((mask >= 0) & (mask <= 1)).all(), name
    for name in ("bin", "sigmoid", "sigmoid_pos"):
        assert PROTOCOLS["published"].masks[name](values).equal(MASKS[name](values))
    # 15 entries: the 0.5 quantile is the 8th largest, and floor(7.5 + 0.5) = 8 are kept
    assert PROTOCOLS["published"].masks["topK_50"](values).equal(MASKS["topK_50"](values))


def test_other_percentages_have_the_definition_of_their_protocol():
    """The published definition keeps all of the zeros that are equal to the quantile."""
    masks = {}
    for name, protocol in PROTOCOLS.items():
        masks[name] = {
            mask: resolve_mask(mask, protocol.masks)[1](MAP).flatten().tolist()
            for mask in ("topK_40_pos", "topK_40", "pos_thresh_20")
        }
        plan = Plan(["topK_40", "pos_thresh_20"], name)
        assert plan.masks == plan.mask_names == ("topK_40", "pos_thresh_20")
        assert plan.mask_functions["topK_40"](MAP).flatten().tolist() == masks[name]["topK_40"]
        with pytest.raises(ArgumentError, match="did you mean 'topK_40'"):
            Plan(["topk_40"], name)
    # MAP: 4 2 1 0 0, 0 -1 -1 -2 -6. Of the zeros at (0, 3), (0, 4) and (1, 0), the last is in the
    # first frame. The 0.6 quantile, at 5.4, is 0.
    assert masks["corrected"] == {
        "topK_40_pos": [1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
        "topK_40": [1, 1, 1, 0, 0, 1, 0, 0, 0, 0],
        "pos_thresh_20": [1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    }
    assert masks["published"] == {
        "topK_40_pos": [1] * 10,
        "topK_40": [1, 1, 1, 1, 1, 1, 0, 0, 0, 0],
        "pos_thresh_20": [1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    }


def test_soft_masks_are_heard_as_in_the_study():
    """A sound of power x mask: a constant mask of a half is heard 3 dB below the clip. In dB, half
    of the level above the floor, it was 58 dB below.
    """

    def half(values):
        return torch.full_like(values, 0.5)

    network = Cnn6(2, base_channels=2)
    wav = 0.1 * torch.randn(1, 1, 32000, generator=torch.Generator().manual_seed(0))
    classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    scores = {}
    for protocol in PROTOCOLS:
        result = interpret(classifier, wav, "saliency", half, protocol=protocol)
        scores[protocol] = [result.scores[name] for name in ("p", "p_in", "p_out")]
        levels = [-snr(wav, wav + part) for part in (result.kept, result.removed)]
        if protocol == "published":
            assert levels == pytest.approx([-3.01, -3.01], abs=0.01)
            assert torch.allclose(result.kept, wav * 0.5**0.5, atol=1e-6)
        else:
            assert max(levels) < -30
        # What is scored is the same: the masked levels in dB.
        clip = classifier.transform(wav)
        masked = classifier.probabilities(clip.masked(torch.full_like(clip.db, 0.5)).db)
        assert masked[0, int(result.attribution.target)].item() == pytest.approx(
            result.scores["p_in"], abs=1e-6
        )
    assert scores["published"] == scores["corrected"]
    fifth = interpret(classifier, wav, "saliency", "topK_20")
    assert (fifth.mask_name, fifth.mask.sum().item()) == ("topK_20", int(0.2 * 64 * 101 + 0.5))
    binary = {
        protocol: interpret(classifier, wav, "saliency", "bin", protocol=protocol)
        for protocol in PROTOCOLS
    }
    assert binary["published"].kept.equal(binary["corrected"].kept)
    assert binary["published"].removed.equal(binary["corrected"].removed)


def test_names():
    with pytest.raises(ArgumentError, match="unknown masking domain 'loudness'"):
        ScoringProtocol("mine", MASKS, METRICS, listening_domain="loudness")
    assert list(PROTOCOLS["corrected"].masks) == list(MASKS)
    assert list(PROTOCOLS["published"].masks) == list(STUDY_MASKS)
    for name, protocol in PROTOCOLS.items():
        # By default all masks that the protocol defines.
        assert Plan(protocol=name).mask_names == tuple(protocol.masks)
        assert list(protocol.metrics) == list(METRICS)
    with pytest.raises(ArgumentError, match="unknown protocol 'mine'"):
        protocol_of("mine")
    for make in PROTOCOLS["published"].masks.values():
        with pytest.raises(ArgumentError, match="NaN"):
            make(MAP * torch.nan)

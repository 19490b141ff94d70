import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import torture
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from audiointerp.errors import ArgumentError
from audiointerp.interpretation import MASKS

PUBLISHED = ["bin", "minmax", "sigmoid", "topK_5", "topK_30", "topK_50", "minmax_pos", "sigmoid_pos", "pos_thresh_25",
             "pos_thresh_50", "pos_thresh_75", "topK_5_pos", "topK_30_pos", "topK_50_pos"]  # fmt: skip
LAWS_OF = "masks"
HARD = [v * sign for v in (0.0, 1.0, 1e-45, 1e-38, 1e38, 3.4028235e38) for sign in (1, -1)]  # subnormal to largest
HARD = [float(torch.tensor(value)) for value in HARD]
finite = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from(HARD)
shapes = st.tuples(st.integers(1, 3), st.just(1), st.integers(1, 6), st.integers(1, 7))
maps = st.one_of(
    arrays("float32", shapes, elements=finite),
    arrays("float32", shapes, elements=st.sampled_from(HARD)),  # ties
    st.builds(np.full, shapes, finite, st.just("float32")),  # constants
)
moderate = arrays("float32", shapes, elements=st.integers(-1000, 1000))


def test_by_hand():
    values = torch.tensor([[[[-2.0, -1.0, 0.0, 1.0, 2.0], [0.0, 0.25, 0.5, 1.5, 1.75]]]])
    expected = {
        "bin": [0, 0, 0, 1, 1, 0, 1, 1, 1, 1],
        "minmax": [0, 0.25, 0.5, 0.75, 1, 0.5, 0.5625, 0.625, 0.875, 0.9375],
        "minmax_pos": [0, 0, 0, 0.5, 1, 0, 0.125, 0.25, 0.75, 0.875],
        "topK_5": [0, 0, 0, 0, 1, 0, 0, 0, 0, 0],  # floor(0.05 * 10 + 1/2) = 1
        "topK_30": [0, 0, 0, 0, 1, 0, 0, 0, 1, 1],
        "topK_50": [0, 0, 0, 1, 1, 0, 0, 1, 1, 1],
        "topK_50_pos": [0, 0, 0, 1, 1, 0, 0, 1, 1, 1],
        "pos_thresh_25": [0, 0, 0, 1, 1, 0, 0, 1, 1, 1],
        "pos_thresh_50": [0, 0, 0, 1, 1, 0, 0, 0, 1, 1],
        "pos_thresh_75": [0, 0, 0, 0, 1, 0, 0, 0, 1, 1],
    }
    for name, mask in expected.items():
        assert MASKS[name](values).flatten().tolist() == mask, name
    assert torch.allclose(MASKS["sigmoid"](values), 1 / (1 + torch.exp(-values)))
    assert torch.allclose(MASKS["sigmoid_pos"](values), 1 / (1 + torch.exp(-values.clamp_min(0))))


def test_names_are_the_published_ones():
    assert list(MASKS) == PUBLISHED


@settings(max_examples=torture(200, 2000))
@given(maps)
def test_every_mask_lies_in_the_unit_interval(array):
    values = torch.from_numpy(array)
    for name, make in MASKS.items():
        mask = make(values)
        assert mask.shape == values.shape
        assert mask.dtype == values.dtype
        assert ((mask >= 0) & (mask <= 1)).all(), name
        assert values.numpy().tobytes() == array.tobytes(), name


@given(maps, st.randoms(use_true_random=False))
def test_each_clip_is_masked_by_itself(array, random):
    values = torch.from_numpy(array)
    order = random.sample(range(len(values)), len(values))
    for name, make in MASKS.items():
        assert make(values[order]).equal(make(values)[order]), name
        assert make(values[:1]).equal(make(values)[:1]), name


@given(maps)
def test_a_larger_entry_is_never_kept_less(array):
    values = torch.from_numpy(array)
    for name, make in MASKS.items():
        for clip, mask in zip(values, make(values), strict=True):
            ordered = mask.flatten()[clip.flatten().argsort()]
            bounds = clip.flatten().sort().values
            steps = ordered.diff()[bounds.diff() > 0]
            assert (steps >= 0).all(), name


@given(maps)
def test_minmax_spans_the_whole_interval(array):
    values = torch.from_numpy(array)
    for clip, mask, positive in zip(values, MASKS["minmax"](values), MASKS["minmax_pos"](values), strict=True):
        span = [0.0, 1.0] if clip.min() < clip.max() else [0.0, 0.0]
        assert [mask.min().item(), mask.max().item()] == span
        assert positive.max().item() == (1.0 if clip.max() > 0 else 0.0)


@given(maps)
def test_stricter_masks_keep_a_part_of_looser_ones(array):
    values = torch.from_numpy(array)
    mask = {name: make(values) for name, make in MASKS.items()}
    for chain in (
        ["topK_5", "topK_30", "topK_50"],
        ["topK_5_pos", "topK_30_pos", "topK_50_pos", "bin"],
        ["pos_thresh_75", "pos_thresh_50", "pos_thresh_25", "minmax_pos"],
    ):
        for strict, loose in pairwise(chain):
            assert (mask[strict] <= (mask[loose] > 0)).all(), (strict, loose)
    for percent in (25, 50, 75):
        assert mask[f"pos_thresh_{percent}"].equal((mask["minmax_pos"] >= percent / 100).float())


@given(moderate, st.integers(-60, 60))
def test_the_unit_of_an_attribution_is_of_no_account(array, exponent):
    values = torch.from_numpy(array)
    for name in set(PUBLISHED) - {"sigmoid", "sigmoid_pos"}:
        assert MASKS[name](values * 2.0**exponent).equal(MASKS[name](values)), name


@given(st.integers(1, 20000), st.sampled_from([0.0, 2.0, -3.0]))
def test_top_k_counts_right_on_any_grid(entries, constant):
    values = torch.full((1, 1, 1, entries), constant)
    for percent in (5, 30, 50):
        count = (2 * percent * entries + 100) // 200  # floor(percent / 100 * entries + 1/2) in whole numbers
        assert MASKS[f"topK_{percent}"](values).sum().item() == count
        assert MASKS[f"topK_{percent}_pos"](values).sum().item() == (count if constant > 0 else 0)


@settings(max_examples=torture(200, 2000))
@given(maps)
def test_top_k_keeps_exactly_k_and_only_the_largest(array):
    values = torch.from_numpy(array)
    entries = values[0].numel()
    for percent in (5, 30, 50):
        count = math.floor(percent / 100 * entries + 0.5)
        mask, positive = MASKS[f"topK_{percent}"](values), MASKS[f"topK_{percent}_pos"](values)
        assert mask.flatten(1).sum(1).tolist() == [count] * len(values)
        for clip, kept in zip(values, mask, strict=True):
            if 0 < count < entries:
                assert clip[kept == 1].min() >= clip[kept == 0].max()
        assert positive.equal(mask * (values > 0))


@settings(max_examples=torture(100, 2000))
@given(maps)
def test_the_positive_family_never_keeps_what_is_not_positive(array):
    values = torch.from_numpy(array)
    assert (MASKS["sigmoid_pos"](values)[values <= 0] == 0.5).all()
    for name in PUBLISHED:
        if (name.endswith("_pos") and name != "sigmoid_pos") or name.startswith("pos_thresh"):
            assert (MASKS[name](values)[values <= 0] == 0).all(), name


def test_constant_and_negative_maps():
    for constant in (0.0, -3.0, 2.0):
        values = torch.full((1, 1, 4, 5), constant)
        assert (MASKS["minmax"](values) == 0).all()
        assert (MASKS["minmax_pos"](values) == (1.0 if constant > 0 else 0.0)).all()
        assert MASKS["topK_30"](values).sum() == 6
        assert MASKS["topK_30_pos"](values).sum() == (6 if constant > 0 else 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_smallest_and_the_largest_values_are_spanned(dtype):
    """The least positive number has no half, and twice the largest is infinite."""
    limits = torch.finfo(dtype)
    for step in (limits.smallest_normal * limits.eps, limits.max):
        values = torch.tensor([[[[0.0, step]]]], dtype=dtype)
        assert MASKS["minmax"](values).flatten().tolist() == [0, 1]
        assert MASKS["minmax_pos"](values).flatten().tolist() == [0, 1]
        assert MASKS["pos_thresh_75"](values).flatten().tolist() == [0, 1]
    both = torch.tensor([[[[-limits.max, 0.0, limits.max]]]], dtype=dtype)
    assert MASKS["minmax"](both).flatten().tolist() == [0, 0.5, 1]
    beside = torch.tensor([[[[-limits.max, 0.0, limits.smallest_normal * limits.eps]]]], dtype=dtype)
    assert MASKS["minmax_pos"](beside).flatten().tolist() == [0, 0, 1]  # what is negative does not set its unit


def test_ties_fall_the_same_way_and_not_in_order():
    zeros = torch.zeros(1, 1, 10, 100)
    mask = MASKS["topK_30"](zeros)
    assert mask.equal(MASKS["topK_30"](zeros))
    assert 0.2 < mask[..., :50].mean() < 0.4  # spread over the map, not its first entries


def test_a_map_with_holes_is_refused():
    for bad in (torch.nan, torch.inf, -torch.inf):
        values = torch.zeros(1, 1, 2, 2)
        values[0, 0, 1, 1] = bad
        for make in MASKS.values():
            with pytest.raises(ArgumentError, match="NaN or infinite"):
                make(values)
    with pytest.raises(ArgumentError, match=r"attribution\.values"):
        MASKS["bin"]([1.0])
    with pytest.raises(ArgumentError, match="shape"):
        MASKS["bin"](torch.zeros(3, 3))

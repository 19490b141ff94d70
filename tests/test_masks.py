"""The masks by hand and by their laws, and masks of the user's own."""

import math
import pickle
from fractions import Fraction
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import torture
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label

from audiointerp.errors import ArgumentError
from audiointerp.interpretation import (
    CheckedMask,
    GivenMask,
    resolve_mask,
    tie_share,
    top,
    top_at_shares,
    usable_name,
)
from audiointerp.interpretation.masks import MASKS
from audiointerp.paper.published import STUDY_MASKS

PUBLISHED = [
    *("bin", "minmax", "sigmoid", "topK_5", "topK_30", "topK_50", "minmax_pos", "sigmoid_pos"),
    *("pos_thresh_25", "pos_thresh_50", "pos_thresh_75", "topK_5_pos", "topK_30_pos"),
    "topK_50_pos",
]
LAWS_OF = "masks"
# From subnormal to the largest float32.
HARD = [v * sign for v in (0.0, 1.0, 1e-45, 1e-38, 1e38, 3.4028235e38) for sign in (1, -1)]
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
    assert list(STUDY_MASKS) == PUBLISHED
    # In their order, beside any others.
    assert [name for name in MASKS if name in STUDY_MASKS] == PUBLISHED


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
        # torch computes the last few elements of a tensor without SIMD, and its sigmoid then rounds
        # differently: by one unit in the last place, on some processors.
        tolerance = torch.finfo(values.dtype).eps if name.startswith("sigmoid") else 0
        for alone, together in (
            (make(values[order]), make(values)[order]),
            (make(values[:1]), make(values)[:1]),
        ):
            assert torch.allclose(alone, together, rtol=0, atol=tolerance), name


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
    for clip, mask, positive in zip(
        values, MASKS["minmax"](values), MASKS["minmax_pos"](values), strict=True
    ):
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
        # floor(percent / 100 * entries + 1/2) in integers.
        count = (2 * percent * entries + 100) // 200
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
    beside = torch.tensor(
        [[[[-limits.max, 0.0, limits.smallest_normal * limits.eps]]]], dtype=dtype
    )
    # Negative values do not set the unit.
    assert MASKS["minmax_pos"](beside).flatten().tolist() == [0, 0, 1]


def first_by_hand(clip, count):
    """The mask of the first ``count`` entries of ``(F, T)``, sorted by (-value, frame, bin)."""
    bins, frames = clip.shape
    entries = [(-clip[b, t].item(), t, b) for b in range(bins) for t in range(frames)]
    mask = torch.zeros_like(clip)
    for _, frame, bin_ in sorted(entries)[:count]:
        mask[bin_, frame] = 1
    return mask


@settings(max_examples=torture(100, 2000))
@given(maps, st.floats(0, 1))
def test_ties_fall_in_the_order_of_frames_then_bins(array, share):
    values = torch.from_numpy(array)
    count = math.floor(Fraction(str(share)) * values[0].numel() + Fraction(1, 2))
    mask, positive = top(values, share), top(values, share, positive=True)
    assert mask.is_contiguous()
    for clip, kept in zip(values, mask, strict=True):
        assert kept[0].equal(first_by_hand(clip[0], count))
    assert positive.equal(mask * (values > 0))


@pytest.mark.parametrize(("share", "kept", "decided"), [(0.05, 461, 205), (0.45, 4147, 51)])
def test_a_cut_segment_stays_in_one_piece(share, kept, decided):
    """A map that is constant on squares, as that of LIME is on segments: the count cuts one."""
    squares = torch.randn(4, 9, generator=torch.Generator().manual_seed(0))
    values = squares.repeat_interleave(16, 0).repeat_interleave(16, 1)[None, None]
    mask = top(values, share)
    cut = values == values[mask == 1].min()
    part = (mask * cut)[0, 0]
    assert (mask.sum(), cut.sum(), part.sum()) == (kept, 256, decided)
    assert tie_share(values, share).item() == pytest.approx(decided / kept)
    assert label(part.numpy())[1] == 1
    # Its first frames are kept, and only the last of them is incomplete.
    per_frame = part.sum(0)[part.sum(0) > 0].tolist()
    assert per_frame == [16.0] * (decided // 16) + [float(decided % 16)]


def test_the_share_that_ties_decide_by_hand():
    values = torch.tensor([[[[3.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0, -1.0]]]])
    by_hand = {
        0.0: 0,  # nothing is kept
        0.1: 0,  # 3
        0.2: 1 / 2,  # 3, and one of the 1s
        0.3: 2 / 3,
        0.4: 0,
        0.6: 2 / 6,  # two of the four 0s
        0.8: 0,
        0.9: 1 / 9,
        1.0: 0,
    }
    assert {share: tie_share(values, share).item() for share in by_hand} == by_hand
    # Zeros and negative entries are never in the mask of positive ones.
    positive = {share: tie_share(values, share, positive=True).item() for share in by_hand}
    assert positive == by_hand | {0.6: 0, 0.9: 0}
    both = torch.cat([values, torch.arange(10.0).expand_as(values)])
    assert tie_share(both, 0.3).tolist() == [2 / 3, 0]
    assert tie_share(torch.zeros(1, 1, 4, 5), 0.05).item() == 1
    with pytest.raises(ArgumentError, match="NaN"):
        tie_share(values * torch.nan, 0.3)


@given(maps, st.floats(0, 1))
def test_without_ties_the_values_decide(array, share):
    """The mask is the same whatever the order of ties if, and only if, the share is 0."""
    values = torch.from_numpy(array)
    backwards = top(values.flip(2, 3), share).flip(2, 3)
    same = (top(values, share) == backwards).flatten(1).all(1)
    decided = tie_share(values, share)
    assert same.equal(decided == 0)
    assert ((decided >= 0) & (decided <= 1)).all()


@given(st.integers(1, 99), st.integers(1, 20000))
def test_every_percentage_counts_right(percent, entries):
    """In floats 0.29 * 50 + 0.5 is 14.999…, so the count was 14 where it is 15."""
    _, mask = resolve_mask(f"topK_{percent}")
    count = (2 * percent * entries + 100) // 200
    assert mask(torch.zeros(1, 1, 1, entries)).sum().item() == count


@pytest.mark.parametrize("share", [-0.1, 1.01, 30, math.nan])
def test_a_percentage_is_no_share(share):
    """A share of 30 kept everything, and -0.1 all but a tenth."""
    for make in (
        lambda: top(VALUES, share),
        lambda: tie_share(VALUES, share),
        lambda: MASKS["pos_thresh_25"](VALUES, share=share),
    ):
        with pytest.raises(ArgumentError, match=r"a share lies in \[0, 1\], e\.g\. 0\.3 for 30 %"):
            make()


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


VALUES = torch.tensor([[[[-1.0, 0.5, 2.0]]]])


def above_zero(values):
    return values > 0


class Soft:
    def __call__(self, values):
        return values.sigmoid()


@pytest.mark.parametrize(
    ("share", "name"),
    [(0.3, "topK_30"), (0.125, "topK_12.5"), (0.05, "topK_5"), (np.float64(0.07), "topK_7")],
)
def test_a_share_is_the_mask_that_keeps_it(share, name):
    found, mask = resolve_mask(share)
    assert found == name
    values = torch.randn(1, 1, 10, 40)
    assert torch.equal(mask(values), top(values, share))
    if name in MASKS:
        assert mask is MASKS[name]


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 30, 1, True, math.nan, math.inf, 1e-9])
def test_other_numbers_are_no_share(share):
    with pytest.raises(ArgumentError, match="a share of the bins lies between 0 and 1"):
        resolve_mask(share)


@pytest.mark.parametrize("shape", [(2, 3), (1, 1, 2, 3)])
@pytest.mark.parametrize("is_boolean", [False, True])
def test_a_tensor_is_a_mask_of_its_own(shape, is_boolean):
    tensor = torch.tensor([0.0, 1.0, 1.0, 0.0, 0.0, 1.0]).view(shape)
    name, mask = resolve_mask(tensor.bool() if is_boolean else tensor)
    values = torch.randn(2, 1, 2, 3)
    made = mask(values)
    assert name == "given"
    assert torch.equal(made, tensor.view(1, 1, 2, 3).expand(2, 1, 2, 3))
    made.zero_()
    assert mask(values).sum() == 6
    assert resolve_mask(mask) == ("given", mask)
    assert resolve_mask(GivenMask(tensor, "mine"))[0] == "mine"
    # As a mask travels to a run's worker processes; the bytes are made here.
    assert pickle.loads(pickle.dumps(mask))(values).equal(mask(values))
    with pytest.raises(ArgumentError, match=r"does not fit this clip.*\(2, 4\)"):
        mask(torch.zeros(1, 1, 2, 4))


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.zeros(3), "a mask is a tensor"),
        (torch.zeros(2, 1, 2, 3), "a mask is a tensor"),
        (torch.zeros(0, 3), "a mask is a tensor"),
        (torch.full((2, 3), 1.5), "a mask lies in"),
        (torch.full((2, 3), math.nan), "a mask lies in"),
    ],
)
def test_other_tensors_are_no_mask(tensor, words):
    with pytest.raises(ArgumentError, match=words):
        resolve_mask(tensor)


def test_a_mask_is_resolved_by_name_or_from_a_function():
    assert resolve_mask("bin") == ("bin", MASKS["bin"])
    assert resolve_mask(MASKS["topK_30"]) == ("topK_30", MASKS["topK_30"])
    name, mask = resolve_mask(above_zero)
    assert name == "above_zero"
    assert mask(VALUES).equal(torch.tensor([[[[0.0, 1.0, 1.0]]]]))
    assert resolve_mask(mask) == (name, mask)
    # As a mask travels to a run's worker processes; the bytes are made here.
    assert pickle.loads(pickle.dumps(mask)) == mask
    name, mask = resolve_mask(partial(partial(top, share=0.4)))
    assert (name, mask(VALUES).flatten().tolist()) == ("top", [0, 0, 1])
    name, mask = resolve_mask(Soft())
    assert name == "Soft"
    assert mask(VALUES).equal(MASKS["sigmoid"](VALUES))
    assert resolve_mask("mine", {"mine": above_zero}) == ("mine", above_zero)


def test_other_percentages_are_known_by_pattern():
    values = torch.randn(2, 1, 10, 20, generator=torch.Generator().manual_seed(0))
    for name, make in {
        "topK_20": partial(top, share=0.2),
        "topK_1": partial(top, share=0.01),
        "topK_99": partial(top, share=0.99),
        "topK_2.5": partial(top, share=0.025),
        "topK_80_pos": partial(top, share=0.8, positive=True),
        "pos_thresh_10": partial(MASKS["pos_thresh_25"].func, share=0.1),
    }.items():
        resolved, mask = resolve_mask(name)
        assert resolved == name == usable_name(name)
        assert mask(values).equal(make(values)), name
        # Bytes made here, as for a run's worker processes.
        assert pickle.loads(pickle.dumps(mask))(values).equal(make(values))
    assert resolve_mask("topK_5")[1] is MASKS["topK_5"]
    assert list(STUDY_MASKS) == PUBLISHED
    # In their order, beside any others.
    assert [name for name in MASKS if name in STUDY_MASKS] == PUBLISHED


def test_the_table_of_masks_knows_other_percentages():
    names = list(MASKS)
    assert MASKS["topK_31"](VALUES).equal(top(VALUES, 0.31))
    assert MASKS["topK_30"] is resolve_mask("topK_30")[1]
    assert (list(MASKS), len(MASKS), "topK_31" in MASKS) == (names, 14, False)
    assert pickle.loads(pickle.dumps(MASKS))["topK_31"](VALUES).equal(top(VALUES, 0.31))
    with pytest.raises(ArgumentError, match="unknown mask 'topk_31'; did you mean 'topK_31'"):
        MASKS["topk_31"]
    for wrong in ("best", "topK_131", 30):
        with pytest.raises(ArgumentError, match=f"unknown mask {wrong!r}; choose one of: bin, "):
            MASKS[wrong]
    assert MASKS.get("topK_31") is None


def test_a_name_nearly_right_is_named():
    for wrong, meant in {
        "topk_30": "topK_30",
        "topk_20": "topK_20",
        "topK_020": "topK_20",
        "topK_5.0": "topK_5",
        "TOPK_12.50_POS": "topK_12.5_pos",
        "pos_tresh_25": "pos_thresh_25",
        "min_max": "minmax",
    }.items():
        with pytest.raises(ArgumentError, match=f"unknown mask '{wrong}'; did you mean '{meant}'"):
            resolve_mask(wrong)
    for wrong in ("topK_0", "topK_100", "topK_0.00001", "pos_thresh_20_pos"):
        with pytest.raises(ArgumentError, match=r"; choose .*; or topK_k, .* with 0 < k < 100"):
            resolve_mask(wrong)
    with pytest.raises(ArgumentError, match=r"choose one of: mine$"):
        resolve_mask("topK_20", {"mine": above_zero})


def test_a_function_of_the_user_does_not_change_the_attribution():
    def in_place(values):
        return values.clamp_(0, 1)

    values = VALUES.clone()
    resolve_mask(in_place)[1](values)
    assert values.equal(VALUES)


def test_masks_that_cannot_be_resolved_are_named():
    def minmax(values):
        return values

    def topK_20(values):
        return values

    for wrong, message in {
        "top": "unknown mask 'top'",
        (lambda values: values): r"give it one: def my_mask\(values\)",
        partial(lambda values, share: values, share=1): "a lambda has no name",
        3: "a share of the bins lies between 0 and 1",
        b"bin": "not a bytes",
        minmax: "another mask is called minmax",
        topK_20: "another mask is called topK_20",
    }.items():
        with pytest.raises(ArgumentError, match=message):
            resolve_mask(wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda values: values, r"in \[0, 1\]; it has values from -1 to 2"),
        (lambda values: values * torch.nan, "must be finite"),
        (
            lambda values: values[..., :1],
            r"the shape of its values \(1, 1, 1, 3\), not \(1, 1, 1, 1\)",
        ),
        (lambda values: values.numpy(), "must return a tensor, not a ndarray"),
    ],
)
def test_what_a_function_of_the_user_returns_is_checked(wrong, message):
    with pytest.raises(ArgumentError, match=rf"mask mine: .*{message}"):
        CheckedMask("mine", wrong)(VALUES)
    with pytest.raises(ArgumentError, match="NaN or infinite"):
        CheckedMask("mine", above_zero)(VALUES * torch.nan)


def test_names_can_be_folders_and_words_of_a_table():
    for name in ("gradcam", "my-method_2.1", "A", "x" * 100):
        assert usable_name(name) == name
    for name in ("a/b", "..", ".hidden", "-x", "", "a b", "a\n", "é", "x" * 101, None, 3):
        with pytest.raises(ArgumentError, match="is no folder name; use letters"):
            usable_name(name)


@pytest.mark.parametrize("positive", [False, True])
def test_the_masks_of_several_shares_are_those_of_each(positive):
    generator = torch.Generator().manual_seed(3)
    # Few different values, so that shares cut through equal ones; both zeros.
    values = torch.randint(-2, 3, (2, 1, 7, 9), generator=generator) * 0.5
    values[values == 0] = -0.0
    values[0, 0, :3][values[0, 0, :3] == 0] = 0.0
    shares = [0.0, 0.05, 0.3, 0.31, 0.95, 1.0]
    masks = top_at_shares(values, shares, positive)
    for mask, share in zip(masks, shares, strict=True):
        flat = values.transpose(2, 3).flatten(1)
        expected = torch.zeros_like(flat)
        for clip, entries in enumerate(flat.tolist()):
            order = sorted(range(len(entries)), key=lambda place: -entries[place])
            for place in order[: int(share * len(entries) + 0.5)]:
                expected[clip, place] = float(entries[place] > 0 or not positive)
        assert torch.equal(mask.transpose(2, 3).flatten(1), expected)

"""The parts of a clip: equal to one part at a time, made by as few computations as are needed."""

from dataclasses import replace

import pytest
import torch
from conftest import noise, small_classifier
from hypothesis import given
from hypothesis import strategies as st

import audiointerp as ai
from audiointerp.errors import ArgumentError
from audiointerp.interpretation import Attribution
from audiointerp.processing import MaskedParts, levels_of_sounds
from audiointerp.scoring import Plan, classify_parts
from audiointerp.scoring.attribution_rows import attribution_rows
from audiointerp.scoring.content import heard_shares
from audiointerp.scoring.part_outputs import ClipParts, distinct_masks
from audiointerp.util import FILLS

CLASSIFIER = small_classifier(duration=0.3)
CLIP = CLASSIFIER.transform(noise(0.3))
SHAPE = CLIP.db.shape
TARGET = torch.tensor([1])


def drawn(seed):
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed))


def kinds_of_masks():
    """Hard, soft and constant masks, and one that is there twice."""
    hard = (drawn(1) < 0.4).float()
    half, ones = torch.full(SHAPE, 0.5), torch.ones(SHAPE)
    return torch.cat([hard, drawn(2), ones, 0 * ones, half, hard, 1 - hard, (drawn(3) > 0.9) * 1.0])


def one_at_a_time(classifier, clip, masks, on, fill):
    """The slow way: p and HEARD of every part by itself, by the public functions alone."""

    def part(mask):
        masked = clip.masked(mask, fill=fill)
        db = classifier.transform(masked.to_wav()).db if on == "audio" else masked.db
        p = classifier.probabilities(db)[0, TARGET].item()
        return p, heard_shares(clip.db, db).item()

    clean, _ = part(torch.ones_like(clip.db))
    kept = [part(mask[None]) for mask in masks]
    removed = [part(1 - mask[None])[0] for mask in masks]
    return clean, [p for p, _ in kept], removed, [heard for _, heard in kept]


def assert_as_one_at_a_time(classifier, clip, masks, on, fill):
    outcomes = classify_parts(classifier, clip, TARGET, masks, on=on, fill=fill)
    clean, kept, removed, heard = one_at_a_time(classifier, clip, masks, on, fill)
    p, p_in, p_out = outcomes.probs[..., outcomes.target].tolist()
    assert p == pytest.approx([clean] * len(masks), abs=1e-6)
    assert p_in == pytest.approx(kept, abs=1e-6)
    assert p_out == pytest.approx(removed, abs=1e-6)
    # A level within rounding of the limit may be counted or not.
    bins = clip.db.numel()
    assert outcomes.content["HEARD"].tolist() == pytest.approx(heard, abs=2 / bins)


@pytest.mark.parametrize("on", ["features", "audio"])
@pytest.mark.parametrize("fill", FILLS)
def test_parts_are_those_that_are_made_one_at_a_time(fill, on):
    assert_as_one_at_a_time(CLASSIFIER, CLIP, kinds_of_masks(), on, fill)


@pytest.mark.parametrize("on", ["features", "audio"])
@pytest.mark.parametrize("fill", ["silence", "background"])
def test_parts_of_a_real_clip(esc10, fill, on):
    classifier = ai.Classifier.load("weights/esc10_mel_cnn10.safetensors")
    wav = ai.load_audio(min((esc10 / "audio").iterdir()), sample_rate=32000)
    clip = classifier.transform(wav / wav.abs().max())
    loud = (clip.db > clip.db.quantile(0.7)).float()
    soft = (clip.db - clip.db.min()) / (clip.db.max() - clip.db.min())
    assert_as_one_at_a_time(classifier, clip, torch.cat([loud, soft]), on, fill)


@pytest.mark.parametrize(
    "transform",
    [
        ai.LogMel(),
        ai.LogSTFT(32000, 512, 200),
        ai.LogMel(center=False, preemphasis=0.97),
        ai.LogMel(32000, 1024, 320, power=1),
    ],
    ids=repr,
)
@pytest.mark.parametrize("fill", FILLS)
def test_levels_and_sounds_are_those_of_masked(transform, fill):
    clip = transform(noise(0.3))
    masks = torch.rand(9, *clip.db.shape[1:], generator=torch.Generator().manual_seed(0))
    masks[:5] = masks[:5].round()
    parts, slow = MaskedParts(clip, fill), clip.masked(masks, fill=fill)
    assert parts.levels(masks).equal(slow.db)
    torch.testing.assert_close(parts.sounds(masks), slow.to_wav(), rtol=0, atol=1e-6)
    again = transform(slow.to_wav()).db
    torch.testing.assert_close(parts.heard(masks), again, rtol=0, atol=1e-3)
    torch.testing.assert_close(levels_of_sounds(transform, slow.to_wav()), again, rtol=0, atol=1e-3)


@given(st.integers(0, 2**31), st.sampled_from(sorted(FILLS)), st.booleans())
def test_the_sounds_of_the_parts_of_any_hard_mask_add_up_to_one_sound(seed, fill, is_mel):
    """The gains of the parts are 1 and g, or g and 1: their sum 1 + g knows nothing of the mask."""
    transform = ai.LogMel() if is_mel else ai.LogSTFT()
    clip = transform(noise(0.1).double())
    mask = torch.rand(clip.db.shape, generator=torch.Generator().manual_seed(seed)).round()
    parts = MaskedParts(clip, fill)
    kept, removed = parts.sounds(torch.cat([mask, 1 - mask]).double()).split(1)
    gain_of_fill = clip.masked(torch.zeros_like(clip.db), fill=fill).gain
    together = replace(clip, gain=1 + gain_of_fill).to_wav()
    if fill == "silence":
        torch.testing.assert_close(together, clip.to_wav())
    torch.testing.assert_close(kept + removed, together, rtol=0, atol=1e-9)


def test_masks_that_do_not_fit_are_refused():
    parts = ClipParts(CLASSIFIER, CLIP)
    with pytest.raises(ArgumentError, match="does not fit features"):
        parts.outputs(torch.ones(1, 1, 2, 2))
    for value, seen in ((1.5, "1.5 to 1.5"), (-0.5, "-0.5 to -0.5"), (torch.nan, "nan to nan")):
        with pytest.raises(ArgumentError, match=f"spans {seen}"):
            parts.outputs(torch.full(SHAPE, value))


@pytest.mark.parametrize(
    "shape",
    [SHAPE[2:], SHAPE[1:], (SHAPE[3],), (SHAPE[2], 1), (3, 1, 1, SHAPE[3]), (1, 1)],
    ids=str,
)
@pytest.mark.parametrize("fill", ["silence", "background"])
def test_a_mask_with_fewer_dimensions_is_that_mask_in_full(shape, fill):
    """The mask of a map ``(F, T)``, of frames, of bands, or one number for all bins."""
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    full = mask.expand(torch.broadcast_shapes(mask.shape, SHAPE)).clone()
    parts = MaskedParts(CLIP, fill)
    for make in (parts.levels, parts.sounds, parts.heard):
        assert make(mask).equal(make(full))
    masked = CLIP.masked(mask, fill=fill)
    assert masked.db.equal(parts.levels(full))
    torch.testing.assert_close(masked.to_wav(), parts.sounds(full), rtol=0, atol=1e-6)
    few, many = (ClipParts(CLASSIFIER, CLIP).outputs(each)[0] for each in (mask, full))
    assert few.log_p.equal(many.log_p)


@pytest.mark.parametrize("shape", [(2, *SHAPE), (1, 2, *SHAPE[2:])], ids=["five", "channels"])
def test_a_mask_of_more_than_a_clip_has_is_refused(shape):
    parts = MaskedParts(CLIP)
    for make in (parts.levels, parts.sounds, parts.heard, CLIP.masked):
        with pytest.raises(ArgumentError, match="does not fit features"):
            make(torch.ones(shape))


def test_the_ends_are_the_same_whatever_the_masks_are():
    """The clean clip and the empty one are forwards of their own: equal bits for all methods."""
    ones = torch.ones(SHAPE)
    alone, _ = ClipParts(CLASSIFIER, CLIP).outputs(torch.cat([ones, 0 * ones]), "audio")
    parts = ClipParts(CLASSIFIER, CLIP)
    parts.outputs(drawn(5), "audio")
    among, _ = parts.outputs(torch.cat([kinds_of_masks(), ones, 0 * ones]), "audio")
    first, last = among.log_p[:1], among.log_p[[9, 10, 19, 20]]
    assert alone.log_p.equal(torch.cat([first, last]))
    assert alone.log_p[0].equal(alone.log_p[1])
    assert alone.log_p[2].equal(alone.log_p[3])


class Counted:
    """A function that counts its calls, and the rows that it gets."""

    def __init__(self, function):
        self.function, self.calls, self.rows = function, 0, 0

    def __call__(self, tensor, *args, **kwargs):
        self.calls += 1
        self.rows += len(tensor)
        return self.function(tensor, *args, **kwargs)


@pytest.fixture
def counts(monkeypatch):
    """Counters of the forwards, the STFTs, their inverses and the fills."""
    fills = Counted(FILLS["background"])
    monkeypatch.setitem(FILLS, "background", fills)
    stft, inverse = Counted(torch.stft), Counted(torch.fft.irfft)
    monkeypatch.setattr(torch, "stft", stft)
    monkeypatch.setattr(torch.fft, "irfft", inverse)
    forward = Counted(CLASSIFIER.network.forward)
    monkeypatch.setattr(CLASSIFIER.network, "forward", forward)
    return {"forward": forward, "stft": stft, "inverse": inverse, "fills": fills}


def attribution(seed):
    return Attribution(drawn(seed), TARGET, torch.tensor([[0.5, 0.5]]), f"method{seed}", {})


def rows_of(counts, plan, methods):
    """The rows and bars of each computation for one clip and a number of methods."""
    for counted in counts.values():
        counted.calls = counted.rows = 0
    parts = ClipParts(CLASSIFIER, CLIP)
    for seed in range(methods):
        attribution_rows(parts, plan, attribution(seed), None)
    return {name: (counted.rows, counted.calls) for name, counted in counts.items()}


def test_no_forward_transform_or_inverse_more_than_needed(counts):
    """Random values are positive: two of the five masks are equal to others, one is all ones."""
    masks = ["topK_30", "topK_30_pos", "topK_5", "minmax", "bin"]
    assert len(torch.cat([ai.MASKS[name](drawn(0)) for name in masks]).unique(dim=0)) == 4
    plan = Plan(masks, on=["features", "audio"], fills=["background"], nulls=[])
    # Features: the clean clip; of the mask of ones, the empty clip; three masks have two parts.
    # Audio: the same, and each of these has one inverse and one transform.
    for methods in (1, 2):
        made = rows_of(counts, plan, methods)
        of_audio = 1 + 1 + methods * 6
        assert made["forward"] == (2 * of_audio, 2 * (1 + 1 + methods))
        assert made["stft"][0] == made["inverse"][0] == of_audio
        # The fill of a clip is made once; the ends have silence.
        assert made["fills"][1] == 1


def test_equal_draws_are_classified_once(counts):
    """The nulls of a constant mask are that mask."""
    plan = Plan(["bin"], nulls=["pixelwise", "smooth", "rolled"])
    assert rows_of(counts, plan, 1)["forward"] == (2, 2)


def test_a_batch_has_sixteen_parts_of_eight_masks(counts):
    plan = Plan([0.05 * step for step in range(1, 12)], nulls=[])
    rows, calls = rows_of(counts, plan, 1)["forward"]
    assert (rows, calls) == (1 + 22, 1 + 2)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=12))
def test_equal_masks_are_found_in_the_order_of_their_first_appearance(numbers):
    known = torch.stack([drawn(7)[0], torch.ones(SHAPE[1:]), -0.0 * torch.ones(SHAPE[1:])])
    masks = known[numbers]
    distinct, places = distinct_masks(masks)
    assert distinct[places].equal(masks)
    assert len(distinct) == len(masks.unique(dim=0)) == len(set(numbers))
    assert places.unique_consecutive()[0] == 0
    assert distinct.equal(known[list(dict.fromkeys(numbers))])


def test_zeros_of_both_signs_are_one_mask():
    zeros = torch.zeros(2, *SHAPE[1:])
    zeros[1] = -0.0
    assert len(distinct_masks(zeros)[0]) == 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.bool])
def test_masks_of_any_number_type_are_compared(dtype):
    """Numpy has no bfloat16; masks of float64 may differ by less than float32 tells apart."""
    masks = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0]).view(5, 1, 1, 1).expand(-1, 1, 3, 2).to(dtype)
    if dtype == torch.float64:
        masks = masks * (1 - 1e-12)
        masks[4] = 1
    distinct, places = distinct_masks(masks)
    assert places.tolist() == [0, 1, 1, 0, 2 if dtype == torch.float64 else 1]
    assert distinct.dtype == dtype
    assert distinct[places].equal(masks)

"""Properties of transforms and masking for any setting, length and level of the sound."""

from functools import lru_cache

import pytest
import torch
from conftest import snr, torture
from hypothesis import given, settings
from hypothesis import strategies as st

from audiointerp.processing.masking import DOMAINS
from audiointerp.processing.spectrogram import LogMel, LogSTFT
from audiointerp.util import FILLS
from audiointerp.util.probability import FLOOR

LAWS_OF = "transforms"
pytestmark = [
    # more mel bands than bins: allowed, librosa warns
    pytest.mark.filterwarnings("ignore:Empty filters detected"),
    # the laws hold for samples of any level
    pytest.mark.filterwarnings("ignore:the largest .sample. of the sound is"),
]
KINDS = ("noise", "silence", "click", "constant", "square", "half silent")
DTYPES = (torch.float32, torch.float64)


@lru_cache
def mel(n_fft, divisor, n_mels, low, scale):
    return LogMel(8000, n_fft, max(1, n_fft // divisor), n_mels, low, 4000.0, scale)


@st.composite
def short_time(draw):
    n_fft = 2 * draw(st.integers(1, 128))
    return LogSTFT(8000, n_fft, draw(st.integers(1, n_fft // 2)))


transforms = short_time() | st.builds(
    mel,
    st.sampled_from([16, 64, 100, 256]),
    st.sampled_from([2, 3, 5, 16]),
    st.sampled_from([1, 5, 40]),
    st.sampled_from([0.0, 300.0]),
    st.sampled_from(["htk", "slaney"]),
)


def sound(kind, amplitude, length, dtype, seed):
    """Two clips ``(2, 1, length)`` whose largest sample is of about this amplitude."""
    wav = torch.randn(2, 1, length, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    place = seed % length
    if kind == "silence":
        wav = wav * 0
    elif kind == "click":
        wav = torch.zeros_like(wav)
        wav[..., place] = 1
    elif kind == "constant":
        wav = torch.ones_like(wav)
    elif kind == "square":
        wav = wav.sign()
    elif kind == "half silent":
        wav[..., place:] = 0
    return wav * amplitude


sounds = st.builds(
    sound,
    st.sampled_from(KINDS),
    st.floats(-20, 3).map(lambda exponent: 10.0**exponent),
    st.integers(1, 700),
    st.sampled_from(DTYPES),
    st.integers(0, 10**6),
)


def drawn_mask(like, seed, binary):
    """A mask with exact zeros and ones among its values, or with nothing else."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(like.shape, generator=generator, dtype=like.dtype)
    if binary:
        return (mask < torch.rand(1, generator=generator)).to(like)
    return (1.5 * mask - 0.25).clamp(0, 1)


def nearly(wav, other):
    """100 dB, or nothing but silence on both sides."""
    return other.equal(wav) if not wav.any() else snr(wav, other) >= 100


@given(transforms, sounds)
def test_levels_are_finite_and_not_below_the_floor(transform, wav):
    before = wav.clone()
    spec = transform(wav)
    assert spec.db.shape == (2, 1, transform.num_bins, transform.num_frames(wav.shape[-1]))
    assert spec.db.isfinite().all()
    assert (spec.db >= FLOOR).all()
    assert spec.db.dtype == wav.dtype
    assert wav.equal(before)
    if not wav.any():
        assert (spec.db == FLOOR).all()


@given(transforms, sounds)
def test_a_mask_of_ones_changes_nothing_and_one_of_zeros_leaves_nothing(transform, wav):
    spec = transform(wav)
    ones = torch.ones_like(spec.db)
    for domain in DOMAINS if isinstance(transform, LogSTFT) else DOMAINS[:2]:
        kept, removed = spec.masked(ones, domain), spec.masked(ones * 0, domain)
        assert kept.db.equal(spec.db)
        assert nearly(wav, kept.to_wav())
        assert (removed.db == FLOOR).all()
        assert removed.to_wav().equal(torch.zeros_like(wav))


@given(transforms, sounds, st.integers(0, 10**6))
def test_kept_and_removed_parts_add_up(transform, wav, seed):
    spec = transform(wav)
    mask = drawn_mask(spec.db, seed, binary=True)
    for domain in DOMAINS if isinstance(transform, LogSTFT) else DOMAINS[:2]:
        kept, removed = spec.masked(mask, domain), spec.masked(1 - mask, domain)
        assert torch.where(mask == 1, kept.db, removed.db).equal(spec.db)
        assert (torch.where(mask == 1, removed.db, kept.db) == FLOOR).all()
        assert nearly(wav, kept.to_wav() + removed.to_wav())


@given(transforms, sounds, st.integers(0, 10**6))
def test_a_larger_mask_keeps_no_less(transform, wav, seed):
    spec = transform(wav)
    one, other = (
        drawn_mask(spec.db, seed, binary=False),
        drawn_mask(spec.db, seed + 1, binary=False),
    )
    small, large = torch.minimum(one, other), torch.maximum(one, other)
    rounding = 1e-4 if wav.dtype == torch.float32 else 1e-12
    for domain in DOMAINS if isinstance(transform, LogSTFT) else DOMAINS[:2]:
        less, more = spec.masked(small, domain), spec.masked(large, domain)
        assert (less.db <= more.db + rounding).all()
        assert (less.gain <= more.gain * (1 + rounding)).all()
        assert (more.db <= spec.db + rounding).all()
        assert (less.db >= FLOOR).all()


@given(
    transforms,
    sounds,
    st.integers(0, 10**6),
    st.sampled_from(
        [*[("db", fill) for fill in FILLS], *[(domain, "silence") for domain in DOMAINS[1:]]]
    ),
)
def test_every_masked_sound_is_finite_and_as_long_as_the_clip(transform, wav, seed, way):
    domain, fill = way if isinstance(transform, LogSTFT) else (DOMAINS[way[0] != "db"], way[1])
    spec = transform(wav)
    once = spec.masked(drawn_mask(spec.db, seed, binary=False), domain, fill)
    rounding = 1e-4 if wav.dtype == torch.float32 else 1e-12
    for heard in (once, once.masked(drawn_mask(spec.db, seed, binary=True), domain, fill)):
        assert (heard.db >= FLOOR - rounding).all()
        assert (heard.db <= spec.db.amax((1, 2, 3), keepdim=True) + rounding).all()
        assert heard.to_wav().shape == wav.shape
        assert heard.to_wav().isfinite().all()
        assert heard.to_wav("lstsq").isfinite().all()


@settings(max_examples=torture(10, 2000))
@given(transforms, sounds, st.sampled_from(["nnls", "griffinlim"]))
def test_the_lossy_ways_back_are_finite(transform, wav, method):
    spec = transform(wav[:1].float())
    heard = spec.masked(drawn_mask(spec.db, 0, binary=False)).to_wav(method)
    assert heard.shape == wav[:1].shape
    assert heard.isfinite().all()

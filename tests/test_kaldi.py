"""Kaldi's filter bank, as torchaudio computes it, and a grid with its bands."""

from contextlib import contextmanager

import pytest
import torch
from conftest import snr, torture
from front_ends import (
    BASE,
    DB,
    LN_TO_DB,
    RATE,
    noise,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck
from torchaudio.compliance.kaldi import fbank

from audiointerp.errors import ArgumentError
from audiointerp.processing import kaldi_fbank
from audiointerp.processing.kaldi import WINDOWS
from audiointerp.processing.spectrogram import LogMel

LAWS_OF = "front ends"
pytestmark = pytest.mark.filterwarnings("ignore:.*mel filterbank has all zero values")


@contextmanager
def double_by_default():
    """Let torchaudio compute its filters in float64 too.

    In float32, the weight of a band whose foot alone covers a bin is wrong by 1e-4 of itself.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def kaldi_arguments(kwargs):
    names = {
        "n_mels": "num_mel_bins",
        "window": "window_type",
        "f_min": "low_freq",
        "f_max": "high_freq",
        "preemphasis": "preemphasis_coefficient",
        "remove_dc": "remove_dc_offset",
    }
    arguments = {names.get(name, name): value for name, value in kwargs.items()}
    power = arguments.pop("power", 2)
    return {"sample_frequency": float(RATE), "dither": 0.0, "use_power": power == 2, **arguments}


KALDI = {
    **{f"window {name}": {"window": name} for name in WINDOWS},
    "Kaldi's defaults": {"n_mels": 23, "window": "povey"},
    "80 bands": {"n_mels": 80, "f_min": 0.0, "f_max": 7600.0},
    "no filters": {"preemphasis": 0.0, "remove_dc": False},
    "all frames": {"snip_edges": False},
    "magnitudes": {"power": 1},
    "long frames": {"frame_length": 40.0, "frame_shift": 12.5},
    "frames without overlap": {"frame_length": 10.0, "frame_shift": 20.0, "snip_edges": False},
}


@pytest.mark.parametrize("kwargs", KALDI.values(), ids=KALDI)
def test_kaldi_fbank_equals_torchaudio(kwargs, sounds):
    kwargs = {"n_mels": 128, "window": "hanning", **kwargs}
    for wav in [*sounds, torch.zeros(1, 1, 1000, dtype=torch.float64)]:
        expected = fbank(wav[0], htk_compat=True, **kaldi_arguments(kwargs))
        features = kaldi_fbank(wav[0], RATE, **kwargs)[0]
        assert features.shape == expected.shape
        assert (features - expected).abs().max() * LN_TO_DB < DB


def test_kaldi_fbank_of_ast_in_single_precision(sounds):
    for wav in (sound[0].float() for sound in sounds):
        theirs = fbank(
            wav - wav.mean(),
            htk_compat=True,
            sample_frequency=RATE,
            use_energy=False,
            window_type="hanning",
            num_mel_bins=128,
            dither=0.0,
            frame_shift=10,
        )
        assert (kaldi_fbank(wav - wav.mean())[0] - theirs).abs().max() * LN_TO_DB < DB


@settings(max_examples=torture(30, 2000))
@given(
    st.integers(4, 128),
    st.sampled_from(sorted(WINDOWS)),
    st.sampled_from([10.0, 20.0, 25.0]),
    st.sampled_from([5.0, 10.0, 16.0]),
    st.booleans(),
    st.integers(400, 1500),
)
def test_any_kaldi_fbank_equals_torchaudio(n_mels, window, frame, shift, snip_edges, length):
    kwargs = {
        "n_mels": n_mels,
        "window": window,
        "frame_length": frame,
        "frame_shift": shift,
        "snip_edges": snip_edges,
    }
    wav = noise(length, n_mels)[0]
    with double_by_default():
        expected = fbank(wav, **kaldi_arguments(kwargs))
    assert (kaldi_fbank(wav, RATE, **kwargs)[0] - expected).abs().max() * LN_TO_DB < DB


def test_kaldi_fbank_takes_batches_and_has_gradients():
    wavs = torch.cat([noise(600, seed)[0] for seed in range(3)])
    together = kaldi_fbank(wavs, n_mels=20)
    assert together.shape == (3, 2, 20)
    for number, wav in enumerate(wavs):
        assert torch.allclose(together[number], kaldi_fbank(wav[None], n_mels=20)[0])
    for power in (1, 2):
        assert gradcheck(
            lambda wav, power=power: kaldi_fbank(
                wav, 1000, n_mels=4, frame_length=16.0, power=power
            ),
            noise(30, 0)[0].requires_grad_(),
        )
        silence = torch.zeros(1, 600, requires_grad=True)
        kaldi_fbank(silence, power=power).sum().backward()
        assert silence.grad.isfinite().all()


def test_wrong_arguments_of_kaldi_fbank_are_named():
    wav = torch.zeros(1, 1000)
    for call, words in [
        (lambda: kaldi_fbank(wav[:, :300]), "at least 400 samples"),
        (lambda: kaldi_fbank(wav[None]), "sounds .N, L."),
        (lambda: kaldi_fbank(wav.int()), "int32"),
        (lambda: kaldi_fbank(wav, window="hann"), "unknown window 'hann'"),
        (lambda: kaldi_fbank(wav, f_max=9000.0), "f_max=9000"),
        (lambda: kaldi_fbank(wav, power=3), "power=3"),
        (lambda: kaldi_fbank(wav, frame_shift=0.0), "positive shift"),
    ]:
        with pytest.raises(ArgumentError, match=words):
            call()


def test_the_bands_of_kaldi_make_a_grid(sounds):
    """The same filters on the transform's power equal Kaldi's up to the frames' own filters."""
    from torchaudio.compliance.kaldi import get_mel_banks

    theirs, centres = get_mel_banks(40, 512, float(RATE), 20.0, 0.0, 100.0, -500.0, 1.0)
    transform = LogMel(*BASE, 40, 20.0, None, "kaldi")
    assert torch.allclose(transform.filters[:, :-1].float(), theirs, atol=1e-5)
    # Kaldi leaves out the bin at half the rate, where the highest band ends.
    assert (transform.filters[:, -1] < 1e-12).all()
    assert torch.allclose(
        transform.frequencies.float(), centres[:, 0] if centres.ndim > 1 else centres, rtol=1e-4
    )
    spec = transform(sounds[0])
    assert snr(sounds[0], spec.to_wav()) > 100
    with pytest.raises(ArgumentError, match="mel_norm"):
        LogMel(*BASE, 40, 20.0, None, "kaldi", mel_norm="slaney")

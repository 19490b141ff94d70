"""Transforms as other libraries compute them: parity, exact inversion, scaling, gradients."""

import json
import math
import re
from contextlib import contextmanager
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
import torchaudio
from conftest import around_peak, small_classifier, snr, torture
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck
from torchaudio.compliance.kaldi import fbank

import audiointerp as ai
from audiointerp.errors import ArgumentError
from audiointerp.processing import Scaling, kaldi_fbank, resample
from audiointerp.processing.emphasis import deemphasise, emphasise
from audiointerp.processing.kaldi import WINDOWS
from audiointerp.processing.spectrogram import LogMel, LogSTFT, transform_from_dict
from audiointerp.processing.stft import Framing
from audiointerp.processing.tapers import TAPERS, taper
from audiointerp.util import FLOOR

LAWS_OF = "front ends"
pytestmark = pytest.mark.filterwarnings("ignore:.*mel filterbank has all zero values")
DB = 1e-3
RATE = 16000
LN_TO_DB = 10 / math.log(10)
BASE = (RATE, 512, 160)
OPTIONS = {
    "win_length": {"win_length": 400},
    "an odd window": {"win_length": 401},
    **{f"window {name}": {"window": name} for name in TAPERS},
    "short povey": {"win_length": 400, "window": "povey"},
    "not centred": {"center": False},
    "not centred, short": {"center": False, "win_length": 400, "window": "hamming"},
    "zeros": {"padding": "zeros"},
    "magnitude": {"power": 1},
    "pre-emphasis": {"preemphasis": 0.97},
    "all": {
        "win_length": 400,
        "window": "hamming_symmetric",
        "center": False,
        "power": 1,
        "preemphasis": 0.95,
    },
}
STFTS = {name: LogSTFT(*BASE, **kwargs) for name, kwargs in OPTIONS.items()}
MELS = {name: LogMel(*BASE, 40, 0.0, None, **kwargs) for name, kwargs in OPTIONS.items()}
ALL = [*STFTS.values(), *MELS.values()]
ALL_IDS = [*[f"stft {name}" for name in STFTS], *[f"mel {name}" for name in MELS]]


@pytest.fixture(scope="module")
def sounds(request):
    """Noise, and real clips where they are, float64 at 16 kHz, of awkward lengths."""
    wavs = [torch.randn(1, 1, 12345, generator=torch.Generator().manual_seed(0)) * 0.1]
    try:
        for number, clip in enumerate(request.getfixturevalue("clips")[:3]):
            wavs.append(around_peak(resample(clip, 32000, RATE), RATE + number))
    except pytest.skip.Exception:
        pass
    return [wav.double() for wav in wavs]


def torch_window(name):
    """The window of torchaudio's transforms, without our code."""
    if name == "povey":
        return lambda length: torch_window("hann_symmetric")(length) ** 0.85
    if name == "rectangular":
        return lambda length: torch.ones(length, dtype=torch.float64)
    kind, _, symmetric = name.partition("_")
    window = getattr(torch, f"{kind}_window")
    return lambda length: window(length, periodic=not symmetric, dtype=torch.float64)


def torchaudio_kwargs(transform):
    return {
        "n_fft": transform.n_fft,
        "hop_length": transform.hop_length,
        "win_length": transform.win_length,
        "window_fn": torch_window(transform.window),
        "center": transform.center,
        "pad_mode": {"reflect": "reflect", "zeros": "constant"}[transform.padding],
        "power": transform.power,
    }


def torchaudio_values(transform, wav):
    """What torchaudio's transform gives, before any logarithm."""
    if transform.preemphasis:
        wav = torchaudio.functional.preemphasis(wav, transform.preemphasis)
    kwargs = torchaudio_kwargs(transform)
    if not isinstance(transform, LogMel):
        return torchaudio.transforms.Spectrogram(**kwargs)(wav)
    theirs = torchaudio.transforms.MelSpectrogram(
        transform.sample_rate,
        n_mels=transform.n_mels,
        f_min=transform.f_min,
        f_max=transform.f_max,
        mel_scale=transform.mel_scale,
        norm="slaney" if transform.mel_norm == "slaney" else None,
        **kwargs,
    )
    return theirs.double()(wav)


def torchaudio_db(transform, wav):
    kind = "power" if transform.power == 2 else "magnitude"
    values = torchaudio_values(transform, wav)
    return torchaudio.transforms.AmplitudeToDB(kind)(values).clamp_min(FLOOR)


@pytest.mark.parametrize("transform", ALL, ids=ALL_IDS)
def test_levels_equal_torchaudio(transform, sounds):
    for wav in sounds:
        assert (transform(wav).db - torchaudio_db(transform, wav)).abs().max() < DB


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("norm", ["none", "slaney"])
def test_mel_scales_and_norms_equal_torchaudio(scale, norm, sounds):
    transform = LogMel(*BASE, 40, 20.0, 7600.0, scale, mel_norm=norm)
    for wav in sounds:
        assert (transform(wav).db - torchaudio_db(transform, wav)).abs().max() < DB


def test_the_norm_of_a_scale_is_that_of_its_library():
    for scale, norm in [("htk", "none"), ("slaney", "slaney"), ("kaldi", "none")]:
        filters = LogMel(*BASE, 40, 0.0, None, scale).filters
        assert filters.equal(LogMel(*BASE, 40, 0.0, None, scale, mel_norm=norm).filters)
    peaks = LogMel(RATE, 4096, 160, 40, 0.0, None, "slaney", mel_norm="none").filters.amax(1)
    assert torch.allclose(peaks, torch.ones_like(peaks), atol=0.2)


framings = st.builds(
    lambda n_fft, win, hop, window, center, padding, power, preemphasis: LogSTFT(
        RATE,
        n_fft,
        min(hop, min(win, n_fft) // 2),
        win_length=min(win, n_fft),
        window=window,
        center=center,
        padding=padding,
        power=power,
        preemphasis=preemphasis,
    ),
    st.sampled_from([16, 64, 100]),
    st.integers(4, 100),
    st.integers(1, 50),
    st.sampled_from(TAPERS),
    st.booleans(),
    st.sampled_from(["reflect", "zeros"]),
    st.sampled_from([1, 2]),
    st.sampled_from([0.0, 0.5, 0.97]),
)


def noise(length, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 1, length, generator=generator, dtype=torch.float64)


@settings(max_examples=torture(60, 2000))
@given(framings, st.integers(100, 700), st.integers(0, 9))
def test_any_framing_equals_torchaudio(transform, length, seed):
    wav = noise(length, seed)
    db = transform(wav).db
    assert db.shape[-1] == transform.num_frames(length)
    assert (db - torchaudio_db(transform, wav)).abs().max() < DB


@settings(max_examples=torture(60, 2000))
@given(framings, st.integers(1, 700), st.integers(0, 9))
def test_any_framing_is_inverted_exactly(transform, length, seed):
    wav = noise(length, seed)
    spec = transform(wav)
    assert torch.allclose(spec.to_wav(), wav, atol=1e-9)
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.rand(spec.db.shape, generator=generator) < 0.5).double()
    kept, removed = spec.masked(mask).to_wav(), spec.masked(1 - mask).to_wav()
    assert torch.allclose(kept + removed, wav, atol=1e-9)
    assert spec.masked(0 * mask).to_wav().equal(torch.zeros_like(wav))


@pytest.mark.parametrize("transform", ALL, ids=ALL_IDS)
def test_real_clips_come_back_in_single_precision(transform, sounds):
    for double in sounds:
        wav = double.float()
        spec = transform(wav)
        assert snr(wav, spec.masked(torch.ones_like(spec.db)).to_wav()) >= 100
        mask = (torch.rand(spec.db.shape, generator=torch.Generator().manual_seed(0)) < 0.5).float()
        kept, removed = spec.masked(mask).to_wav(), spec.masked(1 - mask).to_wav()
        assert snr(wav, kept + removed) >= 100


@pytest.mark.parametrize("transform", ALL, ids=ALL_IDS)
def test_no_end_bursts(transform):
    """Without the frames over both ends, a masked clip would be amplified there."""
    peaks = []
    for length in (16000, 16001, 16159, 300):
        wav = noise(length, 1)
        spec = transform(wav)
        mask = (
            torch.rand(spec.db.shape, generator=torch.Generator().manual_seed(2)) < 0.5
        ).double()
        # De-emphasis raises low frequencies, so the sound that is masked is compared.
        masked, clip = spec.masked(mask).to_wav(), wav
        if transform.preemphasis:
            masked, clip = (emphasise(sound, transform.preemphasis) for sound in (masked, clip))
        peaks.append(float(masked.abs().max() / clip.abs().max()))
    assert max(peaks) <= 2


def test_without_centring_a_frame_begins_at_its_hop():
    wav = torch.zeros(1, 1, 2000)
    wav[..., 1000] = 1
    transform = LogSTFT(8000, 64, 32, center=False, window="rectangular")
    loud = (transform(wav).db[0, 0, 0] > -50).nonzero()[:, 0].tolist()
    assert loud == [30, 31]
    assert transform.num_frames(2000) == 61
    assert transform.num_frames(10) == 1


def test_the_ends_take_the_gains_of_the_nearest_frames():
    """Frames that are not centred reach over both ends of the clip."""
    wav = noise(4000, 0)
    for win_length in (None, 40):
        spec = LogSTFT(8000, 64, 16, center=False, win_length=win_length)(wav)
        mask = torch.zeros_like(spec.db)
        mask[..., :8] = 1
        kept = spec.masked(mask).to_wav()
        assert snr(wav[..., :100], kept[..., :100]) > 200
        assert (kept[..., 200:] == 0).all()
        removed = spec.masked(1 - mask).to_wav()
        assert (removed[..., :100] == 0).all()
        assert snr(wav[..., 200:], removed[..., 200:]) > 200


# ----- librosa


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("window", ["hann", "hamming", "blackman"])
def test_levels_equal_librosa_with_its_defaults(window, power, sounds):
    """Zeros beyond the ends, the Slaney scale, a band up to half the rate."""
    transform = LogMel(
        *BASE,
        64,
        0.0,
        None,
        "slaney",
        win_length=400,
        window=window,
        padding="zeros",
        power=power,
        scaling=Scaling(normalize="peak", top_db=80.0),
    )
    for wav in sounds:
        values = librosa.feature.melspectrogram(
            y=wav[0, 0].numpy(),
            sr=RATE,
            n_fft=512,
            hop_length=160,
            win_length=400,
            window=window,
            n_mels=64,
            power=power,
        )
        # In librosa the default of amin is 1e-5 for magnitudes, 1e-10 for powers, as our floor.
        convert = librosa.power_to_db if power == 2 else librosa.amplitude_to_db
        db = transform(wav).db
        np.testing.assert_allclose(db[0, 0], convert(values, top_db=None), atol=DB, rtol=0)
        expected = convert(values, ref=np.max, top_db=80.0)
        np.testing.assert_allclose(transform.scaled(db)[0, 0], expected, atol=DB, rtol=0)


# ----- Kaldi


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


# ----- windows and pre-emphasis


def test_windows_by_hand():
    like = torch.zeros((), dtype=torch.float64)
    expected = {
        "hann": [0, 0.5, 1, 0.5],
        "hamming": [0.08, 0.54, 1, 0.54],
        "blackman": [0, 0.34, 1, 0.34],
        "rectangular": [1, 1, 1, 1],
        "hann_symmetric": [0, 0.75, 0.75, 0],
        "hamming_symmetric": [0.08, 0.77, 0.77, 0.08],
        "blackman_symmetric": [0, 0.63, 0.63, 0],
        "povey": [0, 0.75**0.85, 0.75**0.85, 0],
    }
    assert set(expected) == set(TAPERS)
    for name, values in expected.items():
        window = taper(name, 4, like)
        assert torch.allclose(window, torch.tensor(values, dtype=torch.float64), atol=1e-6)
    padded = Framing(8, 2, 5, "rectangular").taper(like).tolist()
    assert padded == [0, 1, 1, 1, 1, 1, 0, 0]


@given(st.floats(0.01, 0.999), st.integers(1, 300), st.integers(0, 9))
def test_pre_emphasis_equals_torchaudio_and_is_inverted(coefficient, length, seed):
    wav = noise(length, seed)
    emphasised = emphasise(wav, coefficient)
    assert torch.allclose(emphasised, torchaudio.functional.preemphasis(wav, coefficient))
    assert torch.allclose(deemphasise(emphasised, coefficient), wav, atol=1e-9)


# ----- scaling


SCALINGS = {
    "natural": (Scaling("natural"), lambda x: x.clamp_min(1e-10).log()),
    "offset": (Scaling("natural", offset=1e-6), lambda x: (x + 1e-6).log()),
    "clamp": (Scaling("natural", clamp=1e-5), lambda x: x.clamp_min(1e-5).log()),
    "log10": (Scaling("log10", offset=1e-5), lambda x: (x + 1e-5).log10()),
    "log1p": (Scaling("natural", offset=1.0), torch.log1p),
    "dB with offset": (Scaling(offset=1e-4), lambda x: 10 * (x + 1e-4).log10()),
    "no logarithm": (Scaling("none"), lambda x: x),
    "both": (
        Scaling("natural", clamp=1e-5, offset=1e-3),
        lambda x: (x.clamp_min(1e-5) + 1e-3).log(),
    ),
    "AST": (
        Scaling("natural", clamp=1.1920929e-07, mean=-4.2677393, std=2 * 4.5689974),
        lambda x: (x.clamp_min(1.1920929e-07).log() + 4.2677393) / (2 * 4.5689974),
    ),
    "clip": (
        Scaling("natural", offset=1e-6, normalize="clip", epsilon=1e-8, correction=1),
        lambda x: ((x + 1e-6).log() - (x + 1e-6).log().mean()) / ((x + 1e-6).log().std() + 1e-8),
    ),
    "Whisper": (
        Scaling("log10", top_db=80.0, mean=-4.0, std=4.0),
        lambda x: (x.clamp_min(1e-10).log10().maximum(x.max().log10() - 8) + 4) / 4,
    ),
    "natural limit": (
        Scaling("natural", top_db=60.0),
        lambda x: x.clamp_min(x.max() * 1e-6).log(),
    ),
    "image": (
        Scaling(top_db=80.0, normalize="range", mean=0.5, std=0.25),
        lambda x: (torch.from_numpy(image(x.numpy())) - 0.5) / 0.25,
    ),
}


def image(values):
    db = librosa.power_to_db(values, top_db=80.0)
    return (db - db.min()) / (db.max() - db.min() + 1e-5)


@pytest.mark.parametrize(("scaling", "formula"), SCALINGS.values(), ids=SCALINGS)
def test_the_network_sees_what_its_front_end_computes(scaling, formula, sounds):
    """The formula of the front end, on torchaudio's powers."""
    transform = LogMel(*BASE, 40, 0.0, None, scaling=scaling)
    assert transform.is_scaled
    for wav in sounds:
        values = torchaudio_values(transform, wav)
        expected = formula(values)
        scaled = transform.scaled(transform(wav).db)
        if scaling.log == "none":
            # Bins below the floor count as silence.
            assert (scaled[values < 1e-10] == 0).all()
            scaled, expected = (10 * x[values > 1e-10].log10() for x in (scaled, expected))
        unit = LN_TO_DB if scaling.log == "natural" else 1
        assert (scaled - expected).abs().max() * unit < DB


def test_magnitudes_are_scaled_as_magnitudes(sounds):
    offset = 0.01
    transform = LogSTFT(*BASE, power=1, scaling=Scaling("natural", offset=offset))
    for wav in sounds:
        values = torchaudio_values(transform, wav)
        error = (transform.scaled(transform(wav).db) - (values + offset).log()).abs() * LN_TO_DB
        assert error[values > 1e-5].max() < DB
        # Bins below the floor count as silence, which docs/front-ends.md tells.
        assert error.max() < LN_TO_DB * math.log1p(1e-5 / offset) + 1e-9
    unscaled = LogSTFT(*BASE, power=1)
    assert not unscaled.is_scaled
    natural = LogSTFT(*BASE, power=1, scaling=Scaling("natural"))
    db = torch.tensor([[[[-20.0]]]])
    assert natural.scaled(db).item() == pytest.approx(math.log(0.1))
    assert LogSTFT(*BASE, power=1, scaling=Scaling(offset=0.9)).scaled(db).item() == pytest.approx(
        0, abs=1e-5
    )


def test_levels_are_what_the_network_sees_by_default():
    db = torch.randn(2, 1, 40, 7)
    transform = LogMel(*BASE, 40, 0.0, None)
    assert not transform.is_scaled
    assert transform.scaled(db) is db


def test_each_clip_is_standardised_by_itself():
    db = torch.stack([torch.randn(1, 40, 9), 5 + 3 * torch.randn(1, 40, 9)]).double()
    clip = Scaling(normalize="clip", epsilon=0.0)(db)
    assert torch.allclose(clip.mean((1, 2, 3)), torch.zeros(2, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(
        clip.std((1, 2, 3), correction=0), torch.ones(2, dtype=torch.float64), atol=1e-12
    )
    bins = Scaling(normalize="bin", epsilon=0.0)(db)
    assert torch.allclose(bins.mean(-1), torch.zeros(2, 1, 40, dtype=torch.float64), atol=1e-12)
    ones = torch.ones(2, 1, 40, dtype=torch.float64)
    assert torch.allclose(bins.std(-1, correction=0), ones, atol=1e-12)
    alone = Scaling(normalize="bin", epsilon=0.0)(db[1:])
    assert torch.allclose(bins[1:], alone)
    assert (Scaling(normalize="peak")(db).amax((1, 2, 3)) == 0).all()
    magnitude = Scaling("log10", top_db=40.0)(db * 1000, power=1)
    assert torch.allclose(magnitude.amax((1, 2, 3)) - magnitude.amin((1, 2, 3)), db.new_tensor(2.0))
    loud = Scaling(top_db=3.0)(db)
    assert torch.allclose(loud.amax((1, 2, 3)) - loud.amin((1, 2, 3)), torch.tensor(3.0).double())


def test_means_of_bins():
    db = torch.randn(2, 1, 3, 5)
    scaling = Scaling(mean=(1.0, 2.0, 3.0), std=(1.0, 10.0, 100.0))
    expected = (db - torch.tensor([1.0, 2.0, 3.0])[:, None]) / torch.tensor([1, 10, 100])[:, None]
    assert torch.allclose(scaling(db), expected)
    assert Scaling(mean=torch.tensor([1.0, 2.0, 3.0]), std=np.array([1.0, 10.0, 100.0])) == scaling


@pytest.mark.parametrize(("scaling", "formula"), SCALINGS.values(), ids=SCALINGS)
@pytest.mark.parametrize("power", [1, 2])
def test_scaling_has_gradients(scaling, formula, power):
    # Away from the limits, where the gradient jumps.
    db = (noise(24, 0).reshape(2, 1, 4, 3) * 20 - 20).requires_grad_()
    assert gradcheck(lambda levels: scaling(levels, power), db)
    silence = torch.full((1, 1, 4, 3), FLOOR, requires_grad=True)
    values = scaling(silence, power)
    values.sum().backward()
    assert values.isfinite().all()
    assert silence.grad.isfinite().all()


@pytest.mark.parametrize("normalize", ["clip", "bin", "range"])
@pytest.mark.parametrize("level", [FLOOR, -37.3])
def test_standardising_a_constant_clip_gives_no_large_numbers(normalize, level):
    """Its standard deviation is rounding."""
    assert Scaling(normalize=normalize)(torch.full((2, 1, 64, 501), level)).abs().max() < 3


def test_silence_is_what_the_front_end_makes_of_silence():
    """Even where the offset is as small as the floor."""
    transform = LogMel(*BASE, 40, 0.0, None, scaling=Scaling("natural", offset=1e-10))
    spec = transform(noise(4000, 0).float())
    silence = transform.scaled(spec.masked(torch.zeros_like(spec.db)).db)
    assert torch.allclose(silence, torch.tensor(1e-10).log())
    assert (Scaling("none")(torch.tensor([FLOOR, 0.0])) == torch.tensor([0.0, 1.0])).all()


@pytest.mark.parametrize("transform", ALL, ids=ALL_IDS)
def test_gradients_reach_the_sound_and_the_masks(transform):
    wav = noise(3000, 0)
    wav[..., 1000:] = 0
    wav.requires_grad_()
    transform(wav).db.sum().backward()
    assert wav.grad.isfinite().all()
    assert wav.grad.abs().max() > 0
    spec = transform(wav.detach())
    mask = torch.rand_like(spec.db).requires_grad_()
    spec.masked(mask, "magnitude").to_wav().square().sum().backward()
    assert mask.grad.isfinite().all()
    assert mask.grad.abs().max() > 0


# ----- records, refusals


SCALED = LogMel(
    *BASE,
    3,
    0.0,
    None,
    "slaney",
    mel_norm="none",
    win_length=400,
    window="povey",
    center=False,
    padding="zeros",
    preemphasis=0.97,
    power=1,
    scaling=Scaling("natural", offset=1e-3, normalize="bin", mean=(1.0, 2.0, 3.0), std=4.0),
)


@pytest.mark.parametrize("transform", [*ALL, SCALED])
def test_settings_survive_json(transform):
    record = json.loads(json.dumps(transform.to_dict()))
    again = transform_from_dict(record)
    assert again == transform
    assert hash(again) == hash(transform)
    namespace = {"LogMel": LogMel, "LogSTFT": LogSTFT, "Scaling": Scaling}
    assert eval(repr(transform), namespace) == transform


def test_defaults_are_not_recorded_so_that_old_records_stay_comparable():
    assert set(LogMel().to_dict()) == {
        "name",
        "sample_rate",
        "n_fft",
        "hop_length",
        "n_mels",
        "f_min",
        "f_max",
        "mel_scale",
    }
    assert LogSTFT(window="povey").to_dict()["window"] == "povey"


def test_a_classifier_keeps_its_front_end(tmp_path):
    transform = LogMel(n_mels=40, window="hamming", scaling=Scaling("natural", offset=1e-6))
    small_classifier(transform=transform).save(tmp_path / "a.safetensors")
    assert ai.Classifier.load(tmp_path / "a.safetensors").transform == transform


def test_f_max_none_is_half_the_rate():
    top, half = LogMel(*BASE, 40, 0.0, None), LogMel(*BASE, 40, 0.0, 8000.0)
    assert top.filters.equal(half.filters)
    assert top.frequencies.equal(half.frequencies)


WRONG = [
    ({"win_length": 600}, "win_length=600"),
    ({"win_length": 0}, "win_length=0"),
    ({"win_length": 400.0}, "win_length=400.0"),
    ({"win_length": 300}, "half of win_length"),
    ({"window": "hanning"}, "unknown window 'hanning'"),
    ({"padding": "constant"}, "unknown padding"),
    ({"center": "no"}, "center='no'"),
    ({"power": 3}, "power=3.*from_waveform"),
    ({"power": True}, "power=True"),
    ({"preemphasis": 1.0}, "preemphasis=1.0"),
    ({"preemphasis": math.nan}, "preemphasis=nan"),
    ({"scaling": "natural"}, "Scaling"),
    ({"scaling": Scaling("natural", offset=1e-12)}, r"offset=1e-12 is below .*from_waveform"),
    ({"scaling": Scaling("natural", offset=1e-8), "power": 1}, "floor of the levels, 1e-05"),
    ({"scaling": Scaling(mean=(1.0, 2.0))}, "2 values for 40 bins"),
    ({"mel_norm": "area"}, "mel norm"),
    ({"f_max": 9000.0}, "f_max=None"),
]


@pytest.mark.parametrize(("kwargs", "words"), WRONG)
def test_what_has_no_inverse_or_no_meaning_is_refused(kwargs, words):
    with pytest.raises(ArgumentError, match=words):
        LogMel(*BASE, 40, 0.0, **{"f_max": None, **kwargs})


@pytest.mark.parametrize(
    "kwargs",
    [
        {"log": "ln"},
        {"normalize": "mean"},
        {"std": 0.0},
        {"std": -1.0},
        {"std": (1.0, 0.0)},
        {"mean": math.inf},
        {"mean": "0"},
        {"mean": [True]},
        {"offset": -1e-6},
        {"clamp": math.nan},
        {"epsilon": "1"},
        {"correction": 2},
        {"top_db": 0.0},
        {"log": "none", "top_db": 80.0},
    ],
)
def test_wrong_scalings_are_refused(kwargs):
    with pytest.raises(ArgumentError, match="|".join(["must be", "unknown", "at least"])):
        Scaling(**kwargs)


@pytest.mark.parametrize("scaling", [5, {"log": "natural", "colour": 1}, {"offset": "x"}, [1]])
def test_wrong_records_of_a_scaling_are_refused(scaling):
    with pytest.raises(ArgumentError):
        transform_from_dict({**LogMel().to_dict(), "scaling": scaling})


def test_griffin_lim_needs_centred_frames(sounds):
    wav = sounds[0].float()
    with pytest.raises(ArgumentError, match="needs center=True"):
        LogSTFT(*BASE, center=False)(wav).to_wav("griffinlim")


@pytest.mark.parametrize("padding", ["reflect", "zeros"])
def test_griffin_lim_has_the_window_and_the_ends_of_the_transform(padding, sounds):
    wav = sounds[0][..., :6000].float()
    spec = LogSTFT(*BASE, window="hamming", padding=padding)(wav)
    expected = librosa.griffinlim(
        (10 ** (spec.db / 20))[0, 0].numpy(),
        n_fft=512,
        hop_length=160,
        window="hamming",
        pad_mode={"reflect": "reflect", "zeros": "constant"}[padding],
        length=6000,
        random_state=0,
    )
    np.testing.assert_allclose(spec.to_wav("griffinlim")[0, 0], expected, atol=1e-3)


@pytest.mark.parametrize("name", ["short povey", "zeros", "magnitude", "pre-emphasis", "all"])
def test_lossy_inversions_of_these_front_ends(name, sounds):
    # A quiet sound, so that its magnitudes and their roots are far apart.
    wav = sounds[0][..., :6000].float() / 100
    assert snr(wav, STFTS[name](wav).to_wav("lstsq")) > 60
    spec = MELS[name](wav)
    for method in ("lstsq", "nnls"):
        heard = spec.to_wav(method)
        assert heard.shape == wav.shape
        # Noise with the levels of its bands spread over their bins, and the original phase.
        assert snr(wav, heard) > 2
    if STFTS[name].center:
        transform = STFTS[name]
        before = transform(wav).db
        after = transform(transform(wav).to_wav("griffinlim")).db
        loud = before > before.max() - 40
        assert (after - before)[loud].abs().median() < 3


def test_the_code_of_the_page_runs():
    page = Path(__file__).parents[1] / "docs" / "front-ends.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    namespace = {}
    for block in blocks:
        exec(compile(block, page.name, "exec"), namespace)
    assert namespace["features"].shape == (1, 98, 128)
    assert snr(namespace["wav"], namespace["grid"](namespace["wav"]).to_wav()) > 100

"""Transforms as other libraries compute them: parity, exact inversion, gradients, records."""

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
import torchaudio
from conftest import small_classifier, snr, torture
from front_ends import (
    ALL,
    ALL_IDS,
    BASE,
    DB,
    MELS,
    RATE,
    STFTS,
    noise,
    torchaudio_db,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import audiointerp as ai
from audiointerp.errors import ArgumentError
from audiointerp.processing import Scaling
from audiointerp.processing.emphasis import deemphasise, emphasise
from audiointerp.processing.spectrogram import LogMel, LogSTFT, transform_from_dict
from audiointerp.processing.stft import Framing
from audiointerp.processing.tapers import TAPERS, taper

LAWS_OF = "front ends"
pytestmark = pytest.mark.filterwarnings("ignore:.*mel filterbank has all zero values")


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


def test_numbers_of_numpy_are_numbers(tmp_path):
    hop, width = np.int64(160), np.float32(8000.0)
    transform = LogMel(np.int64(16000), np.int64(512), hop, np.int64(40), 0.0, width)
    assert transform == LogMel(16000, 512, 160, 40, 0.0, 8000.0)
    assert LogSTFT(*BASE, win_length=np.int64(400)).win_length == 400
    small_classifier(transform=transform).save(tmp_path / "a.safetensors")
    assert ai.Classifier.load(tmp_path / "a.safetensors").transform == transform
    scaling = Scaling("natural", mean=list(np.full(40, -4, np.float32)))
    assert json.loads(json.dumps(LogMel(n_mels=40, scaling=scaling).to_dict()))["scaling"]


def test_fields_of_a_transform_of_your_own_are_left_alone():
    """Those that are set later, and what is trained."""

    @dataclass(frozen=True, repr=False)
    class Mine(LogMel):
        slope: nn.Parameter = field(default_factory=lambda: nn.Parameter(torch.tensor(0.5)))
        table: torch.Tensor = field(init=False)

        def __post_init__(self):
            super().__post_init__()
            object.__setattr__(self, "table", torch.ones(self.n_mels))

    assert Mine().slope.requires_grad
    assert len(Mine(n_mels=np.int64(40)).table) == 40


@pytest.mark.parametrize("name", ["sample_rate", "n_fft", "hop_length", "n_mels"])
@pytest.mark.parametrize("value", [512.0, "512", None, True, math.nan, 0])
def test_a_setting_that_counts_is_a_whole_number(name, value):
    with pytest.raises(ArgumentError, match=f"{name}={value!r}: must be a whole number"):
        LogMel(**{name: value})
    with pytest.raises(ArgumentError, match=f"{name}=.*below"):
        LogMel(**{name: 10**400})


@pytest.mark.parametrize("name", ["f_min", "f_max", "preemphasis"])
@pytest.mark.parametrize("value", ["0.5", True, math.nan])
def test_a_setting_that_measures_is_a_number(name, value):
    with pytest.raises(ArgumentError, match=f"{name}={value!r}"):
        LogMel(**{name: value})


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
    ({"mel_scale": "htkk"}, "mel scale"),
    ({"f_max": 9000.0}, "f_max=None"),
]


@pytest.mark.parametrize(("kwargs", "words"), WRONG)
def test_what_has_no_inverse_or_no_meaning_is_refused(kwargs, words):
    with pytest.raises(ArgumentError, match=words):
        LogMel(*BASE, 40, 0.0, **{"f_max": None, **kwargs})


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

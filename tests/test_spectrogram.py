"""Transforms against librosa and torchaudio, inverses against the sound, and masking."""

import librosa
import numpy as np
import pytest
import torch
import torchaudio
from conftest import around_peak, snr, torture
from hypothesis import given, settings
from hypothesis import strategies as st

from audiointerp.errors import ArgumentError
from audiointerp.interpretation.masks import MASKS
from audiointerp.processing.filters import lifting, mel_edges, mel_filters
from audiointerp.processing.masking import DOMAINS
from audiointerp.processing.spectrogram import LogMel, LogSTFT, transform_from_dict
from audiointerp.processing.windows import Windows
from audiointerp.util import FILLS
from audiointerp.util.probability import FLOOR

LAWS_OF = "transforms"
MEL, SLANEY, STFT = LogMel(), LogMel(mel_scale="slaney"), LogSTFT()
TRANSFORMS = [MEL, SLANEY, STFT]
IDS = ["mel", "slaney", "stft"]


@pytest.fixture(params=["noise", "tone", "real clips"])
def sources(request):
    """Noise and a tone on any machine, real clips where they are."""
    if request.param == "real clips":
        return request.getfixturevalue("clips")
    if request.param == "noise":
        return [torch.randn(1, 1, 64000, generator=torch.Generator().manual_seed(0))]
    return [torch.sin(2 * torch.pi * 1000 * torch.arange(64000) / 32000)[None, None]]


@pytest.mark.filterwarnings("ignore:Empty filters detected")
@pytest.mark.parametrize("scale", ["htk", "slaney"])
@given(
    rate=st.integers(8000, 96000),
    n_fft=st.integers(16, 4096),
    bands=st.integers(1, 200),
    low=st.just(0.0) | st.floats(1, 3000),
    width=st.floats(50, 40000),
)
def test_mel_filters_are_those_of_librosa_to_the_bit(scale, rate, n_fft, bands, low, width):
    high = low + width
    edges = librosa.mel_frequencies(bands + 2, fmin=low, fmax=high, htk=scale == "htk")
    assert np.array_equal(mel_edges(bands, low, high, scale), edges)
    for ours, theirs in (("none", None), ("slaney", "slaney")):
        expected = librosa.filters.mel(
            sr=rate,
            n_fft=n_fft,
            n_mels=bands,
            fmin=low,
            fmax=high,
            htk=scale == "htk",
            norm=theirs,
            dtype="float64",
        )
        filters = mel_filters(rate, n_fft, bands, low, high, scale, ours)
        assert np.array_equal(filters.numpy(), expected)


def test_bands_without_a_bin_are_said():
    with pytest.warns(UserWarning, match="Empty filters detected: 300 mel bands are too many"):
        mel_filters(8000, 64, 300, 10.0, 4000.0, "htk")


def sounds(transform, sources):
    """Each source at lengths 0, 1 and hop - 1 modulo the hop."""
    hop = transform.hop_length
    for source in sources:
        for extra in (0, 1, hop - 1):
            yield around_peak(source, transform.sample_rate // hop * hop + extra)


def librosa_db(transform, wav):
    # Padded here: with center=True librosa 0.11 omits one sample at the edge of the last frame.
    padded = np.pad(wav, transform.n_fft // 2, mode="reflect")
    power = (
        np.abs(
            librosa.stft(
                padded, n_fft=transform.n_fft, hop_length=transform.hop_length, center=False
            )
        )
        ** 2
    )
    if isinstance(transform, LogMel):
        htk = transform.mel_scale == "htk"
        filters = librosa.filters.mel(
            sr=transform.sample_rate,
            n_fft=transform.n_fft,
            n_mels=transform.n_mels,
            fmin=transform.f_min,
            fmax=transform.f_max,
            htk=htk,
            norm=None if htk else "slaney",
            dtype=np.float64,
        )
        power = filters @ power
    return librosa.power_to_db(power, amin=1e-10, top_db=None)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=IDS)
def test_levels_equal_librosa(transform, sources):
    for wav in sounds(transform, sources):
        expected = librosa_db(transform, wav[0, 0].double().numpy())
        double = transform(wav.double()).db[0, 0].numpy()
        assert double.shape == expected.shape
        np.testing.assert_allclose(double, expected, atol=1e-6, rtol=0)
        single = transform(wav).db[0, 0].numpy()
        loud = expected > expected.max(0) - 60
        np.testing.assert_allclose(single[loud], expected[loud], atol=1e-2, rtol=0)


def test_mel_equals_torchaudio(clips):
    kwargs = {"n_fft": 1024, "hop_length": 320, "n_mels": 64, "f_min": 50.0, "f_max": 14000.0}
    power = torchaudio.transforms.MelSpectrogram(32000, **kwargs)(clips[0])
    theirs = torchaudio.functional.amplitude_to_DB(power, 10, 1e-10, 0)
    loud = theirs > theirs.max() - 60
    assert (MEL(clips[0]).db - theirs)[loud].abs().max() < 1e-2


def test_published_shapes_and_floor():
    silence = torch.zeros(2, 1, 160000)
    assert MEL(silence).db.shape == (2, 1, 64, 501)
    assert MEL(silence).stft.shape == (2, 1, 513, 501)
    assert STFT(silence[..., :80000]).db.shape == (2, 1, 257, 313)
    assert (MEL(silence).db == FLOOR).all()
    assert MEL(silence).to_wav().equal(silence)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=IDS)
def test_all_ones_gives_the_clip_and_parts_add_up(transform, sources):
    for number, wav in enumerate(sounds(transform, sources)):
        spec = transform(wav)
        assert snr(wav, spec.masked(torch.ones_like(spec.db)).to_wav()) >= 100
        generator = torch.Generator().manual_seed(number)
        share = torch.rand(1, generator=generator)
        random = (torch.rand(spec.db.shape, generator=generator) < share).float()
        smooth = torch.nn.functional.avg_pool2d(
            torch.randn(spec.db.shape, generator=generator), 9, 1, 4
        )
        binary = [
            MASKS[name](smooth) for name in MASKS if name.startswith(("bin", "topK", "pos_thresh"))
        ]
        for mask in (random, *binary):
            assert snr(wav, spec.masked(mask).to_wav() + spec.masked(1 - mask).to_wav()) >= 100


@pytest.mark.parametrize("transform", TRANSFORMS, ids=IDS)
def test_no_sample_bursts(transform, sources):
    for number, wav in enumerate(sounds(transform, sources)):
        spec = transform(wav)
        generator = torch.Generator().manual_seed(number)
        for share in (0.05, 0.5, 0.95):
            mask = (torch.rand(spec.db.shape, generator=generator) < share).float()
            assert spec.masked(mask).to_wav().abs().max() <= 2 * wav.abs().max()
        soft = torch.rand(spec.db.shape, generator=generator)
        assert spec.masked(soft).to_wav().abs().max() <= 2 * wav.abs().max()


@pytest.mark.parametrize("transform", TRANSFORMS, ids=IDS)
def test_of_two_tones_one_is_removed(transform):
    seconds = torch.arange(transform.sample_rate) / transform.sample_rate
    low, high = (torch.sin(2 * torch.pi * hertz * seconds)[None, None] for hertz in (500, 3000))
    spec = transform(low + high)
    mask = (transform.frequencies < 1300).float()[None, None, :, None].expand_as(spec.db)
    middle = slice(transform.n_fft, -transform.n_fft)
    kept = spec.masked(mask).to_wav()[..., middle]

    def level(tone):
        return 20 * torch.log10((kept * tone[..., middle]).mean().abs() * 2)

    assert level(low) - level(high) >= 40
    assert level(low) == pytest.approx(0, abs=0.1)


def test_masked_levels_are_exact_at_zero_and_one(clips):
    for transform in TRANSFORMS:
        spec = transform(clips[0])
        mask = (torch.rand_like(spec.db) < 0.5).float()
        kept = spec.masked(mask)
        assert kept.db[mask == 1].equal(spec.db[mask == 1])
        assert (kept.db[mask == 0] == FLOOR).all()
        assert (kept.gain[mask == 1] == 1).all()
        assert (kept.gain[mask == 0] == 0).all()
        half = spec.masked(torch.full_like(mask, 0.5))
        assert torch.allclose(half.db, FLOOR + 0.5 * (spec.db - FLOOR), atol=1e-4)
        assert torch.allclose(half.gain, 10 ** ((spec.db - FLOOR) * -0.5 / 20))


def test_gain_is_the_change_of_level():
    spec = STFT(torch.randn(1, 1, 16000, dtype=torch.float64))
    mask = 0.5 + 0.5 * torch.rand_like(spec.db)
    for domain in DOMAINS:
        kept = spec.masked(mask, domain)
        assert torch.allclose(kept.db - spec.db, 20 * kept.gain.log10(), atol=1e-9)
    magnitude = 10 ** (spec.db / 20)
    changed = 10 ** (spec.masked(mask, "log1p").db / 20)
    assert torch.allclose(torch.log1p(changed), mask * torch.log1p(magnitude))
    assert torch.allclose(10 ** (spec.masked(mask, "magnitude").db / 20), mask * magnitude)
    assert spec.masked(torch.zeros_like(mask), "log1p").to_wav().abs().max() == 0


@pytest.mark.parametrize("transform", TRANSFORMS, ids=IDS)
def test_kept_and_removed_powers_add_up(transform):
    """As in the study's sounds; in dB a soft mask removes nearly all of both parts."""
    generator = torch.Generator().manual_seed(0)
    spec = transform(torch.randn(1, 1, 16000, generator=generator, dtype=torch.float64))
    mask = torch.rand(spec.db.shape, generator=generator, dtype=torch.float64)
    kept, removed = spec.masked(mask, "power"), spec.masked(1 - mask, "power")
    power = 10 ** (spec.db / 10)
    assert torch.allclose(10 ** (kept.db / 10) + 10 ** (removed.db / 10), power, rtol=1e-12)
    assert torch.allclose(kept.gain**2 + removed.gain**2, torch.ones_like(mask), rtol=1e-12)
    assert torch.allclose(10 ** (kept.db / 10), mask * power, rtol=1e-12)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=IDS)
def test_half_of_the_power_is_3_db(transform):
    wav = torch.randn(1, 1, 16000, generator=torch.Generator().manual_seed(0))
    spec = transform(wav)
    half = spec.masked(torch.full_like(spec.db, 0.5), "power")
    assert torch.allclose(half.db - spec.db, torch.tensor(-3.0103), atol=1e-4)
    assert torch.allclose(half.to_wav(), wav * 0.5**0.5, atol=1e-5)
    silence = transform(torch.zeros_like(wav)).masked(torch.full_like(spec.db, 0.5), "power")
    assert (silence.db == FLOOR).all()
    assert (silence.to_wav() == 0).all()


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_mask_of_zeros_and_ones_is_the_same_in_every_domain(domain):
    generator = torch.Generator().manual_seed(0)
    spec = STFT(torch.randn(1, 1, 16000, generator=generator))
    mask = (torch.rand(spec.db.shape, generator=generator) < 0.5).float()
    expected, kept = spec.masked(mask), spec.masked(mask, domain)
    assert kept.db.equal(expected.db)
    assert kept.gain.equal(expected.gain)


@pytest.mark.parametrize("fill", ["background", "mean", "noise", "blur", "swap"])
def test_other_fills(fill, clips):
    spec = MEL(clips[1])  # rain: it has no digital silence
    mask = torch.zeros_like(spec.db)
    mask[..., :100] = 1
    filled = spec.masked(mask, fill=fill)
    assert filled.db[..., :100].equal(spec.db[..., :100])
    assert filled.db[..., 100:].min() >= FLOOR
    assert filled.db[..., 100:].mean() > FLOOR + 10
    assert filled.to_wav().isfinite().all()
    if fill == "mean":
        assert torch.allclose(
            filled.db[..., 100:], spec.db.mean(-1, keepdim=True).expand_as(spec.db)[..., 100:]
        )
    with pytest.raises(ArgumentError, match="needs the domain"):
        spec.masked(mask, "magnitude", fill)


@pytest.mark.parametrize("fill", FILLS)
def test_no_fill_is_louder_than_the_clip(fill):
    """Sound, then digital silence: without a limit, draws of the noise would reach +150 dB."""
    wav = around_peak(torch.randn(1, 1, 32000, generator=torch.Generator().manual_seed(0)), 16000)
    wav[..., 8000:] = 0
    spec = MEL(wav)
    filled = spec.masked(torch.zeros_like(spec.db), fill=fill)
    assert (filled.db <= spec.db.amax()).all()
    assert filled.to_wav().abs().max() <= 10 * wav.abs().max()


def test_one_clip_under_many_masks():
    spec = MEL(torch.randn(1, 1, 16000))
    masks = torch.rand(3, *spec.db.shape[1:]).round()
    together = spec.masked(masks)
    assert together.db.shape[0] == 3
    assert together.to_wav().shape == (3, 1, 16000)
    alone = spec.masked(masks[1:2])
    assert torch.allclose(together.to_wav()[1:2], alone.to_wav(), atol=1e-6)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=IDS)
@pytest.mark.parametrize("length", [1, 7, 100, 511, 512, 513, 1023])
def test_clip_shorter_than_a_window_is_followed_by_silence(transform, length):
    wav = torch.randn(1, 1, length)
    spec = transform(wav)
    assert spec.db.shape[-1] == transform.num_frames(length)
    padded = torch.nn.functional.pad(wav, (0, max(0, transform.n_fft - length)))
    assert spec.db.equal(transform(padded).db)
    assert spec.to_wav().shape == wav.shape
    assert snr(wav, spec.to_wav()) > 100


@settings(max_examples=torture(60, 2000))
@given(
    n_fft=st.sampled_from([16, 64, 100, 256]),
    hop=st.integers(1, 128),
    length=st.integers(1, 2000),
    seed=st.integers(0, 9),
)
def test_round_trip_at_any_size(n_fft, hop, length, seed):
    transform = LogSTFT(8000, n_fft, min(hop, n_fft // 2))
    wav = torch.randn(
        2, 1, length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    spec = transform(wav)
    assert spec.db.shape == (2, 1, n_fft // 2 + 1, transform.num_frames(length))
    assert torch.allclose(spec.to_wav(), wav, atol=1e-9)


def test_lifting_rows_sum_to_one_for_any_bank():
    for transform in (MEL, SLANEY, LogMel(n_mels=128, f_min=0.0, f_max=16000.0), LogMel(n_mels=2)):
        lift = lifting(transform.filters)
        assert lift.shape == (513, transform.n_mels)
        assert torch.allclose(lift.sum(1), torch.ones(513, dtype=torch.float64))
        assert (lift >= 0).all()


def test_settings_survive_a_round_trip_and_wrong_ones_are_named():
    for transform in TRANSFORMS:
        assert transform_from_dict(transform.to_dict()) == transform
    for wrong, word in [
        ({"name": "LogCQT"}, "LogCQT"),
        ({"name": "LogMel", "mels": 3}, "mels"),
        ({}, "None"),
    ]:
        with pytest.raises(ArgumentError, match=word):
            transform_from_dict(wrong)
    with pytest.raises(ArgumentError, match="hop"):
        LogSTFT(hop_length=300)
    with pytest.raises(ArgumentError, match="f_max"):
        LogMel(sample_rate=16000)
    with pytest.raises(ArgumentError, match="hertz"):
        LogMel(mel_scale="hertz")(torch.randn(1, 1, 2000))


def test_wrong_sounds_and_masks_are_refused():
    for wav in (
        torch.zeros(5),
        torch.zeros(1, 2, 5),
        torch.zeros(1, 1, 0),
        torch.zeros(1, 1, 9, dtype=torch.int32),
    ):
        with pytest.raises(ArgumentError, match="a sound is"):
            MEL(wav)
    with pytest.raises(ArgumentError, match="NaN"):
        MEL(torch.full((1, 1, 9), torch.nan))
    spec = MEL(torch.randn(1, 1, 4000))
    for mask, word in [
        (torch.full_like(spec.db, 1.1), "lies in"),
        (torch.full_like(spec.db, torch.nan), "lies in"),
        (torch.ones(1, 1, 3, 3), "does not fit"),
    ]:
        with pytest.raises(ArgumentError, match=word):
            spec.masked(mask)
    for call in (
        lambda: spec.masked(spec.gain, "loudness"),
        lambda: spec.masked(spec.gain, "power", fill="mean"),
        lambda: spec.masked(spec.gain, fill="pink"),
        lambda: spec.masked(spec.gain, "log1p"),
        lambda: spec.to_wav("magic"),
    ):
        with pytest.raises(ArgumentError):
            call()


@settings(max_examples=torture(100, 2000))
@given(frames=st.integers(1, 300), size=st.integers(1, 80))
def test_windows_own_each_frame_once(frames, size):
    windows = Windows(frames, size)
    values = torch.arange(float(frames)).reshape(1, 1, 1, frames)
    cut = windows.cut(values)
    assert cut.shape == (len(windows.starts), 1, 1, 1, size)
    assert windows.join(cut).equal(values)
    assert windows.weights.sum().item() == pytest.approx(1)
    assert (windows.weights > 0).all()
    if frames < size:
        assert (cut[0, ..., frames:] == FLOOR).all()

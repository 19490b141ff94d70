"""A sound file in blocks is the file as a whole: rates, channels, faults and warnings."""

import warnings

import numpy as np
import pytest
import soundfile
import torch
from awkward_files import AWKWARD
from hypothesis import given, settings
from hypothesis import strategies as st

from audiointerp.errors import ArgumentError, AudioError, AudioWarning
from audiointerp.processing import load_audio, reading, resample, resample_blocks, stream_audio

RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000, 192000, 250000)


def joined(path, rate=None, **options):
    return torch.cat(list(stream_audio(path, rate, **options)), -1)


@given(
    rate=st.sampled_from(RATES),
    new_rate=st.sampled_from((8000, 16000, 22050, 32000, 48000)),
    length=st.integers(1, 60000),
    size=st.integers(1, 20000),
)
@settings(max_examples=60)
def test_resampling_in_blocks_is_resampling_the_whole(rate, new_rate, length, size):
    wav = torch.randn(1, 1, length, generator=torch.Generator().manual_seed(length))
    blocks = list(resample_blocks(wav.split(size, -1), rate, new_rate))
    expected = resample(wav, rate, new_rate)
    assert torch.cat(blocks, -1).shape == expected.shape
    # float32: of numbers near 1, two sums in another order differ by some 1e-7.
    assert float((torch.cat(blocks, -1) - expected).abs().max()) <= 1e-6


@pytest.mark.parametrize(
    "new_rate", [0, -1, 22050.5, "16k", True, float("nan"), float("inf"), [1], -(10**400)]
)
def test_a_rate_that_is_no_rate_is_refused(new_rate):
    with pytest.raises(ArgumentError, match="a sample rate is a positive integer in Hz"):
        list(resample_blocks([torch.zeros(1, 1, 100)], 44100, new_rate))


@pytest.mark.parametrize(("rate", "new_rate"), [(44101, 32000), (32000, 44101), (7919, 16001)])
def test_rates_that_soxr_resamples_too(rate, new_rate):
    wav = torch.randn(1, 1, 4 * rate + 17, generator=torch.Generator().manual_seed(0))
    joined_blocks = torch.cat(list(resample_blocks(wav.split(9999, -1), rate, new_rate)), -1)
    expected = resample(wav, rate, new_rate)
    assert joined_blocks.shape == expected.shape
    assert float((joined_blocks - expected).abs().max()) <= 1e-6


def test_a_block_is_given_before_the_file_ends():
    """Otherwise the memory would grow with the file."""
    given_lengths, taken = [], 0

    def blocks():
        nonlocal taken
        for _ in range(50):
            taken += 4410
            yield torch.zeros(1, 1, 4410)

    for block in resample_blocks(blocks(), 44100, 32000):
        given_lengths.append(block.shape[-1])
        assert taken * 32000 / 44100 - sum(given_lengths) < 4410
    assert sum(given_lengths) == 50 * 3200


@pytest.mark.parametrize("rate", [8000, 192000])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_a_file_in_blocks_is_the_file(tmp_path, monkeypatch, rate, channels):
    monkeypatch.setattr(reading, "BLOCK", 5000)
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (rate + 7, channels))
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype="PCM_24")
    expected = load_audio(tmp_path / "a.wav", 32000, normalize="none")
    assert float((joined(tmp_path / "a.wav", 32000) - expected).abs().max()) <= 1e-6
    assert len(list(stream_audio(tmp_path / "a.wav"))) == -(-(rate + 7) // (5000 // channels))


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_files_are_judged_as_a_whole_file_is(tmp_path, name):
    path = tmp_path / "clip.sound"
    path.write_bytes(AWKWARD[name]())
    outcomes = []
    for read in (lambda: load_audio(path, normalize="none"), lambda: joined(path)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = read()
            except AudioError as error:
                result = str(error)
        outcomes.append((result, [str(warning.message) for warning in caught]))
    (whole, said), (streamed, said_of_stream) = outcomes
    assert said == said_of_stream
    assert whole.equal(streamed) if isinstance(whole, torch.Tensor) else whole == streamed


def test_channels_that_cancel_are_refused_where_they_would_be_normalised(tmp_path):
    side = np.random.default_rng(0).uniform(-0.5, 0.5, 8000)
    soundfile.write(tmp_path / "side.wav", np.stack([side, -side], 1), 8000)
    with pytest.raises(AudioError, match="cancel"):
        joined(tmp_path / "side.wav", normalize="peak")
    with pytest.warns(AudioWarning, match="cancel"):
        joined(tmp_path / "side.wav")


def test_a_file_longer_than_a_clip_may_be_is_streamed(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "long.wav", np.zeros(9000), 8000)
    monkeypatch.setattr(reading, "MAX_SAMPLES", 8000)
    with pytest.raises(AudioError, match="limit of 8000"):
        load_audio(tmp_path / "long.wav")
    assert joined(tmp_path / "long.wav").shape == (1, 1, 9000)


def test_missing_empty_and_foreign_files_are_named(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no sound")
    for name, message in (("no.wav", "no such"), ("empty.wav", "empty"), ("text.wav", "not an")):
        with pytest.raises(AudioError, match=message):
            joined(tmp_path / name)

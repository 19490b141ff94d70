"""Sound files: what is read is what was written, and what cannot be read is one clear error."""

import numpy as np
import pytest
import soundfile
import torch
import torchaudio.functional

from audiointerp.errors import ArgumentError, AudioError, AudioInterpError
from audiointerp.processing import fix_length, load_audio, mono, normalized, save_audio
from audiointerp.processing.resampling import resample


def write(path, samples, rate=16000, **kwargs):
    soundfile.write(path, samples, rate, **kwargs)
    return path


def test_wav_comes_back_bit_exact(tmp_path):
    wav = torch.randn(1, 1, 1000) * 3  # float samples beyond 1 are not clipped
    save_audio(tmp_path / "a.wav", wav, 16000)
    assert load_audio(tmp_path / "a.wav", normalize="none").equal(wav)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize(("ending", "error"), [("flac", 1e-4), ("ogg", 0.2), ("mp3", 0.2)])
def test_other_formats(tmp_path, ending, error):
    tone = torch.sin(torch.arange(32000) * 0.1)[None, None] * 0.5
    save_audio(tmp_path / f"a.{ending}", tone, 32000)
    back = load_audio(tmp_path / f"a.{ending}", normalize="none")
    assert back.shape[:2] == (1, 1)
    length = min(back.shape[-1], 32000)
    lag = max(
        range(2000), key=lambda k: float((back[..., k:length] * tone[..., : length - k]).sum())
    )  # coders delay
    assert (back[..., lag:length] - tone[..., : length - lag]).abs().median() < error


def test_channels_are_averaged_and_rates_converted(tmp_path):
    stereo = np.stack([np.full(8000, 0.5), np.full(8000, 0.25)], 1)
    path = write(tmp_path / "a.wav", stereo, 8000, subtype="FLOAT")
    wav = load_audio(path, 16000, normalize="none")
    assert wav.shape == (1, 1, 16000)
    assert wav[0, 0, 4000:12000].mean() == pytest.approx(0.375, abs=1e-3)
    assert mono(torch.ones(2, 3, 4)).shape == (2, 1, 4)


def test_normalization():
    wav = torch.randn(2, 1, 100)
    assert normalized(wav, "peak").abs().amax(-1).flatten().tolist() == [1.0, 1.0]
    assert torch.allclose(normalized(wav, "rms").square().mean(-1), torch.ones(2, 1))
    assert normalized(wav, "none") is wav
    assert normalized(torch.zeros(1, 1, 5), "rms").equal(torch.zeros(1, 1, 5))
    with pytest.raises(ArgumentError, match="loud"):
        normalized(wav, "loud")


def test_fix_length_cuts_and_fills():
    wav = torch.arange(1.0, 5)[None, None]
    assert fix_length(wav, 2).flatten().tolist() == [1, 2]
    assert fix_length(wav, 6).flatten().tolist() == [1, 2, 3, 4, 0, 0]


@pytest.mark.parametrize("sample_rate", ["16k", True, float("nan"), 0])
def test_a_rate_to_read_at_that_is_no_rate_is_refused(tmp_path, sample_rate):
    save_audio(tmp_path / "clip.wav", torch.full((1, 1, 800), 0.5), 8000)
    with pytest.raises(ArgumentError, match="a sample rate is a positive integer in Hz"):
        load_audio(tmp_path / "clip.wav", sample_rate)


def test_resample_keeps_a_tone():
    seconds = torch.arange(32000) / 32000
    slow = resample(torch.sin(2 * torch.pi * 440 * seconds)[None, None], 32000, 16000)
    expected = torch.sin(2 * torch.pi * 440 * torch.arange(16000) / 16000)
    assert (slow[0, 0, 100:-100] - expected[100:-100]).abs().max() < 1e-2
    odd = resample(
        torch.sin(2 * torch.pi * 440 * torch.arange(44101) / 44101)[None, None], 44101, 16000
    )
    assert odd.shape == (1, 1, 16000)
    assert (odd[0, 0, 100:-100] - expected[100:-100]).abs().max() < 1e-2
    for rate in (0, -1, 1.5):
        with pytest.raises(ArgumentError, match="sample rate"):
            resample(slow, 16000, rate)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kept_filters_are_those_of_a_single_call(dtype):
    for rate, new_rate in ((44100, 32000), (11025, 16000), (16000, 16000)):
        wav = torch.randn(1, 1, rate, dtype=dtype)
        with torch.inference_mode():
            resample(wav, rate, new_rate)
        wav.requires_grad_()
        kept = resample(wav, rate, new_rate)
        assert kept.equal(torchaudio.functional.resample(wav, rate, new_rate))
        assert torch.autograd.grad(kept.sum(), wav)[0].any()


@pytest.mark.parametrize(
    "kind", ["missing", "folder", "empty", "text", "no samples", "nan", "huge", "truncated header"]
)
def test_what_is_no_sound_is_an_audio_error_that_names_the_file(tmp_path, kind):
    path = tmp_path / "clip.wav"
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("not a sound at all " * 50)
    elif kind == "no samples":
        write(path, np.zeros(0))
    elif kind == "nan":
        write(path, np.array([0.0, np.nan, np.inf]), subtype="FLOAT")
    elif kind == "huge":
        write(path, np.full((4, 2), 3e38), subtype="FLOAT")
    elif kind == "truncated header":
        path.write_bytes(b"RIFF\x00\x00\x00\x00WAVE")
    with pytest.raises(AudioError, match=r"clip\.wav"):
        load_audio(path)


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("a.flac", None), ("a.aiff", None), ("a.wav", "PCM_16"), ("a.wav", "ULAW")],
)
def test_a_peak_that_would_be_clipped_is_refused(tmp_path, name, subtype):
    loud = 1.5 * torch.sin(torch.arange(800) / 5)[None, None]
    message = (
        r"a\.\w+: not written, \w+ would clip the largest \|sample\| of 1\.5 to 1; .*normalized"
    )
    with pytest.raises(ArgumentError, match=message):
        save_audio(tmp_path / name, loud, 16000, subtype=subtype)
    assert list(tmp_path.iterdir()) == []
    # A peak of 1, with the rounding of a normalisation, is what these formats are for.
    save_audio(tmp_path / name, normalized(loud) * 1.000001, 16000, subtype=subtype)
    assert load_audio(tmp_path / name, normalize="none").abs().max() > 0.95


@pytest.mark.parametrize("name", ["a.wav", "a.ogg", "a.mp3"])
def test_formats_that_hold_a_peak_above_one_keep_it(tmp_path, name):
    loud = 1.5 * torch.sin(torch.arange(16000) / 5)[None, None]
    save_audio(tmp_path / name, loud, 16000)
    assert load_audio(tmp_path / name, normalize="none").abs().max() > 1.4


def test_a_format_that_cannot_be_decoded_comes_with_the_command(tmp_path):
    path = tmp_path / "dog bark.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(500))
    command = r"convert it: ffmpeg -i 'dog bark\.m4a' 'dog bark\.wav'"
    with pytest.raises(AudioError, match=command):
        load_audio(path)


def test_save_refuses_and_leaves_nothing(tmp_path):
    for shape in ((2, 1, 5), (1, 5), (1, 0, 5), (1, 257, 5)):
        with pytest.raises(ArgumentError, match="one clip"):
            save_audio(tmp_path / "a.wav", torch.zeros(shape), 16000)
    with pytest.raises(ArgumentError, match="NaN"):
        save_audio(tmp_path / "a.wav", torch.full((1, 1, 5), torch.nan), 16000)
    with pytest.raises(AudioInterpError, match="does not exist"):
        save_audio(tmp_path / "no" / "a.wav", torch.zeros(1, 1, 5), 16000)
    with pytest.raises(AudioError, match="cannot be written"):
        save_audio(tmp_path / "a.xyz", torch.zeros(1, 1, 5), 16000)
    assert list(tmp_path.iterdir()) == []

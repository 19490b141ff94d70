"""The synthetic noises have the properties in noises/README.md and the bytes of the files."""

import math
from pathlib import Path

import pytest
import soundfile
import torch

from audiointerp.dataset import soundscape
from audiointerp.dataset.noise import NOISES, synthetic_noise, write_noises
from audiointerp.errors import ArgumentError

FOLDER = Path(__file__).parents[1] / "noises"
RATE = 32000


@pytest.fixture(scope="module")
def noises():
    return {name: synthetic_noise(name, RATE) for name in NOISES}


def octave_levels(sound, centres):
    power = torch.fft.rfft(sound.double()).abs().square()
    hertz = torch.linspace(0, RATE / 2, len(power))
    return {
        c: 10 * math.log10(float(power[(hertz >= c / 2**0.5) & (hertz < c * 2**0.5)].sum()))
        for c in centres
    }


def strongest(signal, rate, low, high):
    """The frequency between two bounds at which a signal has most power."""
    power = torch.fft.rfft(
        (signal - signal.mean()) * torch.hann_window(len(signal)), n=16 * len(signal)
    ).abs()
    hertz = torch.linspace(0, rate / 2, len(power))
    return float(hertz[(power * ((hertz >= low) & (hertz <= high))).argmax()])


def test_the_committed_files_are_made_again_byte_for_byte(tmp_path, noises):
    paths = write_noises(tmp_path / "noises")
    assert [path.name for path in paths] == ["horse.wav", "room.wav", "white.wav"]
    for path in paths:
        assert path.read_bytes() == (FOLDER / path.name).read_bytes()
        assert soundfile.info(path).subtype == "PCM_16"
        read = torch.from_numpy(soundfile.read(path, dtype="int16")[0])
        assert (read - 32768 * noises[path.stem][0, 0]).abs().max() <= 1  # libsndfile rounds down


@pytest.mark.parametrize("name", NOISES)
def test_level_and_ends(name, noises):
    noise = noises[name][0, 0]
    assert noises[name].shape == (1, 1, 5 * RATE)
    assert noise.dtype == torch.float32
    assert int((noise.abs() == 1).sum()) == 1  # peak-normalised, and nowhere clipped
    assert abs(float(noise.mean())) < 0.005
    assert 12 < -20 * math.log10(float(noise.square().mean().sqrt())) < 19
    steps = noise.diff().abs()
    assert abs(noise[0] - noise[-1]) <= steps.quantile(0.999)  # it repeats without a seam
    assert name == "white" or abs(noise[0]) < 1e-3  # and begins without a click
    assert not noise.equal(synthetic_noise(name, RATE, seed=1)[0, 0])


def test_white_is_white(noises):
    noise = noises["white"][0, 0].double()
    levels = octave_levels(noise, (125, 250, 500, 1000, 2000, 4000, 8000))
    for number, level in enumerate(levels.values()):
        assert level - levels[8000] == pytest.approx(-3.01 * (6 - number), abs=0.4)
    spread = noise.std()
    assert float((noise / spread).pow(4).mean()) == pytest.approx(3, abs=0.05)  # Gaussian


def test_room_hums_and_reverberates(noises):
    noise = noises["room"][0, 0]
    levels = octave_levels(noise, (250, 500, 1000, 2000, 4000))
    assert -5 < (levels[4000] - levels[250]) / 4 < -1  # dB an octave, of octave levels: duct noise
    assert strongest(noise, RATE, 60, 1000) == pytest.approx(168, abs=0.5)  # 24 turns of 7 blades
    response = soundscape._room_response(RATE, torch.Generator().manual_seed(0))
    padded = torch.cat([torch.zeros(RATE), response, torch.zeros(2 * RATE)])
    spectrum = torch.fft.rfft(padded)
    hertz = torch.linspace(0, RATE / 2, len(spectrum))
    for centre, seconds in ((500, 0.7), (1000, 0.65), (4000, 0.45)):
        band = (hertz >= centre / 2**0.5) & (hertz < centre * 2**0.5)
        left = (
            torch.fft.irfft(spectrum * band, n=len(padded)).square().flip(0).cumsum(0).flip(0)
        )  # Schroeder's integral
        decibels = 10 * torch.log10(left / left[0])
        t20 = 3 * float((decibels > -25).sum() - (decibels > -5).sum()) / RATE
        assert t20 == pytest.approx(seconds, rel=0.15)


def test_horse_trots_and_whinnies(noises):
    noise = noises["horse"][0, 0]
    beats = noise.abs().reshape(-1, 160).mean(1)
    power = torch.fft.rfft(beats - beats.mean(), n=4096).abs().square()
    likeness = torch.fft.irfft(power)[: RATE // 160]
    assert (40 + int(likeness[40:120].argmax())) / 200 == pytest.approx(
        1 / 2.8, abs=0.01
    )  # seconds between beats
    cry = soundscape._whinny(RATE, torch.Generator().manual_seed(0))
    middle = cry[int(0.5 * RATE) : int(0.6 * RATE)]
    fundamental = strongest(middle, RATE, 600, 1200)
    assert 850 < fundamental < 1000
    assert strongest(middle, RATE, 1.5 * fundamental, 2.5 * fundamental) == pytest.approx(
        2 * fundamental, rel=0.02
    )
    frames = torch.stft(
        cry, 1024, 160, window=torch.hann_window(1024).double(), return_complex=True
    ).abs()
    hertz = torch.arange(513)[:, None] * RATE / 1024
    tail = slice(int(0.9 * 200), int(1.7 * 200))
    second = frames * ((hertz > 700) & (hertz < 2200))
    pitch = ((second * hertz).sum(0) / second.sum(0))[tail]
    slow = torch.nn.functional.avg_pool1d(pitch[None, None], 21, 1, 10, count_include_pad=False)[
        0, 0
    ]
    assert 9 < strongest(pitch - slow, 200, 5, 20) < 13  # the tremble


def test_any_length_and_rate_and_what_is_refused():
    for seconds, rate in ((0.1, 8000), (1.0, 44100), (12.0, 16000)):
        for name in NOISES:
            noise = synthetic_noise(name, rate, seconds)
            assert noise.shape == (1, 1, round(seconds * rate))
            assert noise.isfinite().all()
            assert noise.abs().max() == 1
    for seconds, rate in ((0, RATE), (float("nan"), RATE), (1e9, RATE), (5, 0)):
        with pytest.raises(ArgumentError, match="synthetic noise"):
            synthetic_noise("horse", rate, seconds)
    with pytest.raises(ArgumentError, match="cow"):
        synthetic_noise("cow", RATE)

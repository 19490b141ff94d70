"""What is explained of a clip that is longer than the classifier's windows."""

import html
import json

import numpy as np
import pytest
import soundfile
import torch

from audiointerp import ArgumentError, Classifier, LogSTFT, interpret, load, load_audio, scan
from audiointerp.display import interpretation_page, players_html
from audiointerp.scoring.strongest import explained_part

RATE = 8000


def louder_band(wavs):
    """p of "high" is the share of the power above 1 kHz."""
    power = np.abs(np.fft.rfft(wavs, axis=-1)) ** 2
    high = power[:, power.shape[1] // 4 :].sum(1) / (power.sum(1) + 1e-9)
    return np.stack([1 - high, high], 1)


def classifier():
    return Classifier.from_function(
        louder_band,
        ["low", "high"],
        sample_rate=RATE,
        duration=1.0,
        normalize="peak",
        grid=LogSTFT(RATE, n_fft=256, hop_length=128),
    )


@pytest.fixture
def song(tmp_path):
    """Ten seconds in stereo at 16 kHz: a low tone, and from 6.2 to 6.6 s a high one."""
    time = np.arange(10 * 16000) / 16000
    wav = 0.1 * np.sin(2 * np.pi * 300 * time)
    wav += ((time > 6.2) & (time < 6.6)) * 0.5 * np.sin(2 * np.pi * 3000 * time)
    samples = np.stack([wav, 0.5 * wav], 1)
    soundfile.write(tmp_path / "song.wav", samples, 16000, subtype="FLOAT")
    return tmp_path / "song.wav"


def explained(audio, **options):
    return interpret(classifier(), audio, "occlusion", compared=0, **options)


def test_the_window_with_the_tone_is_explained(song):
    result = explained(song, windows="strongest", target="high")
    begin, end = result.limits
    assert begin <= 6.2 < 6.6 <= end == begin + 1
    assert (result.explained, result.clip) == ("high", f"song.wav, {begin:.2f} to {end:.2f} s")
    scanned = scan(classifier(), song)
    assert result.p_of_sounds["p"] == pytest.approx(scanned.pooled("max").p["high"], abs=1e-3)
    # A listener gets the window with the file's own rate and channels.
    samples, _ = soundfile.read(song, dtype="float32")
    window = samples[round(begin * 16000) : round(end * 16000)]
    assert result.sounds.original[0].T.numpy().tobytes() == window.tobytes()
    assert torch.allclose(
        result.sounds.kept + result.sounds.removed, result.sounds.original, atol=1e-5
    )


def test_by_default_the_window_with_the_largest_p_is_explained_and_the_result_says_so(song):
    result = explained(song, target="high")
    begin, end = result.limits
    assert result.limits == explained(song, target="high", windows="strongest").limits
    note = (
        f"Explained is one window of 1 s, from {begin:g} to {end:g} s of a clip of 10 s: the one "
        f'with the largest p of high. windows="all" explains the whole clip.'
    )
    assert result.window_note() == note
    assert note in repr(result)
    assert html.escape(note) in interpretation_page("song", [[result]])
    assert html.escape(note) in players_html(result)
    assert result.window_note("--windows all").endswith(" --windows all explains the whole clip.")
    figure = result.plot()
    assert figure.axes[0].get_xlabel() == f"time (s), from {begin:g} s of the clip on"


def test_a_clip_of_one_window_says_nothing_of_windows(song):
    result = explained(load_audio(song, RATE)[..., :RATE])
    assert result.window_note() == ""
    assert "window" not in repr(result)
    assert result.plot().axes[0].get_xlabel() == "time (s)"


def test_a_clip_with_silence_after_it_is_said(song):
    """What the network decides by is then mostly silence, and nobody sees it."""
    result = explained(load_audio(song, RATE)[..., : RATE // 4])
    note = "The clip lasts 0.25 s, and is classified with silence after it, up to 1 s."
    assert result.window_note() == note
    assert note in repr(result)


def test_a_window_of_a_clip_is_written_with_its_limits(song, tmp_path):
    for name, windows in (("window", "strongest"), ("whole", "all")):
        result = explained(song, windows=windows)
        result.save(tmp_path / name)
        scores = json.loads((tmp_path / name / "scores.json").read_text())
        assert scores["limits"] == (None if windows == "all" else list(result.limits))


def test_all_windows_are_explained_if_asked(song):
    result = explained(song, target="high", windows="all")
    assert (result.limits, result.window_note()) == (None, "")
    assert result.sounds.original.shape[-1] == 10 * 16000
    # One of ten windows has the tone.
    assert result.p_of_sounds["p"] < 0.15


def test_the_label_of_the_strongest_window_is_explained(song):
    """The low tone is in all windows, and nothing else in most."""
    part = explained_part(classifier(), song, "strongest")
    assert part.target == 0
    assert not part.limits[0] <= 6.2 <= part.limits[1]


def test_samples_and_short_clips(song):
    wav = load_audio(song, RATE)
    part = explained_part(classifier(), wav, "strongest", target=1)
    of_file = explained_part(classifier(), song, "strongest", target=1)
    assert part.limits == of_file.limits
    assert torch.allclose(part.wav, of_file.wav)
    assert part.wav.abs().max() == 1
    short = explained_part(classifier(), wav[..., :RATE], "strongest", target=1)
    assert short.limits is None
    assert short.wav.equal(wav[..., :RATE])


def test_silent_windows_are_not_the_strongest():
    wav = torch.zeros(3 * RATE)
    wav[RATE : 2 * RATE] = 0.1 * torch.randn(RATE, generator=torch.Generator().manual_seed(0))
    part = explained_part(classifier(), wav, "strongest", target=0)
    assert part.limits[0] < 2
    assert part.wav.any()


def test_another_choice_is_refused(song):
    with pytest.raises(ArgumentError, match="loudest"):
        explained(song, windows="loudest")


def test_all_of_a_silent_clip_is_explained():
    """The first label would win if no window had a p."""
    loud = Classifier.from_function(
        lambda wavs: louder_band(wavs)[:, ::-1].copy(),
        ["high", "low"],
        sample_rate=RATE,
        duration=1.0,
        normalize="peak",
        grid=LogSTFT(RATE, n_fft=256, hop_length=128),
    )
    part = explained_part(loud, torch.zeros(3 * RATE), "strongest")
    assert (part.wav.shape[-1], part.target, part.limits) == (3 * RATE, None, None)


@pytest.mark.parametrize("samples", [1, 32, RATE // 10])
def test_a_clip_that_is_a_little_longer_is_explained_whole(song, samples):
    """A decoder adds some samples to most files of 5 s."""
    wav = load_audio(song, RATE)[..., : RATE + samples]
    part = explained_part(classifier(), wav)
    assert part.limits is None
    assert part.wav.equal(wav)
    assert explained_part(classifier(), load_audio(song, RATE)[..., : RATE * 5 // 4]).limits


def test_windows_of_silence_are_not_classified():
    def of_unit_peak(wavs):
        peaks = np.abs(wavs).max(-1, keepdims=True)
        # Silence gives NaN, as in models that divide by the level.
        with np.errstate(invalid="ignore"):
            return louder_band(wavs / peaks)

    model = Classifier.from_function(
        of_unit_peak, ["low", "high"], sample_rate=RATE, duration=1.0, normalize="none"
    )
    wav = torch.zeros(4 * RATE)
    wav[3 * RATE :] = 0.1
    assert explained_part(model, wav).limits == (3.0, 4.0)


def test_the_predicted_label_is_not_explained_against_itself(song):
    message = "low is what the network predicts, and cannot be explained against itself"
    with pytest.raises(ArgumentError, match=message):
        explained(song, against="low")
    with pytest.raises(ArgumentError, match=message):
        explained(load_audio(song, RATE)[..., :RATE], against="low")


def test_a_real_clip_of_five_seconds_is_not_cut(esc10):
    """Ogg files of ESC-10 have 32 samples more than 5 s at 32 kHz."""
    model = load("esc10-mel")
    result = interpret(model, esc10 / "audio" / "5-9032-A-0.ogg", "saliency", compared=0)
    assert result.wav.shape[-1] > 5 * model.sample_rate
    assert (result.limits, result.window_note()) == (None, "")

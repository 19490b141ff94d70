"""A stereo file is heard as it is: its own rate and channels, the same mask on each of them."""

import base64
import html
import io
import math
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import soundfile
import torch
from conftest import noise

import audiointerp as ai
from audiointerp.display import interpretation_html, plot, write_interpretation
from audiointerp.display.fewer_frames import in_columns
from audiointerp.display.players import ENCODINGS, LARGEST_SOUNDS, players_table
from audiointerp.errors import ArgumentError, AudioError, AudioWarning
from audiointerp.processing import (
    load_channels,
    masked_sound,
    mono,
    normalized,
    resample,
    save_audio,
)
from audiointerp.scoring.sounds import Sounds, recording_of

# Thirty random masks for each verdict are tested in test_verdict.py.
interpret = partial(ai.interpret, compared=2)
# The number of shares in a page is not what is tested here.
pytestmark = pytest.mark.usefixtures("few_shares")

KALDI = ai.LogMel(
    16000, 512, 160, 40, f_max=None, win_length=400, window="hamming", center=False, preemphasis=0.9
)
RATE = 44100


def snr(sound, other):
    return float(10 * (sound.square().sum() / (sound - other).square().sum()).log10())


def tone(hertz, seconds=1.0, rate=RATE):
    return torch.sin(2 * torch.pi * hertz * torch.arange(int(seconds * rate)) / rate)


def spectrogram_of(sound, rate, transform):
    return transform(resample(mono(sound), rate, transform.sample_rate))


@pytest.mark.parametrize("transform", [ai.LogMel(), ai.LogSTFT(), KALDI], ids=["mel", "stft", "k"])
@pytest.mark.parametrize(("rate", "length"), [(44100, 20007), (48000, 9), (8000, 5000)])
def test_kept_and_removed_add_up_and_all_ones_is_the_recording(transform, rate, length):
    torch.manual_seed(length)
    song = torch.randn(1, 2, length) * torch.tensor([[[0.1], [0.01]]])
    clip = spectrogram_of(song, rate, transform)
    for mask in ((torch.rand_like(clip.db) < 0.3).float(), torch.zeros_like(clip.db)):
        kept = masked_sound(clip.masked(mask), song, rate)
        removed = masked_sound(clip.masked(1 - mask), song, rate)
        assert kept.shape == song.shape
        assert snr(song, kept + removed) > 100
    assert kept.abs().max() == 0
    whole = masked_sound(clip.masked(torch.ones_like(mask)), song, rate)
    assert torch.equal(whole, song)


@pytest.mark.parametrize("transform", [ai.LogMel(), ai.LogSTFT(), KALDI], ids=["mel", "stft", "k"])
def test_at_the_classifiers_rate_a_channel_is_masked_as_the_clip_is(transform):
    wav = noise(1.0)[..., : transform.sample_rate]
    clip = transform(wav)
    part = clip.masked(torch.rand_like(clip.db), "power")
    heard = masked_sound(part, wav, transform.sample_rate)
    assert torch.equal(heard, part.to_wav())


def test_each_channel_keeps_its_own_content():
    left, right = tone(440.0), torch.zeros(RATE)
    right[10000:12000] = noise(1.0)[0, 0, :2000]
    song = torch.stack([left, right])[None]
    clip = spectrogram_of(song, RATE, ai.LogMel())
    mask = torch.zeros_like(clip.db)
    low = clip.transform.frequencies < 1000
    mask[..., low, :] = 1
    kept = masked_sound(clip.masked(mask), song, RATE)
    alone = masked_sound(clip.masked(mask), song * torch.tensor([[[1.0], [0.0]]]), RATE)
    # What the other channel holds changes nothing, and a silent channel stays silent.
    assert torch.equal(kept[:, :1], alone[:, :1])
    assert alone[:, 1].abs().max() == 0
    assert snr(left, kept[0, 0]) > 40
    swapped = masked_sound(clip.masked(mask), song.flip(1), RATE)
    assert torch.equal(swapped, kept.flip(1))


@pytest.mark.parametrize("hertz", [300.0, 3000.0, 12000.0, 20000.0])
def test_the_mask_acts_at_the_same_hertz_and_above_the_grid_as_its_highest_bin(hertz):
    song = tone(hertz).repeat(1, 2, 1)
    clip = spectrogram_of(song, RATE, ai.LogMel())
    highest = len(clip.transform.frequencies) - 1
    bands = (clip.transform.frequencies - hertz).abs()
    nearest = highest if hertz > 14000 else int(bands.argmin())
    mask = torch.zeros_like(clip.db)
    mask[..., max(0, nearest - 2) : nearest + 3, :] = 1
    kept = masked_sound(clip.masked(mask), song, RATE)
    removed = masked_sound(clip.masked(1 - mask), song, RATE)
    inside = slice(4000, -4000)
    assert snr(song[..., inside], kept[..., inside]) > 40
    assert 20 * removed[..., inside].abs().max().log10() < -40


def test_the_mask_acts_at_the_same_seconds():
    rate, transform = 22050, ai.LogMel(hop_length=300)
    song = 0.1 * torch.randn(1, 1, 10 * rate, generator=torch.Generator().manual_seed(0))
    clip = spectrogram_of(song, rate, transform)
    seconds = torch.arange(clip.db.shape[-1]) * transform.hop_length / transform.sample_rate
    mask = ((seconds > 7) & (seconds < 9)).float().expand_as(clip.db)
    kept = masked_sound(clip.masked(mask), song, rate)
    at = torch.arange(10 * rate) / rate
    assert torch.equal(kept[..., (at < 6.95) | (at > 9.05)].abs().max(), torch.zeros(()))
    middle = (at > 7.05) & (at < 8.95)
    assert snr(song[..., middle], kept[..., middle]) > 100


def test_a_sound_of_another_length_is_refused():
    clip = ai.LogMel()(noise(1.0))
    with pytest.raises(ArgumentError, match=r"not one clip of the length of this sound: 0\.5 s"):
        masked_sound(clip, torch.zeros(1, 2, 22050), 44100)


@pytest.fixture
def song(tmp_path):
    """A quiet stereo file of two seconds, another sound on each side."""
    right = 0.02 * noise(2.0)[0, 0].repeat(2)[: 2 * RATE]
    wav = torch.stack([0.1 * tone(440.0, 2.0), right])[None]
    path = tmp_path / "song.wav"
    save_audio(path, wav, RATE)
    return path, wav


def test_a_file_is_heard_with_its_rate_channels_and_level(classifier, song, tmp_path):
    path, wav = song
    result = interpret(classifier, path, "saliency", windows="all")
    assert result.wav.shape == result.kept.shape == (1, 1, 64000)
    assert result.sounds is result.file_sounds
    assert result.sounds.sample_rate == RATE
    assert torch.equal(result.sounds.original, wav)
    assert snr(wav, result.sounds.kept + result.sounds.removed) > 100
    # p is that of the sound itself: mixed, resampled, scaled as the clip was.
    gain = float(result.wav.abs().max() / resample(mono(wav), RATE, 32000).abs().max())
    heard = gain * resample(mono(result.sounds.kept), RATE, 32000)
    db = classifier.transform(heard).db
    assert torch.allclose(ai.load_audio(path, 32000), result.wav)
    again = interpret(classifier, heard, "saliency", target=result.explained, windows="all")
    assert again.heard["p"] == pytest.approx(result.heard["p_in"], abs=1e-6)
    assert db.shape == result.spectrogram.db.shape
    write_interpretation(result, tmp_path / "out", "song", lossless=True)
    for name, sound in result.sounds:
        written, rate = load_channels(tmp_path / "out" / f"{name}.wav")
        assert rate == RATE
        assert torch.equal(written, sound)
    page = (tmp_path / "out" / "index.html").read_text()
    assert "the file's own, 2 channels at 44100 Hz" in html.unescape(page)
    heard = soundfile.read(io.BytesIO(base64.b64decode(re.search('flac;base64,([^"]+)', page)[1])))
    assert heard[1] == RATE
    # A page raises a quiet file by a power of two, which keeps its 16 bits.
    scale = 2.0 ** math.ceil(math.log2(float(wav.abs().max())))
    assert np.abs(heard[0] - wav[0].T.numpy() / scale).max() < 2**-15
    text = players_table(result)
    assert "44100 Hz and 2 channels" in text
    played = soundfile.read(io.BytesIO(base64.b64decode(re.search('flac;base64,([^"]+)', text)[1])))
    assert played[1] == RATE
    # The shared gain is that of the loudest sound.
    peak = max(float(sound.abs().max()) for _, sound in result.sounds)
    expected = wav[0].T.numpy() / peak
    assert np.abs(played[0] - expected).max() < 2**-14


def test_how_far_the_p_of_the_file_are_from_those_of_the_verdict_is_said(classifier, song):
    path, _ = song
    result = interpret(classifier, path, "saliency", windows="all", compared=2)
    verdict = result.verdict
    of_verdict = {"p": verdict.p, "p_in": verdict.p_kept, "p_out": verdict.p_removed}
    for name, part in (("p", "clip"), ("p_in", "kept part"), ("p_out", "removed part")):
        for distance, said in ((0.187, f"differ by up to .187 (that of the {part})."), (0.04, "")):
            p = of_verdict[name]
            moved = p + distance if p < 0.5 else p - distance
            heard = {**of_verdict, name: moved}
            note = replace(result, p_of_sounds=heard).file_note()
            assert note.endswith(said or "converted, can differ a little.")
            assert f"made at its own {RATE} Hz and then converted, " in note


def test_only_other_files_change_what_is_heard(classifier, song, tmp_path):
    path, _ = song
    assert interpret(classifier, path, "saliency", inversion="lstsq").file_sounds is None
    save_audio(tmp_path / "mono.wav", noise(1.0), 32000)
    by_path = interpret(classifier, tmp_path / "mono.wav", "saliency")
    by_samples = interpret(classifier, normalized(noise(1.0)), "saliency")
    assert by_path.file_sounds is None
    assert torch.equal(by_path.sounds.kept, by_samples.kept)
    assert players_table(by_path) == players_table(by_samples)
    pages = [interpretation_html(replace(result, clip=None)) for result in (by_path, by_samples)]
    assert pages[0] == pages[1]


def test_samples_with_a_rate_are_heard_as_the_file_that_holds_them(classifier, song):
    path, wav = song
    content = {"bytes": path.read_bytes(), "path": None}
    for audio, channels in (((mono(wav), RATE), 1), (content, 2)):
        result = interpret(classifier, audio, "saliency", windows="all")
        assert result.sounds.sample_rate == RATE
        assert torch.equal(result.sounds.original, wav if channels == 2 else mono(wav))
        assert snr(result.sounds.original, result.sounds.kept + result.sounds.removed) > 100
    by_path, by_content = (interpret(classifier, audio, "saliency") for audio in (path, content))
    assert by_content.heard == by_path.heard
    assert torch.equal(by_content.sounds.kept, by_path.sounds.kept)


def test_too_many_channels_are_said_and_heard_in_mono(song, monkeypatch):
    path, _ = song

    def refuse(_):
        raise AudioError("song.wav: too many samples")

    monkeypatch.setattr("audiointerp.dataset.clip_forms.load_channels", refuse)
    with pytest.warns(AudioWarning, match="too many samples; the parts are given in mono"):
        assert recording_of(path, noise(1.0), 32000) is None


def test_a_band_that_the_file_does_not_have_is_said(call, classifier, tmp_path):
    classifier.save(tmp_path / "small.safetensors")
    save_audio(tmp_path / "low.wav", 0.1 * noise(0.2)[..., :4000], 4000)
    place = ("--weights", tmp_path / "small.safetensors", "--out", tmp_path / "out")
    note = "The file has 4000 Hz: nothing above 2000 Hz is in it, and the network listens up to "
    done = call("interpret", tmp_path / "low.wav", "--method", "saliency", *place)
    assert done.stdout.count(note + "14000 Hz.") == 1
    page = html.unescape((tmp_path / "out" / "index.html").read_text())
    assert note in page
    # MP3 has no such rate: the page's sound has another one than the file.
    assert "the file's own, one channel at 4000 Hz" in page
    assert "holds the file at 16000 Hz, since an MP3 cannot have 4000 Hz" in page
    done = call("scan", tmp_path / "low.wav", "--explain", 0, *place)
    assert done.stdout.count(note) == 1
    assert note in html.unescape((tmp_path / "out" / "low.wav" / "index.html").read_text())
    save_audio(tmp_path / "high.wav", 0.1 * noise(1.0), 44100)
    assert interpret(classifier, tmp_path / "high.wav", "saliency", compared=0).rate_note() == ""


def test_channels_are_read_as_they_are(tmp_path):
    wav = torch.rand(1, 3, 5000)
    save_audio(tmp_path / "three.wav", wav, 12345)
    read, rate = load_channels(tmp_path / "three.wav")
    assert rate == 12345
    assert torch.equal(read, wav)
    with pytest.raises(AudioError, match="no such audio file"):
        load_channels(tmp_path / "none.wav")


@pytest.mark.parametrize(("seconds", "players"), [(3.0, 5), (15.0, 3)])
def test_a_page_of_a_long_sound_stays_small_and_says_so(
    result_of_noise, seconds, players, monkeypatch
):
    # A tenth of the length, and of the page.
    monkeypatch.setattr("audiointerp.display.players.LARGEST_SOUNDS", LARGEST_SOUNDS // 10)
    # As loud as one another, and one far quieter.
    length = int(RATE * seconds)
    wav = noise(2.0)[0].repeat(2, length // 64000 + 1)[None, :, :length] * 0.1
    table = players_table(result_of_noise(Sounds(wav, 0.5 * wav, 0.001 * wav, RATE)))
    assert len(table) < LARGEST_SOUNDS / 10 * 1.03
    assert table.count("<audio") == players
    assert re.search(r"MP3 with \d+ kbit/s", table)
    if players == 3:
        sounds = [
            soundfile.read(io.BytesIO(base64.b64decode(text)))
            for text in re.findall('mpeg;base64,([^"]+)', table)
        ]
        levels = [20 * np.log10(np.sqrt(np.mean(samples**2))) for samples, _ in sounds]
        assert all(samples.shape[1] == 2 for samples, _ in sounds)
        assert abs(len(sounds[0][0]) - length) < 3000
        # One gain; the quiet one alone is raised, by the gain that stands beside it.
        assert levels[0] - levels[1] == pytest.approx(6.02, abs=0.5)
        assert "+60.0 dB, against the original" in table


@pytest.fixture
def result_of_noise(classifier):
    result = interpret(classifier, noise(1.0), "saliency")
    return lambda sounds: replace(result, file_sounds=sounds)


def test_players_of_many_channels_and_odd_rates(result_of_noise):
    from audiointerp.display import player

    assert "FLAC" in ENCODINGS
    wav = torch.rand(1, 6, 3000)
    text = player(wav, 48000)
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(text.split("base64,")[1][:-10])))
    assert (samples.ndim, rate) == (1, 48000)
    assert np.abs(samples - wav[0].mean(0).numpy()).max() < 2**-14
    for given, expected in ((96000, 48000), (11025, 16000), (37800, 44100)):
        text = player(wav[:, :2], given, "MP3", 64)
        data = base64.b64decode(text.split("base64,")[1].split('"')[0])
        assert soundfile.info(io.BytesIO(data)).samplerate == expected
    table = players_table(result_of_noise(Sounds(wav, wav, wav, 48000)))
    assert "6 channels; the players have their mean" in table


def test_a_long_clip_is_drawn_below_each_other_without_losing_short_sounds(result_of_noise):
    values = torch.full((1, 1, 3, 9000), -90.0)
    values[..., 1, 4321] = -5
    drawn = in_columns(values, "loudest")
    assert drawn.shape[-1] <= 2000
    assert (drawn == -5).sum() == 1
    assert in_columns(-values, "strongest").max() == 90
    assert float(in_columns(values, "mean").max()) == pytest.approx((-90 * 4 - 5) / 5)
    short = torch.rand(1, 1, 3, 2000)
    assert in_columns(short, "mean") is short
    transform = ai.LogMel()
    spec = transform(noise(1.0).repeat(1, 1, 30))
    image = plot.mask(torch.ones_like(spec.db), spec)
    assert image.get_array().shape[1] <= 2000
    assert image.get_extent()[1] == pytest.approx(30, abs=0.05)

"""The synthetic clips: what each sound is by numbers, and that its truth is known."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audiointerp.dataset import CLASSES, ESC50, Synthetic
from audiointerp.dataset.acoustics import heard, loudest, minimum_phase, room_response
from audiointerp.dataset.draw import Draw
from audiointerp.dataset.synthesis import convolve, curve, strikes
from audiointerp.dataset.synthetic import DISTRACTOR_LEVELS
from audiointerp.errors import ArgumentError, DatasetError
from audiointerp.processing.spectrogram import LogMel

RATE = 32000
SEEDS = range(4)


def dry(name, seed, seconds=2.4):
    """A sound before it comes into a room."""
    sound = CLASSES[name](Draw(seed, RATE), seconds)
    assert sound.shape == (round(seconds * RATE),)
    assert sound.isfinite().all()
    return sound


def envelope(sound, hertz=400):
    """The level in steps of 1 / ``hertz`` seconds."""
    return sound.unfold(0, RATE // hertz, RATE // hertz).square().mean(1).sqrt()


def rhythm(sound, slowest, fastest, hertz=400):
    """The rate in Hz at which the envelope is most like itself."""
    level = envelope(sound, hertz)
    level = level - level.mean()
    power = torch.fft.rfft(level, 4 * len(level)).abs().square()
    likeness = torch.fft.irfft(power)[: len(level)]
    lags = torch.arange(round(hertz / fastest), round(hertz / slowest) + 1)
    best = int(lags[likeness[lags].argmax()])
    return hertz / best, float(likeness[best] / likeness[0])


def power_spectrum(sound):
    return torch.fft.rfft(sound).abs().square()


def share_of_power(sound, low, high):
    power = power_spectrum(sound)
    hertz = torch.linspace(0, RATE / 2, len(power))
    return float(power[(hertz >= low) & (hertz < high)].sum() / power.sum())


def strongest_pitches(sound, width=2048):
    """The strongest frequency of each frame that is not quiet."""
    frames = sound.unfold(0, width, width // 4) * torch.hann_window(width)
    power = torch.fft.rfft(frames, 4 * width).abs().square()
    loud = power.sum(1) > 0.1 * power.sum(1).max()
    return power[loud].argmax(1) * RATE / (4 * width), power[loud]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_siren_glides_slowly_over_more_than_half_an_octave(seed):
    sound = dry("siren", seed)
    frames = sound.unfold(0, 4096, 512) * torch.hann_window(4096)
    power = torch.fft.rfft(frames).abs().square()
    hertz = torch.linspace(0, RATE / 2, power.shape[1])
    range_of_pitch = (hertz > 300) & (hertz < 2600)
    pitch = hertz[range_of_pitch][power[:, range_of_pitch].argmax(1)]
    assert float((pitch.max() / pitch.min()).log2()) > 0.5
    steps = (pitch[1:] / pitch[:-1]).log2().abs()
    assert float(steps.quantile(0.9)) < 0.15


@pytest.mark.parametrize("seed", SEEDS)
def test_a_clock_ticks_regularly_and_briefly(seed):
    sound = dry("ticking_clock", seed)
    rate, likeness = rhythm(sound, 1 / 0.42, 1 / 0.16)
    assert likeness > 0.5
    loud = envelope(sound) > 0.1 * envelope(sound).max()
    assert loud.float().mean() < 0.08 * rate


@pytest.mark.parametrize("seed", SEEDS)
def test_knocks_are_low_thuds_in_groups(seed):
    sound = dry("knocking", seed)
    assert share_of_power(sound, 0, 2500) > 0.7
    level = envelope(sound, 100)
    pauses = level < 0.1 * level.max()
    assert 0.3 < pauses.float().mean() < 0.95
    rate, _ = rhythm(sound, 3.8, 8)
    assert 3.8 <= rate <= 8


@pytest.mark.parametrize("seed", SEEDS)
def test_birds_sweep_fast_above_the_other_sounds(seed):
    sound = dry("bird_chirps", seed)
    assert share_of_power(sound, 1600, 16000) > 0.98
    pitches, _ = strongest_pitches(sound, 512)
    assert float((pitches[1:] / pitches[:-1]).log2().abs().quantile(0.8)) > 0.02


@pytest.mark.parametrize("seed", SEEDS)
def test_an_engine_fires_some_tens_of_times_a_second(seed):
    rate, likeness = rhythm(dry("engine", seed)[RATE // 2 : RATE], 5, 95, 2000)
    assert likeness > 0.2
    assert 5 < rate < 95


@pytest.mark.parametrize("seed", SEEDS)
def test_rain_is_steady_and_wide(seed):
    sound = dry("rain", seed)[RATE // 4 : -RATE // 4]
    level = 20 * envelope(sound, 10).log10()
    assert float(level.std()) < 2.5
    power = power_spectrum(sound)
    power = power / power.sum()
    spread = float(torch.exp(-(power * power.clamp_min(1e-30).log()).sum())) / len(power)
    assert spread > 0.03


@pytest.mark.parametrize("seed", SEEDS)
def test_a_whistle_is_almost_one_pure_tone(seed):
    pitches, power = strongest_pitches(dry("whistle", seed))
    hertz = torch.linspace(0, RATE / 2, power.shape[1])
    near = (hertz / pitches[:, None]).log2().abs() < 0.15
    assert float(((power * near).sum(1) / power.sum(1)).median()) > 0.95
    assert float((pitches.max() / pitches.min()).log2()) > 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_an_alarm_has_two_pitches_in_turn(seed):
    pitches, _ = strongest_pitches(dry("alarm", seed))
    low = pitches < (pitches.min() * pitches.max()).sqrt()
    assert 0.25 < low.float().mean() < 0.75
    for group in (pitches[low], pitches[~low]):
        middle = group.median()
        assert ((group / middle - 1).abs() < 0.02).float().mean() > 0.85


@pytest.mark.parametrize("seed", SEEDS)
def test_footsteps_are_double_crunches_at_a_walk(seed):
    sound = dry("footsteps", seed, 2.8)
    rate, likeness = rhythm(sound, 1 / 0.66, 1 / 0.38)
    assert 1 / 0.66 <= rate <= 1 / 0.38
    assert likeness > 0.2
    level = envelope(sound, 100)
    assert (level > 0.15 * level.max()).float().mean() < 0.75


@pytest.mark.parametrize("seed", SEEDS)
def test_a_telephone_bell_is_struck_20_to_25_times_a_second(seed):
    sound = dry("telephone_bell", seed)
    rate, likeness = rhythm(sound[: round(0.75 * RATE)], 9, 27)
    # Two bells that differ are heard in turn, so the pattern repeats at half the rate.
    assert any(19 <= factor * rate <= 26.5 for factor in (1, 2))
    assert likeness > 0.2


def test_every_sound_can_be_made_at_any_rate():
    for rate in (8000, 11025, 22050, 44100, 48000):
        dataset = Synthetic((5,), sample_rate=rate, duration=3.0)
        for index in range(rate % 8, 80, 8):
            wav, _ = dataset[index]
            assert wav.shape == (1, 3 * rate)
            assert wav.isfinite().all()
            assert wav.abs().max() == pytest.approx(1)


def test_clips_are_deterministic_and_of_five_folds():
    one, same, other = Synthetic((1,)), Synthetic((1,)), Synthetic((1,), seed=1)
    assert len(Synthetic()) == 400
    assert len(Synthetic((5, 5))) == 80
    for index in (0, 33, 79):
        assert one[index][0].equal(same[index][0])
        assert not one[index][0].equal(other[index][0])
        event, distractor, background = one.parts(index)
        assert torch.allclose(one[index][0], (event + distractor + background)[0], atol=1e-6)
        assert one[index][0].abs().max() == pytest.approx(1)
    for wrong in ((6,), ()):
        with pytest.raises(DatasetError, match="unknown fold"):
            Synthetic(wrong)
    with pytest.raises(ArgumentError, match="3 s"):
        Synthetic(duration=1.0)


def test_a_distractor_is_of_another_class_and_not_louder():
    dataset = Synthetic((5,), sample_rate=16000)
    others = {(row[2], dataset.distractor(index)) for index, row in enumerate(dataset.rows)}
    assert all(target != other for target, other in others)
    assert {other for _, other in others} == set(range(10))
    for index in range(0, 80, 9):
        event, distractor, _ = dataset.parts(index)
        levels = [loudest(part[0, 0], 16000) for part in (distractor, event)]
        decibels = 20 * np.log10(levels[0] / levels[1])
        assert DISTRACTOR_LEVELS[0] - 1e-3 <= decibels <= DISTRACTOR_LEVELS[1] + 1e-3


def test_the_supports_belong_to_their_sources():
    dataset, transform = Synthetic((5,)), LogMel()
    for index in (0, 25, 79):
        parts = dataset.parts(index)
        levels = [transform(part).db for part in parts]
        event = dataset.support(index, transform)
        distractor = dataset.support(index, transform, "distractor")
        assert event.dtype == torch.bool
        assert not (event & distractor).any()
        assert 0 < event.float().mean() < 0.5
        # A bin that is louder than the sum of the others is about as loud as each of them.
        assert (levels[0] > levels[1] - 6)[event].all()
        assert (levels[0] > levels[0].max() - 40)[event].all()
        spectrogram = transform(dataset[index][0][None])
        kept = spectrogram.masked(event.float()).to_wav()[0, 0]
        pair = torch.stack([kept, parts.event[0, 0]])
        assert torch.corrcoef(pair)[0, 1] > 0.9
    with pytest.raises(ArgumentError, match=r"unknown source 'events'.*event"):
        dataset.support(0, transform, "events")


def test_the_level_alone_does_not_find_the_event():
    """Mean AUC of the level, among the bins within 60 dB of the peak: it was 0.97."""
    dataset, transform = Synthetic((5,)), LogMel()
    areas, contrasts = [], []
    for index in range(0, 80, 4):
        db = transform(dataset[index][0][None]).db
        event = dataset.support(index, transform)
        audible = db > db.max() - 60
        areas.append(roc_auc_score(event[audible], db[audible]))
        either = event | dataset.support(index, transform, "distractor")
        contrasts.append(roc_auc_score(event[either], db[either]))
    assert np.mean(areas) < 0.92
    assert np.mean(contrasts) < 0.7


def test_mean_spectra_do_not_separate_the_classes():
    """Multinomial logistic regression on four folds stays below 60 % on the fifth."""
    transform = LogMel(16000, f_max=8000.0)

    def spectra(folds):
        dataset = Synthetic(folds, sample_rate=16000)
        rows = [transform(wav[None]).db.mean(-1).flatten() for wav, _ in dataset]
        return torch.stack(rows).numpy(), [row[2] for row in dataset.rows]

    train, test = spectra((1, 2, 3, 4)), spectra((5,))
    for strength in (0.01, 1.0):
        regression = LogisticRegression(C=strength, max_iter=1000)
        model = make_pipeline(StandardScaler(), regression).fit(*train)
        assert 0.1 < model.score(*test) < 0.6


def test_clips_are_written_in_the_layout_of_esc50(tmp_path):
    dataset = Synthetic((2,), sample_rate=8000, duration=3.0)
    dataset.rows = dataset.rows[::20]
    dataset.write(tmp_path)
    read = ESC50(tmp_path, subset="esc10", sample_rate=8000, duration=3.0)
    assert len(read) == len(dataset)
    for index in range(len(read)):
        wav, target = read[index]
        assert read.labels[target] == dataset.labels[dataset[index][1]]
        assert torch.allclose(wav, dataset[index][0], atol=1e-6)
        assert read.recording(index) == dataset.recording(index)


def test_convolutions_are_those_of_numpy():
    generator = torch.Generator().manual_seed(0)
    sound, response = (torch.randn(size, generator=generator) for size in (1000, 77))
    expected = np.convolve(sound.numpy(), response.numpy())
    assert np.allclose(convolve(sound, response).numpy(), expected, atol=1e-4)
    impulses = np.zeros(1000)
    # Two strikes at once add up; one beyond the end is left out.
    for onset, size in ((3, 1.0), (500, -2.0), (500, 0.5)):
        impulses[onset] += size
    onsets, sizes = torch.tensor([3, 500, 500, 1000]), torch.tensor([1.0, -2.0, 0.5, 9.0])
    expected = np.convolve(impulses, response.numpy())[:1000]
    assert np.allclose(strikes(onsets, sizes, response, 1000).numpy(), expected, atol=1e-4)


def test_a_curve_goes_through_its_points():
    points = ((0.0, 1.0), (0.5, -2.0), (0.75, 3.0))
    values = curve(torch.tensor([-1.0, 0.0, 0.25, 0.5, 0.75, 2.0]), points)
    assert torch.allclose(values, torch.tensor([1.0, 1.0, -0.5, -2.0, 3.0, 3.0]), atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_room_answers_at_once_and_never_before(seed):
    response = room_response(Draw(seed, RATE))
    energy = response.square()
    # Direct sound and early reflections come first; nothing is left at the end.
    assert float(energy[: RATE // 20].sum() / energy.sum()) > 0.6
    assert float(energy[-RATE // 100 :].sum() / energy.sum()) < 1e-3
    sound = torch.randn(4000, generator=torch.Generator().manual_seed(seed))
    clip = heard(sound, 3000, 16000, Draw(seed, RATE))
    assert not clip[:3000].abs().max() > 0
    assert loudest(clip, RATE) == pytest.approx(1, rel=1e-4)
    wet = convolve(sound, response)[:13000]
    expected = wet * (clip[3000] / wet[0])
    assert torch.allclose(clip[3000 : 3000 + len(wet)], expected, atol=1e-4)


def test_a_minimum_phase_filter_has_the_levels_and_is_causal():
    hertz = torch.linspace(0, 1, 513)
    decibels = 6 * torch.cos(3 * torch.pi * hertz) - 10 * hertz
    spectrum = minimum_phase(decibels)
    assert torch.allclose(20 * spectrum.abs().log10(), decibels, atol=1e-3)
    response = torch.fft.irfft(spectrum)
    assert float(response[512:].abs().max()) < 1e-3 * float(response[0])

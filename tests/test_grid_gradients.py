"""Gradients through the sound: what they are, and how they differ from those on features."""

from dataclasses import replace

import pytest
import torch
from conftest import around_peak, small_classifier
from torch import nn

from audiointerp.interpretation import METHODS
from audiointerp.model import BoundModel, SoundModel
from audiointerp.model.classifier import Classifier
from audiointerp.processing.masking import levels_gain
from audiointerp.processing.spectrogram import LogMel

SMALL = LogMel(8000, n_fft=128, hop_length=64, n_mels=8, f_min=0.0, f_max=4000.0)


class FrontEnd(nn.Module):
    def __init__(self, transform):
        super().__init__()
        self.transform = transform
        self.cell_frequencies = transform.frequencies

    def forward(self, wav):
        return self.transform(wav[:, None]).db


def on_sounds(classifier):
    """The network with the library's front end, as a module on waveforms."""
    module = nn.Sequential(FrontEnd(classifier.transform), classifier.network)
    return Classifier.from_waveform(
        module,
        classifier.labels,
        sample_rate=classifier.sample_rate,
        duration=classifier.duration,
        normalize="peak",
        grid=classifier.transform,
        network=classifier.network,
    )


def sound(length, seed=0):
    """Noise whose level rises by 30 dB, so that the bins differ, float64."""
    noise = torch.randn(1, 1, length, generator=torch.Generator().manual_seed(seed)).double()
    return 0.3 * noise * torch.logspace(-1.5, 0, length, dtype=torch.float64)


@pytest.fixture
def small():
    """A curved function of small features, and a clip of eight bands and eight frames, float64."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 2)).double()
    with torch.no_grad():
        network[1].weight.mul_(0.2)
    clip = SMALL(sound(448))
    assert clip.db.shape == (1, 1, 8, 8)
    return network, clip


def bound(network, clip):
    module = nn.Sequential(FrontEnd(SMALL), network)
    return BoundModel(SoundModel(module, 8000, "NL"), clip)


def gradient(function, levels):
    levels = levels.detach().clone().requires_grad_()
    return torch.autograd.grad(function(levels)[0, 1], levels)[0]


def finite_difference(function, levels, direction, step=1e-4):
    with torch.no_grad():
        return (function(levels + step * direction) - function(levels - step * direction)) / (
            2 * step
        )


def test_gradients_through_the_sound_are_finite_differences(small):
    network, clip = small
    model = bound(network, clip)
    expected = torch.empty(8, 8, dtype=torch.float64)
    for index in range(64):
        direction = torch.zeros(1, 1, 64, dtype=torch.float64)
        direction[..., index] = 1
        slope = finite_difference(model, clip.db, direction.reshape(1, 1, 8, 8))
        expected.view(-1)[index] = slope[0, 1]
    values = gradient(model, clip.db)[0, 0]
    assert (values - expected).norm() < 1e-3 * expected.norm()
    assert torch.allclose(values, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


def reanalysed(clip, levels):
    """The levels of the sound that is made from levels."""
    gain = levels_gain(clip.db, levels)
    return clip.transform(replace(clip, db=levels, gain=gain).to_wav())


def jacobian(clip):
    """How each level of the sound changes with each level of the grid, by finite differences."""
    columns = []
    for index in range(64):
        direction = torch.zeros(64, dtype=torch.float64)
        direction[index] = 1
        changed = finite_difference(
            lambda levels: reanalysed(clip, levels).db, clip.db, direction.reshape(1, 1, 8, 8)
        )
        columns.append(changed.flatten())
    return torch.stack(columns, 1)


def test_the_gradient_through_the_sound_is_the_direct_one_times_the_jacobian(small):
    network, clip = small
    direct = gradient(network, clip.db).flatten()
    through_sound = gradient(bound(network, clip), clip.db).flatten()
    spread = jacobian(clip)
    expected = spread.T @ direct
    assert (through_sound - expected).norm() < 1e-3 * expected.norm()
    # The sound has another gradient: its bins overlap.
    assert torch.corrcoef(torch.stack([direct, through_sound]))[0, 1] < 0.98


def test_a_change_of_one_level_spreads_over_windows_and_bands(small):
    _, clip = small
    spread = jacobian(clip)
    # A gain of the whole clip changes all levels by as much.
    assert torch.allclose(spread.sum(1), torch.ones(64, dtype=torch.float64), atol=1e-3)
    share = spread.diagonal().abs().sum() / spread.abs().sum()
    assert 0.1 < share < 0.9
    # Windows overlap by half, so a frame reaches its two neighbours, and no other.
    frames = torch.arange(64) % 8
    apart = (frames[:, None] - frames[None]).abs()
    assert spread[apart == 1].abs().max() > 0.05
    assert spread[apart > 2].abs().max() < 1e-6


def correlation(first, second):
    return float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])


@pytest.mark.parametrize("method", ["gradcam", "layercam"])
def test_maps_of_layers_are_the_same_through_the_sound(method, clips):
    classifier = small_classifier(duration=1.0)
    hearing = on_sounds(classifier)
    wav = around_peak(clips[0], 32000)
    spectrogram = classifier.transform(wav)
    kind = METHODS[method]
    direct = kind(classifier.network)(spectrogram.db, target=1)
    heard = kind(hearing.network).bound_to(hearing.bind(spectrogram))(spectrogram.db, target=1)
    assert correlation(direct.values, heard.values) > 0.9999


def test_maps_of_inputs_differ_by_the_jacobian_on_a_real_clip(clips):
    classifier = small_classifier(duration=1.0)
    hearing = on_sounds(classifier)
    spectrogram = classifier.transform(around_peak(clips[0], 32000))
    saliency = METHODS["saliency"]
    direct = saliency(classifier.network)(spectrogram.db, target=1).values
    bound_network = hearing.bind(spectrogram)
    heard = saliency(hearing.network).bound_to(bound_network)(spectrogram.db, target=1).values
    levels = spectrogram.db.clone().requires_grad_()
    (expected,) = torch.autograd.grad(reanalysed(spectrogram, levels).db, levels, direct)
    assert (heard - expected).norm() < 1e-3 * expected.norm()
    assert correlation(direct, heard) < 0.99

"""The components of a clip's sound: known ones are found, and shares and means add up."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from audiointerp.interpretation.components import component_shares, mean_by_component
from audiointerp.util import FLOOR


def decibels(amplitudes):
    return 20 * amplitudes.clamp_min(1e-5).log10()


def test_sounds_that_share_no_band_are_told_apart_also_where_both_sound():
    """Two spectra, each on and off by its own course: at each bin one of them is all there is."""
    generator = torch.manual_seed(0)
    courses = (torch.rand(2, 40, generator=generator) > 0.4).float()
    spectra = torch.zeros(2, 12)
    spectra[0, :5], spectra[1, 6:] = torch.rand(2, 1, generator=generator) + 0.5
    sounds = spectra[:, :, None] * courses[:, None]
    shares = component_shares(decibels(sounds.sum(0)), 2)
    order = shares[:, :5].mean((1, 2)).argsort(descending=True)
    for place, sound in zip(order, sounds, strict=True):
        assert float(shares[place][sound > 0].min()) > 0.99


def test_sounds_that_share_bands_are_told_apart_by_their_courses():
    """Their spectra overlap; each also sounds alone, so their products are the only ones."""
    generator = torch.manual_seed(1)
    spectra = torch.rand(2, 16, generator=generator) + torch.tensor([[0.0], [0.2]])
    spectra[0, 10:], spectra[1, :4] = 0, 0
    courses = torch.rand(2, 60, generator=generator)
    courses[0, :15], courses[1, 45:] = 0, 0
    sounds = spectra[:, :, None] * courses[:, None]
    shares = component_shares(decibels(sounds.sum(0)), 2)
    expected = sounds / sounds.sum(0)
    both = (sounds[0] > 0.05) & (sounds[1] > 0.05)
    order = shares[:, :4].mean((1, 2)).argsort(descending=True)
    found = shares[order][:, both]
    assert float((found - expected[:, both]).abs().mean()) < 0.1
    swapped = shares[order.flip(0)][:, both]
    assert float((swapped - expected[:, both]).abs().mean()) > 0.3


@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    count=st.integers(1, 12),
    seed=st.integers(0, 100),
    spread=st.sampled_from([0.0, 1.0, 100.0]),
)
def test_shares_are_shares(size, count, seed, spread):
    """Also of a constant clip, of one bin, and of more components than there are bins."""
    levels = torch.randn(size, generator=torch.manual_seed(seed)) * spread - 50
    levels = levels.clamp_min(FLOOR + 1)
    shares = component_shares(levels, count)
    assert shares.shape == (min(count, *size), *size)
    assert bool(((shares >= 0) & (shares <= 1)).all())
    torch.testing.assert_close(shares.sum(0), torch.ones(size).double())


def test_silence_belongs_to_no_component_and_gets_no_mean():
    levels = torch.randn(6, 7, generator=torch.manual_seed(0)).double() * 10 - 30
    levels[..., 4:] = FLOOR
    shares = component_shares(levels, 3)
    assert float(shares[..., 4:].abs().max()) == 0
    torch.testing.assert_close(shares[..., :4].sum(0), torch.ones(6, 4).double())
    means = mean_by_component(torch.rand(2, 1, 6, 7).double(), shares)
    assert float(means[..., 4:].abs().max()) == 0 < float(means[..., :4].min())
    silent = component_shares(torch.full((6, 7), FLOOR), 3)
    assert float(mean_by_component(torch.rand(1, 1, 6, 7).double(), silent).abs().max()) == 0


def test_a_gain_changes_nothing():
    levels = torch.randn(6, 7, generator=torch.manual_seed(0)).double() * 10 - 30
    torch.testing.assert_close(component_shares(levels - 20, 3), component_shares(levels, 3))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_means_by_component_keep_the_sum_and_a_constant(count):
    generator = torch.manual_seed(0)
    shares = component_shares(torch.randn(6, 7, generator=generator) * 10, count)
    values = torch.randn(3, 1, 6, 7, generator=generator).double()
    means = mean_by_component(values, shares)
    torch.testing.assert_close(means.sum((1, 2, 3)), values.sum((1, 2, 3)))
    constant = torch.full((1, 1, 6, 7), 2.5).double()
    torch.testing.assert_close(mean_by_component(constant, shares), constant)
    if count == 1:
        mean = values.mean((1, 2, 3), keepdim=True)
        torch.testing.assert_close(means, mean.expand(values.shape))

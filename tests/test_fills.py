"""What a removed bin becomes: cases by hand, and laws for any clip."""

import pytest
import torch
from conftest import noise, small_classifier
from hypothesis import given
from hypothesis import strategies as st

from audiointerp.errors import ArgumentError
from audiointerp.interpretation import RISE, MaskGradient, OptimalMask
from audiointerp.util import FILLS, FLOOR, fill_levels

LEVELS = torch.tensor([[[[0.0, -10.0, -20.0, -30.0, -40.0], [-5.0, -5.0, -5.0, -90.0, -5.0]]]])


def test_the_background_is_a_quiet_level_of_the_band_and_never_rises():
    levels = torch.arange(-50.0, 1.0).view(1, 1, 1, -1)
    filled = fill_levels(levels, "background")
    assert filled.max() == -45  # the sixth of 51 levels: the 10 % quantile
    assert filled.equal(levels.clamp_max(-45))


def test_cases_by_hand():
    assert fill_levels(LEVELS, "silence").unique().tolist() == [FLOOR]
    assert fill_levels(LEVELS, "mean")[0, 0].unique(dim=1).flatten().tolist() == [-20, -22]
    assert fill_levels(LEVELS, "blur").unique().tolist() == [pytest.approx(-21)]
    swapped = fill_levels(LEVELS, "swap")
    assert swapped.sort(-1).values.equal(LEVELS.sort(-1).values)
    assert not swapped.equal(LEVELS)
    noise = fill_levels(LEVELS.repeat(1, 1, 1, 50), "noise")
    assert set(noise[0, 0, 0].tolist()) == {-20, -30, -40}


@pytest.mark.parametrize("fill", FILLS)
@given(seed=st.integers(0, 2**31), frames=st.integers(1, 40), clips=st.integers(1, 3))
def test_a_fill_knows_one_clip_alone_and_stays_within_its_levels(fill, seed, frames, clips):
    generator = torch.Generator().manual_seed(seed)
    levels = -80 * torch.rand(clips, 1, 6, frames, generator=generator)
    filled = fill_levels(levels, fill)
    assert filled.shape == levels.shape
    alone = [fill_levels(clip[None], fill) for clip in levels]
    assert filled.equal(torch.cat(alone))
    if fill != "silence":
        assert (filled >= levels.amin((2, 3), keepdim=True) - 1e-4).all()
        assert (filled <= levels.amax((2, 3), keepdim=True) + 1e-4).all()


@pytest.mark.parametrize("fill", FILLS)
def test_a_fill_is_differentiable_and_repeatable(fill):
    levels = LEVELS.clone().requires_grad_()
    filled = fill_levels(levels, fill, seed=3)
    assert filled.equal(fill_levels(LEVELS, fill, seed=3))
    assert filled.requires_grad == (fill != "silence")


def test_another_seed_draws_anew():
    levels = torch.arange(200.0).view(1, 1, 2, 100)
    for fill in ("noise", "swap"):
        assert not fill_levels(levels, fill, seed=1).equal(fill_levels(levels, fill, seed=2))


@pytest.mark.parametrize("fill", ["noise", "swap"])
def test_a_mask_is_not_scored_by_the_draw_that_its_method_saw(fill):
    classifier = small_classifier()
    clip = classifier.transform(noise(1.0))
    scored = clip.masked(torch.zeros_like(clip.db), fill=fill).db
    network = classifier.network
    for method in (OptimalMask(network), RISE(network), MaskGradient(network)):
        assert not scored.equal(fill_levels(clip.db, fill, method.seed))


def test_an_unknown_fill_names_the_known_ones():
    with pytest.raises(ArgumentError, match="background"):
        fill_levels(LEVELS, "backgroud")

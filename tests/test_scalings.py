"""Scalings: what a network sees of the levels, as its own front end computes it."""

import math

import librosa
import numpy as np
import pytest
import torch
from front_ends import BASE, DB, LN_TO_DB, noise, torchaudio_values
from torch.autograd import gradcheck

from audiointerp.errors import ArgumentError
from audiointerp.processing import Scaling
from audiointerp.processing.spectrogram import LogMel, LogSTFT, transform_from_dict
from audiointerp.util import FLOOR

pytestmark = pytest.mark.filterwarnings("ignore:.*mel filterbank has all zero values")


SCALINGS = {
    "natural": (Scaling("natural"), lambda x: x.clamp_min(1e-10).log()),
    "offset": (Scaling("natural", offset=1e-6), lambda x: (x + 1e-6).log()),
    "clamp": (Scaling("natural", clamp=1e-5), lambda x: x.clamp_min(1e-5).log()),
    "log10": (Scaling("log10", offset=1e-5), lambda x: (x + 1e-5).log10()),
    "log1p": (Scaling("natural", offset=1.0), torch.log1p),
    "dB with offset": (Scaling(offset=1e-4), lambda x: 10 * (x + 1e-4).log10()),
    "no logarithm": (Scaling("none"), lambda x: x),
    "both": (
        Scaling("natural", clamp=1e-5, offset=1e-3),
        lambda x: (x.clamp_min(1e-5) + 1e-3).log(),
    ),
    "AST": (
        Scaling("natural", clamp=1.1920929e-07, mean=-4.2677393, std=2 * 4.5689974),
        lambda x: (x.clamp_min(1.1920929e-07).log() + 4.2677393) / (2 * 4.5689974),
    ),
    "clip": (
        Scaling("natural", offset=1e-6, normalize="clip", epsilon=1e-8, correction=1),
        lambda x: ((x + 1e-6).log() - (x + 1e-6).log().mean()) / ((x + 1e-6).log().std() + 1e-8),
    ),
    "Whisper": (
        Scaling("log10", top_db=80.0, mean=-4.0, std=4.0),
        lambda x: (x.clamp_min(1e-10).log10().maximum(x.max().log10() - 8) + 4) / 4,
    ),
    "natural limit": (
        Scaling("natural", top_db=60.0),
        lambda x: x.clamp_min(x.max() * 1e-6).log(),
    ),
    "image": (
        Scaling(top_db=80.0, normalize="range", mean=0.5, std=0.25),
        lambda x: (torch.from_numpy(image(x.numpy())) - 0.5) / 0.25,
    ),
}


def image(values):
    db = librosa.power_to_db(values, top_db=80.0)
    return (db - db.min()) / (db.max() - db.min() + 1e-5)


@pytest.mark.parametrize(("scaling", "formula"), SCALINGS.values(), ids=SCALINGS)
def test_the_network_sees_what_its_front_end_computes(scaling, formula, sounds):
    """The formula of the front end, on torchaudio's powers."""
    transform = LogMel(*BASE, 40, 0.0, None, scaling=scaling)
    assert transform.is_scaled
    for wav in sounds:
        values = torchaudio_values(transform, wav)
        expected = formula(values)
        scaled = transform.scaled(transform(wav).db)
        if scaling.log == "none":
            # Bins below the floor count as silence.
            assert (scaled[values < 1e-10] == 0).all()
            scaled, expected = (10 * x[values > 1e-10].log10() for x in (scaled, expected))
        unit = LN_TO_DB if scaling.log == "natural" else 1
        assert (scaled - expected).abs().max() * unit < DB


def test_magnitudes_are_scaled_as_magnitudes(sounds):
    offset = 0.01
    transform = LogSTFT(*BASE, power=1, scaling=Scaling("natural", offset=offset))
    for wav in sounds:
        values = torchaudio_values(transform, wav)
        error = (transform.scaled(transform(wav).db) - (values + offset).log()).abs() * LN_TO_DB
        assert error[values > 1e-5].max() < DB
        # Bins below the floor count as silence, which docs/front-ends.md tells.
        assert error.max() < LN_TO_DB * math.log1p(1e-5 / offset) + 1e-9
    unscaled = LogSTFT(*BASE, power=1)
    assert not unscaled.is_scaled
    natural = LogSTFT(*BASE, power=1, scaling=Scaling("natural"))
    db = torch.tensor([[[[-20.0]]]])
    assert natural.scaled(db).item() == pytest.approx(math.log(0.1))
    assert LogSTFT(*BASE, power=1, scaling=Scaling(offset=0.9)).scaled(db).item() == pytest.approx(
        0, abs=1e-5
    )


def test_levels_are_what_the_network_sees_by_default():
    db = torch.randn(2, 1, 40, 7)
    transform = LogMel(*BASE, 40, 0.0, None)
    assert not transform.is_scaled
    assert transform.scaled(db) is db


def test_each_clip_is_standardised_by_itself():
    db = torch.stack([torch.randn(1, 40, 9), 5 + 3 * torch.randn(1, 40, 9)]).double()
    clip = Scaling(normalize="clip", epsilon=0.0)(db)
    assert torch.allclose(clip.mean((1, 2, 3)), torch.zeros(2, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(
        clip.std((1, 2, 3), correction=0), torch.ones(2, dtype=torch.float64), atol=1e-12
    )
    bins = Scaling(normalize="bin", epsilon=0.0)(db)
    assert torch.allclose(bins.mean(-1), torch.zeros(2, 1, 40, dtype=torch.float64), atol=1e-12)
    ones = torch.ones(2, 1, 40, dtype=torch.float64)
    assert torch.allclose(bins.std(-1, correction=0), ones, atol=1e-12)
    alone = Scaling(normalize="bin", epsilon=0.0)(db[1:])
    assert torch.allclose(bins[1:], alone)
    assert (Scaling(normalize="peak")(db).amax((1, 2, 3)) == 0).all()
    magnitude = Scaling("log10", top_db=40.0)(db * 1000, power=1)
    assert torch.allclose(magnitude.amax((1, 2, 3)) - magnitude.amin((1, 2, 3)), db.new_tensor(2.0))
    loud = Scaling(top_db=3.0)(db)
    assert torch.allclose(loud.amax((1, 2, 3)) - loud.amin((1, 2, 3)), torch.tensor(3.0).double())


def test_means_of_bins():
    db = torch.randn(2, 1, 3, 5)
    scaling = Scaling(mean=(1.0, 2.0, 3.0), std=(1.0, 10.0, 100.0))
    expected = (db - torch.tensor([1.0, 2.0, 3.0])[:, None]) / torch.tensor([1, 10, 100])[:, None]
    assert torch.allclose(scaling(db), expected)
    assert Scaling(mean=torch.tensor([1.0, 2.0, 3.0]), std=np.array([1.0, 10.0, 100.0])) == scaling


@pytest.mark.parametrize(("scaling", "formula"), SCALINGS.values(), ids=SCALINGS)
@pytest.mark.parametrize("power", [1, 2])
def test_scaling_has_gradients(scaling, formula, power):
    # Away from the limits, where the gradient jumps.
    db = (noise(24, 0).reshape(2, 1, 4, 3) * 20 - 20).requires_grad_()
    assert gradcheck(lambda levels: scaling(levels, power), db)
    silence = torch.full((1, 1, 4, 3), FLOOR, requires_grad=True)
    values = scaling(silence, power)
    values.sum().backward()
    assert values.isfinite().all()
    assert silence.grad.isfinite().all()


@pytest.mark.parametrize("normalize", ["clip", "bin", "range"])
@pytest.mark.parametrize("level", [FLOOR, -37.3])
def test_standardising_a_constant_clip_gives_no_large_numbers(normalize, level):
    """Its standard deviation is rounding."""
    assert Scaling(normalize=normalize)(torch.full((2, 1, 64, 501), level)).abs().max() < 3


def test_silence_is_what_the_front_end_makes_of_silence():
    """Even where the offset is as small as the floor."""
    transform = LogMel(*BASE, 40, 0.0, None, scaling=Scaling("natural", offset=1e-10))
    spec = transform(noise(4000, 0).float())
    silence = transform.scaled(spec.masked(torch.zeros_like(spec.db)).db)
    assert torch.allclose(silence, torch.tensor(1e-10).log())
    assert (Scaling("none")(torch.tensor([FLOOR, 0.0])) == torch.tensor([0.0, 1.0])).all()


@pytest.mark.parametrize(
    "kwargs",
    [
        {"log": "ln"},
        {"normalize": "mean"},
        {"std": 0.0},
        {"std": -1.0},
        {"std": (1.0, 0.0)},
        {"mean": math.inf},
        {"mean": "0"},
        {"mean": [True]},
        {"offset": -1e-6},
        {"clamp": math.nan},
        {"epsilon": "1"},
        {"correction": 2},
        {"top_db": 0.0},
        {"log": "none", "top_db": 80.0},
    ],
)
def test_wrong_scalings_are_refused(kwargs):
    with pytest.raises(ArgumentError, match="|".join(["must be", "unknown", "at least"])):
        Scaling(**kwargs)


@pytest.mark.parametrize("scaling", [5, {"log": "natural", "colour": 1}, {"offset": "x"}, [1]])
def test_wrong_records_of_a_scaling_are_refused(scaling):
    with pytest.raises(ArgumentError):
        transform_from_dict({**LogMel().to_dict(), "scaling": scaling})

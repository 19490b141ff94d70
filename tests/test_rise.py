"""RISE by hand, its noise, and the progress that methods without gradients show."""

import contextlib
import io
import itertools
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import audiointerp as ai
from audiointerp.errors import ArgumentError, ModelError
from audiointerp.interpretation import RISE, LogitRISE, calls
from audiointerp.interpretation.rise import smooth_masks
from audiointerp.util import progress as shown_progress

SIZE, CELLS, KEEP = (6, 10), (2, 3), 0.4
REGION = slice(1, 3), slice(2, 6)


class ShareKept(nn.Module):
    """p of class 1 is the mean over a region of (level + 100) / 100, i.e. of the mask at 0 dB."""

    def forward(self, db):
        share = ((db[:, 0, REGION[0], REGION[1]] + 100) / 100).mean((1, 2))
        return torch.stack([1 - share, share], 1)


def interpolation(size, cells, shift):
    """The weights ``(size, cells)`` of a shifted bilinear interpolation, written out."""
    step = -(-size // cells)
    place = (np.arange(size) + shift + 0.5) * cells / (step * (cells + 1)) - 0.5
    distance = np.abs(place.clip(0, cells - 1)[:, None] - np.arange(cells))
    return (1 - distance).clip(0)


def expected_values():
    """Cov(mean of the region's mask, mask) / keep, over all shifts and cells, exactly."""
    steps = [-(-size // cells) for size, cells in zip(SIZE, CELLS, strict=True)]
    products = []
    for down, right in itertools.product(*(range(step) for step in steps)):
        rows = interpolation(SIZE[0], CELLS[0], down)
        columns = interpolation(SIZE[1], CELLS[1], right)
        weights = np.einsum("fh,tw->fthw", rows, columns).reshape(*SIZE, -1)
        products.append(weights @ weights[REGION].mean((0, 1)))
    # A cell has the variance keep (1 - keep); its mean does not depend on the shift.
    return torch.from_numpy(np.mean(products, 0)) * (1 - KEEP)


def attributed(samples, seed=0, **arguments):
    explainer = RISE(ShareKept(), CELLS, KEEP, samples=samples, seed=seed, batch=500, **arguments)
    return explainer(torch.zeros(1, 1, *SIZE), target=1, output="probabilities")


def test_rise_by_hand_and_its_noise():
    attribution = attributed(20000)
    expected = expected_values()
    error = float(attribution.info["standard_error"])
    difference = (attribution.values[0, 0].double() - expected).square().mean().sqrt()
    assert difference <= 3 * error <= 0.1 * float(expected.std())
    # E[p] is keep, since p is the mean of a mask.
    assert abs(float(attribution.info["mean_probability"]) - KEEP) < 0.01
    assert attribution.values[0, 0, 2, 3] > 5 * attribution.values[0, 0, 5, 9].abs()
    assert float(attribution.info["noise_share"]) < 0.01


def test_the_standard_error_is_the_error():
    """Over many seeds; four times the samples have half of it."""
    expected = expected_values()
    errors, stated = [], []
    for samples in (100, 400):
        attributions = [attributed(samples, seed) for seed in range(60)]
        values = torch.stack([attribution.values[0, 0] for attribution in attributions])
        errors.append(float((values - expected).square().mean().sqrt()))
        squares = [attribution.info["standard_error"].square() for attribution in attributions]
        stated.append(float(torch.stack(squares).mean().sqrt()))
    for error, statement in zip(errors, stated, strict=True):
        assert statement == pytest.approx(error, rel=0.15)
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize("kind", [RISE, LogitRISE])
def test_the_share_of_noise_is_that_of_float32_in_float16(kind):
    """Squares of small values vanish in float16."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(60, 3))
    with torch.no_grad():
        network[1].weight /= 1000
    db = torch.randn(1, 1, *SIZE).half()
    share = kind(network, CELLS, samples=300)(db.float(), target=1).info["noise_share"]
    half = kind(network.half(), CELLS, samples=300)(db, target=1)
    assert half.values.dtype == torch.float16
    assert float(share) > 0.01
    assert float(half.info["noise_share"]) == pytest.approx(float(share), rel=0.5)


def test_the_values_are_those_of_the_paper_less_their_mean():
    """sum(p · M) / (N · E[M]), here with the masks that were used."""
    explainer = RISE(ShareKept(), CELLS, KEEP, samples=5000, batch=500)
    db = torch.zeros(1, 1, *SIZE)
    attribution = explainer(db, target=1, output="probabilities")
    masks = torch.cat(list(explainer._masks(db)))
    p = masks[:, 0, REGION[0], REGION[1]].mean((1, 2))
    paper = (p[:, None, None, None] * masks).mean(0) / KEEP
    ours = attribution.values[0] + attribution.info["mean_probability"]
    # They differ by the noise of the mean, mean p · (mean M - keep) / keep.
    noise = p.mean() * (masks.mean(0) - KEEP) / KEEP
    assert torch.allclose(ours.double(), paper - noise, atol=1e-4)
    assert masks.mean() == pytest.approx(KEEP, abs=0.01)


def test_of_the_logit_it_is_as_steep_where_the_probability_is_flat():
    """Cov(logit, mask) / keep with the masks that were used; a hundred times the logits, p is 1."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(60, 3))
    db = torch.randn(1, 1, *SIZE) - 30
    explainer = LogitRISE(network, CELLS, KEEP, samples=300)
    values = explainer(db, target=1).values
    masks = torch.cat(list(explainer._masks(db)))
    fill = db.minimum(db.sort(-1).values[..., [1]])
    with torch.no_grad():
        logits = network(fill + masks.float() * (db - fill))[:, 1].double()
    expected = ((logits - logits.mean()) @ (masks.flatten(1) - KEEP)) / KEEP / 299
    assert torch.allclose(values.flatten().double(), expected, atol=1e-4)
    with torch.no_grad():
        network[1].weight *= 100
        network[1].bias *= 100
    assert torch.allclose(explainer(db, target=1).values, 100 * values, rtol=1e-3, atol=1e-2)
    of_two = explainer(db, target=1, against=0).values
    assert torch.allclose(of_two, -explainer(db, target=0, against=1).values, rtol=1e-3)


@pytest.mark.parametrize("kind", [RISE, LogitRISE, ai.MaskGradient, ai.Random])
def test_features_in_bfloat16_are_explained(kind):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(60, 3)).bfloat16()
    budget = {} if kind is ai.Random else {"cells": CELLS, "samples": 10}
    values = kind(network, **budget)(torch.randn(1, 1, *SIZE).bfloat16()).values
    assert values.dtype == torch.bfloat16
    assert float(values.std()) > 0


class NaNOfQuietClips(nn.Module):
    """It divides by a level that removal makes 0."""

    def forward(self, db):
        loud = torch.where(db.mean((1, 2, 3)) > -40, 1.0, torch.nan)
        return loud[:, None] * db.mean((1, 2, 3))[:, None] * torch.tensor([1.0, 2.0])


@pytest.mark.parametrize("kind", [RISE, LogitRISE, ai.MaskGradient])
def test_outputs_that_are_not_finite_where_bins_are_removed_are_named(kind):
    db = torch.zeros(1, 1, *SIZE)
    with pytest.raises(ModelError, match="outputs where bins are removed"):
        kind(NaNOfQuietClips(), CELLS, fill="silence", samples=20)(db)


def test_masks_are_bilinear_and_shifted():
    cells = torch.rand(4, 1, *CELLS, dtype=torch.float64)
    shifts = torch.tensor([[0, 0], [2, 3], [1, 2], [2, 0]])
    masks = smooth_masks(cells, shifts, SIZE)
    for mask, coarse, (down, right) in zip(masks, cells, shifts.tolist(), strict=True):
        rows = torch.from_numpy(interpolation(SIZE[0], CELLS[0], down))
        columns = torch.from_numpy(interpolation(SIZE[1], CELLS[1], right))
        assert torch.allclose(mask[0], rows @ coarse[0] @ columns.T)


def test_a_clip_has_the_same_values_in_any_batch():
    network = nn.Sequential(nn.Flatten(), nn.Linear(40 * 64, 3))
    with torch.no_grad():
        network[1].weight /= 100
    db = torch.randn(2, 1, 40, 64)
    both = RISE(network, samples=10)(db)
    alone = RISE(network, samples=10, batch=3)(db[1:])
    assert torch.allclose(both.values[1:], alone.values, atol=1e-6)
    assert not torch.allclose(RISE(network, samples=10, seed=1)(db[1:]).values, alone.values)
    assert RISE(network, samples=10)(db).values.equal(both.values)
    assert both.info["noise_share"].shape == (2,)


def test_a_network_without_an_opinion_has_no_map():
    constant = nn.Sequential(nn.Flatten(), nn.Linear(60, 2))
    nn.init.zeros_(constant[1].weight)
    attribution = RISE(constant, CELLS, samples=10)(torch.randn(1, 1, *SIZE))
    assert attribution.values.abs().max() < 1e-7
    assert float(attribution.info["noise_share"]) == 1


def test_rise_needs_only_the_outputs():
    class Fixed(nn.Module):
        def forward(self, db):
            with torch.no_grad():
                return torch.stack([db.mean((1, 2, 3)), -db.mean((1, 2, 3))], 1)

    db = torch.zeros(1, 1, *SIZE)
    expected = RISE(Fixed(), CELLS, samples=20, fill="mean")(db - 10 * torch.rand(SIZE))
    assert expected.values.abs().max() > 0
    network = nn.Sequential(nn.Flatten(), nn.Linear(60, 2))
    with warnings.catch_warnings():
        # torch advises against TorchScript, and users have it.
        warnings.simplefilter("ignore", DeprecationWarning)
        script = torch.jit.script(network)
    values = RISE(script, CELLS, samples=20)(db, target=0, against=1).values
    assert values.equal(RISE(network, CELLS, samples=20)(db, target=0, against=1).values)


def test_wrong_arguments_of_rise_are_refused():
    network = nn.Sequential(nn.Flatten(), nn.Linear(40 * 64, 3))
    for wrong in (
        {"cells": (0, 8)},
        {"cells": 8},
        {"cells": (8, 8, 8)},
        {"samples": 1},
        {"samples": 2.5},
        {"seed": -1},
        {"batch": 0},
        {"seed": True},
        {"cells": (True, 2)},
    ):
        for kind in (RISE, LogitRISE):
            with pytest.raises(ArgumentError, match="whole number"):
                kind(network, **wrong)
    for keep in (0, 1, "0.5", None, float("nan")):
        with pytest.raises(ArgumentError, match="between 0 and 1"):
            RISE(network, keep=keep)
    with pytest.raises(ArgumentError, match="fill"):
        RISE(network, fill="segment_mean")
    with pytest.raises(ArgumentError, match="more than the bins"):
        RISE(network, cells=(41, 8))(torch.randn(1, 1, 40, 64))


class Counting(nn.Module):
    """Counts the versions that it has been given."""

    def __init__(self):
        super().__init__()
        self.network, self.count = nn.Sequential(nn.Flatten(), nn.Linear(40 * 64, 3)), 0

    def forward(self, db):
        Counting.seen = getattr(Counting, "seen", 0) + len(db)
        return self.network(db)


BY_CALLS = {
    "occlusion": (ai.Occlusion, {}),
    "occlusion of few": (ai.Occlusion, {"samples": 20}),
    "lime": (ai.LIME, {"segments": "grid", "samples": 50}),
    "kernel_shap": (ai.KernelSHAP, {"samples": 50}),
    "rise": (RISE, {"samples": 50}),
}


@pytest.mark.parametrize("name", BY_CALLS)
def test_the_bar_ends_at_its_total_which_is_the_number_of_calls(name, monkeypatch):
    bars = []

    class Bar(shown_progress.tqdm):
        def __init__(self, *arguments, **keywords):
            keywords["file"] = io.StringIO()
            super().__init__(*arguments, **keywords)
            bars.append(self)

    monkeypatch.setattr(shown_progress, "tqdm", Bar)
    kind, arguments = BY_CALLS[name]
    network = Counting()
    explainer = kind(network, progress=True, **arguments)
    db = torch.randn(1, 1, 40, 64)
    explainer.network(db)
    Counting.seen = 0
    explainer(db)
    (bar,) = bars
    assert bar.n == bar.total
    # Two runs for repeatability, two of two clips, and at most the first two of the clip itself.
    assert bar.total <= Counting.seen <= bar.total + 8


@pytest.mark.parametrize("name", BY_CALLS)
def test_a_function_is_told_how_many_calls_are_done(name):
    kind, arguments = BY_CALLS[name]
    told, network = [], Counting()
    db = torch.randn(1, 1, 40, 64)
    explainer = kind(network, progress=lambda *counts: told.append(counts), **arguments)
    with contextlib.redirect_stderr(io.StringIO()) as stream:
        values = explainer(db).values
    done, totals = zip(*told, strict=True)
    assert len(set(totals)) == 1
    assert done[-1] == totals[0]
    assert list(done) == sorted(set(done))
    assert stream.getvalue() == ""
    assert torch.equal(values, kind(network, progress=False, **arguments)(db).values)
    with pytest.raises(ArgumentError, match="a function of"):
        kind(network, progress="yes", **arguments)(db)


def test_a_budget_of_positions_enlarges_the_patch():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(40 * 64, 2))
    db = torch.randn(1, 1, 40, 64)
    # 9 x 7 positions by default, 4 x 3 of twice the patch and the stride.
    expected = ai.Occlusion(network, (16, 32), (8, 16))(db).values
    assert ai.Occlusion(network, samples=20)(db).values.equal(expected)
    assert ai.Occlusion(network, samples=63)(db).values.equal(ai.Occlusion(network)(db).values)
    whole = ai.Occlusion(network, samples=1)(db).values
    assert whole.unique().numel() == 1
    for samples in (0, 2.5, "100"):
        with pytest.raises(ArgumentError, match="samples="):
            ai.Occlusion(network, samples=samples)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_bars_are_shown_on_a_terminal_only(monkeypatch):
    monkeypatch.setattr(calls, "SECONDS_BEFORE_A_BAR", 0.0)
    network, db = nn.Sequential(nn.Flatten(), nn.Linear(60, 2)), torch.zeros(1, 1, *SIZE)

    def shown(stream, **arguments):
        monkeypatch.setattr("sys.stderr", stream)
        RISE(network, CELLS, samples=10, **arguments)(db)
        return "rise" in stream.getvalue()

    assert shown(Terminal())
    assert not shown(io.StringIO())
    assert shown(io.StringIO(), progress=True)
    assert not shown(Terminal(), progress=False)
    monkeypatch.setattr(calls, "current_process", lambda: type("Worker", (), {"name": "L-1"}))
    assert not shown(Terminal())

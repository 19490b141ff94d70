"""The optimal mask: what it finds by hand, its loss, its draws, and what it starts from."""

import math

import pytest
import torch
from conftest import noise, small_classifier
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

import audiointerp as ai
from audiointerp.errors import ArgumentError, ModelError
from audiointerp.interpretation.default_layer import early_layer
from audiointerp.interpretation.measurement import Measurement
from audiointerp.interpretation.optimal import OptimalMask
from audiointerp.interpretation.ranking import Ranking, soft_masks, standardised
from audiointerp.interpretation.score import Score
from audiointerp.scoring import explain_clip
from audiointerp.util import fill_levels

SIZE = (24, 48)
RECTANGLE = slice(8, 16), slice(24, 36)
SHARE = 8 * 12 / (24 * 48)


class Listener(nn.Module):
    """The log-odds of class 1 are the mean level of a rectangle: 6 at 0 dB, -6 at -100 dB."""

    def forward(self, db):
        level = db[:, 0, RECTANGLE[0], RECTANGLE[1]].mean((1, 2))
        log_odds = 0.12 * level + 6
        return torch.stack([-log_odds / 2, log_odds / 2], 1)


def loud(clips=1, seed=0):
    """Levels in which nothing is special about the rectangle."""
    return 5 * torch.randn(clips, 1, *SIZE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(3))
def test_it_finds_the_rectangle_that_the_network_listens_to(seed):
    values = OptimalMask(Listener(), fills=("silence",), seed=seed)(loud(), target=1).values
    inside = torch.zeros(SIZE, dtype=torch.bool)
    inside[RECTANGLE] = True
    assert inside.flatten()[values.argmax()]
    mask = ai.MASKS["topK_5"](values)[0, 0].bool()
    assert mask[inside].sum() >= 0.95 * mask.sum()
    kept = values[0, 0] >= values.flatten().topk(int(inside.sum())).values[-1]
    assert (kept & inside).sum() / (kept | inside).sum() > 0.6
    # Of the other class the rectangle is evidence against it: it is what to remove.
    against = OptimalMask(Listener(), fills=("silence",), seed=seed)(loud(), target=0).values
    assert against[0, 0][inside].mean() < against[0, 0][~inside].mean() - 1


def test_it_is_standardised_and_says_what_it_did():
    attribution = OptimalMask(Listener(), steps=12)(loud(2), target=1)
    assert attribution.values.mean((1, 2, 3)).tolist() == pytest.approx([0, 0], abs=1e-5)
    deviations = attribution.values.std((1, 2, 3), correction=0)
    assert deviations.tolist() == pytest.approx([1, 1], abs=1e-3)
    info = attribution.info
    assert info["steps"].tolist() == [12, 12]
    assert info["loss"].shape == (2,)
    assert info["start"] == "none"
    assert not attribution.values.requires_grad


def test_a_clip_has_the_same_values_in_any_batch_bit_by_bit():
    """Adam would amplify the rounding of a shared forward pass."""
    network = small_classifier().network
    db = torch.randn(3, 1, 64, 101, generator=torch.Generator().manual_seed(0)) * 20 - 50
    together = OptimalMask(network, steps=3)(db)
    for number in (2, 0):
        alone = OptimalMask(network, steps=3)(db[number, None], together.target[number])
        assert alone.values.equal(together.values[number, None])
        assert alone.info["loss"].equal(together.info["loss"][number, None])
    assert OptimalMask(network, steps=3)(db).values.equal(together.values)
    assert not OptimalMask(network, steps=3, seed=1)(db).values.equal(together.values)


def test_the_batch_changes_rounding_only():
    score, levels = Score(Listener(), torch.tensor([1])), loud(8) - 50
    score.settle(levels[:1])
    whole = OptimalMask(Listener(), draws=4, batch=16)._loss_and_gradient(score, levels)
    parts = OptimalMask(Listener(), draws=4, batch=3)._loss_and_gradient(score, levels)
    assert torch.allclose(whole[0], parts[0])
    assert torch.allclose(whole[1], parts[1], atol=1e-9)


def test_the_loss_and_its_gradient_by_hand():
    """Of the kept part -log p, with the slope -(1 - p); of the removed one -log(1 - p), with p."""
    score = Score(Listener(), torch.tensor([1]))
    levels = torch.stack([torch.full((1, *SIZE), -40.0), torch.full((1, *SIZE), -65.0)])
    score.settle(levels[:1])
    loss, gradient = OptimalMask(Listener())._loss_and_gradient(score, levels)
    p, p_out = (1 / (1 + math.exp(-(0.12 * level + 6))) for level in (-40, -65))
    assert loss.item() == pytest.approx(-math.log(p) - math.log(1 - p_out), abs=1e-5)
    per_bin = 0.12 / (8 * 12)
    kept, removed = gradient[:, 0, RECTANGLE[0], RECTANGLE[1]]
    assert torch.allclose(kept, torch.tensor(-(1 - p) * per_bin), atol=1e-8)
    assert torch.allclose(removed, torch.tensor(p_out * per_bin), atol=1e-8)
    assert gradient[:, 0, :8].abs().max() == 0


def test_the_ranking_has_a_lower_loss_than_its_start():
    """In its own loss, for areas and fills that are not those of the last steps."""
    network = small_classifier().network
    db = noise_levels()
    with torch.no_grad():
        network.head.weight *= 10 / network(db).std()
    explainer = OptimalMask(network, steps=20, fills=("silence", "background"))
    score = Score(network, None)
    score.settle(db)
    method = explainer._start_method(db)
    start, name = explainer._start_map(method, score, db)
    assert name == "conv_block1.relu2"
    values = explainer(db).values
    assert mean_loss(explainer, score, db, values) < mean_loss(explainer, score, db, start) - 0.2


def noise_levels():
    return small_classifier().transform(noise(1.0) * torch.linspace(0, 1, 32000)).db


@torch.no_grad()
def mean_loss(explainer, score, db, ranking):
    losses = []
    for fill in explainer.fills:
        masks = soft_masks(ranking, [0.1, 0.2, 0.3, 0.4, 0.5])
        filled = fill_levels(db, fill)
        log_p, _ = score.log_probability(torch.lerp(filled, db, masks))
        _, log_not_p = score.log_probability(torch.lerp(db, filled, masks))
        losses.append(-(log_p + log_not_p).mean())
    return torch.stack(losses).mean()


@given(
    seed=st.integers(0, 1000),
    size=st.tuples(st.integers(1, 9), st.integers(2, 40)),
    area=st.floats(0.01, 0.99),
)
def test_a_soft_mask_has_its_area_at_one_half(seed, size, area):
    ranking = torch.randn(1, 1, *size, generator=torch.Generator().manual_seed(seed))
    mask = soft_masks(ranking, [area])
    bins = ranking.numel()
    assert ranking.unique().numel() == bins
    assert int((mask > 0.5).sum()) == min(max(round(area * bins), 1), bins - 1)
    assert bool((mask.flatten()[ranking.flatten().argsort()].diff() >= 0).all())


@given(size=st.tuples(st.integers(1, 40), st.integers(1, 70)))
def test_a_ranking_is_the_sum_of_bilinear_grids_of_any_size(size):
    ranking = Ranking(torch.zeros(1, 1, *size, dtype=torch.float64))
    total = torch.zeros(1, 1, *size, dtype=torch.float64)
    for grid in ranking.grids:
        assert grid.shape[0] <= size[0]
        assert grid.shape[1] <= size[1]
        nn.init.normal_(grid)
        total += functional.interpolate(
            grid[None, None], size, mode="bilinear", align_corners=False
        )
    expected = functional.layer_norm(total, total.shape)
    assert torch.allclose(ranking(), expected, atol=1e-9)


def test_small_values_are_standardised_too():
    values = torch.randn(1, 1, 5, 6) * 1e-30
    assert standardised(values).std(correction=0).item() == pytest.approx(1, abs=1e-5)
    assert standardised(torch.full((2, 3), 7.0)).equal(torch.zeros(2, 3))


def test_where_it_starts():
    db = torch.randn(1, 1, 64, 101) * 20 - 50
    network = small_classifier().network
    assert early_layer(Measurement(network, db)) is network.conv_block1.relu2
    assert OptimalMask(network, steps=1)(db).info["start"] == "conv_block1.relu2"
    assert OptimalMask(network, steps=1, start="none")(db).info["start"] == "none"
    given_start = OptimalMask(network, steps=1, start=torch.rand_like(db))(db)
    assert given_start.info["start"] == "given"
    patches = nn.Sequential(nn.Conv2d(1, 3, 16, 16), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert early_layer(Measurement(patches, db)) is None
    for wrong in (torch.zeros(1, 1, 64, 100), torch.full_like(db, torch.nan)):
        with pytest.raises(ArgumentError, match=r"start map .* \(1, 1, 64, 101\)"):
            OptimalMask(network, steps=1, start=wrong)(db)


def test_without_steps_that_change_it_the_ranking_is_the_start():
    """Where no fill changes the clip there is nothing to learn."""
    network = small_classifier().network
    db = torch.full((1, 1, 64, 101), -100.0)
    start = torch.randn_like(db)
    values = OptimalMask(network, steps=3, fills=("silence",), start=start)(db).values
    assert torch.allclose(values, standardised(start), atol=1e-3)


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "probabilities", "binary"])
def test_the_log_probabilities_of_a_score(output):
    logits = torch.tensor([[0.3, -1.0, 2.0]])
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    nn.init.zeros_(network[1].weight)
    outputs = logits.softmax(1) if output == "probabilities" else logits
    if output == "binary":
        network = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
        nn.init.zeros_(network[1].weight)
        outputs = logits[:, :1]
    network[1].bias.data = outputs[0]
    db = torch.zeros(1, 1, 2, 2)
    score = Score(network, torch.tensor([1]), None, output)
    score.settle(db)
    log_p, log_not_p = score.log_probability(db)
    p = score.probability(db).double()
    assert torch.allclose(log_p, p.log(), atol=1e-6)
    assert torch.allclose(log_not_p, (1 - p).log(), atol=1e-6)
    compared = Score(network, torch.tensor([1]), torch.tensor([0]), output)
    compared.settle(db)
    log_p, log_not_p = compared.log_probability(db)
    p = compared.probability(db).double()
    assert torch.allclose(log_p, p.log(), atol=1e-6)
    assert torch.allclose(log_not_p, (1 - p).log(), atol=1e-6)


def test_a_long_clip_has_one_map_of_all_its_windows():
    classifier = small_classifier()
    spectrogram = classifier.transform(noise(2.5))
    explainer = OptimalMask(classifier.network, steps=2)
    attribution = explain_clip(classifier, spectrogram, explainer)
    assert attribution.values.shape == spectrogram.db.shape
    assert attribution.info["loss"].shape == (1, 3)


def test_a_model_of_sounds_is_explained_through_the_sound():
    layers = nn.Conv1d(1, 4, 400, 200), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten()
    torch.manual_seed(0)
    module = nn.Sequential(*layers, nn.Linear(4, 2))
    classifier = ai.Classifier.from_waveform(
        module, ["cat", "dog"], sample_rate=16000, duration=0.5, normalize="none"
    )
    explainer = OptimalMask(classifier.network, steps=2)
    result = ai.interpret(classifier, noise(0.5, 16000), explainer)
    assert result.attribution.info["start"] == "none"
    assert result.attribution.values.isfinite().all()


def test_models_without_gradients_are_refused_with_the_methods_that_work():
    classifier = ai.Classifier.from_function(
        lambda wavs: [[0.5, 0.5]] * len(wavs),
        ["cat", "dog"],
        sample_rate=16000,
        duration=0.5,
        normalize="none",
    )
    with pytest.raises(
        ArgumentError, match=r"optimal needs gradients.*rise, rise_logit, occlusion, lime"
    ):
        OptimalMask(classifier.network)


def test_a_network_with_one_class_has_nothing_to_lower():
    network = nn.Sequential(nn.Flatten(), nn.Linear(160, 1))
    with pytest.raises(ModelError, match=r"optimal: .*class \[0\] is not finite"):
        OptimalMask(network)(torch.zeros(1, 1, 8, 20))


def test_half_precision():
    network = nn.Sequential(nn.Flatten(), nn.Linear(160, 2)).half()
    values = OptimalMask(network, steps=3)(torch.randn(1, 1, 8, 20).half()).values
    assert values.dtype == torch.float16


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"steps": 1.5},
        {"draws": 0},
        {"seed": -1},
        {"batch": 0},
        {"areas": (0.5, 0.1)},
        {"areas": (0.0, 0.5)},
        {"areas": 0.5},
        {"areas": ("a", "b")},
        {"fills": ()},
        {"fills": "silence"},
        {"fills": ("loud",)},
        {"start": "gradcam"},
        {"start": 3},
    ],
)
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ArgumentError, match=next(iter(wrong))[:4]):
        OptimalMask(nn.Identity(), **wrong)

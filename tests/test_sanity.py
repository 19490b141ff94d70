"""Sanity checks of methods: what they must find, by mathematics, and on a real network."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import weight_norm

from audiointerp import (
    ESC50,
    ArgumentError,
    Classifier,
    Cnn6,
    EvenSubset,
    GradCAM,
    LogMel,
    Random,
    Saliency,
    Synthetic,
)
from audiointerp.cli.sanity_page import _with_budget
from audiointerp.experiments import settings_of
from audiointerp.interpretation import SHAP, Explainer
from audiointerp.scoring import (
    CHECKS,
    batch_difference,
    cascade,
    class_correlation,
    network_agreement,
    rank_correlation,
    repeat_difference,
    sanity,
    shift_correlation,
)
from audiointerp.scoring.randomisation import layers_from_the_output, re_initialise
from audiointerp.tables import sanity_table

GRID = LogMel(8000, 256, 128, 8, 0.0, 4000.0)
FRAMES = GRID.num_frames(8000)


def classifier_of(network):
    return Classifier(network, GRID, ["cat", "dog"], duration=1.0)


def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(8 * FRAMES, 2))


def convolutional():
    """A network that moves with its input: convolutions, and the mean over time."""
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 6, (8, 5), padding=(0, 2)), nn.Softplus(), nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(6, 2))


def noise(seed=0, length=8000):
    return torch.randn(1, 1, length, generator=torch.Generator().manual_seed(seed)) / 5


class Level(Explainer):
    """The level itself: what an edge detector is among methods."""

    name = "level"
    black_box = True

    def _attribute(self, score, db):
        score.settle(db)
        return db, {}


class Unseeded(Level):
    name = "unseeded"

    def _attribute(self, score, db):
        score.settle(db)
        return torch.randn(db.shape), {}


class OfTheBatch(Level):
    """What is left of each clip when the mean of the batch is taken away."""

    name = "of_the_batch"

    def _attribute(self, score, db):
        score.settle(db)
        return db - db.mean(0, keepdim=True), {}


@given(
    st.lists(st.integers(-3, 3), min_size=3, max_size=40),
    st.integers(0, 1000),
)
def test_rank_correlation_is_spearmans_with_ties(values, seed):
    first = torch.tensor(values, dtype=torch.float32)
    second = torch.from_numpy(np.random.default_rng(seed).integers(-2, 3, len(values))).float()
    if first.min() == first.max() or second.min() == second.max():
        both = first.min() == first.max() and second.min() == second.max()
        assert rank_correlation(first, second) == float(both)
        return
    expected = scipy.stats.spearmanr(first, second).statistic
    assert rank_correlation(first, second) == pytest.approx(expected, abs=1e-9)


def test_maps_of_different_shapes_are_refused():
    with pytest.raises(ArgumentError, match="cannot be compared"):
        rank_correlation(torch.zeros(2, 3), torch.zeros(3, 2))


def test_the_map_of_a_linear_network_is_lost_with_its_weights():
    """Saliency is the weights, so new weights give a map that knows nothing of the old one."""
    network = linear()
    classifier, clip = classifier_of(network), GRID(noise())
    values = Saliency(network)(clip.db, 0).values
    figures = []
    for seed in range(12):
        (stage,) = cascade(classifier, clip, Saliency(network), 0, seed=seed)
        assert (stage.layer, stage.share) == ("1", 1.0)
        figures.append(rank_correlation(values, stage.values))
    # The standard deviation of ρ of n independent bins is 1 / √(n − 1).
    error = 1 / np.sqrt(values.numel() - 1)
    assert np.std(figures) == pytest.approx(error, rel=0.6)
    assert abs(np.mean(figures)) < 4 * error / np.sqrt(12)


def test_the_original_network_is_untouched_bit_for_bit():
    network = Cnn6(2, base_channels=4)
    network.bn0.running_mean += 3
    classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    network.conv_block1.train()
    network.fc1.weight.grad = torch.ones_like(network.fc1.weight)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    random_state = torch.get_rng_state()
    explainer = GradCAM(network)
    cascade(classifier, classifier.transform(noise(0, 32000)), explainer, 1)
    after = network.state_dict()
    assert all(bool((after[name] == value).all()) for name, value in before.items())
    assert modes == [module.training for module in network.modules()]
    assert bool((network.fc1.weight.grad == 1).all())
    assert explainer.network is network
    assert not any(module._forward_hooks for module in network.modules())
    assert torch.equal(torch.get_rng_state(), random_state)


def changed_names(values):
    return {name for name, value in values.items() if not bool((value == 0.25).all())}


def test_layers_are_re_initialised_from_the_output_down_to_batch_statistics():
    network = Cnn6(2, base_channels=4)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(0.25)
        network.bn0.running_mean.fill_(7.0)
    seen = []

    class Watching(Saliency):
        def _attribute(self, score, db):
            seen.append({name: value.clone() for name, value in self.network.named_parameters()})
            seen[-1]["bn0.running_mean"] = self.network.bn0.running_mean.clone()
            return super()._attribute(score, db)

    classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    clip = classifier.transform(noise(0, 32000))
    stages = cascade(classifier, clip, Watching(network), 0, stages=100)
    assert [stage.layer for stage in stages][:3] == ["head", "fc1", "conv_block4.bn1"]
    assert stages[-1].layer == "bn0"
    assert [stage.share for stage in stages] == [(n + 1) / 11 for n in range(11)]
    changed = [changed_names(values) for values in seen]
    assert changed[0] == {"head.weight", "head.bias", "bn0.running_mean"}
    assert all(before < after for before, after in pairwise(changed))
    assert changed[-1] == set(seen[-1])
    assert seen[-2]["bn0.running_mean"][0] == 7
    assert not seen[-1]["bn0.running_mean"].any()


def test_parameters_without_a_reset_are_permuted():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.arange(8.0 * FRAMES * 2).reshape(2, -1))

        def forward(self, db):
            return db.flatten(1) @ self.weight.T / 1e4

    network = Own()
    classifier, clip = classifier_of(network), GRID(noise())
    (stage,) = cascade(classifier, clip, Saliency(network), 0, stages=1)
    assert not torch.equal(stage.values.flatten(), network.weight[0] / 1e4)
    assert set((stage.values * 1e4).round().flatten().tolist()) <= set(
        network.weight.flatten().tolist()
    )


def test_weights_that_a_reset_does_not_reach_are_permuted():
    """Under weight normalisation, reset_parameters writes a tensor that is made anew."""
    with pytest.warns(FutureWarning, match="deprecated"):
        layer = weight_norm(nn.Conv2d(1, 4, 3))
    before = {name: value.clone() for name, value in layer.named_parameters()}
    re_initialise(layer)
    for name, value in layer.named_parameters():
        assert not value.equal(before[name]), name


def test_modules_that_do_not_run_come_last():
    network = nn.ModuleDict({"unused": nn.Linear(2, 2), "used": nn.Linear(2, 2)})
    layers = layers_from_the_output(network, lambda: network["used"](torch.zeros(1, 2)))
    assert [name for name, _ in layers] == ["used", "unused"]


def test_a_method_that_draws_the_clip_fails_the_randomisation():
    """An edge detector shows the same under any weights; so does a seeded random method."""
    network = linear()
    classifier, clip = classifier_of(network), GRID(noise())
    for method in (Level(network), Random(network)):
        values = method(clip.db, 0).values
        for stage in cascade(classifier, clip, method, 0):
            assert rank_correlation(values, stage.values) == 1


def test_shap_is_explained_with_the_new_weights():
    network = linear()
    classifier, clip = classifier_of(network), GRID(noise())
    background = GRID(torch.cat([noise(1), noise(2)])).db
    (stage,) = cascade(classifier, clip, SHAP(network, background), 0)
    values = SHAP(network, background)(clip.db, 0).values
    weight = stage.values / (clip.db - background.mean(0))
    # Of a linear network φ = w · (x − E b); the new w is bounded by 1 / √inputs.
    assert float(weight.abs().max()) <= 1 / np.sqrt(8 * FRAMES) * 1.001
    assert abs(rank_correlation(values, stage.values)) < 0.2


def test_a_model_of_waveforms_is_randomised_and_kept():
    torch.manual_seed(0)
    layers = nn.Conv1d(1, 4, 64, 32), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten()
    module = nn.Sequential(*layers, nn.Linear(4, 2))
    classifier = Classifier.from_waveform(
        module, ["cat", "dog"], sample_rate=8000, duration=1.0, normalize="none", grid=GRID
    )
    before = {name: value.clone() for name, value in module.state_dict().items()}
    explainer = Saliency(classifier.network)
    stages = cascade(classifier, GRID(noise()), explainer, 0)
    assert [stage.layer for stage in stages] == ["module.4", "module.0"]
    assert all(bool((module.state_dict()[name] == value).all()) for name, value in before.items())
    values = explainer.bound_to(classifier.bind(GRID(noise())))(GRID(noise()).db, 0).values
    assert not torch.equal(values, stages[-1].values)


def test_a_function_has_nothing_to_randomise():
    classifier = Classifier.from_function(
        lambda wavs: np.stack([wavs.max(1), 1 - wavs.max(1)], 1).clip(0.1, 0.9),
        ["cat", "dog"],
        sample_rate=8000,
        duration=1.0,
        normalize="none",
        grid=GRID,
    )
    with pytest.raises(ArgumentError, match="no parameters that can be re-initialised"):
        cascade(classifier, GRID(noise()), Random(classifier.network), 0)


@pytest.mark.parametrize(("method", "differs"), [(Unseeded, True), (Random, False)])
def test_determinism(method, differs):
    network = linear()
    difference = repeat_difference(classifier_of(network), GRID(noise()), method(network), 0)
    assert (difference > 0.5) if differs else (difference == 0)


@pytest.mark.parametrize(("method", "differs"), [(OfTheBatch, True), (Saliency, False)])
def test_batch_invariance(method, differs):
    network = convolutional()
    difference = batch_difference(classifier_of(network), GRID(noise()), method(network), 0)
    assert (difference > 0.1) if differs else (difference < 1e-6)


def test_a_map_moves_with_the_clip_if_the_network_does():
    for network, moves in ((convolutional(), True), (linear(), False)):
        classifier, method = classifier_of(network), Saliency(network)
        values = method(GRID(noise()).db, 0).values
        figure = shift_correlation(classifier, noise(), method, 0, values)
        assert (figure > 0.999) if moves else (abs(figure) < 0.2)


def test_the_shift_is_by_whole_hops_within_the_clip():
    network = linear()
    values = Level(network)(GRID(noise()).db, 0).values
    classifier = classifier_of(network)
    # The level moves along exactly.
    assert shift_correlation(classifier, noise(), Level(network), 0, values, 15) > 0.999999
    with pytest.raises(ArgumentError, match="from 1 to a quarter of the clip's 63 frames"):
        shift_correlation(classifier, noise(), Level(network), 0, values, 16)


def test_another_class_has_another_map():
    network = linear()
    with torch.no_grad():
        network[1].weight[1] = -network[1].weight[0]
    classifier, clip = classifier_of(network), GRID(noise())
    values = Saliency(network)(clip.db, 0).values
    assert class_correlation(classifier, clip, Saliency(network), 1, values) == -1
    values = Level(network)(clip.db, 0).values
    assert class_correlation(classifier, clip, Level(network), 1, values) == 1


def test_agreement_is_the_mean_over_the_pairs():
    networks = [linear() for _ in range(3)]
    with torch.no_grad():
        networks[2][1].weight *= -1
    classifiers = [classifier_of(network) for network in networks]
    values = Saliency(networks[0])(GRID(noise()).db, 0).values
    figure = network_agreement(classifiers, noise(), Saliency(networks[0]), 0, values)
    assert figure == pytest.approx((1 - 1 - 1) / 3)
    with pytest.raises(ArgumentError, match="at least two classifiers"):
        network_agreement(classifiers[:1], noise(), Saliency(networks[0]), 0, values)
    other = Classifier(networks[1], GRID, ["cat", "cow"], duration=1.0)
    with pytest.raises(ArgumentError, match="same labels"):
        network_agreement([classifiers[0], other], noise(), Saliency(networks[0]), 0, values)
    layer = GradCAM(convolutional(), layer=nn.Conv2d(1, 1, 1))
    with pytest.raises(ArgumentError, match="give the layer's name"):
        network_agreement(classifiers, noise(), layer, 0, values)


@pytest.mark.parametrize(
    ("check", "ends", "verdict"),
    [
        ("randomisation", (-0.1, 0.1), "passes"),
        ("randomisation", (-0.2, 0.05), "unclear"),
        ("randomisation", (-0.3, -0.2), "fails"),
        ("randomisation", (-0.3, 0.3), "unclear"),
        ("determinism", (0.0, 0.0), "passes"),
        ("determinism", (0.1, 0.1), "fails"),
        ("shift", (0.8, 0.89), "fails"),
        ("class", (-0.9, 0.5), "passes"),
    ],
)
def test_verdicts(check, ends, verdict):
    assert CHECKS[check].verdict(*ends) == verdict


def synthetic_classifier():
    clips = EvenSubset(Synthetic((5,), sample_rate=8000, duration=3.0), 3)
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 6, (8, 5), padding=(0, 2)), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(6, len(clips.labels)))
    return Classifier(network, GRID, clips.labels, duration=3.0, normalize="peak"), clips


def test_rows_have_every_check_of_every_method_or_a_reason():
    classifier, clips = synthetic_classifier()
    methods = ["saliency", Level(classifier.network), "shap"]
    rows = sanity(classifier, clips, methods, stages=2, progress=False)
    assert set(rows["method"]) == {"saliency", "level", "shap"}
    for _, of_method in rows.groupby("method"):
        assert set(of_method["check"]) == set(CHECKS)
    assert bool((rows["figure"].isna() == (rows["reason"] != "")).all())
    shap = rows[rows["method"] == "shap"]
    assert shap["reason"].str.contains("compares a clip with a background").all()
    assert rows.loc[rows["check"] == "networks", "figure"].isna().all()
    again = sanity(classifier, clips, methods, stages=2, progress=False)
    pd.testing.assert_frame_equal(rows, again)


def test_the_table_has_figures_and_verdicts():
    classifier, clips = synthetic_classifier()
    methods = ["saliency", Level(classifier.network), Unseeded(classifier.network), "shap"]
    rows = sanity(classifier, clips, methods, others=[classifier], stages=2, progress=False)
    table = sanity_table(rows).set_index(["method", "check"])
    assert table.loc[("level", "randomisation"), "figure"] == 1
    # Of three clips a mean decides nothing.
    assert table.loc[("level", "randomisation"), "verdict"] == "unclear"
    assert table.loc[("level", "class"), "verdict"] == "unclear"
    assert table.loc[("level", "determinism"), "verdict"] == "passes"
    assert table.loc[("unseeded", "determinism"), "verdict"] == "fails"
    assert table.loc[("unseeded", "shift"), "verdict"] == "unclear"
    assert table.loc[("saliency", "networks"), "figure"] == 1
    assert table.loc[("shap", "shift"), "verdict"] == "not done"
    assert "background" in table.loc[("shap", "shift"), "reason"]
    # Three clips are too few for an interval.
    assert table["low"].isna().all()
    assert list(table.index.get_level_values(0).unique()) == [
        "saliency",
        "level",
        "unseeded",
        "shap",
    ]


def test_intervals_are_over_recordings_and_decide():
    rows = pd.DataFrame(
        {
            "method": "made",
            "check": "randomisation",
            "clip": [str(number) for number in range(40)],
            "recording": [str(number // 2) for number in range(40)],
            "share": 1.0,
            "figure": [0.2 * (-1) ** (number // 2) for number in range(40)],
            "reason": "",
        }
    )
    (row,) = sanity_table(rows).to_dict("records")
    assert row["figure"] == pytest.approx(0)
    # Twenty recordings of ±0.2: the standard error is 0.2 / √20.
    assert row["high"] == pytest.approx(2 * 0.2 / np.sqrt(20), abs=0.03)
    assert row["low"] == pytest.approx(-row["high"], abs=0.02)
    assert row["verdict"] == "passes"
    rows["figure"] += 0.4
    assert sanity_table(rows).loc[0, "verdict"] == "fails"


def test_a_clip_that_cannot_be_read_is_a_reason(tmp_path):
    classifier, clips = synthetic_classifier()

    class Broken:
        sample_rate, labels, normalize = clips.sample_rate, clips.labels, "peak"

        def __len__(self):
            return 2

        def __getitem__(self, index):
            if index:
                raise OSError("no such sound")
            return clips[0]

        def clip_id(self, index):
            return str(index)

    rows = sanity(classifier, Broken(), ["saliency"], stages=1, progress=False)
    broken = rows[rows["clip"] == "1"]
    assert set(broken["reason"]) == {"no such sound"}
    table = sanity_table(rows).set_index("check")
    assert table.loc["shift", "clips"] == 1
    assert table.loc["shift", "reason"] == "1 of 2 clips: no such sound"


def test_no_method_is_refused():
    classifier, clips = synthetic_classifier()
    for methods in ([], "saliency"):
        with pytest.raises(ArgumentError, match="a list of at least one"):
            sanity(classifier, clips, methods)


def test_on_the_committed_network(esc10):
    """On a real network and clip, Grad-CAM follows the weights and the shift."""
    weights = Path(__file__).parents[1] / "weights" / "esc10_mel_cnn10.safetensors"
    classifier = Classifier.load(weights)
    clips = EvenSubset(ESC50(esc10, (5,), "esc10", sample_rate=32000), 1)
    methods = ["gradcam", Level(classifier.network)]
    rows = sanity(classifier, clips, methods, stages=1, progress=False)
    figures = rows.set_index(["method", "check"])["figure"]
    assert figures["level", "randomisation"] == 1
    assert figures["gradcam", "randomisation"] < 0.8
    assert figures["gradcam", "shift"] > 0.9
    assert figures["gradcam", "determinism"] == 0
    assert figures["gradcam", "batch"] < 1e-3


def test_a_budget_is_of_versions_and_points_alone():
    """The optimal mask's steps are neither: fewer would make another mask."""
    classifier = Classifier(Cnn6(2, base_channels=2), LogMel(), ["cat", "dog"], duration=1.0)
    assert _with_budget("lime", classifier, None, 7).samples == 7
    assert settings_of(_with_budget("integrated_gradients", classifier, None, 7))["steps"] == 7
    for name in ("optimal", "gradcam"):
        assert _with_budget(name, classifier, None, 7) == name


def test_the_command_writes_a_page_that_its_rows_make_again(tmp_path, in_this_process):
    clips = Synthetic((5,), sample_rate=8000, duration=3.0)
    classifier = Classifier(
        Cnn6(10, base_channels=2, num_bins=16),
        LogMel(8000, 256, 128, 16, 0.0, 4000.0),
        clips.labels,
        duration=3.0,
    )
    classifier.save(tmp_path / "small.safetensors")
    given = ("sanity", "--weights", "small.safetensors", "--per-class", 1)
    first = in_this_process(*given, "--methods", "saliency", "--out", "a.md", place=tmp_path)
    assert first == (0, "wrote a.md\n", "")
    rows = pd.read_csv(tmp_path / "a.csv")
    assert rows["clip"].nunique() == 10
    assert "| saliency | " in (tmp_path / "a.md").read_text()
    again = in_this_process("sanity", "--rows", "a.csv", "--out", "b.md", place=tmp_path)
    assert again == (0, "wrote b.md\n", "")
    assert (tmp_path / "b.md").read_text() == (tmp_path / "a.md").read_text()
    twice = in_this_process("sanity", "--rows", "a.csv,./a.csv", "--out", "b.md", place=tmp_path)
    assert "two files have rows of one method (saliency, saliency)" in twice[2]
    (tmp_path / "other.csv").write_text("method,figure\n")
    other = in_this_process("sanity", "--rows", "other.csv", "--out", "b.md", place=tmp_path)
    assert "other.csv: has no column check; sanity did not write it" in other[2]

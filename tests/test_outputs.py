"""Networks that are not what is expected: probabilities, other number types, no gradients."""

import copy
import math
import warnings
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import pytest
import torch
from conftest import noise, small_classifier, small_set
from torch import nn
from torch.nn import functional

import audiointerp as ai
from audiointerp.dataset import LoadedClip
from audiointerp.errors import ArgumentError, ModelError
from audiointerp.experiments import records
from audiointerp.experiments.store import Store
from audiointerp.model.classifier import Classifier
from audiointerp.predict import score
from audiointerp.scoring import MethodRows
from audiointerp.scoring.explain import explain_clip
from audiointerp.scoring.outcomes import classify_each_part, classify_parts
from audiointerp.util.probability import BINARY, OUTPUTS, probabilities, to_logits

# The verdict's random masks are tested elsewhere.
interpret = partial(ai.interpret, compared=0)

WEIGHTS = Path(__file__).parents[1] / "weights"
LABELS = ["label0", "label1", "label2"]
LOGITS_OF = {"probabilities": "softmax", "independent_probabilities": "sigmoid"}
QUICK = {
    "lime": lambda network: ai.LIME(network, "grid", samples=120),
    "kernel_shap": lambda network: ai.KernelSHAP(network, samples=120),
    "occlusion": lambda network: ai.Occlusion(network, (32, 50), (32, 50)),
    "rise": lambda network: ai.RISE(network, samples=20),
    "rise_logit": lambda network: ai.LogitRISE(network, samples=20),
    "mask_gradient": lambda network: ai.MaskGradient(network, samples=8),
    "optimal": lambda network: ai.OptimalMask(network, steps=2),
}


@cache
def untrained():
    """The classifier that the tests of this file share; none changes it."""
    return small_classifier()


class Scaled(nn.Module):
    """A network with larger logits, then a function, by default none."""

    def __init__(self, network, function=None, scale=4.0):
        super().__init__()
        self.network, self.function, self.scale = network, function or nn.Identity(), scale
        self.activation_layout = network.activation_layout

    def forward(self, db):
        return self.function(self.scale * self.network(db))


def wrapped(network, output="softmax"):
    return Classifier(network, ai.LogMel(), LABELS, 1.0, output=output)


def pair(output):
    """Two classifiers of one network: with logits, and with the last activation in the network."""
    network = untrained().network
    activation = nn.Softmax(-1) if output == "probabilities" else nn.Sigmoid()
    return (
        wrapped(Scaled(network), LOGITS_OF[output]),
        wrapped(Scaled(network, activation), output),
    )


def test_logits_of_probabilities_by_hand():
    p = torch.tensor([[0.7, 0.2, 0.1]])
    logs = [math.log(value) for value in (0.7, 0.2, 0.1)]
    assert to_logits(p, "probabilities")[0].tolist() == pytest.approx(logs)
    odds = [math.log(value / (1 - value)) for value in (0.7, 0.2, 0.1)]
    assert to_logits(p, "independent_probabilities")[0].tolist() == pytest.approx(odds, abs=1e-6)
    for output in ("softmax", "sigmoid"):
        assert to_logits(p, output) is p
    certain = torch.tensor([[0.0, 1.0]])
    for output in ("probabilities", "independent_probabilities"):
        logits = to_logits(certain, output)
        assert logits.isfinite().all()
        assert probabilities(logits, output).tolist()[0] == pytest.approx([0, 1], abs=1e-7)
    assert not to_logits(torch.tensor([[torch.nan, 0.5]]), "probabilities").isfinite().all()


@pytest.mark.parametrize("output", LOGITS_OF)
def test_probabilities_are_not_squashed_twice(output):
    """A network that ends in its softmax or sigmoid has the scores of the one without."""
    plain, ends_in_activation = pair(output)
    wav = noise(1.0)
    db = plain.transform(wav).db
    p = plain.probabilities(db)
    assert torch.allclose(ends_in_activation.probabilities(db), p, atol=1e-6)
    wrongly = wrapped(ends_in_activation.network, LOGITS_OF[output])
    with pytest.warns(UserWarning, match=f"give Classifier.…, output='{output}'"):
        squashed = wrongly.probabilities(db)
    # What came out before, without a word.
    assert (squashed - p).abs().max() > 0.1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Once for each classifier.
        wrongly.probabilities(db)
    for method in ("saliency", "lime"):
        # Label by label the log-odds are explained, the same function; LIME explains p itself.
        results = [
            interpret(each, wav, QUICK.get(method, ai.METHODS[method])(each.network), target=1)
            for each in (plain, ends_in_activation)
        ]
        expected, scores = (result.scores for result in results)
        if method == "lime" or output == "independent_probabilities":
            assert scores == pytest.approx(expected, abs=2e-3, nan_ok=True)


def test_a_dog_stays_a_dog(clips):
    """On a real clip and the trained network: p 0.970 was 0.226 after a second softmax."""
    trained = Classifier.load(WEIGHTS / "esc10_mel_cnn10.safetensors")
    db = trained.transform(clips[0]).db
    settings = trained.transform, trained.labels, trained.duration
    ends_in_softmax = Scaled(trained.network, nn.Softmax(-1), scale=1.0)
    with pytest.warns(UserWarning, match="output='probabilities'"):
        squashed = Classifier(ends_in_softmax, *settings).probabilities(db).max()
    assert squashed.item() == pytest.approx(0.2261, abs=1e-3)
    p = Classifier(ends_in_softmax, *settings, output="probabilities").probabilities(db)
    assert p.max().item() == pytest.approx(0.9701, abs=1e-3)
    assert torch.allclose(p, trained.probabilities(db), atol=1e-6)
    assert trained.labels[int(p.argmax())] == "dog"


def test_what_a_gradient_explains_of_probabilities():
    """Of p that sums to 1 it is log p, of independent p the logit."""
    for output in LOGITS_OF:
        plain, ends_in_activation = pair(output)
        spectrogram = plain.transform(noise(1.0))
        explainer = ai.Saliency(ends_in_activation.network)
        values = explain_clip(ends_in_activation, spectrogram, explainer, 1).values
        db = spectrogram.db.clone().requires_grad_()
        logits = plain.network(db)
        explained = logits if output == "independent_probabilities" else logits.log_softmax(-1)
        (expected,) = torch.autograd.grad(explained[0, 1], db)
        assert torch.allclose(values, expected, atol=1e-5 * float(expected.abs().max()))


def test_one_class_against_another_is_the_difference_of_the_logits():
    plain, ends_in_softmax = pair("probabilities")
    spectrogram = plain.transform(noise(1.0))
    expected, values = (
        explain_clip(each, spectrogram, ai.Saliency(each.network), 1, 0).values
        for each in (plain, ends_in_softmax)
    )
    assert torch.allclose(values, expected, atol=1e-5 * float(expected.abs().max()))


def test_outputs_that_are_not_what_output_says():
    network = untrained().network
    db = torch.zeros(1, 1, 64, 101)
    with pytest.raises(ModelError, match=r"from -.* that they are probabilities; .*'softmax'"):
        wrapped(Scaled(network), "probabilities").probabilities(db)
    with pytest.raises(ModelError, match=r"sum to .* give output='independent_probabilities'"):
        wrapped(Scaled(network, nn.Sigmoid()), "probabilities").probabilities(db)
    with pytest.raises(ModelError, match="they are probabilities"):
        ai.Saliency(network)(db, output="independent_probabilities")
    many = Scaled(small_classifier(20).network, nn.Sigmoid())
    tagger = Classifier(many, ai.LogMel(), [f"label{i}" for i in range(20)])
    with pytest.warns(UserWarning, match="output='independent_probabilities'"):
        tagger.probabilities(db)


def test_shap_refuses_probabilities():
    """shap cannot see through the logarithm, so its values would not be SHAP values."""
    _, ends_in_softmax = pair("probabilities")
    wav = noise(1.0)
    background = ends_in_softmax.transform(noise(1.0, seed=1)).db
    with pytest.raises(ArgumentError, match="without its last softmax"):
        interpret(ends_in_softmax, wav, "shap", background=background)
    interpret(ends_in_softmax, wav, "gradient_shap", background=background)


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_output_is_saved(output, tmp_path):
    network = ai.Cnn10(1, base_channels=4) if output in BINARY else untrained().network
    labels = LABELS[:2] if output in BINARY else LABELS
    saved = Classifier(network, ai.LogMel(), labels, 1.0, output=output)
    saved.save(tmp_path / "a.safetensors")
    assert Classifier.load(tmp_path / "a.safetensors").output == output


TYPES = {
    torch.float64: (1e-6, 0.9999),
    torch.float16: (0.02, 0.98),
    torch.bfloat16: (0.1, 0.8),
}
"""The largest difference of a probability from float32's, the least cosine of an attribution."""
LEAST_OF_OPTIMAL = {torch.float64: 0.9999, torch.float16: 0.85, torch.bfloat16: 0.6}
"""Its first steps are as large for a small gradient as for a large one, so rounding shows in them;
docs/methods.md says so."""


@pytest.mark.parametrize("dtype", TYPES)
def test_networks_of_other_number_types(dtype):
    """Features are converted to the type of the weights; all methods work, and agree."""
    difference, least = TYPES[dtype]
    classifier = small_classifier(duration=0.5)
    network = copy.deepcopy(classifier.network).to(dtype)
    converted = Classifier(network, classifier.transform, classifier.labels, 0.5)
    wav = noise(0.5)
    db = classifier.transform(wav).db
    computed = converted.probabilities(db)
    assert computed.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert torch.allclose(computed.float(), classifier.probabilities(db), atol=difference)
    background = classifier.transform(noise(0.5, seed=1)).db
    for name in ai.METHODS:
        attributions = []
        for each in (classifier, converted):
            method = QUICK[name](each.network) if name in QUICK else name
            result = interpret(each, wav, method, target=1, background=background)
            attributions.append(result.attribution.values)
        one, two = attributions
        assert two.dtype == torch.float32
        limit = LEAST_OF_OPTIMAL[dtype] if name == "optimal" else least
        assert functional.cosine_similarity(one.flatten(), two.flatten(), dim=0) > limit, name


def test_features_in_float64_for_a_network_in_float32():
    classifier = untrained()
    db = classifier.transform(noise(1.0)).db
    attribution = ai.Saliency(classifier.network)(db.double())
    assert attribution.values.dtype == torch.float64
    assert torch.allclose(attribution.values.float(), ai.Saliency(classifier.network)(db).values)


class Frozen(nn.Module):
    """A backbone under no_grad, then a head."""

    def __init__(self, network):
        super().__init__()
        self.backbone, self.head = network, nn.Linear(3, 3)

    def forward(self, db):
        with torch.no_grad():
            features = self.backbone(db)
        return self.head(features)


BLACK_BOXES = ("lime", "random", "kernel_shap", "occlusion", "rise", "rise_logit")


def exported(network):
    """An exported graph that takes any number of clips."""
    example = torch.zeros(2, 1, 64, 101)
    clips = torch.export.Dim("clips", min=1, max=64)
    return torch.export.export(network, (example,), dynamic_shapes=({0: clips},)).module()


def test_a_network_without_gradients_is_explained_without_them():
    classifier = wrapped(Frozen(untrained().network))
    wav = noise(1.0)
    background = classifier.transform(noise(1.0, seed=1)).db
    for name in ai.METHODS:
        if name in BLACK_BOXES:
            method = QUICK[name](classifier.network) if name in QUICK else name
            assert interpret(classifier, wav, method).attribution.values.isfinite().all()
        else:
            message = f"{name} needs gradients.*does not require grad.*occlusion, lime"
            with pytest.raises(ModelError, match=message):
                interpret(classifier, wav, name, background=background)


def scripted(network):
    with warnings.catch_warnings(action="ignore"):
        return torch.jit.script(network)


def traced(network):
    with warnings.catch_warnings(action="ignore"):
        return torch.jit.trace(network, torch.zeros(1, 1, 64, 101))


class Plain(nn.Sequential):
    """A network that TorchScript and torch.export take."""

    def __init__(self):
        torch.manual_seed(0)
        super().__init__(
            nn.BatchNorm2d(1),
            nn.Conv2d(1, 4, 3),
            nn.ReLU(),
            nn.Dropout(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 3),
        )
        self.eval()


def frozen(network):
    with warnings.catch_warnings(action="ignore"):
        return torch.jit.freeze(torch.jit.script(network))


def inside(network):
    return nn.Sequential(scripted(network))


@pytest.mark.parametrize("convert", [scripted, traced, frozen, inside])
def test_torchscript_is_explained_by_what_needs_its_outputs_only(convert):
    network = Plain()
    classifier = wrapped(convert(network))
    wav = noise(1.0)
    for name in BLACK_BOXES:
        values = []
        for each in (wrapped(network), classifier):
            method = QUICK[name](each.network) if name in QUICK else name
            values.append(interpret(each, wav, method, target=1).attribution.values)
        assert torch.allclose(*values, atol=1e-5), name
    for kind in (ai.Saliency, ai.GradCAM, ai.IntegratedGradients):
        with pytest.raises(ArgumentError, match=r"TorchScript hides them.*occlusion, lime or ker"):
            kind(classifier.network)
    with pytest.raises(ModelError, match=r"\(1, 2, 8, 101\) float32: RuntimeError: running_mean"):
        classifier.logits(torch.zeros(1, 2, 8, 101))


def test_exported_graphs():
    network = Plain()
    classifier = wrapped(exported(network))
    wav = noise(1.0)
    for name in (*BLACK_BOXES, "saliency", "integrated_gradients"):
        values = []
        for each in (wrapped(network), classifier):
            method = QUICK[name](each.network) if name in QUICK else name
            values.append(interpret(each, wav, method, target=1).attribution.values)
        assert torch.allclose(*values, atol=1e-5), name
    with pytest.raises(ArgumentError, match="no Conv2d"):
        ai.GradCAM(classifier.network)
    for graph in (exported(network), nn.Sequential(exported(network))):
        with pytest.raises(
            ModelError, match=r"(Guard failed|Expected input at).*export it with dynamic_shapes"
        ):
            wrapped(graph).logits(torch.zeros(1, 1, 64, 77))
    with pytest.raises(ModelError, match=r"call network\.eval\(\) before torch\.export"):
        wrapped(exported(Plain().train()))


class Frames(nn.Module):
    """Takes (N, T, F)."""

    def __init__(self):
        super().__init__()
        self.recurrent, self.head = nn.GRU(64, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, frames):
        return self.head(self.recurrent(frames)[0].mean(1))


class Bands(nn.Module):
    """Takes (N, F, T)."""

    def __init__(self):
        super().__init__()
        self.convolution, self.head = nn.Conv1d(64, 8, 3), nn.Linear(8, 3)

    def forward(self, bands):
        return self.head(self.convolution(bands).mean(2))


def colour():
    layers = nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    return nn.Sequential(*layers)


def waves():
    layers = nn.Conv1d(1, 4, 9), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 3)
    return nn.Sequential(*layers)


class Call(nn.Module):
    def __init__(self, network, prepare):
        super().__init__()
        self.network, self.prepare = network, prepare

    def forward(self, db):
        return self.network(self.prepare(db))


OTHER_INPUTS = {
    "frames": (Frames, "calls network.db.:, 0..transpose.1, 2", lambda db: db[:, 0].mT),
    "bands": (Bands, "calls network.db.:, 0", lambda db: db[:, 0]),
    "colour": (colour, "network.db.expand.-1, 3, -1, -1", lambda db: db.expand(-1, 3, -1, -1)),
    "waves": (waves, "takes a waveform", None),
}


@pytest.mark.parametrize("kind", OTHER_INPUTS)
def test_networks_that_take_other_inputs_are_told_how_to_be_wrapped(kind):
    make, advice, prepare = OTHER_INPUTS[kind]
    network = make()
    wav = noise(1.0)
    start = r"the network cannot take features \(1, 1, 64, 101\) float32: "
    for method in ("saliency", "lime"):
        with pytest.raises(ModelError, match=start + f".*logits .N, C.: .*{advice}") as error:
            interpret(wrapped(network), wav, method)
        assert "\n" not in str(error.value)
    if prepare is not None:
        result = interpret(wrapped(Call(network, prepare)), wav, "saliency")
        assert result.attribution.values.shape == (1, 1, 64, 101)


def test_other_errors_of_a_network():
    db = torch.zeros(1, 1, 64, 101)
    long = nn.Sequential(nn.Flatten(), nn.Linear(5, 3))
    with pytest.raises(ModelError, match=r"cannot be multiplied .*: wrap it in a module"):
        wrapped(long).logits(db)
    later = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(3, 4, 3))
    with pytest.raises(ModelError, match=r"to have 3 channels, but got 4 .*: wrap it in a module"):
        wrapped(later).logits(db)
    with pytest.raises(ModelError, match=r"missing 1 required positional.*: wrap it"):
        wrapped(nn.Bilinear(64, 64, 3)).logits(db)

    def memory(_):
        raise MemoryError

    with pytest.raises(MemoryError):
        wrapped(Call(Plain(), memory)).logits(db)


class NaNWhereQuiet(nn.Module):
    """Answers with NaN where the mean level is below a limit, e.g. a logarithm of the power."""

    def __init__(self, network, limit):
        super().__init__()
        self.network, self.limit = network, limit

    def forward(self, db):
        is_quiet = db.mean((1, 2, 3)) < self.limit
        return self.network(db).masked_fill(is_quiet[:, None], torch.nan)


def quiet(classifier, db):
    """A classifier that gives NaN where more than half of the bins are removed."""
    limit = (float(db.mean()) - 100) / 2
    return wrapped(NaNWhereQuiet(classifier.network, limit))


def test_nan_of_one_part_costs_one_mask_and_says_which():
    classifier = untrained()
    spectrogram = classifier.transform(noise(1.0))
    broken = quiet(classifier, spectrogram.db)
    most = (torch.rand(spectrogram.db.shape) < 0.9).float()
    target = torch.tensor([1])
    outcomes = classify_each_part(
        broken, spectrogram, target, torch.cat([torch.ones_like(most) * 0.5, most, 1 - most])
    )
    assert outcomes.faults == ("", "removed part", "kept part")
    assert [outcomes.fault(number) for number in range(3)] == [
        "",
        "the network returns NaN or infinite logits for the removed part",
        "the network returns NaN or infinite logits for the kept part",
    ]
    assert outcomes.probs[:, 0].isfinite().all()
    with pytest.raises(ModelError, match=r"mask 1 of 1: .*for the removed part"):
        classify_parts(broken, spectrogram, target, most)

    def most_bins(values):
        return most

    with pytest.raises(ModelError, match=r"mask 1 of 1: .* logits for the removed part"):
        interpret(broken, noise(1.0), "saliency", most_bins)
    silent = spectrogram.masked(torch.zeros_like(most))
    with pytest.raises(ModelError, match="NaN or infinite logits for the clean clip"):
        classify_parts(broken, silent, target, most)


def half(values):
    return torch.full_like(values, 0.5)


def test_the_rows_of_the_other_masks_stay():
    clips = small_set(count=2)
    classifier = small_classifier(10)
    db = classifier.transform(clips[0][0][None]).db
    network = NaNWhereQuiet(classifier.network, (float(db.mean()) - 100) / 2)
    broken = Classifier(network, ai.LogMel(), clips.labels, 1.0)
    settings = {"on": "features", "fill": "silence", "nulls": [], "progress": False}
    rows = score(broken, clips, ["saliency"], ["topK_30", half], **settings)
    first = rows[rows["clip"] == rows["clip"][0]].set_index("mask")
    assert first["status"].to_dict() == {"topK_30": "error", "half": "ok"}
    failed = first.loc["topK_30"]
    assert (failed["stage"], failed["error_type"], failed["on"]) == (
        "score",
        "ModelError",
        "features",
    )
    assert failed["error"] == "the network returns NaN or infinite logits for the kept part"
    assert math.isnan(failed["FF"])
    assert math.isnan(failed["FidIn"])
    assert failed["explained"] == first.loc["half", "explained"]
    whole = score(
        Classifier(classifier.network, ai.LogMel(), clips.labels, 1.0),
        clips,
        ["saliency"],
        [half],
        **settings,
    )
    assert first.loc["half", "FF"] == pytest.approx(whole["FF"][0], abs=1e-6)


def test_a_record_with_one_failed_mask_is_kept_as_failed(tmp_path):
    rows = []
    for mask, status in (("bin", "ok"), ("minmax", "error")):
        row = dict.fromkeys(records.COLUMNS, "") | {"method": "random", "clip": "a", "mask": mask}
        rows.append(records.cells(row | {"status": status}))
    path = tmp_path / "a.json"
    for status in ("ok", "error"):
        records.write_record(path, records.ClipRecord("f", "c", status, 1.0, 1, rows))
        read = records.read_record(path, "random", "a")
        assert (read is not None) == (status == "error")


def test_scores_beside_a_failed_mask_survive_a_clip_that_cannot_be_read(tmp_path):
    rows = []
    for mask, status in (("bin", "ok"), ("minmax", "error")):
        row = dict.fromkeys(records.COLUMNS, "") | {"method": "random", "clip": "a", "mask": mask}
        rows.append(row | {"status": status})
    results = Store(tmp_path / "random", {}, ["a"], attributions=False)
    (tmp_path / "random" / "clips").mkdir(parents=True)
    loaded = LoadedClip("a", "a", torch.ones(1, 8), "dog", sha256="c")
    results.put(0, loaded, MethodRows("random", rows, None, 1.0), threads=1)
    assert results.needs(0, loaded)
    with pytest.warns(UserWarning, match="a cannot be read now"):
        assert not results.needs(0, replace(loaded, wav=None, error=OSError("gone")))

"""interpret and score: clips of any length, arguments that are refused, exact masks."""

import warnings

import captum.attr
import pytest
import torch
from conftest import noise, small_classifier, small_set, ten_classes
from torch import nn

import audiointerp as ai
from audiointerp.errors import ArgumentError, AudioError, AudioWarning
from audiointerp.interpretation import additivity_gap
from audiointerp.model.classifier import Classifier
from audiointerp.predict import interpret, score
from audiointerp.processing import save_audio
from audiointerp.scoring.explain import build_explainer
from audiointerp.scoring.outcomes import classify_parts


@pytest.mark.parametrize("seconds", [0.01, 0.4, 1.0, 2.0, 2.7])
@pytest.mark.parametrize("method", ["saliency", "gradcam", "shap", "random"])
def test_interpret_at_any_length(seconds, method, classifier):
    wav = noise(seconds)
    background = classifier.transform(noise(1.0, seed=1)).db
    result = interpret(
        classifier, wav, method, "topK_30", background=background, windows="all", compared=2
    )
    assert result.kept.shape == result.removed.shape == wav.shape
    assert torch.allclose(result.kept + result.removed, wav, atol=1e-5)
    assert result.mask.shape == result.spectrogram.db.shape == result.attribution.values.shape
    assert result.mask.mean() == pytest.approx(0.3, abs=0.01)
    assert result.attribution.probs.sum().item() == pytest.approx(1, abs=1e-5)
    assert result.scores["p"] == pytest.approx(result.attribution.probs.max().item(), abs=1e-5)
    assert result.explained == result.predicted
    assert result.scores["AREA"] == pytest.approx(0.3, abs=0.01)


def test_a_long_clip_is_the_mean_of_its_windows(classifier):
    """The probability of a clip of three windows and a rest is their weighted mean."""
    frames = classifier.transform.num_frames(32000)
    spec = classifier.transform(noise(3.2))
    windows = (
        spec.db[..., : 3 * frames].unfold(-1, frames, frames).permute(3, 0, 1, 2, 4).flatten(0, 1)
    )
    assert len(windows) == 3
    rest = spec.db[..., -frames:]
    probs = classifier.probabilities(torch.cat([windows, rest]))
    owned = torch.tensor([frames, frames, frames, spec.db.shape[-1] - 3 * frames])
    expected = (owned[:, None] * probs).sum(0) / owned.sum()
    result = interpret(classifier, noise(3.2), "saliency", "bin", windows="all")
    assert torch.allclose(result.attribution.probs[0], expected, atol=1e-5)


def test_targets(classifier):
    for target in ("label2", 2):
        result = interpret(classifier, noise(1.0), target=target)
        assert result.explained == "label2"
        assert result.scores["p"] == pytest.approx(result.attribution.probs[0, 2].item(), abs=1e-6)
    with pytest.raises(ArgumentError, match="unknown label 'dog'"):
        interpret(classifier, noise(1.0), target="dog")


def test_targets_as_a_person_types_them():
    network = ai.Cnn6(4, base_channels=2)
    labels = ["crying_baby", "dog", "Cat", "cat"]
    classifier = ai.Classifier(network, ai.LogMel(), labels, duration=1.0)
    typed = {"Crying baby": "crying_baby", "cryingbaby": "crying_baby", "DOG": "dog", "Cat": "Cat"}
    for target, label in typed.items():
        against = "cat" if label != "cat" else "dog"
        result = interpret(classifier, noise(1.0), "saliency", target=target, against=against)
        assert result.explained == label
    for unknown, meant in (("CAT", "cat"), ("dgo", "dog")):
        with pytest.raises(
            ArgumentError, match=f"unknown label '{unknown}'; did you mean '{meant}'"
        ):
            interpret(classifier, noise(1.0), "saliency", target=unknown)
    with pytest.raises(ArgumentError, match="unknown label 'Dog'; did you mean 'dog'"):
        classifier.target("Dog")


def test_methods_by_name_class_and_instance(classifier):
    wav = noise(1.0)
    values = [
        interpret(classifier, wav, method).attribution.values
        for method in ("gradcam", ai.GradCAM, ai.GradCAM(classifier.network))
    ]
    assert values[0].equal(values[1])
    assert values[0].equal(values[2])
    with pytest.raises(ArgumentError, match="unknown method 'magic'"):
        interpret(classifier, wav, "magic")
    with pytest.raises(ArgumentError, match="unknown mask 'top'"):
        interpret(classifier, wav, "gradcam", "top")
    with pytest.raises(ArgumentError, match="give background=features"):
        interpret(classifier, wav, "shap")
    with pytest.raises(ArgumentError, match="has 2 clips: give one"):
        interpret(classifier, torch.zeros(2, 1, 500))
    with pytest.raises(AudioError, match=r"clip\.wav: no such audio file"):
        interpret(classifier, "clip.wav")
    assert torch.equal(interpret(classifier, wav.numpy()).wav, wav)
    assert interpret(classifier, wav.double()).kept.dtype == torch.float32
    with pytest.raises(ArgumentError, match="not int16"):
        interpret(classifier, (wav * 30000).to(torch.int16))
    with pytest.raises(ArgumentError, match="another method is called saliency"):
        interpret(classifier, wav, ai.Captum(classifier.network, captum.attr.Saliency))
    with pytest.raises(ArgumentError, match="takes more than a network"):
        interpret(classifier, wav, ai.Captum)
    # Newer versions of torch warn that tracing is deprecated.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(nn.Flatten(), classifier.transform(wav).db)
    with pytest.raises(ArgumentError, match="TorchScript"):
        ai.Saliency(traced)
    for methods, masks in (
        ("gradcam", ["bin"]),
        (["gradcam"], "bin"),
        ([], ["bin"]),
        (["gradcam"], []),
    ):
        with pytest.raises(ArgumentError, match="at least one"):
            score(ten_classes(), small_set(), methods, masks)
    with pytest.raises(ArgumentError, match=r"masks: .* e\.g\. masks=\['bin'\], not 'bin'"):
        score(ten_classes(), small_set(), ["gradcam"], "bin")
    with pytest.raises(ArgumentError, match="NaN"):
        interpret(classifier, torch.full((1, 1, 500), torch.nan))
    with pytest.raises(ArgumentError, match="unknown inversion"):
        interpret(classifier, wav, inversion="magic")


def test_all_ones_and_all_zeros_masks_are_exact(classifier):
    for seconds in (1.0, 2.5):
        spec = classifier.transform(noise(seconds))
        masks = torch.cat([torch.ones_like(spec.db), torch.zeros_like(spec.db)])
        scores = classify_parts(classifier, spec, torch.tensor([1]), masks).scores(masks)
        assert [scores[name][0].item() for name in ("AD", "AG", "AI", "SPS")] == [0, 0, 0, 0]
        assert scores["FidIn"][0] == 1
        assert scores["FF"][0] == scores["p"][0].double() - scores["p_out"][0].double()
        assert scores["FF"][1] == 0
        assert scores["COMP"][1].isnan()
        assert scores["p_in"][1] == pytest.approx(scores["p_out"][0].item(), abs=1e-6)


@pytest.mark.parametrize(
    ("on", "against", "inversion"),
    [("features", None, "gain"), ("audio", "label0", "gain"), ("features", None, "griffinlim")],
)
def test_the_p_of_a_sound_is_that_of_the_sound_that_plays(on, against, inversion):
    """Analyse and classify the three sounds like any other clip, and compare."""
    # Griffin-Lim's non-negative least squares takes long for each frame.
    seconds = 0.3 if inversion == "griffinlim" else 1.0
    classifier = small_classifier(duration=seconds)
    result = interpret(
        classifier,
        noise(seconds),
        "gradcam",
        target="label1",
        against=against,
        on=on,
        inversion=inversion,
        compared=2,
    )
    assert list(result.heard) == ["p", "p_in", "p_out"]
    for wav, name in zip((result.wav, result.kept, result.removed), result.heard, strict=True):
        logits = classifier.network(classifier.transform(wav).db)[0]
        chosen = logits if against is None else logits[:2]
        assert result.heard[name] == pytest.approx(chosen.softmax(0)[1].item(), abs=1e-5)
        labelled = f"p on {on} {result.scores[name]:.3f}, p of the sound {result.heard[name]:.3f}"
        is_one = on == "audio" and f"{result.scores[name]:.3f}" == f"{result.heard[name]:.3f}"
        expected = f"p of the sound {result.heard[name]:.3f}" if is_one else labelled
        assert result.p_text(name) == expected
    p, p_in, p_out = (f"{value:.3f}".removeprefix("0") for value in result.heard.values())
    assert f"original {p}, kept {p_in}, removed {p_out}" in repr(result)
    assert str(result.verdict) in repr(result)
    # The features of the kept part are not those of its sound.
    assert abs(interpret(classifier, noise(seconds)).scores["p_in"] - result.heard["p_in"]) > 1e-4


@pytest.mark.parametrize("on", ["features", "audio"])
def test_the_level_of_a_clip_is_said_once(on, classifier):
    """The parts of a clip that is too loud are too loud as well."""
    integers = noise(2.5) / noise(2.5).abs().max() * 32767
    with pytest.warns(AudioWarning) as caught:
        interpret(classifier, integers, "saliency", on=on, windows="all")
    assert len(caught) == 1
    assert "divide 16-bit integers by 32768" in str(caught[0].message)
    with pytest.warns(AudioWarning) as caught:
        score(
            classifier,
            [(integers[0], "label0")],
            ["saliency", "random"],
            ["bin"],
            on=on,
            progress=False,
        )
    assert len(caught) == 1
    # It is said again for the next clip.
    with pytest.warns(AudioWarning, match="divide 16-bit integers"):
        interpret(classifier, integers, "saliency", windows="all")


class Flat(nn.Module):
    """Logits that no bin changes."""

    def forward(self, db):
        return torch.stack([0 * db.sum((1, 2, 3)), 0 * db.sum((1, 2, 3)) + 1], 1)


@pytest.mark.usefixtures("few_shares")
def test_silence_has_defined_results(classifier):
    result = interpret(classifier, torch.zeros(1, 1, 32000), "random")
    assert not result.arbitrary
    flat = interpret(
        Classifier(Flat(), classifier.transform, ["a", "b"], 1.0), noise(1.0), "saliency"
    )
    assert flat.arbitrary
    assert "this mask is arbitrary" in flat._repr_html_()
    result = interpret(classifier, torch.zeros(1, 1, 32000), "saliency")
    assert result.kept.abs().max() == 0
    assert result.scores["FF"] == pytest.approx(0, abs=1e-6)
    assert "silent" in result._repr_html_()
    for method in ("nnls", "lstsq", "griffinlim"):
        silence = torch.zeros(1, 1, 4000)
        quiet = interpret(classifier, silence, "saliency", inversion=method, compared=0)
        assert quiet.kept.abs().max() < 1e-3
        assert "silent" in quiet._repr_html_()


def test_the_gap_of_a_clip_is_the_largest_that_is_defined():
    def attribution(gaps):
        nothing = torch.zeros(1)
        return ai.Attribution(
            nothing, nothing, nothing, "shap", {"additivity_gap": torch.tensor([gaps])}
        )

    assert additivity_gap(attribution([torch.nan, 5.0, 1.0])) == 5
    assert additivity_gap(attribution([torch.nan])) != additivity_gap(attribution([torch.nan]))


@pytest.mark.usefixtures("few_shares")
def test_readme_example(tmp_path, classifier):
    """The example of the README."""
    save_audio(tmp_path / "clip.wav", noise(1.0), 32000)
    classifier.save(tmp_path / "weights.safetensors")

    classifier = ai.Classifier.load(tmp_path / "weights.safetensors")
    wav = ai.load_audio(tmp_path / "clip.wav", sample_rate=classifier.sample_rate)
    spec = classifier.transform(wav)
    attr = ai.GradCAM(classifier.network)(spec.db)
    mask = ai.MASKS["topK_30"](attr.values)
    kept, removed = spec.masked(mask), spec.masked(1 - mask)
    assert torch.allclose(kept.to_wav() + removed.to_wav(), wav, atol=1e-5)
    result = ai.interpret(classifier, wav, ai.GradCAM)
    assert torch.allclose(result.kept, kept.to_wav(), atol=1e-6)
    assert result._repr_html_().count("<audio") == 3
    for record in (result, spec, attr):
        assert len(repr(record)) < 300


def test_build_explainer_takes_what_it_is_given(classifier):
    explainer = ai.Saliency(classifier.network)
    assert build_explainer(explainer, classifier) is explainer


def test_equal_masks_are_one_forward_and_every_score_finds_its_mask(classifier):
    spec = classifier.transform(noise(1.0))
    values = torch.randn(spec.db.shape, generator=torch.Generator().manual_seed(0))
    masks = torch.cat(
        [ai.MASKS[name](values) for name in ("topK_30", "bin", "topK_30_pos", "topK_5")]
    )
    together = classify_parts(classifier, spec, torch.tensor([0]), masks).scores(masks)
    assert together["p_in"][0] == together["p_in"][2]
    for number in range(4):
        alone = classify_parts(
            classifier, spec, torch.tensor([0]), masks[number : number + 1]
        ).scores(masks[number : number + 1])
        for name, column in together.items():
            rounding = 1e-3 if name in ("AI", "AD", "AG") else 1e-5  # the former are in percent
            assert column[number].item() == pytest.approx(alone[name].item(), abs=rounding), name


def test_shares_and_tensors_are_masks(classifier):
    wav = noise(1.0)
    shared = interpret(classifier, wav, "saliency", 0.3)
    assert shared.mask_name == "topK_30"
    assert torch.equal(shared.mask, interpret(classifier, wav, "saliency").mask)
    given = (torch.rand(shared.mask.shape[2:]) < 0.5).float()
    result = interpret(classifier, wav, "saliency", given)
    assert result.mask_name == "given"
    assert torch.equal(result.mask[0, 0], given)
    with pytest.raises(ArgumentError, match="does not fit this clip"):
        interpret(classifier, wav, "saliency", given[:, :-1])
    # A mask of a whole long clip.
    long = given.repeat(1, 2)
    with pytest.raises(ArgumentError, match='one window, unless windows="all"'):
        interpret(classifier, noise(2.0), "saliency", long)
    frames = classifier.transform.num_frames(64000)
    whole = interpret(classifier, noise(2.0), "saliency", long[:, :frames], windows="all")
    assert torch.equal(whole.mask[0, 0], long[:, :frames])
    clips = [(wav[0], classifier.labels[0]), (wav[0].flip(-1), classifier.labels[1])]
    rows = score(classifier, clips, ["random"], [0.1, 0.3, 0.125, given], nulls=[], progress=False)
    assert rows["status"].unique().tolist() == ["ok"]
    assert rows["mask"].unique().tolist() == ["topK_10", "topK_30", "topK_12.5", "given"]
    areas = rows.groupby("mask")["AREA"].first()
    assert areas["topK_10"] == pytest.approx(0.1, abs=1e-3)
    assert areas["given"] == pytest.approx(float(given.mean()))


def test_a_function_is_told_how_many_clips_are_scored(classifier, tmp_path):
    clips = small_set(count=2)
    told = []

    def tell(done, total):
        told.append((done, total))

    options = {"masks": ["bin"], "nulls": [], "progress": tell}
    rows = score(ten_classes(), clips, ["random"], **options)
    assert told == [(number + 1, len(clips)) for number in range(len(clips))]
    told.clear()
    written = ai.run("mine", ten_classes(), clips, ["random"], tmp_path, **options)
    assert told[-1] == (len(clips), len(clips))
    assert len(rows) * 4 == len(written)
    with pytest.raises(ArgumentError, match="progress='yes'"):
        score(ten_classes(), clips, ["random"], progress="yes")

"""The road as a whole: clips of any length, scores that fit their masks, runs that lose no clip."""

import json

import pandas as pd
import pytest
import torch
from conftest import small_classifier

import audiointerp as ai
from audiointerp.dataset import ESC50, LabelledClips, Synthetic
from audiointerp.errors import ArgumentError, AudioInterpError
from audiointerp.experiments import EXPERIMENTS, Experiment, background_of, background_of_folder, open_data, run
from audiointerp.explain import additivity_gap, build_explainer, score_masks
from audiointerp.predict import interpret, score
from audiointerp.processing import LogSTFT, load_audio, save_audio
from audiointerp.tables import as_text, read_results, summarise


def noise(seconds, rate=32000, seed=0):
    return torch.randn(1, 1, round(seconds * rate), generator=torch.Generator().manual_seed(seed)) * 0.1


@pytest.mark.parametrize("seconds", [0.01, 0.4, 1.0, 2.0, 2.7])
@pytest.mark.parametrize("method", ["saliency", "gradcam", "shap", "random"])
def test_interpret_at_any_length(seconds, method, classifier):
    wav = noise(seconds)
    background = classifier.transform(noise(1.0, seed=1)).db
    result = interpret(classifier, wav, method, "topK_30", background=background)
    assert result.kept.shape == result.removed.shape == wav.shape
    assert torch.allclose(result.kept + result.removed, wav, atol=1e-5)
    assert result.mask.shape == result.spectrogram.db.shape == result.attribution.values.shape
    assert result.mask.mean() == pytest.approx(0.3, abs=0.01)
    assert result.attribution.probs.sum().item() == pytest.approx(1, abs=1e-5)
    assert result.scores["p"] == pytest.approx(result.attribution.probs.max().item(), abs=1e-5)
    assert result.explained == result.predicted
    assert result.scores["AREA"] == pytest.approx(0.3, abs=0.01)


def test_a_long_clip_is_the_mean_of_its_windows(classifier):
    """Three windows' worth of frames: the probability of the clip is the mean of the windows', each full."""
    frames = classifier.transform.num_frames(32000)
    spec = classifier.transform(noise(3.2))
    windows = spec.db[..., : 3 * frames].unfold(-1, frames, frames).permute(3, 0, 1, 2, 4).flatten(0, 1)
    assert len(windows) == 3
    rest = spec.db[..., -frames:]
    probs = classifier.probabilities(torch.cat([windows, rest]))
    owned = torch.tensor([frames, frames, frames, spec.db.shape[-1] - 3 * frames])
    expected = (owned[:, None] * probs).sum(0) / owned.sum()
    result = interpret(classifier, noise(3.2), "saliency", "bin")
    assert torch.allclose(result.attribution.probs[0], expected, atol=1e-5)


def test_targets(classifier):
    for target in ("label2", 2):
        result = interpret(classifier, noise(1.0), target=target)
        assert result.explained == "label2"
        assert result.scores["p"] == pytest.approx(result.attribution.probs[0, 2].item(), abs=1e-6)
    with pytest.raises(ArgumentError, match="unknown label 'dog'"):
        interpret(classifier, noise(1.0), target="dog")


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
    with pytest.raises(ArgumentError, match="--background DIR"):
        interpret(classifier, wav, "shap")
    with pytest.raises(ArgumentError, match="one mono clip"):
        interpret(classifier, torch.zeros(2, 1, 500))
    for wrong in ("clip.wav", wav.numpy()):
        with pytest.raises(ArgumentError, match="load_audio"):
            interpret(classifier, wrong)
    assert interpret(classifier, wav.double()).kept.dtype == torch.float32
    for methods, masks in (("gradcam", ["bin"]), (["gradcam"], "bin"), ([], ["bin"]), (["gradcam"], [])):
        with pytest.raises(ArgumentError, match="lists of at least one"):
            score(classifier, small_set(), methods, masks)
    with pytest.raises(ArgumentError, match="NaN"):
        interpret(classifier, torch.full((1, 1, 500), torch.nan))
    with pytest.raises(ArgumentError, match="unknown inversion"):
        interpret(classifier, wav, inversion="magic")


def test_all_ones_and_all_zeros_masks_are_exact(classifier):
    for seconds in (1.0, 2.5):
        spec = classifier.transform(noise(seconds))
        masks = torch.cat([torch.ones_like(spec.db), torch.zeros_like(spec.db)])
        scores = score_masks(classifier, spec, torch.tensor([1]), masks)
        assert [scores[name][0].item() for name in ("AD", "AG", "AI", "SPS")] == [0, 0, 0, 0]
        assert scores["FidIn"][0] == 1
        assert scores["FF"][0] == scores["p"][0].double() - scores["p_out"][0].double()
        assert scores["FF"][1] == 0
        assert scores["COMP"][1].isnan()
        assert scores["p_in"][1] == pytest.approx(scores["p_out"][0].item(), abs=1e-6)


def test_silence_has_defined_results(classifier):
    result = interpret(classifier, torch.zeros(1, 1, 32000), "saliency")
    assert result.kept.abs().max() == 0
    assert result.scores["FF"] == pytest.approx(0, abs=1e-6)
    assert "silent" in result._repr_html_()
    for method in ("nnls", "lstsq", "griffinlim"):
        quiet = interpret(classifier, torch.zeros(1, 1, 4000), "saliency", inversion=method)
        assert quiet.kept.abs().max() < 1e-3
        assert "silent" in quiet._repr_html_()


class Faulty(Synthetic):
    """A made set whose second clip cannot be read and whose third holds NaN."""

    def __getitem__(self, index):
        if index == 1:
            raise FileNotFoundError("clip 1 is gone")  # anything, as a data set of one's own may raise
        wav, target = super().__getitem__(index)
        return (wav * torch.nan if index == 2 else wav), target


def small_set(kind=Synthetic, rate=32000, count=4):
    dataset = kind((5,), sample_rate=rate, duration=3.0)
    dataset.rows = dataset.rows[::20][:count]
    dataset.labels = tuple(f"label{i}" for i in range(10))
    return dataset


def ten_classes(**kwargs):
    return small_classifier(10, duration=3.0, **kwargs)


def test_the_gap_of_a_clip_is_the_largest_that_is_defined():
    def attribution(gaps):
        nothing = torch.zeros(1)
        return ai.Attribution(nothing, nothing, nothing, "shap", {"additivity_gap": torch.tensor([gaps])})

    assert additivity_gap(attribution([torch.nan, 5.0, 1.0])) == 5
    assert additivity_gap(attribution([torch.nan])) != additivity_gap(attribution([torch.nan]))


def test_scoring_a_data_set_gives_every_row():
    classifier = ten_classes()
    rows = score(classifier, small_set(), ["saliency", ai.Random], ["bin", "topK_5"], progress=False)
    assert len(rows) == 4 * 2 * 2
    assert (rows["status"] == "ok").all()
    assert rows.groupby(["clip", "method", "mask"]).size().eq(1).all()
    assert (rows["correct"] == (rows["predicted"] == rows["target"])).all()
    again = score(classifier, small_set(), ["saliency", "random"], ["bin", "topK_5"], progress=False)
    pd.testing.assert_frame_equal(rows, again)


def test_a_clip_that_fails_is_a_row(tmp_path):
    rows = run(
        EXPERIMENTS["mel_clean"], ten_classes(), small_set(Faulty), ["saliency", "random"], tmp_path,
        masks=["bin", "topK_5"], progress=False,
    )  # fmt: skip
    assert len(rows) == 2 * (2 * 2 + 2)
    errors = rows[rows["status"] == "error"]
    assert len(errors) == 4
    assert errors["FF"].isna().all()
    assert set(errors["error"]) == {
        "FileNotFoundError: clip 1 is gone",
        "ArgumentError: the sound holds NaN or infinite samples",
    }
    record = json.loads((tmp_path / "mel" / "mel_clean" / "random" / "run.json").read_text())
    assert (record["rows"], record["errors"], record["clips"]) == (6, 2, 4)
    table = summarise(read_results(tmp_path))
    assert table["clips"].eq(2).all()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_runs_and_is_written(name, tmp_path):
    experiment = EXPERIMENTS[name]
    transform = LogSTFT() if experiment.features == "stft" else ai.LogMel()
    classifier = ten_classes(transform=transform)
    dataset = small_set(rate=transform.sample_rate, count=2)
    background = background_of(dataset, transform)
    rows = run(
        experiment, classifier, dataset, ["saliency", "gradcam", "shap", "random"], tmp_path, background=background[:2],
        progress=False,
    )  # fmt: skip
    assert len(rows) == 2 * 4 * 14
    folder = tmp_path / experiment.features / name
    assert sorted(path.name for path in folder.iterdir()) == ["gradcam", "random", "saliency", "shap"]
    for method in folder.iterdir():
        assert len(pd.read_csv(method / "metrics.csv")) == 2 * 14
        assert len(list((method / "attributions").iterdir())) == 2
        record = json.loads((method / "run.json").read_text())
        assert record["experiment"]["noise"] == experiment.noise
        assert record["versions"]["torch"]
    read = read_results(tmp_path)
    assert set(read["experiment"]) == {name}
    gaps = read[read["method"] == "shap"]["additivity_gap"].dropna()
    assert (gaps <= 1e-3).all()
    text = as_text(summarise(read))
    assert text.count("topK_30_pos") == 4
    assert "*" in text


def test_noise_from_a_recording_changes_the_scores(tmp_path):
    save_audio(tmp_path / "hum.wav", torch.sin(torch.arange(9000.0))[None, None], 32000)
    classifier = ten_classes()
    kwargs = {"masks": ["bin"], "progress": False, "attributions": False}
    dataset = small_set(count=2)
    made = run(EXPERIMENTS["mel_horse"], classifier, dataset, ["saliency"], tmp_path / "a", **kwargs)
    own = run(
        EXPERIMENTS["mel_horse"],
        classifier,
        dataset,
        ["saliency"],
        tmp_path / "b",
        noise=tmp_path / "hum.wav",
        **kwargs,
    )
    assert not made["p"].equals(own["p"])
    records = [
        json.loads((tmp_path / place / "mel" / "mel_horse" / "saliency" / "run.json").read_text()) for place in "ab"
    ]
    assert [record["noise"].split("/")[-1] for record in records] == ["horse", "hum.wav"]
    assert records[0]["clips_sha256"] != records[1]["clips_sha256"]
    assert records[0]["network_sha256"] == records[1]["network_sha256"]
    with pytest.raises(ArgumentError, match="clean clips"):
        run(EXPERIMENTS["mel_clean"], classifier, dataset, ["saliency"], tmp_path, noise=tmp_path / "hum.wav")


def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path):
    classifier = ten_classes()
    with pytest.raises(ArgumentError, match="needs a classifier on stft"):
        run(EXPERIMENTS["stft_clean"], classifier, small_set(), ["saliency"], tmp_path / "r")
    with pytest.raises(ArgumentError, match="labels"):
        run(EXPERIMENTS["mel_clean"], classifier, Synthetic((5,)), ["saliency"], tmp_path / "r")
    with pytest.raises(ArgumentError, match="unknown mask"):
        run(EXPERIMENTS["mel_clean"], classifier, small_set(), ["saliency"], tmp_path / "r", masks=["best"])
    with pytest.raises(ArgumentError, match="SHAP"):
        run(EXPERIMENTS["mel_clean"], classifier, small_set(), ["shap"], tmp_path / "r")
    with pytest.raises(AudioInterpError, match="no such"):
        run(Experiment("own", "mel", str(tmp_path / "x.wav")), classifier, small_set(), ["random"], tmp_path / "r")
    with pytest.raises(ArgumentError, match="16000 Hz"):
        run(EXPERIMENTS["mel_clean"], classifier, small_set(rate=16000), ["saliency"], tmp_path / "r")
    with pytest.raises(ArgumentError, match="at least one"):
        run(EXPERIMENTS["mel_clean"], classifier, small_set(), [], tmp_path / "r")
    with pytest.raises(ArgumentError, match="another network"):
        run(EXPERIMENTS["mel_clean"], classifier, small_set(), [ai.Saliency(ten_classes().network)], tmp_path / "r")
    with pytest.raises(ArgumentError, match="needs a data folder"):
        open_data(None, (5,), "esc10")
    assert not (tmp_path / "r").exists()
    with pytest.raises(AudioInterpError, match="holds no results"):
        read_results(tmp_path)
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c" / "metrics.csv").write_text("method,clip\n")
    with pytest.raises(AudioInterpError, match="lacks mask"):
        read_results(tmp_path)


def test_backgrounds(tmp_path, classifier):
    dataset = Synthetic((1,), duration=3.0)
    background = background_of(dataset, classifier.transform, per_class=1)
    assert background.shape == (10, 1, 64, 301)
    assert background.equal(background_of(dataset, classifier.transform, per_class=1))
    assert not background.equal(background_of(dataset, classifier.transform, per_class=1, seed=1))
    save_audio(tmp_path / "long.wav", noise(3.0), 32000)
    save_audio(tmp_path / "short.wav", noise(0.3), 16000)
    (tmp_path / "notes.txt").write_text("not a sound")
    assert background_of_folder(tmp_path, classifier).shape == (2, 1, 64, 101)
    for wrong in (tmp_path / "none", tmp_path / "long.wav"):
        with pytest.raises(ArgumentError, match="--background"):
            background_of_folder(wrong, classifier)


def test_open_data(esc10):
    assert isinstance(open_data(None, (1,)), Synthetic)
    assert isinstance(open_data(esc10, (1,), "esc10"), ESC50)


def test_readme_example(tmp_path, classifier):
    """The ten lines of DESIGN and README, word for word where it counts."""
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
    assert result._repr_html_().count("<audio") == 5
    for record in (result, spec, attr):
        assert len(repr(record)) < 250


def test_build_explainer_takes_what_it_is_given(classifier):
    explainer = ai.Saliency(classifier.network)
    assert build_explainer(explainer, classifier) is explainer


def test_any_data_set_of_ones_own_works(tmp_path, classifier):
    for label in ("label0", "label1", "label2"):
        (tmp_path / label).mkdir()
        save_audio(tmp_path / label / f"{label}.flac", noise(1.0).clamp(-1, 1), 32000)
    dataset = LabelledClips.from_folder(tmp_path, duration=1.0)
    rows = score(classifier, dataset, ["saliency"], ["bin"], progress=False)
    assert rows["target"].tolist() == ["label0", "label1", "label2"]
    assert load_audio(tmp_path / "label0" / "label0.flac").shape == (1, 1, 32000)


def test_equal_masks_are_one_forward_and_every_score_finds_its_mask(classifier):
    spec = classifier.transform(noise(1.0))
    values = torch.randn(spec.db.shape, generator=torch.Generator().manual_seed(0))
    masks = torch.cat([ai.MASKS[name](values) for name in ("topK_30", "bin", "topK_30_pos", "topK_5")])
    together = score_masks(classifier, spec, torch.tensor([0]), masks)
    assert together["p_in"][0] == together["p_in"][2]
    for number in range(4):
        alone = score_masks(classifier, spec, torch.tensor([0]), masks[number : number + 1])
        for name, column in together.items():
            assert column[number].item() == pytest.approx(alone[name].item(), abs=1e-5), name

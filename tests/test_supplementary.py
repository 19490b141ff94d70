"""The supplementary material shows what was computed, in the same bytes each time."""

import base64
import io
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile
import torch
from conftest import small_classifier

from audiointerp.dataset import compute_features
from audiointerp.dataset.synthetic import Synthetic
from audiointerp.display import plot
from audiointerp.errors import ArgumentError
from audiointerp.fit import logits_of
from audiointerp.model.classifier import Classifier
from audiointerp.paper import supplementary
from audiointerp.predict import interpret

WEIGHTS = Path(__file__).parents[1] / "weights" / "synthetic_mel_cnn10.safetensors"
FOLDER = Path(__file__).parents[1] / "supplementary"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The file of an untrained network for the synthetic set."""
    small = small_classifier(10, duration=3.0)
    path = tmp_path_factory.mktemp("weights") / "synthetic.safetensors"
    Classifier(small.network, small.transform, Synthetic().labels, 3.0).save(path)
    return path


@pytest.fixture(scope="module")
def written(weights, tmp_path_factory):
    return supplementary.write_supplementary(
        weights, tmp_path_factory.mktemp("a"), ("siren",), ("gradcam",)
    )


def test_the_same_bytes_each_time_and_no_date(weights, written, tmp_path):
    again = supplementary.write_supplementary(weights, tmp_path / "b", ("siren",), ("gradcam",))
    assert [path.name for path in again] == [
        "illustration.pdf",
        "illustration.png",
        "listening.html",
    ]
    for first, second in zip(written, again, strict=True):
        assert first.read_bytes() == second.read_bytes()
    assert b"CreationDate" not in again[0].read_bytes()
    assert b"Software" not in again[1].read_bytes()


def test_the_page_plays_what_was_computed(weights, written):
    text = written[2].read_text()
    classifier = Classifier.load(weights)
    dataset = Synthetic((5,), duration=3.0)
    clip = re.search(r"The clip (\S+)", text)[1]
    index = [dataset.clip_id(number) for number in range(len(dataset))].index(clip)
    assert dataset.labels[dataset[index][1]] == "siren"
    wav = dataset[index][0][None]
    sounds = [
        soundfile.read(io.BytesIO(base64.b64decode(data)), dtype="float32")
        for data in re.findall(r"audio/mpeg;base64,([^\"]+)", text)
    ]
    assert all(rate == 32000 for _, rate in sounds)
    result = interpret(classifier, wav, "gradcam", "topK_30", target="siren")
    peak = max(1.0, float(result.kept.abs().max()), float(result.removed.abs().max()))
    for (sound, _), true in zip(sounds[:2], (wav, result.kept), strict=True):
        true = true[0, 0].numpy() / peak
        # MP3 loses a little; nothing is shifted.
        assert np.corrcoef(sound[: len(true)], true)[0, 1] > 0.98
    # Beside a player stands p of the sound that it plays.
    for name in ("p_in", "p_out"):
        assert f"<td>{result.heard[name]:.3f}" in text
    assert f"(p of the sound {result.heard['p']:.3f})" in text
    for mask in supplementary.SHOWN_MASKS:
        assert text.count(f"<tr><th>{mask}<") == 1
    assert len(re.findall(r"[+-]\d+\.\d dB|silent", text)) == 2 * len(supplementary.SHOWN_MASKS)


def test_a_comparison_has_axes_units_and_one_scale(weights):
    classifier = Classifier.load(weights)
    wav = Synthetic((5,), duration=3.0)[0][0][None]
    results = [interpret(classifier, wav, method) for method in ("saliency", "gradcam")]
    figure = plot.comparison(results, supplementary.UNITS)
    panels = [ax for ax in figure.axes if ax.get_images() and ax.get_label() != "<colorbar>"]
    assert len(panels) == 8
    limits = {panels[place].get_images()[0].get_clim() for place in (0, 2, 3, 4, 6, 7)}
    # All levels of a clip share one colour scale.
    assert len(limits) == 1
    assert panels[4].get_xlabel() == "time (s)"
    assert panels[4].get_ylabel() == "Grad-CAM\nfrequency (kHz)"
    titles = [ax.get_title(loc="left") for ax in figure.axes] + [
        ax.get_xlabel() for ax in figure.axes
    ]
    assert {"logit per dB", "logit", "level of spectrogram, kept and removed (dB)"} <= set(titles)
    assert panels[6].texts[0].get_text() == f"p of the sound {results[1].heard['p_in']:.3f}"
    plt.close(figure)


def test_another_classifier_is_refused(classifier, tmp_path):
    classifier.save(tmp_path / "other.safetensors")
    with pytest.raises(ArgumentError, match="not of the synthetic set, its classes are label0"):
        supplementary.write_supplementary(tmp_path / "other.safetensors", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_committed_material():
    """It is small and of the committed network."""
    sizes = {
        name: (FOLDER / name).stat().st_size
        for name in ("illustration.pdf", "illustration.png", "listening.html")
    }
    assert sizes["listening.html"] <= 5_000_000
    assert sizes["illustration.pdf"] + sizes["illustration.png"] <= 2_000_000
    text = (FOLDER / "listening.html").read_text()
    assert re.findall(r"<h2>(\w+)", text) == list(supplementary.LABELS)
    classifier = Classifier.load(WEIGHTS)
    dataset = Synthetic((5,))
    names = [dataset.clip_id(number) for number in range(len(dataset))]
    for clip, probability in re.findall(r"The clip (\S+) \(p (?:of the sound|=) ([\d.]+)\)", text):
        db = classifier.transform(dataset[names.index(clip)][0][None]).db
        probabilities = classifier.network(db).detach().softmax(1)[0]
        assert float(probabilities.max()) == pytest.approx(float(probability), abs=0.002)


def test_the_network_of_the_synthetic_set_is_what_its_card_says():
    assert WEIGHTS.stat().st_size <= 1_000_000
    classifier = Classifier.load(WEIGHTS)
    db, targets = compute_features(Synthetic((5,)), classifier.transform, progress=False)
    accuracy = float((logits_of(classifier.network, db).argmax(1) == targets).float().mean())
    card = WEIGHTS.with_suffix(".md").read_text()
    seed = re.search(r"The file holds seed (\d+)", card)[1]
    expected = re.search(rf"^\| {seed} \| [\d.]+ \| \d+ \| ([\d.]+) \|", card, re.M)[1]
    assert accuracy == pytest.approx(float(expected), abs=0.0126)
    assert torch.equal(targets.unique(), torch.arange(10))

"""The committed networks on real clips: they agree with their cards, and SHAP adds up."""

import json
import os
from pathlib import Path

import pytest
import torch

from audiointerp.dataset import compute_features
from audiointerp.dataset.esc50 import ESC50
from audiointerp.errors import AudioInterpError
from audiointerp.fit import logits_of
from audiointerp.interpretation.shap import SHAP
from audiointerp.model.classifier import Classifier
from audiointerp.util import write_text

WEIGHTS = Path(__file__).parents[1] / "weights"
NAMES = ["esc10_mel_cnn10", "esc10_stft_cnn10"]
NOISE = "esc10_mel_cnn10_noise"
LONG = "esc10_mel_cnn10_long"
ABSOLUTE = ["esc10_mel_cnn10_absolute", "esc10_stft_cnn10_absolute"]


@pytest.mark.parametrize("name", [*NAMES, LONG, *ABSOLUTE])
def test_card_and_weights_agree(name, esc10):
    path = WEIGHTS / f"{name}.safetensors"
    assert path.stat().st_size <= 5_000_000
    classifier = Classifier.load(path)
    card = json.loads((WEIGHTS / f"{name}.json").read_text())
    chosen = next(outcome for outcome in card["outcomes"] if outcome["seed"] == card["chosen_seed"])
    assert chosen["validation_accuracy"] == max(
        outcome["validation_accuracy"] for outcome in card["outcomes"]
    )
    dataset = ESC50(esc10, (5,), "esc10", sample_rate=classifier.sample_rate)
    assert dataset.labels == classifier.labels
    db, targets = compute_features(dataset, classifier.transform, progress=False)
    predicted = logits_of(classifier.network, db).argmax(1)
    assert int((predicted == targets).sum()) == pytest.approx(80 * chosen["test_accuracy"], abs=1)
    for target in range(10):
        hits = int(((predicted == target) & (targets == target)).sum())
        assert hits == pytest.approx(card["confusion"][target][target], abs=1)


@pytest.mark.parametrize("name", [*NAMES, LONG, *ABSOLUTE, NOISE, "synthetic_mel_cnn10"])
def test_the_table_has_the_cards_figures(name):
    card = json.loads((WEIGHTS / f"{name}.json").read_text())
    accuracies = {outcome["seed"]: outcome["test_accuracy"] for outcome in card["outcomes"]}
    network = Classifier.load(WEIGHTS / f"{name}.safetensors").network
    parameters = sum(parameter.numel() for parameter in network.parameters())
    row = next(
        line
        for line in (WEIGHTS / "README.md").read_text().splitlines()
        if line.startswith(f"| [`{name}`]")
    )
    mean = sum(accuracies.values()) / len(accuracies)
    figures = [f"{parameters:,}", f"{accuracies[card['chosen_seed']]:.4f}", f"{mean:.4f}"]
    assert [cell.strip() for cell in row.split("|")[4:7]] == figures


@pytest.mark.parametrize("name", [*NAMES, LONG, NOISE, *ABSOLUTE])
def test_networks_of_relative_levels_hear_a_quieter_clip_as_the_same(name, esc10):
    """The others are here so that the test can fail: they hear something else in many clips."""
    classifier = Classifier.load(WEIGHTS / f"{name}.safetensors")
    dataset = ESC50(esc10, (5,), "esc10", sample_rate=classifier.sample_rate)
    wavs = torch.stack([dataset[index][0] for index in range(len(dataset))])
    loud, quiet = (
        logits_of(classifier.network, classifier.transform(wavs * gain).db).argmax(1)
        for gain in (1.0, 10 ** (-30 / 20))
    )
    # Nine clips of ten.
    assert (int((loud == quiet).sum()) >= 72) == (name not in ABSOLUTE)


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_others_may_read_weights_where_the_umask_lets_them(mask, tmp_path):
    before = os.umask(mask)
    try:
        Classifier.load(WEIGHTS / "synthetic_mel_cnn10.safetensors").save(
            tmp_path / "a.safetensors"
        )
    finally:
        os.umask(before)
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.skipif(os.name != "posix", reason="pipes with names")
def test_a_pipe_is_not_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AudioInterpError, match="pipe: exists and is no file"):
        write_text(tmp_path / "pipe", "text")
    assert (tmp_path / "pipe").is_fifo()


# The clips of 5 s are cut to 3 s on purpose.
@pytest.mark.filterwarnings("ignore:.*only the first 3 of")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seconds", [3, 5, 10])
def test_shap_adds_up_on_real_networks_at_any_length(name, seconds, esc10):
    classifier = Classifier.load(WEIGHTS / f"{name}.safetensors")
    dataset = ESC50(
        esc10, (4, 5), "esc10", sample_rate=classifier.sample_rate, duration=float(seconds)
    )
    db = torch.cat(
        [classifier.transform(dataset[index][0][None]).db for index in range(0, 160, 32)]
    )
    gap = SHAP(classifier.network, db[:2], batch=2)(db[2:]).info["additivity_gap"]
    assert not (gap > 1e-3).any()
    assert gap.isfinite().any()

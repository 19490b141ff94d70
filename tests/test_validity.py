"""The page about the published conclusions: verdicts by hand, faults on a small set."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import small_classifier
from torch import nn

from audiointerp.dataset.in_memory import EvenSubset
from audiointerp.dataset.synthetic import Synthetic
from audiointerp.errors import AudioError, AudioInterpError
from audiointerp.interpretation.masks import MASKS
from audiointerp.metrics import METRICS, RELATIVE
from audiointerp.model.classifier import Classifier
from audiointerp.paper.conclusions import _verdict, conclusions
from audiointerp.paper.published import PUBLISHED_METHODS, published_tables
from audiointerp.paper.published_faults import faults, functional_twin, kept_accuracies
from audiointerp.paper.validity import (
    better_than_random,
    failures,
    frame_as_markdown,
    main_table,
)
from audiointerp.scoring.rows import VALUES
from audiointerp.tables.bootstrap import FEWEST


def made_rows(lead, clips=20):
    """Clips where saliency's FF leads every other method's by ``lead``; all else is equal."""
    random = np.random.default_rng(0)
    rows = []
    for clip in range(clips):
        noise = random.random()
        for on in ("features", "audio"):
            for method in (*PUBLISHED_METHODS, "random"):
                for mask in MASKS:
                    scores = {**dict.fromkeys(VALUES, np.nan), **dict.fromkeys(METRICS, noise)}
                    scores |= {
                        f"{name}_{kind}": noise
                        for name in RELATIVE
                        for kind in ("pixelwise", "smooth")
                    }
                    scores["FF"] += lead * (method == "saliency")
                    keys = {"method": method, "clip": str(clip), "mask": mask, "on": on}
                    rows.append({**keys, "protocol": "corrected", "status": "ok", **scores})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("lead", "word"), [(0.2, "survives"), (-0.2, "refuted"), (0.0, "open")])
def test_verdicts_by_hand(lead, word):
    found = conclusions(made_rows(lead)).set_index(["kind", "score"])
    row = found.loc[("method", "FF")]
    # The published means: saliency 0.646, shap 0.639.
    assert row["winner"] == "saliency"
    for column in ("on features", "on audio", "features − smooth", "audio − pixelwise"):
        assert row[column].startswith(f"{word}: {lead:+.2f} [{lead:+.2f}, {lead:+.2f}]"), row[
            column
        ]
    assert found.loc[("method", "SPS"), "on audio"] == "–"
    assert len(found) == 14


def test_a_verdict_is_not_moved_by_what_is_undefined():
    """Saliency leads in every cell that both have; cells undefined for one are left out."""
    rows = made_rows(0.0)
    rows["SPS"] = rows["SPS"] + rows["mask"].map(
        {name: number / 10 for number, name in enumerate(MASKS)}
    )
    rows.loc[rows["method"] == "shap", "SPS"] += 0.02
    rows.loc[(rows["method"] == "shap") & (rows["mask"] == "topK_50_pos"), "SPS"] = np.nan
    assert (
        conclusions(rows)
        .set_index(["kind", "score"])
        .loc[("method", "SPS"), "on features"]
        .startswith("survives: +0.02")
    )


def test_chance_refutes_no_more_often_than_it_says():
    random = np.random.default_rng(4)
    refuted = 0
    for _ in range(60):
        rows = pd.DataFrame(
            [
                {"clip": clip, "method": "lime", "mask": mask, "value": random.normal()}
                for clip in range(30)
                for mask in MASKS
            ]
        )
        refuted += _verdict(rows, "mask", "bin", "FF", rows["value"]).startswith("refuted")
    # 2.5 % to 5 % of 60 is 3 at most.
    assert refuted <= 7


def test_tables_of_the_page():
    rows = made_rows(0.2)
    counts = better_than_random(rows)
    assert (counts.loc["FF", "saliency"] == 14).all()
    assert (counts.loc["FF", "random"] == 0).all()
    assert (counts.loc["FidIn"] == 0).all(axis=None)
    table = main_table(rows)
    assert table.shape == (5 * 14, 15)
    assert table.loc[("saliency", "bin"), "FF features − smooth"] == "+0.20 [+0.20, +0.20]"
    lines = frame_as_markdown(table.reset_index()).splitlines()
    assert len(lines) == 72
    assert {line.count("|") for line in lines} == {18}


def test_of_few_recordings_nothing_is_counted():
    counts = better_than_random(made_rows(0.2, FEWEST - 1))
    assert (counts == "–").all(axis=None)
    assert (better_than_random(made_rows(0.2, FEWEST)) != "–").all(axis=None)


def test_a_method_that_failed_is_named():
    rows = made_rows(0.0)
    assert failures(rows) == ""
    rows.loc[
        (rows["method"] == "lime") & rows["clip"].isin(rows["clip"].unique()[:2]), "status"
    ] = "error"
    assert (
        failures(rows)
        == "Some of the 20 clips failed and are left out of a method's figures: lime 2."
    )


def test_a_clip_that_cannot_be_read_is_left_out():
    class Broken(Synthetic):
        def __getitem__(self, index):
            if index in broken:
                raise AudioError("cannot be read")
            return super().__getitem__(index)

    small = small_classifier(10)
    classifier = Classifier(small.network, small.transform, Synthetic().labels, 3.0)
    whole = EvenSubset(Synthetic((5,), duration=3.0), 2)
    part = EvenSubset(Broken((5,), duration=3.0), 2)
    background = torch.cat([classifier.transform(wav[None]).db for wav, _ in whole])
    broken = part.indices[:1]
    (gap, *_) = faults(classifier, part, background, (0.5, 0.9))
    assert "nan" not in gap.figure
    broken = part.indices
    with pytest.raises(AudioInterpError, match="no test clip can be read"):
        faults(classifier, part, background, (0.5, 0.9))


def test_the_published_copy_is_whole():
    table = published_tables()
    assert len(table) == 504
    assert set(table["mask"]) == set(MASKS)
    assert set(table["method"]) == set(PUBLISHED_METHODS)
    assert table[list(METRICS)[:7]].notna().all(axis=None)


def test_the_functional_twin_is_the_same_function():
    network = small_classifier().network
    twin = functional_twin(network)
    db = torch.randn(2, 1, 64, 101)
    with torch.no_grad():
        assert torch.allclose(network(db), twin(db), atol=1e-6)
    assert not any(isinstance(module, nn.ReLU | nn.MaxPool1d) for module in twin.modules())
    assert any(isinstance(module, nn.ReLU) for module in network.modules())


def test_a_card_is_needed(tmp_path):
    with pytest.raises(AudioInterpError, match=r"none\.json"):
        kept_accuracies(tmp_path / "none.json")
    for wrong in (
        "[]",
        "{",
        '{"epochs": []}',
        '{"epochs": {}}',
        '{"epochs": {"0": []}}',
        '{"epochs": {"0": [1]}}',
        '{"epochs": {"0": [{"valid_accuracy": NaN}]}}',
    ):
        (tmp_path / "wrong.json").write_text(wrong)
        with pytest.raises(AudioInterpError, match="the card beside the weights"):
            kept_accuracies(tmp_path / "wrong.json")
    (tmp_path / "card.json").write_text(
        '{"epochs": {"0": [{"valid_accuracy": 0.9}, {"valid_accuracy": 0.5}]}}'
    )
    assert kept_accuracies(tmp_path / "card.json") == (0.5, 0.9)

"""The page about the published conclusions: its verdicts by hand, its command on a small set."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import small_classifier
from torch import nn

from audiointerp.errors import AudioInterpError
from audiointerp.interpretation import MASKS
from audiointerp.metrics import METRICS, RELATIVE
from audiointerp.rows import VALUES
from audiointerp.tables import published_tables
from audiointerp.validity import (
    METHODS,
    _epochs,
    as_markdown,
    better_than_random,
    conclusions,
    functional_twin,
    main_table,
)  # fmt: skip


def made_rows(lead):
    """Twenty clips on which saliency's FF is ahead of every other method's by ``lead``; all else is equal and random."""
    random = np.random.default_rng(0)
    rows = []
    for clip in range(20):
        noise = random.random()
        for on in ("features", "audio"):
            for method in (*METHODS, "random"):
                for mask in MASKS:
                    scores = {**dict.fromkeys(VALUES, np.nan), **dict.fromkeys(METRICS, noise)}
                    scores |= {f"{name}_{kind}": noise for name in RELATIVE for kind in ("pixelwise", "smooth")}
                    scores["FF"] += lead * (method == "saliency")
                    rows.append({"method": method, "clip": str(clip), "mask": mask, "protocol": "sound", "on": on,
                                 "status": "ok", **scores})  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("lead", "word"), [(0.2, "survives"), (-0.2, "refuted"), (0.0, "open")])
def test_verdicts_by_hand(lead, word):
    found = conclusions(made_rows(lead)).set_index(["kind", "score"])
    row = found.loc[("method", "FF")]
    assert row["winner"] == "saliency"  # of the published means: 0.646, shap 0.639
    for column in ("on features", "on audio", "features, beyond smooth random"):
        assert row[column].startswith(f"{word}: {lead:+.2f} [{lead:+.2f}, {lead:+.2f}]"), row[column]
    assert found.loc[("method", "SPS"), "on audio"] == "–"
    assert len(found) == 14


def test_tables_of_the_page():
    rows = made_rows(0.2)
    counts = better_than_random(rows)
    assert (counts.loc["FF", "saliency"] == 14).all()
    assert (counts.loc["FF", "random"] == 0).all()
    assert (counts.loc["FidIn"] == 0).all(axis=None)
    table = main_table(rows)
    assert table.shape == (5 * 14, 13)
    assert table.loc[("saliency", "bin"), "FF features − smooth"] == "+0.20 [+0.20, +0.20]"
    lines = as_markdown(table.reset_index()).splitlines()
    assert len(lines) == 72
    assert {line.count("|") for line in lines} == {16}


def test_the_published_copy_is_whole():
    table = published_tables()
    assert len(table) == 504
    assert set(table["mask"]) == set(MASKS)
    assert set(table["method"]) == set(METHODS)
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
        _epochs(tmp_path / "none.json")
    (tmp_path / "card.json").write_text('{"epochs": {"0": [{"valid_accuracy": 0.9}, {"valid_accuracy": 0.5}]}}')
    assert _epochs(tmp_path / "card.json") == (0.5, 0.9)

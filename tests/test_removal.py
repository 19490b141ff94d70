"""What a removed bin becomes: fills in scores, curves, rows and the command line."""

import re
from dataclasses import replace
from functools import partial

import pandas as pd
import pytest
import torch
from conftest import noise, small_classifier, small_set, ten_classes
from hypothesis import given
from hypothesis import strategies as st
from test_scoring import four_bins, softmax

from audiointerp.cli import options
from audiointerp.display import plot
from audiointerp.errors import ArgumentError
from audiointerp.predict import interpret, score
from audiointerp.scoring import PROTOCOLS, Plan, classify_parts, fills_of
from audiointerp.scoring.curves import curves
from audiointerp.tables import summarise
from audiointerp.util import FILLS, fill_levels

QUICK = {"masks": ["topK_30"], "nulls": [], "progress": False}
CLASSIFIER = small_classifier(duration=0.3)


def two_levels():
    """The model of four bins; the first frame at 0 dB, the second at -20 dB."""
    classifier, spec = four_bins()
    db = torch.tensor([[0.0, -20.0], [0.0, -20.0]]).view(1, 1, 2, 2)
    return classifier, replace(spec, db=db)


def logits(first, second, third):
    """The logits of the levels 100 x + 100 of the bins, see ``FourBins``."""
    return 2 * first + second, 2.5 * third, 0


def test_kept_and_removed_parts_under_the_background_by_hand():
    classifier, spec = two_levels()
    mask = torch.tensor([1.0, 0, 0, 0]).view(1, 1, 2, 2)
    parts = {"": (1, 0.8, 1), "_in": (1, 0.8, 0.8), "_out": (0.8, 0.8, 1)}
    scores = classify_parts(classifier, spec, torch.tensor([0]), mask, fill="background").scores(
        mask
    )
    for suffix, values in parts.items():
        assert scores[f"p{suffix}"].item() == pytest.approx(softmax(*logits(*values))[0], abs=1e-6)
    mean = classify_parts(classifier, spec, torch.tensor([0]), mask, fill="mean").scores(mask)
    assert mean["p_in"].item() == pytest.approx(softmax(*logits(1, 0.9, 0.9))[0], abs=1e-6)


def test_curves_end_in_the_fill_by_hand():
    classifier, spec = two_levels()
    values = torch.tensor([4.0, 3.0, 2.0, 1.0]).view(1, 1, 2, 2)
    made = curves(classifier, spec, torch.tensor([0]), values, steps=2, fill="background")
    whole, halved = softmax(*logits(1, 0.8, 1))[0], softmax(*logits(0.8, 0.8, 1))[0]
    empty = softmax(*logits(0.8, 0.8, 0.8))[0]
    assert made.deletion.tolist() == pytest.approx([whole, halved, empty], abs=1e-6)
    first_band = softmax(*logits(1, 0.8, 0.8))[0]
    assert made.insertion.tolist() == pytest.approx([empty, first_band, whole], abs=1e-6)


@pytest.mark.parametrize("on", ["features", "audio"])
@pytest.mark.parametrize("fill", FILLS)
def test_parts_are_what_masking_gives(fill, on):
    """Each part is masked, heard and classified by itself, and compared."""
    clip = CLASSIFIER.transform(noise(0.3))
    mask = (torch.rand(clip.db.shape, generator=torch.Generator().manual_seed(1)) < 0.3).float()
    scores = classify_parts(CLASSIFIER, clip, torch.tensor([1]), mask, on=on, fill=fill)
    for number, part in enumerate((torch.ones_like(mask), mask, 1 - mask)):
        masked = clip.masked(part, fill=fill)
        levels = masked.db if on == "features" else CLASSIFIER.transform(masked.to_wav()).db
        expected = CLASSIFIER.probabilities(levels)
        torch.testing.assert_close(scores.probs[number].float(), expected, atol=1e-5, rtol=0)


@given(st.sampled_from(list(FILLS)), st.integers(0, 2**31))
def test_a_mask_of_ones_is_the_clip_and_of_zeros_the_fill(fill, seed):
    db = torch.randn(1, 1, 64, 31, generator=torch.Generator().manual_seed(seed)) * 20 - 40
    clip = replace(CLASSIFIER.transform(noise(0.3)), db=db)
    outcomes = classify_parts(CLASSIFIER, clip, torch.tensor([0]), torch.ones_like(db), fill=fill)
    clean, kept, removed = outcomes.probs
    assert clean.equal(kept)
    torch.testing.assert_close(
        removed.float(), CLASSIFIER.probabilities(fill_levels(db, fill)), atol=1e-5, rtol=0
    )


def test_rows_name_their_fill_and_tables_never_mix_fills():
    classifier, dataset = ten_classes(), small_set(count=2)
    both = {"fill": ["background", "silence"], "on": ["features", "audio"]}
    rows = score(classifier, dataset, ["saliency"], **both, **QUICK)
    keys = rows.groupby("clip")[["fill", "on"]].apply(lambda part: part.values.tolist())
    order = [["background", "features"], ["background", "audio"]]
    order += [["silence", "features"], ["silence", "audio"]]
    assert keys.tolist() == [order] * 2
    for fill in both["fill"]:
        alone = score(classifier, dataset, ["saliency"], fill=fill, on=both["on"], **QUICK)
        assert alone.equals(rows[rows["fill"] == fill].reset_index(drop=True))
    table = summarise(rows)
    assert table.index.names == ["fill", "on", "method", "mask"]
    assert len(table) == 4
    for (fill, on), part in rows.groupby(["fill", "on"]):
        assert table.loc[(fill, on, "saliency", "topK_30"), "AD"] == part["AD"].mean()


def test_an_explanation_is_scored_heard_and_drawn_with_its_fill():
    result = interpret(CLASSIFIER, noise(0.3), "gradcam", on="audio", fill="background")
    assert result.fill == "background"
    assert result.p_text("p_in").startswith("p of the sound (fill background) 0.")
    assert result.scores["p_in"] == pytest.approx(result.heard["p_in"], abs=1e-6)
    assert result.scores["p_out"] == pytest.approx(result.heard["p_out"], abs=1e-6)
    kept = result.spectrogram.masked(result.mask, fill="background")
    assert result.kept.equal(kept.to_wav())
    picture, _ = plot.kept_and_removed(result)
    assert (picture.get_array() == kept.db[0, 0].numpy()).all()
    silent = interpret(CLASSIFIER, noise(0.3), "gradcam")
    assert silent.fill == "silence"
    assert not silent.kept.equal(result.kept)


def test_the_published_protocol_is_silent():
    assert PROTOCOLS["published"].fills == ("silence",)
    with pytest.raises(ArgumentError, match=r"fill 'background': protocol 'published' has only"):
        Plan(["bin"], "published", fills=["background"])
    with pytest.raises(ArgumentError, match="did you mean 'silence'"):
        interpret(CLASSIFIER, noise(0.3), fill="silense")
    for wrong in ([], "silence", ["mean", "mean"]):
        with pytest.raises(ArgumentError, match="fill"):
            Plan(["bin"], fills=wrong)
    assert fills_of(None, "published", ("background",)) == ("silence",)
    assert fills_of("mean", "corrected", ("background",)) == ("mean",)


def test_the_shell_knows_the_fills(call, place):
    assert tuple(FILLS) == options.FILL_NAMES
    done = call(
        "interpret",
        place / "clip.flac",
        "--weights",
        place / "mel.safetensors",
        "--fill",
        "background",
        "--out",
        place / "heard",
    )
    assert done.returncode == 0, done.stderr
    assert '"fill": "background"' in (place / "heard" / "scores.json").read_text()
    done = call(
        "run",
        "mel_clean",
        "--weights",
        place / "mel.safetensors",
        "--data",
        place / "data",
        "--methods",
        "random",
        "--masks",
        "bin",
        "--nulls",
        "none",
        "--fill",
        "background,swap",
        "--on",
        "features",
        "--out",
        place / "filled",
    )
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(place / "filled" / "mel" / "mel_clean" / "random" / "metrics.csv")
    assert set(rows["fill"]) == {"background", "swap"}
    record = (place / "filled" / "mel" / "mel_clean" / "random" / "run.json").read_text()
    assert re.search(r'"fills": \[\s*"background",\s*"swap"\s*\]', record)
    done = call(
        "run",
        "mel_clean",
        "--weights",
        place / "mel.safetensors",
        "--fill",
        "backgroud",
        "--protocol",
        "corrected",
        "--out",
        place / "wrong",
    )
    assert done.returncode == 1
    assert "did you mean 'background'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_score_leads_with_the_background_on_audio():
    """As docs/fills.md finds; the published protocol keeps its own way."""
    scored = partial(score, ten_classes(), small_set(count=1), ["saliency"], **QUICK)
    ways = {
        "corrected": {"on": "audio", "fill": "background"},
        "published": {"on": "features", "fill": "silence"},
    }
    for protocol, way in ways.items():
        rows = scored(protocol=protocol)
        assert rows[list(way)].to_dict("records") == [way]
        pd.testing.assert_frame_equal(rows, scored(protocol=protocol, **way))
    for name, value in ways["published"].items():
        (row,) = scored(**{name: value})[["on", "fill"]].to_dict("records")
        assert row == ways["corrected"] | {name: value}

"""The page about the published conclusions: verdicts by hand, faults on a small set."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import small_classifier
from scipy.stats import binom
from torch import nn

from audiointerp.dataset.in_memory import EvenSubset
from audiointerp.dataset.synthetic import Synthetic
from audiointerp.errors import AudioError, AudioInterpError
from audiointerp.interpretation.masks import MASKS
from audiointerp.metrics import METRICS, RELATIVE
from audiointerp.model.classifier import Classifier
from audiointerp.paper.comparable import PARTS_OF
from audiointerp.paper.conclusions import ASPECTS, _verdict, aspects_in, conclusions
from audiointerp.paper.example import example_rows
from audiointerp.paper.published import PUBLISHED_METHODS, STUDY_MASKS, published_tables
from audiointerp.paper.published_faults import (
    KeptAccuracies,
    _epoch_fault,
    faults,
    functional_twin,
    kept_accuracies,
)
from audiointerp.paper.validity import (
    better_than_random,
    failures,
    frame_as_markdown,
    main_table,
)
from audiointerp.paper.validity_answer import short_answer
from audiointerp.paper.validity_page import _beyond_best_null, _summary_line
from audiointerp.scoring import Difference
from audiointerp.scoring.columns import VALUES
from audiointerp.tables import SOFT_MASKS
from audiointerp.tables.best_null import _ByClip, _p_value, best_null_differences
from audiointerp.tables.bootstrap import FEWEST
from audiointerp.tables.nulls_present import nulls_in
from audiointerp.tables.results import read_results
from audiointerp.tables.summary import compare


def lines_of(group, certain, methods=("lime", "rise")):
    """A difference to the best null of each method and score; some are certain."""
    return [
        Difference(panel, method, group, certain.get((panel[:2], method), 0.1), 0, 1, True)
        if (panel[:2], method) in certain
        else Difference(panel, method, group, 0.1, -1, 1, False)
        for panel in ("FF", "FidIn", "AD, lower is better")
        for method in methods
    ]


def test_the_answer_of_the_page_names_who_is_ahead_in_how_many_scores():
    group = "background, on audio"
    verdicts = pd.DataFrame(
        {
            "score": ["FF", "AI", "AD", "SPS", "AG"],
            "winner": ["saliency", "lime", "sigmoid", "shap", "lime"],
            "on audio": ["survives: +1", "open: 0", "not comparable", "–", "refuted: -1"],
        }
    )
    every = {("FF", "lime"): 0.2, ("Fi", "lime"): 0.2, ("AD", "lime"): 0.2}
    for certain, ahead in (
        (every, "in FF, FidIn and AD: lime; in none: rise."),
        ({("FF", "rise"): 0.2}, "in FF, FidIn and AD: no method; in some of these scores: rise; "),
        # Certainly worse is not ahead.
        ({("FF", "rise"): -0.2}, "in FF, FidIn and AD: no method; in none: lime, rise."),
    ):
        answer = short_answer({"background": verdicts}, lines_of(group, certain))
        assert f"Certainly ahead of the best null {ahead}" in answer
    counted = "1 survive (FF saliency), 1 refuted (AG lime), 1 open, 2 not judged"
    assert f"of 5 published conclusions, by raw scores, {counted}. " in answer
    assert "As published" not in answer
    assert "No null was scored." in short_answer({"background": verdicts}, [])
    assert short_answer({"noise": verdicts}, []) == ""
    # What is said of a method is said where it is.
    for methods in (["lime"], ["lime", "optimal"]):
        answer = short_answer({"background": verdicts}, lines_of(group, {}, methods))
        assert ("is expected ahead" in answer) == ("optimal" in methods)


def test_a_conclusion_survives_minus_each_null_if_it_does_minus_all():
    verdicts = pd.DataFrame({"score": ["FF", "AD", "AG"], "winner": ["saliency", "lime", "shap"]})
    verdicts["on audio"] = ["survives: +2", "survives: +2", "open: 0"]
    verdicts["features − smooth"] = "open: 0"
    verdicts["audio − smooth"] = ["survives: +1", "survives: +1", "survives: +1"]
    verdicts["audio − other"] = ["survives: +1", "open: 0", "survives: +1"]
    answer = short_answer({"background": verdicts}, [])
    assert "conclusions, 1 survive (FF saliency) minus the score of each null; by raw" in answer
    verdicts["audio − other"] = "open: 0"
    answer = short_answer({"background": verdicts}, [])
    assert "conclusions, 0 survive minus the score of each null; by raw scores, 2" in answer


def test_the_answer_of_the_page_names_the_methods_that_each_network_puts_ahead():
    verdict = {"score": ["FF"], "winner": ["saliency"], "on audio": ["open: 0"]}
    verdicts = {"background": pd.DataFrame(verdict)}
    rows = example_rows(on=["audio"], clips=3, masks=["bin", "topK_50"])
    rows = rows.assign(fill="background", network="a", FF=0.5)
    rows = rows.assign(**{f"FF_{null}": 0.4 for null in nulls_in(rows)})
    other = rows.assign(network="b").assign(FF=0.3, clip=rows["clip"] + "b")
    answer = short_answer(verdicts, [], pd.concat([rows, other]))
    assert "by 2 networks of the same kind" in answer
    assert "(6 clips)" in answer
    assert "alone (the sign of its mean) ahead in all three: no method." in answer
    assert "half of the bins are kept (`topK_50`), certainly behind: no method." in answer
    for folds in (None, rows.assign(on="features"), rows[:0]):
        assert "networks" not in short_answer(verdicts, [], folds)
    assert short_answer({"noise": verdicts["background"]}, [], rows) == ""


def made_rows(lead, clips=20):
    """Clips where saliency's FF leads every other method's by ``lead``; all else is equal."""
    random = np.random.default_rng(0)
    rows = []
    for clip in range(clips):
        noise = random.random()
        for on in ("features", "audio"):
            for method in (*PUBLISHED_METHODS, "random"):
                for mask in STUDY_MASKS:
                    scores = {**dict.fromkeys(VALUES, np.nan), **dict.fromkeys(METRICS, noise)}
                    scores |= {
                        f"{name}_{kind}": noise
                        for name in RELATIVE
                        for kind in ("pixelwise", "smooth")
                    }
                    scores["FF"] += lead * (method == "saliency")
                    # Masks differ, so that none is a duplicate of another.
                    scores["AREA"] = (list(STUDY_MASKS).index(mask) + 1) / 20
                    if mask not in SOFT_MASKS:
                        # By which a mask is known to be 0/1.
                        scores["SPS"] = 1 - scores["AREA"]
                    keys = {"method": method, "clip": str(clip), "mask": mask, "on": on}
                    keys |= {"protocol": "corrected", "fill": "silence", "status": "ok"}
                    rows.append({**keys, **scores})
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
        {name: number / 10 for number, name in enumerate(STUDY_MASKS)}
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
                for mask in STUDY_MASKS
            ]
        )
        refuted += _verdict(rows, "mask", "bin", "FF", rows["value"]).startswith("refuted")
    # 2.5 % to 5 % of 60 is 3 at most.
    assert refuted <= 7


def test_tables_of_the_page():
    rows = made_rows(0.2)
    counts = better_than_random(rows)
    assert (counts.loc["FF", "saliency"] == "14 / 14").all()
    assert (counts.loc["FF", "random"] == "0 / 14").all()
    assert (counts.loc["FidIn"] == "0 / 14").all(axis=None)
    table = main_table(rows)
    assert table.shape == (5 * 14, 15)
    assert table.loc[("saliency", "bin"), "FF features − smooth"] == "+0.20 [+0.20, +0.20]"
    lines = frame_as_markdown(table.reset_index()).splitlines()
    assert len(lines) == 72
    assert {line.count("|") for line in lines} == {18}


def test_duplicate_masks_count_once():
    """On ESC-10, topK_k and topK_k_pos of SHAP are one mask, and were counted as two."""
    rows = made_rows(0.2).query("method == 'saliency'")
    positive = rows["mask"].str.startswith("topK_") & rows["mask"].str.endswith("_pos")
    twins = dict(
        zip(STUDY_MASKS, rows.groupby("mask")["AREA"].first()[list(STUDY_MASKS)], strict=True)
    )
    rows.loc[positive, "AREA"] = rows.loc[positive, "mask"].str.removesuffix("_pos").map(twins)
    rows.loc[positive, "SPS"] = 1 - rows.loc[positive, "AREA"]
    assert (better_than_random(rows).loc["FF", "saliency"] == "11 / 11").all()
    # One clip of twenty may differ, two may not.
    for clips, count in ((["0"], "11 / 11"), (["0", "1"], "12 / 12")):
        differing = (rows["mask"] == "topK_5_pos") & rows["clip"].isin(clips)
        assert (
            better_than_random(rows.assign(AREA=rows["AREA"].mask(differing, 0.9))).loc[
                "FF", "saliency"
            ]
            == count
        ).all()


def test_a_mask_that_leads_by_luck_does_not_beat_chance():
    """Of 14 masks, some have an uncorrected interval above 0 by chance."""
    rows = made_rows(0.0, clips=40).query("method == 'saliency'")
    luck = np.random.default_rng(2).normal(size=(14, 40))
    luck -= luck.mean(1, keepdims=True)
    # Each mean is 2.3 standard errors above 0, so p is 0.02.
    luck += 2.3 * luck.std(1, keepdims=True) / 40**0.5
    by_cell = dict(zip(STUDY_MASKS, luck, strict=True))
    rows["FF"] = [by_cell[row.mask][int(row.clip)] for row in rows.itertuples()]
    rows["FF_pixelwise"] = rows["FF_smooth"] = 0.0
    differences = compare(rows[rows["on"] == "features"], "pixelwise")["FF"]
    assert (differences["low"] > 0).all()
    assert (better_than_random(rows).loc["FF"] == "0 / 14").all(axis=None)


def test_random_attributions_beat_random_masks_as_seldom_as_chance_does():
    """A family is the masks of one score; uncorrected, they do in two families of five."""
    root = Path(__file__).parents[1] / "results"
    if not root.exists():
        pytest.skip("installed without its results")
    rows = read_results(root)
    rows = rows[rows["method"] == "random"]
    counts = [
        better_than_random(part)["random"].xs("pixelwise", level="than")
        for _, part in rows.groupby(["experiment", "fill"])
    ]
    families = pd.concat(counts)
    assert len(families) == 6 * len(counts)
    beaten = families[~families.str.startswith("0 /")]
    # Of tests at 5 % a family, half are on the good side.
    assert len(beaten) <= binom.ppf(0.99, len(families), 0.025)
    assert set(beaten.str[:3]) <= {"1 /"}


def test_what_is_true_by_definition_is_no_finding():
    for first, larger in PARTS_OF.items():
        for second in larger:
            for seed in range(20):
                attribution = random_attribution(seed)
                part, whole = MASKS[first](attribution), MASKS[second](attribution)
                assert (part <= whole).all(), (first, second)
    rows = made_rows(0.0).assign(SPS=0.5, COMP=0.5)
    rows.loc[rows["mask"] == "topK_5_pos", "SPS"] = 0.9
    rows["COMP"] -= rows["mask"].map({"pos_thresh_75": 0.3, "pos_thresh_50": 0.2}).fillna(0.0)
    found = conclusions(rows).set_index(["kind", "score", "winner"])["on features"]
    # topK_5 was behind topK_5_pos, and pos_thresh_75 ahead of pos_thresh_50: so they always are.
    assert found["mask", "SPS", "topK_5"].startswith("open: +0.00 [+0.00, +0.00]")
    assert found["mask", "COMP", "pos_thresh_75"].startswith("survives: +0.30 [+0.30, +0.30]")


def random_attribution(seed):
    """An attribution with ties and zeros; every fifth has no positive entry."""
    values = torch.randn(1, 1, 16, 20, generator=torch.Generator().manual_seed(seed)).round(
        decimals=1
    )
    return -values.abs() if seed % 5 == 0 else values


def test_the_nulls_of_newer_results_stand_in_the_page():
    """Saliency leads everything by 0.2, but another clip's map scores as well."""
    rows = made_rows(0.2)
    assert "features − rolled" not in conclusions(rows)
    for name in RELATIVE:
        rows[f"{name}_rolled"] = rows[f"{name}_smooth"]
        rows[f"{name}_other"] = rows[name]
        rows[f"{name}_matched"] = rows[f"{name}_smooth"]
    found = conclusions(rows).set_index(["kind", "score"]).loc[("method", "FF")]
    assert list(aspects_in(rows)) == list(ASPECTS)
    assert found["audio − rolled"].startswith("survives: +0.20")
    assert found["audio − other"].startswith("open: +0.00")
    counts = better_than_random(rows).loc[("FF", "features"), "saliency"]
    assert counts.to_dict() == {
        "matched": "14 / 14",
        "other": "0 / 14",
        "pixelwise": "14 / 14",
        "rolled": "14 / 14",
        "smooth": "14 / 14",
    }
    table = main_table(rows)
    assert table.loc[("saliency", "bin"), "FF audio − rolled"] == "+0.20 [+0.20, +0.20]"
    assert table.loc[("saliency", "bin"), "FF audio − other"] == "+0.00 [+0.00, +0.00]"


def test_a_soft_mask_is_not_comparable():
    """AD of sigmoid was called refuted: it measured that the network needs the level."""
    rows = made_rows(0.0)
    rows.loc[rows["mask"].isin(SOFT_MASKS), ["AD", "FF"]] += 50.0
    found = conclusions(rows).set_index(["kind", "score"])
    for score in ("AD", "FidIn"):
        row = found.loc[("mask", score)]
        assert row["winner"] == "sigmoid"
        assert set(row[list(aspects_in(rows))]) == {"not comparable"}
    # Nor is a 0/1 mask behind a soft one that destroys the prediction.
    assert found.loc[("mask", "FF"), "winner"] == "bin"
    assert found.loc[("mask", "FF"), "on features"].startswith("open: +0.00 [+0.00, +0.00]")
    line = _summary_line(found.reset_index(), "on features")
    assert line.endswith("not comparable AD sigmoid, FidIn sigmoid.")


@pytest.mark.parametrize("shift", [-0.6, -0.3, -0.1, 0.0, 0.1, 0.3, 0.5, 0.6])
def test_a_verdict_shows_the_interval_that_it_used(shift):
    """At 0.5, the uncorrected interval is above 0, and the corrected one is not."""
    random = np.random.default_rng(7)
    rows = pd.DataFrame(
        [
            {"clip": str(clip), "method": method, "mask": "bin", "value": random.normal()}
            for clip in range(60)
            for method in PUBLISHED_METHODS
        ]
    )
    rows["value"] += shift * (rows["method"] == "saliency")
    verdict = _verdict(rows, "method", "saliency", "FF", rows["value"])
    word, numbers = verdict.split(": ")
    low, high = numbers[numbers.index("[") + 1 : numbers.index("]")].split(", ")
    expected = "survives" if float(low) > 0 else "refuted" if float(high) < 0 else "open"
    assert word == expected, verdict


def test_the_figure_of_the_best_epoch_says_that_it_is_in_sample():
    fault = _epoch_fault(KeptAccuracies(0.5, 0.9, "validation", 1))
    assert "in-sample" in fault.figure
    assert (fault.before, fault.after) == ("0.5000", "0.9000")
    assert "in-sample" not in _epoch_fault(KeptAccuracies(0.5, 0.9, "test", 1)).figure


@pytest.mark.parametrize("lead", [0.2, 0.0, -0.2])
def test_a_method_minus_its_best_null_by_hand(lead):
    rows = made_rows(lead)
    # The best null of FF: half of the clips have a better mask in one of the two.
    rows.loc[rows["clip"].astype(int) % 2 == 0, "FF_smooth"] += 0.1
    lines = {line.row: line for line in best_null_differences(rows) if line.panel == "FF"}
    assert lines["saliency"].mean == pytest.approx(lead - 0.05)
    assert lines["gradcam"].mean == pytest.approx(-0.05)
    assert lines["gradcam"].low < -0.05 < lines["gradcam"].high < 0
    assert all(line.is_certain for line in lines.values())
    text = _beyond_best_null(best_null_differences(rows))
    assert text.count("**silence, on ") == 2
    assert ("FF: better saliency, worse gradcam" in text) == (lead > 0.05)


def test_a_null_that_was_chosen_is_corrected_for_the_choice():
    """Two nulls: p of a method that is worse is doubled; one that is better beats each of them."""
    spread = np.tile([-1.0, 1.0], 20)
    index = pd.MultiIndex.from_tuples([(str(clip),) * 2 for clip in range(40)])
    index.names = ["clip", "recording"]
    worse, other = (_ByClip(pd.Series(mean + spread, index)) for mean in (-0.3, -0.1))
    assert _p_value(worse, [worse, other]) == pytest.approx(2 * _p_value(worse, [worse]))
    assert _p_value(worse, [worse] * 100) == 1.0
    # The smaller lead is the surer one.
    lead = _ByClip(pd.Series(0.2 + spread / 10, index))
    unsure = _ByClip(pd.Series(0.25 + 2 * spread, index))
    assert _p_value(lead, [lead]) < 0.01 < 0.1 < _p_value(lead, [lead, unsure])


def test_less_drop_is_better_and_soft_masks_do_not_count():
    rows = made_rows(0.0)
    rows["AD"] -= 10 * (rows["method"] == "lime")
    soft = rows["mask"].isin(SOFT_MASKS)
    rows.loc[soft, "AD"] += 1000
    lines = [line for line in best_null_differences(rows) if line.panel.startswith("AD")]
    means = {line.row: line.mean for line in lines if line.group == "silence, on audio"}
    assert means["lime"] == pytest.approx(10)
    assert means["shap"] == pytest.approx(0)


def test_of_few_recordings_a_difference_has_no_interval():
    (line, *_) = best_null_differences(made_rows(0.2, FEWEST - 1))
    assert np.isnan([line.low, line.high]).all()
    assert not line.is_certain


def test_of_few_recordings_nothing_is_counted():
    few, enough = (made_rows(0.2, clips).query("mask == 'bin'") for clips in (FEWEST - 1, FEWEST))
    assert (better_than_random(few) == "–").all(axis=None)
    assert (better_than_random(enough) != "–").all(axis=None)


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
    accuracies = KeptAccuracies(0.5, 0.9, "test", 1)
    broken = part.indices[:1]
    (gap, *_) = faults(classifier, part, background, accuracies)
    assert "nan" not in gap.figure
    broken = part.indices
    with pytest.raises(AudioInterpError, match="no test clip can be read"):
        faults(classifier, part, background, accuracies)


def test_the_published_copy_is_whole():
    table = published_tables()
    assert len(table) == 504
    assert set(table["mask"]) == set(STUDY_MASKS)
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
        '{"outcomes": []}',
        '{"outcomes": [{}], "epochs": []}',
        '{"outcomes": [{}], "epochs": {}}',
        '{"outcomes": [{}], "epochs": {"0": []}}',
        '{"outcomes": [{}], "epochs": {"0": [1]}}',
        '{"outcomes": [{}], "epochs": {"0": [{"valid_accuracy": NaN}]}}',
        '{"outcomes": [{"last_test_accuracy": 0.5}]}',
        '{"outcomes": [{"last_test_accuracy": NaN, "test_accuracy": 1}]}',
    ):
        (tmp_path / "wrong.json").write_text(wrong)
        with pytest.raises(AudioInterpError, match="the card beside the weights"):
            kept_accuracies(tmp_path / "wrong.json")
    (tmp_path / "card.json").write_text(
        '{"outcomes": [{}], "epochs": {"0": [{"valid_accuracy": 0.9}, {"valid_accuracy": 0.5}]}}'
    )
    expected = KeptAccuracies(0.5, 0.9, "validation", 1)
    assert kept_accuracies(tmp_path / "card.json") == expected


def test_the_accuracies_of_a_card_are_those_of_test_clips(tmp_path):
    first = {"last_test_accuracy": 0.5, "test_accuracy": 0.7}
    second = {"last_test_accuracy": 0.7, "test_accuracy": 0.6}
    (tmp_path / "card.json").write_text(json.dumps({"outcomes": [first, second], "epochs": {}}))
    accuracies = kept_accuracies(tmp_path / "card.json")
    assert (accuracies.clips, accuracies.seeds) == ("test", 2)
    assert accuracies.last == pytest.approx(0.6)
    assert accuracies.best == pytest.approx(0.65)

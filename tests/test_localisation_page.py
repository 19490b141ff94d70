"""The page docs/localisation.md: its tables by hand, and its command, which resumes."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from conftest import small_classifier

import audiointerp as ai
from audiointerp.errors import ArgumentError, AudioInterpError
from audiointerp.paper.localisation_page import localisation_page
from audiointerp.paper.localisation_run import (
    Measured,
    localisation_methods,
    measure_localisation,
    ratios_in,
)
from audiointerp.paper.localisation_tables import (
    SCORES,
    differences_from_level,
    differences_table,
    means_table,
    rivals_of,
    values_by_clip,
)
from audiointerp.scoring import LOCALISATION_COLUMNS
from audiointerp.tables import bootstrap_p_values, holm


def made_rows(groups=24, lead=0.2, ratio=0.0):
    """Rows in which "good" is ahead of the level by ``lead``, and "same" equals it."""
    rows = []
    for number in range(groups):
        level = 0.3 + 0.4 * (number % 5) / 4
        for method, value in (("good", level + lead), ("same", level), ("level", level)):
            for weight in ("none", "level") if method != "level" else ("none",):
                rows.append(
                    {
                        **dict.fromkeys(LOCALISATION_COLUMNS, ""),
                        **dict.fromkeys(SCORES, value),
                        **{"method": method, "weight": weight, "axis": "bins", "status": "ok"},
                        **{"clip": f"c{number}@{ratio}", "recording": f"r{number}"},
                        "explained": "dog",
                        **{"p": 0.5, "ratio_db": ratio, "truth_share": 0.25},
                    }
                )
    random = [{**row, "method": "random"} for row in rows if row["method"] == "same"]
    return pd.DataFrame(rows + random)


def test_means_and_differences():
    rows = made_rows()
    means = means_table(rows).set_index(["method", "weight"])
    level = np.mean([0.3 + 0.1 * (number % 5) for number in range(24)])
    assert means.loc[("level", "none"), "auc"].startswith(f"{level:.2f} [")
    assert means.loc[("good", "level"), "iou"].startswith(f"{level + 0.2:.2f} [")
    assert means.loc[("good", "level"), "classes"] == "24"
    differences = differences_from_level(rows)
    assert differences.loc[("good", "none", "auc"), "mean"] == pytest.approx(0.2)
    assert differences.loc[("good", "none", "auc"), "p_value"] < 0.05
    assert differences.loc[("same", "none", "auc"), ["mean", "p_value"]].tolist() == [0, 1]
    shown = differences_table(rows).set_index(["method", "weight"])
    assert shown.loc[("good", "none"), "auc"] == "**+0.20 [+0.20, +0.20]**"
    assert shown.loc[("same", "none"), "auc"] == "+0.00 [+0.00, +0.00]"
    assert "level" not in shown.index


def test_undefined_scores_are_counted_and_left_out():
    rows = made_rows()
    rows.loc[(rows["method"] == "good") & (rows["clip"] == "c0@0.0"), SCORES] = np.nan
    means = means_table(rows).set_index(["method", "weight"])
    assert means.loc[("good", "none"), "classes"] == "24 (1 undefined)"
    assert differences_from_level(rows).loc[("good", "none", "auc"), "mean"] == pytest.approx(0.2)
    rows.loc[(rows["method"] == "good") & (rows["clip"] == "c1@0.0"), "mass"] = np.nan
    means = means_table(rows).set_index(["method", "weight"])
    assert means.loc[("good", "none"), "classes"] == "24 (1 undefined, 1 without mass)"

    # Each of six classes lacks one score, none lacks all.
    rows = made_rows()
    for number, score in enumerate(SCORES):
        rows.loc[(rows["method"] == "good") & (rows["clip"] == f"c{number}@0.0"), score] = np.nan
    means = means_table(rows).set_index(["method", "weight"])
    expected = ", ".join(f"1 without {score}" for score in SCORES)
    assert means.loc[("good", "none"), "classes"] == f"24 ({expected})"


def test_other_ratios_are_in_the_lead_of_the_page():
    behind = made_rows(lead=-0.1, ratio=5.0)
    few = made_rows(groups=5, ratio=-5.0)
    page = localisation_page(
        pd.concat([made_rows(), behind, few]), {}, "audiointerp localise", "mel"
    )
    expected = "contrast of good minus the level: −0.10 at +5 dB (significant after Holm)."
    assert f"- **Other ratios**, {expected}" in page
    assert "**Other ratios**" not in localisation_page(made_rows(), {}, "", "mel")


def test_there_is_no_interval_for_few_groups():
    rows = made_rows(groups=19)
    assert re.fullmatch(r"0\.\d\d", means_table(rows)["auc"][0])
    page = localisation_page(rows, {}, "audiointerp localise", "mel.safetensors")
    assert "Minus the level" not in page
    assert "after Holm)" not in page


def test_the_page_leads_with_the_verdict_and_tells_each_ratio():
    rows = pd.concat([made_rows(), made_rows(ratio=-5.0, lead=-0.1)])
    skipped = made_rows(groups=3).iloc[:1].assign(status="skipped")
    page = localisation_page(
        pd.concat([rows, skipped]), {"lime": None}, "audiointerp localise", "mel.safetensors"
    )
    title, _, when = page.splitlines()[:3]
    assert (title, when) == ("# Does a map of mel show the sound that it explains?", "At 0 dB:")
    assert "at some of the ratios only" in page
    assert "at some of the ratios" not in localisation_page(made_rows(), {}, "", "mel")
    verdict = page.splitlines()[4]
    assert verdict.startswith("- **contrast**: best good, ")
    assert re.search(r"the level has 0\.\d\d, random 0\.\d\d; difference", verdict)
    lead, rivals = verdict.rsplit("; ", 1)
    assert lead.endswith("difference of good to the level +0.20 (significant after Holm)")
    assert rivals == "certainly ahead of all others."
    assert "**Which of two sounds**: in 0 of 24 mixtures both are explained" in page
    assert "48 classes are explained; 1 have too small a p" in page
    assert page.index("sound at 0 dB") < page.index("sound at −5 dB")
    assert "lime (samples 100)" in page
    with pytest.raises(AudioInterpError, match="no class was explained at 0 dB"):
        localisation_page(made_rows(ratio=5.0), {}, "", "")


def test_a_mixture_with_both_classes_explained_asks_twice():
    other = made_rows(groups=3, lead=0.4).assign(explained="rain")
    page = localisation_page(pd.concat([made_rows(), other]), {}, "audiointerp localise", "mel")
    (line,) = re.findall(r".*in 3 of 24 mixtures both.*", page)
    good, level = (float(mean) for mean in re.findall(r"(?:good|level) (0\.\d\d)", line))
    levels = [0.3, 0.4, 0.5]
    assert level == pytest.approx(np.mean(levels), abs=0.006)
    assert good == pytest.approx(np.mean(levels) + 0.3, abs=0.006)


def test_ratios():
    assert ratios_in("0, -5:24", 40) == [Measured(0.0, 40), Measured(-5.0, 24)]
    with pytest.raises(ArgumentError, match="0:60,-5:24"):
        ratios_in("loud")
    with pytest.raises(ArgumentError, match="once"):
        ratios_in("0,0:3")


@pytest.fixture
def classifier():
    clips = ai.Synthetic((5,), duration=3.0)
    classifier = small_classifier(10, duration=3.0)
    return ai.Classifier(classifier.network, classifier.transform, clips.labels, 3.0)


def test_methods_by_name(classifier):
    methods = localisation_methods(["occlusion", "layercam@conv_block1", "random"], classifier)
    assert list(methods) == ["occlusion", "layercam_conv_block1", "random"]
    assert methods["occlusion"].samples < 100
    db = classifier.transform(ai.Synthetic((5,), duration=3.0)[0][0][None]).db
    assert methods["layercam_conv_block1"](db).info["layer"] == "conv_block1"
    with pytest.raises(ArgumentError, match="did you mean 'gradcam'"):
        localisation_methods(["gradcan"], classifier)
    with pytest.raises(ArgumentError, match="saliency has no layer"):
        localisation_methods(["saliency@conv_block1"], classifier)


def test_what_was_measured_is_not_measured_again(classifier, tmp_path, monkeypatch):
    clips = ai.Synthetic((5,), duration=3.0)
    ratios = [Measured(0.0, 2), Measured(5.0, 1)]
    arguments = (classifier, clips, ratios)
    methods = localisation_methods(["saliency", "occlusion"], classifier)
    first = measure_localisation(*arguments, {"saliency": methods["saliency"]}, tmp_path, min_p=0)
    calls = []
    explain = ai.scoring.localisation.explain_named_clip

    def counted(classifier, name, spectrogram, explainer, target):
        calls.append(explainer.name)
        return explain(classifier, name, spectrogram, explainer, target)

    monkeypatch.setattr("audiointerp.scoring.localisation.explain_named_clip", counted)
    progress = tmp_path / "localisation.jsonl"
    # A killed process leaves half a line: that clip is measured again.
    lines = progress.read_text().splitlines()
    progress.write_text("\n".join([*lines[:-1], lines[-1][:50]]))
    again = measure_localisation(*arguments, {"saliency": methods["saliency"]}, tmp_path, min_p=0)
    pd.testing.assert_frame_equal(again, first)
    assert calls.count("saliency") == 2
    calls.clear()
    more = measure_localisation(*arguments, methods, tmp_path, min_p=0)
    # A method without gradients is slow, and measured at 0 dB alone.
    assert calls == ["occlusion"] * 4
    assert set(more.loc[more["method"] == "occlusion", "ratio_db"]) == {0.0}
    table = pd.read_csv(tmp_path / "localisation.csv", keep_default_na=False)
    assert len(table) == len(more)
    with pytest.raises(AudioInterpError, match="other settings"):
        measure_localisation(*arguments, methods, tmp_path, min_p=0.5)
    # Another network of equal weights.
    hook = classifier.network.register_forward_hook(lambda module, inputs, logits: logits / 2)
    with pytest.raises(AudioInterpError, match="other settings"):
        measure_localisation(*arguments, methods, tmp_path, min_p=0)
    hook.remove()
    monkeypatch.setattr("audiointerp.paper.localisation_run.WEIGHT_DB", (60.0, 0.0))
    with pytest.raises(AudioInterpError, match="other settings"):
        measure_localisation(*arguments, methods, tmp_path, min_p=0)


def test_a_clip_that_failed_is_measured_again(classifier, tmp_path):
    clips = ai.Synthetic((5,), duration=3.0)
    methods = localisation_methods(["saliency"], classifier)
    arguments = (classifier, clips, [Measured(0.0, 1)], methods, tmp_path)
    whole = measure_localisation(*arguments, min_p=0)
    progress = tmp_path / "localisation.jsonl"
    first, line = progress.read_text().splitlines()
    name, by_method, skipped = json.loads(line)
    for rows in by_method.values():
        for row in rows:
            row["status"] = "error"
    progress.write_text("\n".join([first, json.dumps([name, by_method, skipped]), ""]))
    pd.testing.assert_frame_equal(measure_localisation(*arguments, min_p=0), whole)


def test_the_command(in_this_process, classifier, tmp_path):
    classifier.save(tmp_path / "small.safetensors")
    command = (
        *("localise", "--weights", "small.safetensors", "--number", 2, "--ratios", "0,-5:1"),
        *("--methods", "saliency,layercam@conv_block1", "--min-p", 0),
        *("--rows", "rows", "--out", "docs/page.md"),
    )
    assert in_this_process(*command, place=tmp_path) == (0, "wrote docs/page.md\n", "")
    page = (tmp_path / "docs" / "page.md").read_text()
    assert "3 mixtures: 6 classes are explained" in page
    assert "(page.png)" in page
    assert (tmp_path / "docs" / "page.png").read_bytes().startswith(b"\x89PNG")
    status, _, error = in_this_process(*command[:-2], "--slow-at", "x", place=tmp_path)
    assert status == 1
    assert "ratios 'x'" in error


def test_ratios_are_whole():
    """A fraction would stand in the table of the next whole ratio."""
    with pytest.raises(ArgumentError, match=r"2\.5 is not a whole number of dB"):
        ratios_in("0,2.5")


def test_the_best_of_many_equal_methods_is_not_certainly_ahead_of_some():
    """It was chosen by its mean, so all pairs of methods are compared."""
    random = np.random.default_rng(15)
    names = [f"method{number}" for number in range(13)]
    rows = pd.DataFrame(
        {"clip": f"{group}", "explained": "dog", "recording": f"{group}", "weight": "none",
         "method": name, "contrast": random.normal()}
        for group in range(22)
        for name in names
    )  # fmt: skip
    values = values_by_clip(rows, "contrast").droplevel("weight", axis=1)
    best = values.mean().idxmax()
    others = values.drop(columns=best)
    alone = bootstrap_p_values(-others.sub(values[best], axis=0).to_numpy())
    # As if the best one had been named beforehand.
    assert (holm(alone) <= 0.05).any()
    assert rivals_of(rows, best, "none", "contrast") == list(others)


def test_one_that_is_far_ahead_is_certainly_ahead():
    assert rivals_of(pd.DataFrame(made_rows()), "good", "none", "contrast") == []

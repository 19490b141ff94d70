"""The tables of the paper: means by hand, all published rows, nothing mixed, gaps reported."""

from importlib.metadata import version
from itertools import product

import numpy as np
import pandas as pd
import pytest
from made_results import STUDY, made_rows

from audiointerp.errors import ArgumentError, AudioInterpError
from audiointerp.experiments.study import EXPERIMENTS
from audiointerp.metrics import METRICS, RELATIVE
from audiointerp.paper.conditions import find_conditions
from audiointerp.paper.missing import missing
from audiointerp.paper.paper_tables import Paper, notes, paper_of, paper_tables
from audiointerp.paper.published import (
    PUBLISHED_METHODS,
    PUBLISHED_SCORES,
    STUDY_MASKS,
    published_tables,
)
from audiointerp.paper.statistics import CLIP, averaged, clip_values, with_intervals
from audiointerp.scoring.columns import COLUMNS
from audiointerp.tables import sums_of_values, unfinished
from audiointerp.tables.bootstrap import FEWEST, bootstrap_interval


def by_name(rows, *kinds, published=False):
    return {table.name: table for table in paper_tables(rows, kinds or None, published)}


@pytest.fixture(scope="module")
def study():
    """The paper's tables of a synthetic run of the whole study, the published means beside."""
    rows = made_rows(on=("features",))
    return rows, by_name(rows, "masks", "methods", "noise", published=True)


def numbers(table, cell, head, sub="", parts=("mean", "low", "high")):
    return [float(number(table, cell, head, sub, part)) for part in parts]


def number(table, cell, head, sub="", part="mean"):
    return table.frame[(head, sub, part)].to_dict()[cell]


def test_the_leading_tables_are_of_what_is_heard_and_of_what_was_published():
    rows = made_rows(on=("features", "audio")).query("experiment == 'mel_clean'")
    both = pd.concat([rows, rows.assign(fill="background")])
    paper = Paper(both, find_conditions(both), ["masks"], False, "", ["A note."], [])
    leading = paper.leading()
    assert {(each.fill, each.on) for each in paper.conditions} == set(
        product(("background", "silence"), ("features", "audio"))
    )
    assert {(each.fill, each.on) for each in leading.conditions} == {
        ("background", "audio"),
        ("silence", "features"),
    }
    assert len(leading.tables) * 2 == len(paper.tables)
    assert "writes the other tables too" in leading.notes[-1]
    # Of silence on audio alone, all there is.
    older = rows[rows["on"] == "audio"]
    alone = Paper(older, find_conditions(older), ["masks"], False, "", [], [])
    assert alone.leading() is alone


def test_each_published_row_has_its_place_beside_ours(study):
    rows, tables = study
    ours = rows.groupby(["experiment", "method", "mask"])
    means = {"all": ours[list(PUBLISHED_SCORES)].mean()}
    for subset, correct in (("correct", True), ("incorrect", False)):
        means[subset] = (
            rows[rows["correct"] == correct]
            .groupby(["experiment", "method", "mask"])[list(PUBLISHED_SCORES)]
            .mean()
        )
    means = {subset: found.to_dict("index") for subset, found in means.items()}
    columns = [(score, sub, "mean") for score in PUBLISHED_SCORES for sub in ("", "published")]
    tables = {
        name: table.frame[columns].T.to_dict()
        for name, table in tables.items()
        if "published" in table.caption.lower()
    }
    published = published_tables()
    assert len(published) == 504
    for row in published.to_dict("records"):
        experiment = f"{row['model']}_{row['experiment']}"
        name = f"{experiment}_{row['subset']}_on_features"
        cells = [
            (tables[f"masks_{name}"], (row["method"], row["mask"])),
            (tables[f"methods_{name}"], (row["mask"], row["method"])),
        ]
        if row["model"] == "mel" and row["subset"] == "all":
            cells.append(
                (tables[f"noise_mel_{row['method']}_on_features"], (row["mask"], experiment))
            )
        for table, cell in cells:
            for score in PUBLISHED_SCORES:
                assert table[cell][score, "published", "mean"] == row[score]
                mean = means[row["subset"]][experiment, row["method"], row["mask"]][score]
                assert table[cell][score, "", "mean"] == pytest.approx(mean)
    for name, table in study[1].items():
        assert ("Cnn14" in table.caption) == any(
            column.sub == "published" for column in table.columns
        ), name


def test_rows_and_columns_are_in_the_order_of_the_study(study):
    _, tables = study
    table = tables["masks_mel_clean_all_on_features"]
    assert table.frame.index.to_list() == list(product(STUDY, STUDY_MASKS))
    assert [column.head for column in table.columns if not column.sub] == [
        *PUBLISHED_SCORES,
        "AREA",
        "undefined %",
        "constant %",
        "clips",
    ]
    other = tables["methods_stft_clean_incorrect_on_features"]
    assert other.frame.index.to_list() == list(product(STUDY_MASKS, STUDY))
    noise = tables["noise_mel_lime_on_features"]
    experiments = [name for name in EXPERIMENTS if name != "stft_clean"]
    assert noise.frame.index.to_list() == list(product(STUDY_MASKS, experiments))
    assert np.isnan(number(table, ("random", "bin"), "FF", "published"))  # random is our own
    assert number(table, ("lime", "bin"), "clips") == 20
    assert number(tables["masks_mel_clean_correct_on_features"], ("lime", "bin"), "clips") == 10


def rows_by_hand(**values):
    """Two methods, two clips, two masks (in this order); every score is 0.5 unless given."""
    rows = made_rows(
        ("mel_clean",), ("saliency", "random"), ("bin", "topK_5"), ("features",), clips=2
    )
    return rows.assign(**dict.fromkeys(METRICS, 0.5)).assign(**values)


def test_means_marks_and_shares_by_hand():
    rows = rows_by_hand(
        FF=[0.0, 0.2, 0.0, 0.4, 1.0, 1.0, 1.0, 1.0],
        AD=[0.0, 20.0, 0.0, 40.0, 7.0, 7.0, 7.0, 7.0],
        COMP=[np.nan, 1.0, np.nan, 2.0, 3.0, 3.0, np.nan, 3.0],
        SPS=[np.nan, 0.0, np.nan, 0.5, 0.1, 0.2, np.nan, 0.2],
    )
    tables = by_name(rows, "masks", "methods", "summary")
    table = tables["masks_mel_clean_all_on_features"]
    saliency = [("saliency", "bin"), ("saliency", "topK_5")]
    assert [number(table, cell, "FF") for cell in saliency] == pytest.approx([0.0, 0.3])
    # The masks of random are equal: none is best or worst.
    assert table.marks["FF", ""].tolist() == ["worst", "best", "", ""]
    assert table.marks["AD", ""].tolist() == ["best", "worst", "", ""]
    assert table.frame[("undefined %", "", "mean")].tolist() == [100.0, 0.0, 50.0, 0.0]
    assert table.frame[("constant %", "", "mean")].tolist() == [100.0, 50.0, 50.0, 0.0]
    assert np.isnan(number(table, ("saliency", "bin"), "COMP"))
    assert table.marks["COMP", ""].tolist() == ["", "", "", ""]
    assert set(table.marks["AREA", ""]) == {""}
    other = tables["methods_mel_clean_all_on_features"]
    assert other.marks["FF", ""].tolist() == ["worst", "best", "worst", "best"]
    over_masks = tables["summary_methods_all_on_features"]
    assert number(over_masks, ("mel_clean", "saliency"), "FF") == pytest.approx(0.15)
    # The undefined mask is left out.
    assert number(over_masks, ("mel_clean", "saliency"), "COMP") == 1.5
    over_methods = tables["summary_masks_all_on_features"]
    # The mean over methods is without random.
    assert number(over_methods, ("mel_clean", "topK_5"), "FF") == pytest.approx(0.3)
    assert over_methods.marks["FF", ""].tolist() == ["worst", "best"]


def test_intervals_are_those_of_the_bootstrap_over_clips():
    rows = made_rows(
        ("mel_clean",), ("saliency", "lime"), ("bin", "topK_5"), ("features",), clips=30
    )
    values = clip_values(rows, "FF")
    low, high = bootstrap_interval(values.to_numpy())
    made = with_intervals(sums_of_values(values))
    assert np.allclose(made, np.stack([values.mean(), low, high], 1))
    over = averaged(sums_of_values(values), "method")
    few = values.iloc[: FEWEST - 1]
    assert with_intervals(sums_of_values(few))[["low", "high"]].isna().all(axis=None)
    assert averaged(sums_of_values(few), "mask")[["low", "high"]].isna().all(axis=None)
    # Many clips of few recordings.
    recordings = [str(number % (FEWEST - 1)) for number in range(30)]
    clips = values.index.get_level_values("clip")
    takes = values.set_axis(pd.MultiIndex.from_arrays([clips, recordings], names=CLIP))
    assert with_intervals(sums_of_values(takes))[["low", "high"]].isna().all(axis=None)
    for method in ("saliency", "lime"):
        # Nothing is undefined, so the order of the means does not matter.
        mean_of_clip = values[method].mean(axis=1).to_numpy()[:, None]
        low, high = bootstrap_interval(mean_of_clip)
        assert np.allclose(over.loc[method], [mean_of_clip.mean(), low[0], high[0]])


@pytest.mark.parametrize("clips", [FEWEST, FEWEST - 1])
def test_captions_do_not_speak_of_intervals_that_are_not_there(clips):
    rows = made_rows(("mel_clean", "mel_horse"), ("lime",), ("bin",), clips=clips)
    tables = paper_tables(rows)
    with_intervals = set()
    for table in tables:
        lows = [column for column in table.frame.columns if column[2] == "low"]
        has_intervals = bool(lows) and table.frame[lows].notna().any(axis=None)
        assert ("95 % bootstrap intervals" in table.caption) == has_intervals, table.name
        assert (f"Fewer than {FEWEST} recordings" in table.caption) != has_intervals, table.name
        with_intervals |= {table.name.split("_")[0]} if has_intervals else set()
    kinds = {"summary", "masks", "methods", "noise", "audio"}
    assert {table.name.split("_")[0] for table in tables} == kinds
    assert with_intervals == (kinds if clips == FEWEST else set())


def test_published_averages_are_over_the_same_cells():
    rows = made_rows(
        ("mel_clean",), ("saliency", "lime", "random"), ("bin", "topK_5"), ("features",)
    )
    tables = by_name(rows, "summary", published=True)
    published = published_tables().query(
        "model == 'mel' and experiment == 'clean' and subset == 'all'"
    )
    own = published[published["mask"].isin(["bin", "topK_5"])]
    table = tables["summary_methods_all_on_features"]
    assert number(table, ("mel_clean", "lime"), "AD", "published") == pytest.approx(
        own[own.method == "lime"]["AD"].mean()
    )
    assert np.isnan(number(table, ("mel_clean", "random"), "AD", "published"))
    table = tables["summary_masks_all_on_features"]
    expected = own[(own["mask"] == "bin") & own["method"].isin(["saliency", "lime"])]["FF"].mean()
    assert number(table, ("mel_clean", "bin"), "FF", "published") == pytest.approx(expected)


def test_only_masks_that_every_method_has_are_averaged():
    rows = made_rows(("mel_clean",), ("saliency", "lime"), ("bin", "topK_5"), ("features",))
    rows = rows[(rows["method"] == "lime") | (rows["mask"] == "bin")]
    table = by_name(rows, "summary")["summary_methods_all_on_features"]
    expected = rows[(rows["method"] == "lime") & (rows["mask"] == "bin")]["FF"].mean()
    assert number(table, ("mel_clean", "lime"), "FF") == pytest.approx(expected)
    assert "lime" not in " ".join(sentence for sentence in missing(rows) if "topK_5," in sentence)
    none_in_common = (rows["method"] == "lime") == (rows["mask"] == "topK_5")
    assert not by_name(rows[none_in_common], "summary")


def test_noise_is_compared_with_clean_clip_by_clip():
    clean = made_rows(("mel_clean",), ("lime",), ("bin", "topK_5"), ("features",), clips=20)
    noisy = clean.assign(experiment="mel_horse", FF=clean["FF"] - 0.25, COMP=np.nan).sample(
        frac=1, random_state=0
    )
    tables = by_name(pd.concat([noisy, clean]), "noise", "noise_differences", published=True)
    table = tables["noise_differences_mel_lime_on_features"]
    assert numbers(table, ("bin", "mel_horse"), "FF") == pytest.approx([-0.25] * 3)
    assert np.isnan(number(table, ("bin", "mel_horse"), "COMP"))
    assert set(table.marks.to_numpy().ravel()) == {""}
    levels = tables["noise_mel_lime_on_features"]
    assert levels.frame.index.to_list() == [
        (mask, name) for mask in ("bin", "topK_5") for name in ("mel_clean", "mel_horse")
    ]
    assert levels.marks["FF", ""].tolist() == ["best", "worst"] * 2


def test_networks_that_heard_noise_are_told_apart():
    """Each noise is compared with the clean clips of its own network, under a name of its own."""
    names = ("mel_clean", "mel_horse")
    first = made_rows(names, ("lime",), ("bin",), ("features",))
    second = made_rows(names, ("lime",), ("bin",), ("features",), seed=1)
    second["experiment"] += "_noise_trained"
    rows = pd.concat([second.assign(network="other"), first])
    assert not any("not compared" in sentence for sentence in missing(rows))
    tables = by_name(rows, "noise", "noise_differences")
    assert set(tables) == {
        f"{kind}_mel_{middle}lime_on_features"
        for kind in ("noise", "noise_differences")
        for middle in ("", "trained_with_noise_")
    }
    for part, middle, ending in (
        (first, "", ""),
        (second, "trained_with_noise_", "_noise_trained"),
    ):
        table = tables[f"noise_differences_mel_{middle}lime_on_features"]
        means = part.groupby("experiment")["FF"].mean()
        change = means[f"mel_horse{ending}"] - means[f"mel_clean{ending}"]
        assert number(table, ("bin", f"mel_horse{ending}"), "FF") == pytest.approx(change)
    wrong = rows.assign(network="n")
    assert set(by_name(wrong, "noise")) == {name for name in tables if "differences" not in name}


def test_other_networks_protocols_and_kinds_of_scoring_are_not_mixed():
    clean = made_rows(("mel_clean",), ("lime",), ("bin",))
    noisy = clean.assign(experiment="mel_white", network="other")
    both = pd.concat([clean, noisy])
    assert not by_name(both, "noise", "noise_differences")
    assert any("mel_white was run on another network" in sentence for sentence in missing(both))
    protocols = pd.concat([clean, clean.assign(protocol="published", FF=0.125)])
    tables = by_name(protocols, "masks")
    assert len(tables) == 2 * 2 * 3  # protocols, on, subsets
    table = tables["masks_mel_clean_all_on_features_protocol_published"]
    assert number(table, ("lime", "bin"), "FF") == 0.125
    assert "protocol published" in table.title
    own = clean[(clean["on"] == "features")]["FF"].mean()
    assert number(
        tables["masks_mel_clean_all_on_features"], ("lime", "bin"), "FF"
    ) == pytest.approx(own)


def test_features_stand_beside_audio_beside_random_masks():
    rows = made_rows(("mel_clean",), ("lime",), ("bin",), clips=20)
    audio = (rows["on"] == "audio").to_numpy()
    seen = rows.loc[~audio, "FF"].to_numpy()
    rows.loc[audio, "FF"] = seen - 0.5
    rows["FF_smooth"] = rows["FF"] + 0.125
    table = by_name(rows, "audio")["audio_mel_clean_FF"]
    cell = ("lime", "bin")
    assert number(table, cell, "features", "mean") == pytest.approx(seen.mean())
    assert numbers(table, cell, "audio", "− features") == pytest.approx([-0.5] * 3)
    assert numbers(table, cell, "audio", "− smooth") == pytest.approx([-0.125] * 3)
    assert number(table, cell, "features", "smooth") == pytest.approx(seen.mean() + 0.125)
    baselines = [f"{name}_{kind}" for name in METRICS for kind in ("pixelwise", "smooth")]
    without = rows.assign(**dict.fromkeys(baselines, np.nan))
    for table in paper_tables(without, ["heard"]):
        assert [column.sub for column in table.columns] == ["mean", "mean", "− features"]
    newer = rows.assign(**{f"{name}_other": rows[name] - 0.25 for name in RELATIVE})
    table = by_name(newer, "audio")["audio_mel_clean_FF"]
    assert numbers(table, cell, "audio", "− other") == pytest.approx([0.25] * 3)
    assert "other: the mask made from another clip" in table.caption
    assert "rolled" not in table.caption
    # The kind's former name gives the same tables; without audio there is nothing to compare with.
    assert len(paper_tables(without, ["audio"])) == len(paper_tables(without, ["heard"])) == 5
    assert not paper_tables(without[~audio], ["audio"])


def test_what_is_missing_is_said_and_the_rest_is_made(tmp_path):
    whole = made_rows(masks=("bin",))
    lacking = missing(whole)
    assert len(lacking) == len(EXPERIMENTS)  # the other masks, once an experiment
    rows = made_rows(("mel_clean",), ("lime",), on=("features",))
    failure = {"clip": "x.wav", "status": "error", "stage": "read", "mask": "", "on": ""}
    undefined = dict.fromkeys(("correct", *PUBLISHED_SCORES), np.nan)
    failed = rows[rows["mask"] == "bin"].head(1).assign(**failure, **undefined)
    rows = pd.concat([rows, failed])
    sentences = " | ".join(missing(rows))
    for expected in (
        "no results of stft_clean, mel_horse",
        "mel_clean: no saliency, gradcam, shap",
        "lime failed on 1 of 21 clips (read 1)",
        "lime not scored on audio",
    ):
        assert expected in sentences
    assert "masks" not in sentences
    assert "Missing for all of the paper's tables" in notes(rows, missing(rows))[-1]
    assert "Classes: tone, rise." in notes(rows, (), ["tone", "rise"])[0]
    tables = by_name(rows, "masks", "noise", "noise_differences")
    assert number(tables["masks_mel_clean_all_on_features"], ("lime", "bin"), "clips") == 20
    assert not any(name.startswith("noise") for name in tables)
    (tmp_path / "mel" / "mel_clean" / "shap" / "clips").mkdir(parents=True)
    assert unfinished(tmp_path) == ["mel_clean: shap is not finished (no metrics.csv yet)"]
    lost = tmp_path / "mel" / "mel_clean" / "rise"
    lost.mkdir()
    (lost / "run.json").write_text("{}")
    assert unfinished(tmp_path)[1:] == ["mel_clean: rise has a run.json and no rows"]
    (lost / "shards").mkdir()
    assert len(unfinished(tmp_path)) == 1


def test_what_cannot_be_is_refused():
    rows = made_rows(("mel_clean",), ("lime",), ("bin",))
    with pytest.raises(ArgumentError, match="unknown kind of table 'best'"):
        paper_tables(rows, ["best"])
    with pytest.raises(AudioInterpError, match="no clip was scored"):
        paper_tables(rows.assign(status="error"))
    with pytest.raises(AudioInterpError, match=r"clip 0\.wav: two rows of lime, bin"):
        paper_tables(pd.concat([rows, rows.head(1)]), ["masks"])


def test_results_that_do_not_tell_what_is_correct_are_not_split():
    rows = made_rows(("mel_clean",), ("lime",), ("bin",), ("features",)).drop(
        columns=["correct", "network"]
    )
    assert set(by_name(rows, "masks")) == {"masks_mel_clean_all_on_features"}
    assert any("correctly" in sentence for sentence in missing(rows))
    assert set(PUBLISHED_METHODS) < set(STUDY)


@pytest.mark.parametrize(("by", "said"), [("0.0.9", True), (version("audiointerp"), False)])
def test_results_of_an_older_version_say_so(by, said, tmp_path):
    folder = tmp_path / "mel" / "mel_clean" / "lime"
    folder.mkdir(parents=True)
    rows = made_rows(("mel_clean",), ("lime",), ("bin",), ("features",), clips=2)
    rows.drop(columns=["transform", "experiment", "network"]).to_csv(
        folder / "metrics.csv", index=False
    )
    (folder / "run.json").write_text(f'{{"versions": {{"audiointerp": "{by}"}}}}')
    paper = paper_of(tmp_path, ["summary"], on="features")
    assert any(note.startswith(f"Computed by audiointerp {by}.") for note in paper.notes) == said


def test_the_tables_are_of_what_was_asked_for(tmp_path):
    rows = made_rows(["mel_clean", "mel_horse"], clips=4)
    is_horse = rows["experiment"] == "mel_horse"
    rows["clip"] = rows["clip"].where(~is_horse, "other " + rows["clip"].astype(str))
    both = pd.concat([rows, rows.assign(fill="background", FF=rows["FF"] / 2)])
    for (experiment, method), part in both.groupby(["experiment", "method"]):
        folder = tmp_path / "mel" / experiment / method
        folder.mkdir(parents=True)
        part[list(COLUMNS)].to_csv(folder / "metrics.csv", index=False)
    paper = paper_of(
        tmp_path, ["masks"], experiments=["mel_clean", "mel_room"], methods=["lime"], fill="silence"
    )
    assert set(paper.rows["experiment"]) == {"mel_clean"}
    assert set(paper.rows["method"]) == {"lime"}
    assert set(paper.rows["fill"]) == {"silence"}
    assert all("_fill_" not in table.name for table in paper.tables)
    assert paper.lacking[0] == "no results of mel_room"
    assert ", 4 clips, " in paper.notes[0]
    assert not any("saliency" in sentence for sentence in paper.lacking)
    assert set(paper_of(tmp_path, ["masks"]).rows["fill"]) == {"silence", "background"}
    with pytest.raises(ArgumentError, match="unknown method 'limes'; did you mean 'lime'"):
        paper_of(tmp_path, methods=["limes"])

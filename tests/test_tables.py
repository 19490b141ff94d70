"""Summaries checked by hand, intervals by statistical laws."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from conftest import torture
from interval_coverage import LAWS, coverage

from audiointerp.dataset import esc50_recording
from audiointerp.errors import ArgumentError, AudioInterpError
from audiointerp.interpretation.masks import MASKS
from audiointerp.metrics import METRICS, RELATIVE
from audiointerp.scoring.columns import VALUES
from audiointerp.tables.bootstrap import FEWEST, bootstrap_interval, bootstrap_means
from audiointerp.tables.comparisons import bootstrap_p_values, holm, percentile_interval
from audiointerp.tables.plain_text import as_text
from audiointerp.tables.results import COLUMNS, read_results, recordings_by_clip
from audiointerp.tables.summary import compare, summarise


def rows(**columns):
    base = {
        "method": ["a", "a", "b", "b"],
        "mask": "bin",
        "clip": ["1", "2", "1", "2"],
        "status": "ok",
        "protocol": "corrected",
        "on": "features",
    }
    return pd.DataFrame(
        {**base, **dict.fromkeys(VALUES, np.nan), **dict.fromkeys(METRICS, 0.5), **columns}
    )


def test_summary_leaves_out_what_is_undefined_and_counts_it():
    table = summarise(rows(COMP=[1.0, np.nan, np.nan, np.nan], FF=[1.0, 0.0, 0.2, 0.4]))
    assert table["FF"].tolist() == pytest.approx([0.5, 0.3])
    assert table.loc[("a", "bin"), "COMP"] == 1
    assert table["undefined"].tolist() == [0.5, 1.0]
    assert table["clips"].tolist() == [2, 2]
    failed = summarise(rows(status=["ok", "error", "ok", "ok"]))
    assert failed["clips"].tolist() == [1, 2]
    with pytest.raises(AudioInterpError, match="no clip"):
        summarise(rows(status="error"))


@pytest.mark.parametrize("correct", [[None] * 4, [True, None, False, True]])
def test_rows_that_would_be_in_no_group_are_not_left_out_silently(correct):
    """Clips without a label are neither right nor wrong."""
    unlabelled = rows(correct=correct)
    with pytest.raises(ArgumentError, match=f"{correct.count(None)} of 4 rows .*'correct'"):
        as_text(unlabelled, ["correct"])
    assert summarise(unlabelled)["clips"].tolist() == [2, 2]


def test_the_best_is_marked_by_the_scores_own_direction():
    text = as_text(
        rows(FF=[0.9, 0.9, 0.1, 0.1], AD=[9.0, 9.0, 1.0, 1.0], AREA=[0.2, 0.2, 0.4, 0.4])
    )
    first, second = text.splitlines()[1:]
    assert "0.900*" in first
    assert "9.0*" not in first
    assert "1.0*" in second
    assert "0.400*" not in second


def paired(differences, on="features"):
    """Clips whose scores exceed those of a random mask by the given differences."""
    count = len(differences)
    base = {
        "method": "a",
        "mask": "bin",
        "clip": [str(number) for number in range(count)],
        "status": "ok",
        "protocol": "corrected",
        "on": on,
    }
    other = np.random.default_rng(1).random(count)
    scores = dict.fromkeys(RELATIVE, other + differences) | {
        f"{name}_pixelwise": other for name in RELATIVE
    }
    return pd.DataFrame(
        {**base, **dict.fromkeys(VALUES, np.nan), **dict.fromkeys(METRICS, 0.5), **scores}
    )


def test_an_interval_pairs_the_clips():
    """The interval of a constant difference is a point, however much the scores vary."""
    same = compare(paired(np.full(30, 0.25)), "pixelwise").loc[("a", "bin"), "FF"]
    assert same.tolist() == pytest.approx([0.25, 0.25, 0.25])
    spread = compare(paired(np.linspace(-1, 1, 30)), "pixelwise").loc[("a", "bin"), "FF"]
    assert spread["low"] < spread["mean"] < spread["high"]
    with pytest.raises(ArgumentError, match="no null 'smooth'"):
        compare(paired(np.zeros(3)), "smooth")
    with pytest.raises(ArgumentError, match="must hold both"):
        compare(paired(np.zeros(3)), "features")
    with pytest.raises(ArgumentError, match="unknown comparison"):
        compare(paired(np.zeros(3)), "noise")


def test_nineteen_recordings_have_no_interval():
    values = np.random.default_rng(6).random((20, 1))
    assert np.isfinite(bootstrap_interval(values)).all()
    assert np.isnan(bootstrap_interval(values[:19])).all()
    assert np.isnan(bootstrap_p_values(values[:19])).all()


def test_few_recordings_have_no_interval():
    for count, known in ((FEWEST, True), (FEWEST - 1, False)):
        table = compare(paired(np.linspace(-1, 2, count)), "pixelwise").loc[("a", "bin"), "FF"]
        assert table["mean"] == pytest.approx(0.5)
        assert table[["low", "high"]].notna().tolist() == [known, known]
        assert ("+0.50 [" in as_text(paired(np.linspace(-1, 2, count)))) is known
        assert ("mean and 95 % interval" in as_text(paired(np.zeros(count)))) is known
        note = f"mean ({count} recordings: too few for an interval)"
        assert (note in as_text(paired(np.zeros(count)))) is not known
    takes = paired(np.linspace(-1, 2, 3 * FEWEST - 3))
    takes["clip"] = [
        f"5-{number % (FEWEST - 1)}-{'ABC'[number // (FEWEST - 1)]}-3.wav"
        for number in range(len(takes))
    ]
    assert (
        compare(takes, "pixelwise").loc[("a", "bin"), "FF"][["low", "high"]].isna().all()
    )  # 57 clips, 19 recordings


def test_the_interval_of_a_mean_is_that_of_the_normal_law():
    values = np.random.default_rng(0).normal(3.0, 2.0, (400, 2))
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std(0) / 20
    assert np.allclose(low, values.mean(0) - half, atol=0.03)
    assert np.allclose(high, values.mean(0) + half, atol=0.03)
    values[:, 1] = np.nan
    values[:200, 0] = np.nan
    low, high = bootstrap_interval(values)
    assert np.isnan([low[1], high[1]]).all()
    assert high[0] - low[0] == pytest.approx(2 * 1.96 * np.nanstd(values[:, 0]) / 200**0.5, rel=0.1)


@pytest.mark.parametrize("level", [0.95, 0.997])
@pytest.mark.parametrize("law", sorted(LAWS))
def test_the_interval_is_that_of_scipy(law, level):
    """Of the same draws; scipy's percentile method gives what was given before."""
    values = LAWS[law][0](np.random.default_rng(11), 57)
    draws = bootstrap_means(values[:, None])[:, 0]
    theirs = {}
    for method in ("BCa", "percentile"):
        result = scipy.stats.bootstrap(
            (values,),
            np.mean,
            n_resamples=0,
            bootstrap_result=SimpleNamespace(bootstrap_distribution=draws),
            confidence_level=level,
            method=method,
        )
        theirs[method] = list(result.confidence_interval)
    low, high = bootstrap_interval(values[:, None], level=level)
    assert [low[0], high[0]] == pytest.approx(theirs["BCa"], rel=1e-9)
    assert theirs["BCa"] != pytest.approx(theirs["percentile"], rel=1e-3)


def test_an_interval_of_equal_values_is_the_value():
    values = np.full((30, 3), [0.1, 0.0, -7.3])
    low, high = bootstrap_interval(values)
    assert low.tolist() == high.tolist() == pytest.approx([0.1, 0.0, -7.3])
    # One clip differs: the interval has a width and holds the mean.
    values[0] += 1.0
    low, high = bootstrap_interval(values)
    assert (low < values.mean(0)).all()
    assert (values.mean(0) < high).all()


def test_a_p_value_is_where_the_interval_ends_at_zero():
    random = np.random.default_rng(12)
    values = random.exponential(1.0, (57, 6)) - [0.7, 0.8, 0.9, 1.1, 1.2, 1.3]
    for number, p_value in enumerate(bootstrap_p_values(values)):
        low, high = percentile_interval(values[:, [number]], level=1 - p_value)
        assert min(abs(low[0]), abs(high[0])) < 0.02, number
    normal = random.normal(0.2, 1.0, (200, 3))
    law = scipy.stats.ttest_1samp(normal, 0.0).pvalue
    assert bootstrap_p_values(normal) == pytest.approx(law, rel=0.3, abs=0.002)
    assert np.isnan(bootstrap_p_values(np.ones((FEWEST - 1, 1)))).all()
    assert np.isnan(percentile_interval(np.ones((FEWEST - 1, 1)))).all()
    constant = bootstrap_p_values(np.full((30, 3), [0.2, 0.0, -0.2]), draws=999)
    assert constant.tolist() == pytest.approx([0.002, 1.0, 0.002])


def test_differences_of_nothing_are_rarely_significant_in_narrow_tails():
    """Few clips differ, in either direction: BCa follows the sample's skewness, percentiles not."""
    random = np.random.default_rng(3)
    values = random.choice([-1.0, 0.0, 1.0], p=[0.05, 0.9, 0.05], size=(57, 1000))
    assert (bootstrap_p_values(values, draws=8000) <= 0.004).mean() <= 0.015
    low, high = bootstrap_interval(values, draws=8000, level=0.996)
    assert ((low > 0) | (high < 0)).mean() >= 0.025


def test_holm_by_hand():
    """Sorted 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1, never falling."""
    assert holm(np.array([0.01, 0.04, np.nan, 0.03, 0.005])).tolist() == pytest.approx(
        [0.03, 0.06, np.nan, 0.06, 0.02], nan_ok=True
    )
    assert holm(np.array([0.7, 0.6])).tolist() == [1.0, 1.0]


@pytest.mark.torture
@pytest.mark.parametrize("law", sorted(LAWS))
def test_intervals_of_skewed_scores_cover_the_truth(law):
    """See docs/scores.md for the figures; 5 % of the intervals should miss."""
    samples = torture(150, 4000)
    for count, least in ((20, 0.86), (57, 0.90), (200, 0.93)):
        shares = coverage(law, count, samples)
        # Three standard errors of a share near 0.9.
        error = 3 * (0.09 / samples) ** 0.5
        assert least - error <= shares["BCa"] <= 0.95 + error
        assert shares["BCa"] >= shares["percentiles"] - 0.02


def test_recordings_are_drawn_not_clips():
    """Equal takes of one recording count once; clips of other recordings are independent."""
    assert [esc50_recording(name) for name in ("1-977-A-39.ogg", "5-977-C-0")] == ["977", "977"]
    for other in ("1-977-A-39.ogg.wav", "a-b", "rain 5-1-A-0.wav"):
        assert esc50_recording(other) == other
    values = np.random.default_rng(4).normal(0, 1, (40, 2))
    takes = [f"5-{number}-{take}-3.wav" for take in "ABC" for number in range(40)]
    once = bootstrap_interval(values)
    recordings = [esc50_recording(clip) for clip in takes]
    assert np.allclose(bootstrap_interval(np.tile(values, (3, 1)), recordings), once)
    alone = bootstrap_interval(np.tile(values, (3, 1)), [f"{number}.wav" for number in range(120)])
    assert alone[1] - alone[0] == pytest.approx((once[1] - once[0]) / 3**0.5, rel=0.1)
    often = pd.concat(
        [paired(values[:, 0]).assign(clip=takes[40 * take : 40 * take + 40]) for take in range(3)]
    )
    assert np.allclose(compare(often, "pixelwise"), compare(paired(values[:, 0]), "pixelwise"))


def test_recordings_come_from_their_column():
    """Names of one's own clips say nothing of their recordings; the column does."""
    rows = paired(np.random.default_rng(5).normal(0, 1, 60))
    names = [f"{number:02}.wav" for number in range(60)]
    rows = rows.assign(clip=names, recording=[f"day {number // 3}" for number in range(60)])
    as_clips = rows.drop(columns="recording")
    widths = []
    for table in (rows, as_clips):
        difference = compare(table, "pixelwise").loc[("a", "bin"), "FF"]
        widths.append(difference["high"] - difference["low"])
    low, high = bootstrap_interval(
        (rows["FF"] - rows["FF_pixelwise"]).to_numpy()[:, None], rows["recording"].tolist()
    )
    assert widths[0] == pytest.approx(high[0] - low[0])
    assert widths[0] != pytest.approx(widths[1])
    assert recordings_by_clip(rows)["59.wav"] == "day 19"
    few = rows.assign(recording=[f"day {number % (FEWEST - 1)}" for number in range(60)])
    assert compare(few, "pixelwise").loc[("a", "bin"), "FF"][["low", "high"]].isna().all()


def test_old_results_are_brought_up_to_date(tmp_path):
    clips = ["5-9032-A-0.ogg", "5-9032-B-0.ogg", "dog.wav"]
    old = pd.DataFrame(dict.fromkeys(COLUMNS, 0.5), index=range(3))
    old = old.assign(clip=clips, status="ok", protocol=["sound", "published", "sound"])
    new = old.assign(protocol="corrected", recording=["x", "y", ""])
    for name, table in (("old", old), ("new", new)):
        folder = tmp_path / name / "mel" / "mel_clean" / "lime"
        folder.mkdir(parents=True)
        table.to_csv(folder / "metrics.csv", index=False)
    read = read_results(tmp_path / "old")
    columns = read.columns.tolist()
    assert columns[columns.index("clip") + 1] == "recording"
    assert read["recording"].tolist() == ["9032", "9032", "dog.wav"]
    assert read["protocol"].tolist() == ["corrected", "published", "corrected"]
    assert recordings_by_clip(read_results(tmp_path / "new")) == dict(
        zip(clips, ["x", "y", "dog.wav"], strict=True)
    )


def test_clips_are_drawn_not_rows():
    """Equal rows of each clip count once."""
    once = paired(np.random.default_rng(3).normal(0, 1, 40))
    often = pd.concat([once.assign(mask=mask) for mask in MASKS])
    assert np.allclose(
        compare(often, "pixelwise", ["method"]), compare(once, "pixelwise", ["method"])
    )


def test_groups_without_what_is_compared_are_left_out():
    rows = pd.concat(
        [paired(np.zeros(5)), paired(np.zeros(5)).assign(method="b", FF_pixelwise=np.nan)]
    )
    assert compare(rows, "pixelwise").index.tolist() == [("a", "bin")]
    audio = paired(np.zeros(5), "audio")
    both = pd.concat([rows, audio])
    assert compare(both, "features", ["method", "mask", "on"]).index.tolist() == [("a", "bin")]
    curves = both.assign(deletion=np.where(both["on"] == "features", 0.5, np.nan))
    text = as_text(curves, ["method", "mask", "on"])
    assert "nan" not in text
    heads, *lines = (line.split() for line in text.splitlines()[:4])
    by_place = {cells[2]: cells[heads.index("deletion")] for cells in lines}
    assert by_place == {"audio": "-", "features": "0.500*"}


def test_audio_is_compared_with_features_clip_by_clip():
    features, audio = paired(np.zeros(20)), paired(np.zeros(20), "audio")
    audio["FF"] = features["FF"] - 0.5
    both = pd.concat([audio.sample(frac=1, random_state=0), features])  # in another order
    assert compare(both, "features").loc[("a", "bin"), "FF"].tolist() == pytest.approx(
        [-0.5, -0.5, -0.5]
    )
    table = summarise(both)
    assert table.index.tolist() == [
        ("audio", "a", "bin"),
        ("features", "a", "bin"),
    ]  # never averaged together
    text = as_text(both)
    assert "On audio minus on features" in text
    assert text.count("Minus the null") == 1
    assert "-0.50 [-0.50, -0.50]" in text


def test_curves_are_marked_by_their_own_directions():
    text = as_text(rows(deletion=[0.1, 0.1, 0.4, 0.4], insertion=[0.2, 0.2, 0.3, 0.3]))
    first, second = text.splitlines()[1:]
    assert "0.100*" in first
    assert "0.300*" in second
    assert "0.200*" not in first

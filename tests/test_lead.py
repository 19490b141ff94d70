"""What a terminal shows first of results: the forest plot as text and one small table."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from audiointerp.errors import ArgumentError, AudioInterpError
from audiointerp.interpretation import NULLS as NULL_NAMES
from audiointerp.metrics import METRICS, evaluate
from audiointerp.paper.example import example_rows
from audiointerp.scoring import Difference
from audiointerp.tables import (
    as_text,
    best_null_differences,
    binary_masks,
    compare,
    forest_text,
    lead_of,
    lead_text,
    soft_masks,
    summarise,
)
from audiointerp.tables.bootstrap import FEWEST
from audiointerp.tables.lead import leading_rows
from audiointerp.tables.plain_text import means_as_text

NULLS = {f"{name}_smooth": 0.5 for name in ("FF", "FidIn", "AD")}


def line(mean, low=np.nan, high=np.nan, certain=False, row="lime", panel="FF"):
    return Difference(panel, row, "silence, on audio", mean, low, high, certain)


def test_a_forest_plot_by_hand():
    lines = [line(0.5, 0.25, 0.75, True, "gradcam"), line(-0.25, -0.5, 0.25, False)]
    # 11 characters from -0.5 to 0.75: an eighth each.
    assert forest_text(lines, 11).splitlines() == [
        "FF",
        "  gradcam      | --*--  +0.50 [+0.25, +0.75]",
        "  lime     --o-|--      -0.25 [-0.50, +0.25]",
    ]


def test_a_line_without_an_interval_is_a_mark_and_a_number():
    (_, drawn) = forest_text([line(0.2)], 5).splitlines()
    assert drawn == "  lime  |   o  +0.20"


def test_lines_all_at_zero_are_drawn():
    assert (
        forest_text([line(0.0, 0.0, 0.0)], 5).splitlines()[1]
        == "  lime  o      +0.00 [+0.00, +0.00]"
    )


@given(
    st.lists(
        st.tuples(*[st.integers(-9999, 9999).map(lambda number: number / 100)] * 3).map(sorted),
        min_size=1,
        max_size=5,
    ),
    st.integers(3, 60),
)
def test_marks_stand_in_their_order_and_within_the_width(triples, width):
    lines = [line(mean, low, high, True) for low, mean, high in triples]
    drawn = forest_text(lines, width).splitlines()[1:]
    for text, (low, mean, high) in zip(drawn, triples, strict=True):
        plot = text[len("  lime  ") :][:width]
        assert len(plot) == width
        mark = plot.index("*")
        # Where it stands on 0, the mark hides it.
        zero = plot.find("|")
        assert zero in (-1, mark) or (mark > zero) == (mean > 0)
        interval = [index for index, sign in enumerate(plot) if sign in "-*"]
        assert interval[0] <= mark <= interval[-1]
        ends = [0.0, *(end for each in triples for end in (each[0], each[2]))]
        # A column of the plot is as wide as its rounding; 0 may hide an end.
        column = (max(ends) - min(ends)) / (width - 1)
        assert abs((interval[-1] - interval[0]) * column - (high - low)) <= 2.001 * column


def test_the_lead_is_short_and_says_what_it_shows():
    experiments = ["mel_horse", "mel_clean"]
    rows = example_rows(experiments, on=["features", "audio"], clips=30).assign(**NULLS)
    text = lead_text(rows)
    assert text.splitlines()[:2] == ["mel, mel_clean, corrected, silence, audio", "30 recordings"]
    assert len(text.splitlines()) < 40
    assert "Also in these results: experiment mel_horse; on features." in text
    assert text.index("FF\n") < text.index("FidIn\n") < text.index("Means over 2 0/1 masks")
    clean = leading_rows(rows)
    means = clean.groupby("method")["FF"].mean()
    assert f"{means['lime']:.3f}" in text


def test_of_few_recordings_it_says_so_and_nothing_is_nan():
    text = lead_text(example_rows(clips=FEWEST - 1).assign(**NULLS))
    assert f"{FEWEST - 1} recordings: too few for an interval" in text
    assert "nan" not in text.lower()
    assert "[" not in text
    assert "*" not in text.split("Means")[0].replace("* differs", "")


def test_background_leads_before_silence():
    rows = example_rows()
    both = pd.concat([rows, rows.assign(fill="background")])
    assert set(leading_rows(both)["fill"]) == {"background"}


def test_rows_of_score_lead_too_and_without_nulls_it_says_so():
    rows = example_rows().drop(columns=["experiment", "transform", "network"])
    rows = rows[[name for name in rows if not str(name).endswith(tuple(NULL_NAMES))]]
    text = lead_text(rows)
    assert "These results have no nulls: whether a method beats chance is not known." in text
    assert "Means over 2 0/1 masks" in text


def test_of_soft_masks_alone_sparseness_is_shown():
    text = lead_text(example_rows(masks=["minmax", "sigmoid"]).assign(**NULLS))
    assert "These results have no 0/1 masks" in text
    assert "Means over 2 masks" in text
    assert "SPS" in text


def test_a_soft_mask_of_ones_own_is_not_counted_among_0_1_masks():
    """It is known by its scores, whatever its name is; its values lower every level."""
    rows = example_rows(clips=30).assign(**NULLS)
    hard = rows[rows["mask"] == "bin"]
    mine = hard.assign(mask="mine", SPS=0.4, AREA=0.4, FF=0.0, FidIn=0.0)
    both = pd.concat([hard, mine], ignore_index=True)
    assert soft_masks(both) == {"mine"}
    assert best_null_differences(both) == best_null_differences(hard)
    assert lead_text(both) == lead_text(hard)
    assert "These results have no 0/1 masks" in lead_text(mine)
    assert soft_masks(both.drop(columns=["SPS", "COMP"])) == set()
    assert soft_masks(rows.assign(mask="sigmoid").drop(columns=["SPS"])) == {"sigmoid"}


def test_what_the_protocol_scores_by_default_leads():
    rows = example_rows(on=["audio", "features"])
    every = pd.concat([rows.assign(fill=fill) for fill in ("background", "silence")])
    published = every.assign(protocol="published")
    assert set(leading_rows(published)[["fill", "on"]].itertuples(index=False, name=None)) == {
        ("silence", "features")
    }
    # The corrected protocol leads before the published one, and by its own defaults.
    first = leading_rows(pd.concat([published, every]))
    assert set(first[["protocol", "fill", "on"]].itertuples(index=False, name=None)) == {
        ("corrected", "background", "audio")
    }


def test_without_a_scored_clip_it_is_an_error():
    with pytest.raises(AudioInterpError, match="no clip was scored"):
        lead_text(example_rows().assign(status="error"))


def rows_of(masks):
    """Rows with the real scores of masks, by name."""
    probs = torch.tensor([[0.25, 0.75]])
    rows = []
    for name, mask in masks.items():
        scores = evaluate(probs, probs, probs, torch.tensor([1]), mask)
        values = {key: float(value) for key, value in scores.items()}
        rows.append({"mask": name, **values})
    return pd.DataFrame(rows).assign(
        method="lime", clip="a", status="ok", on="features", protocol="corrected"
    )


@given(st.floats(0.02, 0.98), st.integers(0, 100))
def test_masks_of_zeros_and_ones_are_known_by_their_scores(share, seed):
    noise = torch.rand(1, 1, 16, 20, generator=torch.Generator().manual_seed(seed))
    hard = (noise < share).float()
    if 0 < hard.mean() < 1:
        rows = rows_of({"hard": hard, "soft": noise, "empty": torch.zeros_like(noise)})
        assert binary_masks(rows) == {"hard"}


def test_of_0_1_masks_one_number_is_shown_once():
    noise = torch.rand(1, 1, 16, 20, generator=torch.Generator().manual_seed(0))
    hard = rows_of({"hard": (noise < 0.3).float(), "harder": (noise < 0.1).float()})
    heads = as_text(hard).splitlines()[0].split()
    assert {"SPS", "COMP", "nCOMP"} <= METRICS.keys()
    assert not {"SPS", "COMP", "nCOMP"} & set(heads)
    assert "AREA" in heads
    mixed = as_text(rows_of({"hard": (noise < 0.3).float(), "soft": noise})).splitlines()
    column = mixed[0].split().index("SPS")
    by_mask = {row.split()[1]: row.split()[column] for row in mixed[1:3]}
    assert by_mask["hard"] == "-"
    assert float(by_mask["soft"].strip("*")) > 0


def test_an_undefined_mean_is_a_dash():
    table = pd.DataFrame({"COMP": [np.nan, 2.0]}, index=pd.Index(["a", "b"], name="method"))
    assert [row.split()[1] for row in means_as_text(table).splitlines()[1:]] == ["-", "2.000*"]


def test_the_folds_of_a_cross_validation_lead_together():
    rows = example_rows(clips=30).assign(**NULLS)
    networks = {clip: f"network {number % 5}" for number, clip in enumerate(rows["clip"].unique())}
    by_fold = rows.assign(network=rows["clip"].map(networks))
    before, networks, after = lead_text(by_fold).partition("The intervals are over recordings")
    assert networks
    _, table, means = after.split("\n\n", 2)
    assert before + means == lead_text(rows)
    assert table.split()[:4] == ["method", "FF", "FidIn", "AD"]
    assert table.count("of 5: ") == 3 * rows["method"].nunique()
    assert "\n30 recordings\n" in lead_text(by_fold)


def test_a_first_clip_that_failed_is_counted_and_changes_nothing_else():
    rows = example_rows(clips=5).assign(**NULLS)
    failed = rows.head(1).assign(clip="broken.wav", status="error", fill="", on="", mask="")
    said = "\n\n1 of 6 clips could not be scored."
    assert lead_text(pd.concat([failed, rows])) == lead_text(rows) + said


def test_the_lead_as_values_is_the_text():
    rows = example_rows(clips=30).assign(**NULLS)
    lead = lead_of(rows)
    text = lead_text(rows)
    assert text.startswith(lead.heading)
    assert forest_text(lead.differences) in text
    assert means_as_text(lead.shown_means) in text
    assert all(note in text for note in lead.notes)
    assert lead.shown_means["clips"].tolist() == [30] * len(lead.shown_means)


def test_rows_of_several_settings_are_not_averaged():
    rows = example_rows(clips=30)
    shifted = rows.assign(FF=rows["FF"] + 0.4)
    for column, value in (("protocol", "published"), ("experiment", "mel_white")):
        both = pd.concat([rows, shifted.assign(**{column: value})])
        with pytest.raises(ArgumentError, match=f"rows of several values of '{column}'"):
            best_null_differences(both)
        summaries = summarise(both)
        assert summaries.index.names == [column, "method", "mask"]
        alone = summarise(rows)
        pd.testing.assert_frame_equal(summaries.xs(rows[column].iloc[0]), alone)
        assert compare(both, "smooth").index.names == [column, "method", "mask"]

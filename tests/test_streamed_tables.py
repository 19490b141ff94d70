"""Tables that are read shard by shard: those of the rows in memory."""

import shutil

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("pyarrow", reason="needs pyarrow (the extra scale)")

import pyarrow as pa
import pyarrow.parquet as pq
from many_rows import write_made

from audiointerp.errors import ArgumentError, AudioInterpError
from audiointerp.tables import (
    as_text,
    lead_text,
    open_parts,
    page_scores,
    parts_of_methods,
    read_results,
    read_runs,
    recording_sums,
    streamed_lead_text,
    streamed_page_scores,
    streamed_summary,
    summarise,
)
from audiointerp.tables.best_null import best_null_differences
from audiointerp.tables.group_sums import Distinct
from audiointerp.tables.recording_sums import RecordingSums

# Four 0/1 masks, so that the mean over them is exact, too.
MASKS = ["bin", "topK_30", "topK_5", "minmax", "mine"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Made results of 90 clips of 30 recordings in shards of 8, which cut recordings in two."""
    folder = tmp_path_factory.mktemp("made")
    write_made(folder, 90, 3, MASKS, 3, shard_size=8, errors=(4, 17, 18, 19, 20))
    return folder


@pytest.fixture(scope="module")
def rows(root):
    return read_results(root)


def test_the_lead_is_that_of_rows_in_memory(root, rows):
    text = lead_text(rows)
    assert "5 of 90 clips could not be scored" in text
    assert text.count("*") > 6
    assert streamed_lead_text(open_parts(root)) == text


def test_differences_and_intervals_are_equal_to_the_last_bit(root, rows, monkeypatch):
    kept = []
    monkeypatch.setattr("audiointerp.tables.streamed.Lead.text", lambda lead: kept.append(lead))
    streamed_lead_text(open_parts(root))
    expected = best_null_differences(rows[rows["mask"] != "minmax"])
    assert len(kept[0].differences) == 9
    assert kept[0].differences == expected


@pytest.mark.parametrize(
    "by", [("method", "mask"), ("mask",), ("method",), ("experiment", "correct", "method")]
)
def test_means_are_equal_to_the_last_bit(root, rows, by):
    expected = summarise(rows, by)
    table, text = streamed_summary(open_parts(root), by)
    pd.testing.assert_frame_equal(
        table.reset_index(), expected.reset_index(), check_exact=True, check_dtype=False
    )
    assert as_text(rows, by).startswith(text)


def test_groups_of_recordings_have_nearly_the_intervals_of_recordings(monkeypatch):
    """Of 3000 recordings of up to three clips: drawn one by one, and in 400 groups."""
    random = np.random.default_rng(5)
    recordings = np.repeat(np.arange(3000), random.integers(1, 4, 3000))
    effects = random.normal(0.02, 0.3, 3000)[recordings]
    clips = pd.DataFrame(
        {
            "clip": [f"{number:06d}" for number in range(len(recordings))],
            "recording": recordings.astype(str),
            "FF": effects + random.normal(0, 0.2, len(recordings)),
        }
    ).set_index(["clip", "recording"])
    found = []
    for most in (4096, 400):
        monkeypatch.setattr(recording_sums, "MOST_GROUPS", most)
        sums = RecordingSums(["FF"])
        for start in range(0, len(clips), 500):
            sums.add(clips.iloc[start : start + 500])
        found.append(sums.differences("FF"))
    each, grouped = found
    assert grouped.mean() == pytest.approx(each.mean(), rel=1e-12)
    widths = [np.diff(differences.interval())[0] for differences in found]
    # The width has an error of 1 / sqrt(2 * 400) = 3.5 %, that of 2000 draws of 1.6 %.
    assert widths[1] == pytest.approx(widths[0], rel=0.12)


def test_names_are_counted_once():
    names = Distinct()
    random = np.random.default_rng(0)
    seen = set()
    for _ in range(40):
        some = random.integers(0, 50000, 5000).astype(str)
        seen |= set(some)
        names.add(pd.Series(some))
    assert len(names) == len(seen)


def test_rows_that_would_be_in_no_group_are_refused(tmp_path):
    write_made(tmp_path, 4, 1, MASKS, 1)
    (path,) = (tmp_path / "mel" / "made" / "gradcam" / "shards").glob("*.parquet")
    table = pq.read_table(path)
    number = table.schema.get_field_index("correct")
    unknown = pa.nulls(len(table), pa.bool_())
    pq.write_table(table.set_column(number, table.schema.field(number), unknown), path)
    with pytest.raises(ArgumentError, match=r"20 of 20 rows .*'correct'"):
        streamed_summary(open_parts(tmp_path), ["correct"])


def test_what_cannot_be_streamed_is_refused(root, tmp_path):
    with pytest.raises(ArgumentError, match="--by clip"):
        streamed_summary(open_parts(root), ["clip"])
    write_made(tmp_path, 4, 1, MASKS, 1)
    record = tmp_path / "mel" / "made" / "gradcam" / "run.json"
    record.write_text('{"rows": 17}')
    with pytest.raises(AudioInterpError, match=r"has 20 rows, but run\.json beside it says 17"):
        open_parts(tmp_path)
    record.unlink()
    with pytest.raises(AudioInterpError, match="not finished"):
        open_parts(tmp_path)


def test_the_command_streams_above_a_number_of_rows(root, tmp_path, call, monkeypatch):
    whole = call("tables", root, "--out", tmp_path / "whole.csv")
    monkeypatch.setattr("audiointerp.tables.result_parts.MOST_ROWS_IN_MEMORY", 10)
    streamed = call("tables", root, "--out", tmp_path / "streamed.csv")
    assert streamed.stdout.replace("streamed.csv", "whole.csv") == whole.stdout
    assert (tmp_path / "streamed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    by_method = call("tables", root, "--by", "method")
    assert "groups have means alone" in by_method.stdout


@pytest.mark.parametrize("most_rows", [10, 10_000])
def test_the_command_names_what_is_not_finished(root, tmp_path, call, monkeypatch, most_rows):
    monkeypatch.setattr("audiointerp.tables.result_parts.MOST_ROWS_IN_MEMORY", most_rows)
    results = shutil.copytree(root, tmp_path / "results")
    assert "missing" not in call("tables", results).stdout
    (results / "mel" / "made" / "lime" / "clips").mkdir(parents=True)
    for arguments in ((), ("--by", "method")):
        last = call("tables", results, *arguments).stdout.splitlines()[-1]
        assert last == "missing: made: lime is not finished (no metrics.csv yet)"


def test_of_soft_masks_alone_chance_is_not_known(tmp_path):
    write_made(tmp_path, 40, 2, ["minmax", "sigmoid"], 1, shard_size=16)
    text = lead_text(read_results(tmp_path))
    assert "These results have no 0/1 masks" in text
    assert streamed_lead_text(open_parts(tmp_path)) == text


def test_a_mask_that_is_soft_in_another_experiment_counts_where_it_is_not(tmp_path):
    """What is soft is known by the setting that is shown, as of rows in memory."""
    write_made(tmp_path, 40, 2, ["bin", "mine"], 1, shard_size=16)
    shutil.copytree(tmp_path / "mel" / "made", tmp_path / "mel" / "other")
    for path in (tmp_path / "mel" / "other").rglob("*.parquet"):
        rows = pq.read_table(path)
        place = rows.schema.get_field_index("SPS")
        rows = rows.set_column(place, rows.schema.field("SPS"), pa.array([0.9] * len(rows)))
        pq.write_table(rows, path)
    text = lead_text(read_results(tmp_path))
    assert "Means over 2 0/1 masks" in text
    assert streamed_lead_text(open_parts(tmp_path)) == text


@pytest.mark.parametrize("mask", ["topK_30", "minmax", "absent"])
def test_the_scores_of_a_page_are_those_of_rows_in_memory(root, mask):
    folders = sorted((root / "mel" / "made").iterdir())
    expected = page_scores(read_runs(folders), mask)
    assert "intervals over 29 recordings" in expected.lead[2]
    assert len(expected.differences) == 9
    assert len(expected.everything[1]) == 3 * len(MASKS)
    assert streamed_page_scores(parts_of_methods(folders), mask) == expected


def test_the_differences_of_a_page_are_by_fill_and_place(tmp_path):
    write_made(tmp_path, 60, 2, MASKS, 2, shard_size=16)
    folders = sorted((tmp_path / "mel" / "made").iterdir())
    for number, path in enumerate(sorted(tmp_path.rglob("*.parquet"))):
        rows = pq.read_table(path).to_pandas()
        rows["on"] = np.where(np.arange(len(rows)) // 5 % 2 == 0, "audio", "features")
        rows["FF"] += number / 64 * (rows["on"] == "audio")
        table = pa.Table.from_pandas(rows, pq.read_schema(path), preserve_index=False)
        pq.write_table(table, path)
    expected = page_scores(read_runs(folders), "bin")
    assert {line.group for line in expected.differences} == {
        "background, on audio",
        "background, on features",
    }
    assert streamed_page_scores(parts_of_methods(folders), "bin") == expected

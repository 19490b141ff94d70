"""The tables of the paper that are read shard by shard: those of the rows in memory."""

import json

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("pyarrow", reason="needs pyarrow (the extra scale)")

import pyarrow as pa
import pyarrow.parquet as pq
from many_rows import write_made

from audiointerp.errors import AudioInterpError
from audiointerp.paper import paper_of
from audiointerp.tables import (
    SummedCells,
    clip_names,
    condensed_rows,
    open_parts,
    read_results,
    sums_of_values,
    table_as_text,
)

MASKS = ["bin", "minmax"]
FAILED = (4, 17, 18)


def on_both(rows, change, random):
    """Score rows on features, too; a third of the clips is wrongly classified."""
    ok = rows["status"] == "ok"
    number = rows["clip"].str.split().str[1].astype(int)
    rows["correct"] = (number % 3 > 0).where(ok, rows["correct"])
    rows["FF"] += change
    features = rows[ok].assign(on="features")
    # Multiples of 1/64, so that sums are exact in any order.
    features["AD"] = random.integers(0, 64, len(features)) / 64
    return pd.concat([rows, features])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Clean and noisy clips, 75 of 25 recordings, in shards of 8, which cut recordings in two."""
    folder = tmp_path_factory.mktemp("made")
    random = np.random.default_rng(3)
    for number, name in enumerate(["mel_clean", "mel_horse"]):
        write_made(folder, 75, 2, MASKS, 3, shard_size=8, errors=FAILED)
        (folder / "mel" / "made").rename(folder / "mel" / name)
        for method in sorted((folder / "mel" / name).iterdir()):
            rows = 0
            for path in sorted(method.rglob("*.parquet")):
                made = on_both(pq.read_table(path).to_pandas(), number / 64, random)
                made.loc[made["status"] != "ok", "stage"] = "read"
                schema = pq.read_schema(path)
                pq.write_table(pa.Table.from_pandas(made, schema, preserve_index=False), path)
                rows += len(made)
            record = {"rows": rows, "network_sha256": "made", "labels": ["wren"]}
            (method / "run.json").write_text(json.dumps(record))
    return folder


def in_parts(monkeypatch):
    monkeypatch.setattr("audiointerp.tables.result_parts.MOST_ROWS_IN_MEMORY", 10)


@pytest.fixture(scope="module")
def papers(root):
    """The tables with the rows in memory, and shard by shard."""
    in_memory = paper_of(root, published=True)
    with pytest.MonkeyPatch.context() as patch:
        # Both ways draw alike, however often.
        patch.setattr("audiointerp.tables.cell_sums.DRAWS", 200)
        assert in_memory.tables
        in_parts(patch)
        streamed = paper_of(root, published=True)
        assert streamed.tables
        return in_memory, streamed


def test_all_tables_are_those_of_rows_in_memory(papers):
    expected, streamed = papers
    texts = [table_as_text(table) for table in expected.tables]
    assert {table.name.split("_")[0] for table in expected.tables} == {
        *("summary", "masks", "methods", "noise", "audio")
    }
    assert sum("[" in text for text in texts) > 20
    assert any("failed on 3 of 75 clips (read" in line for line in expected.lacking)
    assert len(streamed.rows) < len(expected.rows) / 4
    assert [table_as_text(table) for table in streamed.tables] == texts
    assert streamed.notes == expected.notes
    assert streamed.lacking == expected.lacking


def test_numbers_are_equal_to_the_last_bit(papers):
    expected, streamed = (paper.conditions for paper in papers)
    assert [each.title for each in streamed] == [each.title for each in expected]
    assert len(expected) == 12
    for each, other in zip(streamed, expected, strict=True):
        assert each.network == other.network == "made"
        for name, statistics in other.scores.items():
            pd.testing.assert_frame_equal(each.scores[name], statistics, check_exact=True)
        averages = each.averages("method", each.cells)["FF"]
        pd.testing.assert_frame_equal(
            averages, other.averages("method", other.cells)["FF"], check_exact=True
        )


def test_one_place_alone_is_shown(root, monkeypatch):
    in_parts(monkeypatch)
    conditions = paper_of(root, on="audio").conditions
    assert len(conditions) == 6
    assert {each.on for each in conditions} == {"audio"}


def test_some_methods_of_an_experiment_alone_are_shown(root, monkeypatch):
    method = read_results(root)["method"].iloc[0]
    chosen = {"experiments": ["mel_horse"], "methods": [method], "kinds": ["summary"]}
    expected = paper_of(root, **chosen)
    texts = [table_as_text(table) for table in expected.tables]
    in_parts(monkeypatch)
    streamed = paper_of(root, **chosen)
    assert [table_as_text(table) for table in streamed.tables] == texts
    assert set(streamed.rows["method"]) == {method}
    assert streamed.lacking == expected.lacking


def test_the_command_streams(root, tmp_path, call, monkeypatch):
    choice = ("--kinds", "summary", "--on", "audio", "--formats", "csv,text")
    arguments = ("tables", root, *choice, "--out")
    whole = call(*arguments, tmp_path / "whole")
    in_parts(monkeypatch)
    streamed = call(*arguments, tmp_path / "streamed")
    assert streamed.stdout.replace("streamed", "whole") == whole.stdout
    files = sorted((tmp_path / "whole").rglob("*.*"))
    assert len(files) > 5
    for path in files:
        same = tmp_path / "streamed" / path.relative_to(tmp_path / "whole")
        assert same.read_bytes() == path.read_bytes()


def test_what_is_kept_does_not_grow_with_the_clips(root):
    kinds, clips = condensed_rows(open_parts(root))
    rows = read_results(root)
    scored = kinds[kinds["status"] == "ok"]
    # Experiments, methods, places, masks, and whether the clip is correctly classified.
    assert len(scored) == 2 * 2 * 2 * 2 * 2
    assert len(kinds) - len(scored) == (rows["status"] != "ok").sum()
    assert clips.of("mel", "mel_horse").equals(clip_names(rows).of("mel", "mel_horse"))
    assert len(clips.of()) == rows["clip"].nunique()


def test_recordings_in_groups_keep_the_means_and_nearly_the_intervals(monkeypatch):
    random = np.random.default_rng(5)
    recordings = np.repeat(np.arange(900), random.integers(1, 4, 900))
    rows = pd.DataFrame({"clip": [f"{number:05d}" for number in range(len(recordings))]})
    rows["recording"] = recordings.astype(str)
    rows["method"] = rows["mask"] = "bin"
    rows["FF"] = random.normal(0.02, 0.3, 900)[recordings] + random.normal(0, 0.2, len(rows))
    cells = pd.MultiIndex.from_tuples([("bin", "bin")])
    values = rows.set_index(["clip", "recording"])[["FF"]].set_axis(cells, axis=1)
    each = sums_of_values(values)
    monkeypatch.setattr("audiointerp.tables.recording_sums.MOST_GROUPS", 300)
    monkeypatch.setattr("audiointerp.tables.cell_sums.MOST_GROUPS", 300)
    summed = SummedCells(["FF"])
    for start in range(0, len(rows), 200):
        summed.add(rows.iloc[start : start + 200])
    assert summed.are_groups
    grouped = summed.of("FF", [("bin", "bin")])
    assert grouped.means() == pytest.approx(each.means(), rel=1e-12)
    assert grouped.counts.sum() == len(rows)
    widths = [np.subtract(*sums.intervals())[0] for sums in (grouped, each)]
    # The width has an error of 1 / sqrt(2 * 300) = 4 %, that of 2000 draws of 1.6 %.
    assert widths[0] == pytest.approx(widths[1], rel=0.15)


def test_shards_of_other_clips_are_not_compared(root, tmp_path, monkeypatch):
    for name in ("mel_clean", "mel_horse"):
        write_made(tmp_path, 8, 1, MASKS, 1, shard_size=8 if name == "mel_clean" else 4)
        (tmp_path / "mel" / "made").rename(tmp_path / "mel" / name)
    in_parts(monkeypatch)
    paper = paper_of(tmp_path)
    assert paper.of_kind("noise")
    with pytest.raises(AudioInterpError, match="name --kinds without noise_differences"):
        paper.of_kind("noise_differences")


def test_a_row_that_is_there_twice_is_refused(root, tmp_path, monkeypatch):
    write_made(tmp_path, 8, 1, MASKS, 1)
    (path,) = tmp_path.rglob("*.parquet")
    rows = pq.read_table(path)
    pq.write_table(pa.concat_tables([rows, rows.slice(0, 1)]), path)
    (path.parents[1] / "run.json").unlink()
    (path.parents[1] / "run.json").write_text(json.dumps({"rows": len(rows) + 1}))
    in_parts(monkeypatch)
    with pytest.raises(AudioInterpError, match="two rows of gradcam, bin in one condition"):
        paper_of(tmp_path, ["masks"]).of_kind("masks")

"""The tables of the paper that are read shard by shard: those of the rows in memory."""

import json
import shutil

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
    rows.loc[~ok, "stage"] = "read"
    return pd.concat([rows, features])


def rewrite(method, change):
    """Change the rows of all shards of a method."""
    count = 0
    for path in sorted(method.rglob("*.parquet")):
        rows = change(pq.read_table(path).to_pandas())
        schema = pq.read_schema(path)
        pq.write_table(pa.Table.from_pandas(rows, schema, preserve_index=False), path)
        count += len(rows)
    record = {"rows": count, "network_sha256": "made", "labels": ["wren"]}
    (method / "run.json").write_text(json.dumps(record))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Clean and noisy clips, 75 of 25 recordings, in shards of 8, which cut recordings in two."""
    folder = tmp_path_factory.mktemp("made")
    random = np.random.default_rng(3)
    for number, name in enumerate(["mel_clean", "mel_horse"]):
        write_made(folder, 75, 2, MASKS, 3, shard_size=8, errors=FAILED)
        (folder / "mel" / "made").rename(folder / "mel" / name)
        for method in sorted((folder / "mel" / name).iterdir()):
            rewrite(method, lambda rows, change=number / 64: on_both(rows, change, random))
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


def other_methods(folder):
    """The noisy clips have no method of the clean ones."""
    shutil.rmtree(folder / "mel_clean" / "gradcam")
    shutil.rmtree(folder / "mel_horse" / "saliency")


def other_places(folder):
    """One method is scored on audio alone, and the other on features alone."""
    shutil.rmtree(folder / "mel_horse")
    for method, on in (("gradcam", "audio"), ("saliency", "features")):
        rewrite(folder / "mel_clean" / method, lambda rows, on=on: rows[rows["on"].isin([on, ""])])


def other_clips_of(methods, folder):
    """Each clip failed with clean or with noisy sound."""
    for number, name in enumerate(("mel_clean", "mel_horse")):
        for method in methods:
            rewrite(folder / name / method, lambda rows, number=number: half_failed(rows, number))


def half_failed(rows, rest):
    of_clip = rows["clip"].str.split().str[1].astype(int)
    fails = (of_clip % 2 == rest) & (rows["status"] == "ok")
    rows.loc[fails, "status"] = "error"
    rows.loc[fails, "stage"] = "read"
    rows = rows[~fails | (rows["on"] == "audio")].copy()
    rows.loc[rows["status"] != "ok", ["on", "fill"]] = ""
    return rows


@pytest.mark.parametrize(
    "change",
    [
        other_methods,
        other_places,
        lambda folder: other_clips_of(["gradcam", "saliency"], folder),
        lambda folder: other_clips_of(["gradcam"], folder),
    ],
    ids=["methods", "places", "clips", "clips of a method"],
)
def test_what_has_nothing_in_common_is_as_in_memory(change, root, tmp_path, monkeypatch):
    shutil.copytree(root / "mel", tmp_path / "mel")
    change(tmp_path / "mel")
    monkeypatch.setattr("audiointerp.tables.cell_sums.DRAWS", 50)
    expected = paper_of(tmp_path)
    texts = [table_as_text(table) for table in expected.tables]
    assert len(texts) > 20
    in_parts(monkeypatch)
    streamed = paper_of(tmp_path)
    assert [table_as_text(table) for table in streamed.tables] == texts
    assert streamed.notes == expected.notes


def test_cells_without_rows_have_no_mean():
    for sums in (
        SummedCells(["FF"]).of("FF", [("lime", "bin")]),
        sums_of_values(
            pd.DataFrame(
                columns=pd.MultiIndex.from_tuples([("lime", "bin")]),
                index=pd.MultiIndex.from_arrays([[], []], names=["clip", "recording"]),
            )
        ),
    ):
        assert sums.sums.shape == (0, 1)
        for numbers in (sums.means(), *sums.intervals()):
            assert np.isnan(numbers).tolist() == [True]
    nothing = SummedCells(["FF"]).of("FF", [])
    assert [len(numbers) for numbers in (nothing.means(), *nothing.intervals())] == [0, 0, 0]


@pytest.fixture
def beside_birds(tmp_path):
    """Clean and noisy clips, and an own experiment of the same network on other clips."""
    for name, clips, size in (("mel_clean", 24, 8), ("mel_horse", 24, 8), ("birds", 40, 8)):
        write_made(tmp_path, clips, 1, MASKS, 3, shard_size=size)
        (tmp_path / "mel" / "made").rename(tmp_path / "mel" / name)
    return tmp_path


def test_an_experiment_of_other_shards_is_left_out_of_one_kind(beside_birds, monkeypatch):
    monkeypatch.setattr("audiointerp.tables.cell_sums.DRAWS", 50)
    expected = paper_of(beside_birds)
    texts = {table.name: table_as_text(table) for table in expected.tables}
    said = "birds has other clips than mel_clean: differences are of the clips that both have"
    assert said in expected.lacking
    in_parts(monkeypatch)
    paper = paper_of(beside_birds)
    (kind,) = paper.of_kind("noise_differences")
    assert set(kind.frame.index.get_level_values("experiment")) == {"mel_horse"}
    for table in paper.tables:
        if table is not kind:
            assert table_as_text(table) == texts[table.name]
    assert {table.name for table in paper.tables} == set(texts)
    said_now = (
        "birds has other shards than mel_clean, so that so many rows are not compared clip by clip"
    )
    at = expected.lacking.index(said)
    assert paper.lacking == [*expected.lacking[:at], said_now, *expected.lacking[at + 1 :]]


@pytest.mark.parametrize("change", ["size", "names"])
def test_shards_of_other_clips_are_not_compared(change, tmp_path, monkeypatch):
    for name in ("mel_clean", "mel_horse"):
        is_other = name == "mel_horse"
        write_made(tmp_path, 8, 1, MASKS, 1, shard_size=4 if is_other and change == "size" else 8)
        (tmp_path / "mel" / "made").rename(tmp_path / "mel" / name)
    if change == "names":
        rewrite(
            tmp_path / "mel" / "mel_horse" / "gradcam",
            lambda rows: rows.assign(clip="new " + rows["clip"]),
        )
        rewrite(tmp_path / "mel" / "mel_clean" / "gradcam", lambda rows: rows)
    in_parts(monkeypatch)
    paper = paper_of(tmp_path)
    assert paper.of_kind("noise")
    assert not paper.of_kind("noise_differences")
    assert sum("mel_horse has other shards than mel_clean" in line for line in paper.lacking) == 1
    clean, noisy = (each for each in paper.conditions if each.subset == "all")
    with pytest.raises(
        AudioInterpError, match=r"mel_horse, all .*: not of the same shards as mel_clean"
    ):
        noisy.differences(clean)


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

"""Packed results: the same rows with four digits, read by everything that reads results."""

import json
import shutil

import numpy as np
import pytest
from conftest import small_classifier, small_set
from hypothesis import given
from hypothesis import strategies as st

import audiointerp as ai
from audiointerp.errors import AudioInterpError
from audiointerp.paper import pack_results
from audiointerp.scoring.parquet import rounded_bits
from audiointerp.tables import read_results

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two methods on three clips."""
    out = tmp_path_factory.mktemp("results")
    clips = small_set(count=3)
    ai.run(
        "own",
        small_classifier(10),
        clips,
        ["random", "saliency"],
        out,
        masks=["topK_30", "minmax"],
        fill="silence",
        progress=False,
        attributions=False,
    )
    return out


def test_packed_rows_are_the_rows_with_four_digits(results, tmp_path):
    paths = pack_results(results, tmp_path / "packed")
    assert len(paths) == 2
    rows, packed = read_results(results), read_results(tmp_path / "packed")
    numbers = rows.select_dtypes("float64").columns
    assert rows.drop(columns=numbers).equals(packed.drop(columns=numbers))
    assert rows[numbers].isna().equals(packed[numbers].isna())
    np.testing.assert_allclose(packed[numbers], rows[numbers], rtol=6.2e-5)
    assert not packed["FF"].equals(rows["FF"]), "nothing was rounded"


def test_packing_again_changes_nothing_and_other_rows_replace_the_file(results, tmp_path):
    (path, other) = pack_results(results, tmp_path)
    before = path.stat().st_mtime_ns
    assert pack_results(results, tmp_path)[0] == path
    assert path.stat().st_mtime_ns == before
    older = path.with_name("000000000-000000002-000000000000.parquet")
    path.unlink()
    older.write_bytes(other.read_bytes())
    assert pack_results(results, tmp_path)[0] == path
    assert path.exists()
    assert not older.exists()


def test_the_same_rows_in_other_bytes_are_left_as_they_are(results, tmp_path):
    """Another pyarrow writes other bytes, and a hash of them stands in the name."""
    (path, _) = pack_results(results, tmp_path)
    older = path.with_name("000000000-000000002-000000000000.parquet")
    table = pq.read_table(path)
    path.unlink()
    pq.write_table(table, older, compression="none")
    assert pack_results(results, tmp_path)[0] == older
    assert not path.exists()
    older.write_bytes(older.read_bytes()[:-100])
    assert pack_results(results, tmp_path)[0] == path
    assert not older.exists()
    path.unlink()
    # One digit more is another row.
    place = table.column_names.index("FF")
    moved = pa.array(table["FF"].to_numpy() + np.float32(0.001), table.schema.field("FF").type)
    pq.write_table(table.set_column(place, "FF", moved), older)
    assert pack_results(results, tmp_path)[0] == path
    assert not older.exists()


def test_the_record_says_that_digits_were_dropped(results, tmp_path):
    (path, _) = pack_results(results, tmp_path)
    record = json.loads((path.parents[1] / "run.json").read_text())
    assert record["kept_bits"] == 13
    assert record["rows"] == len(read_results(tmp_path).query("method == 'random'"))


def test_a_folder_never_holds_the_same_results_twice(results, tmp_path):
    for inner in (results, results / "packed"):
        with pytest.raises(AudioInterpError, match=r"is or lies in .*; pack into another folder"):
            pack_results(results, inner)
    shutil.copytree(results, tmp_path / "copy")
    with pytest.raises(AudioInterpError, match=r"would hold the same results twice; pack into"):
        pack_results(results, tmp_path / "copy")


def test_nothing_is_written_where_one_method_cannot_be(results, tmp_path):
    (tmp_path / "mel" / "own" / "saliency").mkdir(parents=True)
    (tmp_path / "mel" / "own" / "saliency" / "metrics.csv").touch()
    with pytest.raises(AudioInterpError, match="twice"):
        pack_results(results, tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["metrics.csv"]


def test_a_damaged_table_is_refused(results, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(results, damaged)
    table = damaged / "mel" / "own" / "saliency" / "metrics.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:-1]))
    with pytest.raises(AudioInterpError, match=r"rows, but run\.json beside it says"):
        pack_results(damaged, tmp_path / "packed")
    table.write_bytes(bytes(range(256)))
    with pytest.raises(AudioInterpError, match="not a table of results"):
        pack_results(damaged, tmp_path / "packed")


def test_packed_results_are_packed_as_they_are(results, tmp_path):
    """Methods that were run in shards are results like others."""
    first = pack_results(results, tmp_path / "once")
    second = pack_results(tmp_path / "once", tmp_path / "twice")
    assert [path.read_bytes() for path in second] == [path.read_bytes() for path in first]


def test_rows_of_one_fill_alone(tmp_path, call):
    source, out = tmp_path / "source", tmp_path / "packed"
    ai.run(
        "own",
        small_classifier(10),
        small_set(count=2),
        ["random"],
        source,
        masks=["topK_30"],
        fill=["silence", "background"],
        nulls=[],
        progress=False,
        attributions=False,
    )
    assert call("pack", source, out, "--fill", "background").returncode == 0
    rows, packed = read_results(source), read_results(out)
    expected = rows[rows["fill"] == "background"].reset_index(drop=True)
    assert 0 < len(packed) < len(rows)
    assert packed["clip"].tolist() == expected["clip"].tolist()
    np.testing.assert_allclose(packed["FF"], expected["FF"], rtol=6.2e-5)
    record = json.loads((out / "mel" / "own" / "random" / "run.json").read_text())
    assert (record["kept_fill"], record["rows"]) == ("background", len(packed))
    wrong = call("pack", source, tmp_path / "other", "--fill", "blur")
    assert wrong.returncode == 1
    assert "has no rows of fill 'blur'; it has background, silence" in wrong.stderr
    assert not (tmp_path / "other").exists()
    unknown = call("pack", source, tmp_path / "other", "--fill", "blurr")
    assert "unknown fill 'blurr'" in unknown.stderr
    # Rows of all fills are not replaced by those of one; the other way round they are.
    pack_results(source, tmp_path / "all")
    with pytest.raises(AudioInterpError, match=r"holds rows of all fills, which those of silence"):
        pack_results(source, tmp_path / "all", "silence")
    with pytest.raises(AudioInterpError, match=r"holds rows of background, which those of silence"):
        pack_results(source, out, "silence")
    pack_results(source, out)
    assert len(read_results(out)) == len(rows)


def test_a_clip_that_failed_is_kept_with_any_fill(tmp_path):
    class OneDamaged(ai.EvenSubset):
        def __getitem__(self, index):
            if index == 1:
                raise AudioInterpError("damaged")
            return super().__getitem__(index)

    settings = {"masks": ["topK_30"], "on": "features", "nulls": [], "progress": False}
    clips = OneDamaged(small_set(count=3), 3)
    fills = ["silence", "background"]
    ai.run("own", small_classifier(10), clips, ["random"], tmp_path / "all", fill=fills, **settings)
    pack_results(tmp_path / "all", tmp_path / "packed", "background")
    packed = read_results(tmp_path / "packed")
    assert packed["status"].tolist() == ["ok", "error", "ok"]


def test_packing_in_a_shell(results, tmp_path, call):
    assert "packed 2 methods into" in call("pack", results, tmp_path / "small").stdout
    assert "random" in call("tables", tmp_path / "small").stdout
    assert "holds no finished results" in call("pack", tmp_path / "nothing", tmp_path / "x").stderr


@given(st.lists(st.floats(width=32, allow_subnormal=False), min_size=1))
def test_rounding_keeps_the_first_bits(values):
    values = np.array(values)
    rounded = rounded_bits(values).astype(float)
    finite = np.isfinite(values) & (np.abs(values) < 1e38)
    np.testing.assert_allclose(rounded[finite], values[finite], rtol=2.0**-13)
    assert (np.isnan(rounded) == np.isnan(values)).all()
    assert (rounded[np.isinf(values)] == values[np.isinf(values)]).all()

"""Manifests: read in parts with the rows of the whole, and each fault of one named."""

import csv
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import audiointerp.dataset.manifest as manifest_module
from audiointerp.dataset import LabelledClips, ManifestClips, load_clip
from audiointerp.dataset.manifest import open_manifest
from audiointerp.dataset.manifest_files import CsvFile
from audiointerp.errors import DatasetError
from audiointerp.experiments.fingerprint import ClipNames
from audiointerp.experiments.prepare import names_of
from audiointerp.processing import save_audio
from audiointerp.scoring import RecentClips

CHARACTERS = st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from('\n,;"\t')
CELL = st.text(CHARACTERS, max_size=9)


def written(folder, text, name="clips.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


@given(
    rows=st.lists(st.tuples(CELL, CELL), max_size=30),
    size=st.integers(1, 7),
    separator=st.sampled_from(",;\t"),
    ending=st.sampled_from(["\n", "\r\n"]),
)
def test_chunks_of_any_csv_are_its_rows(tmp_path_factory, rows, size, separator, ending):
    path = tmp_path_factory.mktemp("csv") / "clips.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=separator, lineterminator=ending, quoting=csv.QUOTE_ALL)
        writer.writerows([("one", "two"), *rows])
    file = CsvFile.open(str(path), size)
    assert [tuple(cells) for cells in file.stream(["one", "two"])] == rows
    chunks = range(-(-len(rows) // size))
    # In any order, and after the file was sent to another process.
    file = pickle.loads(pickle.dumps(file))
    parts = {number: file.read(number, ["two"]) for number in reversed(chunks)}
    assert [cells[0] for number in chunks for cells in parts[number]] == [row[1] for row in rows]


@pytest.fixture
def clips(tmp_path, monkeypatch):
    """Ten clips of five recordings, three rows to a chunk."""
    monkeypatch.setattr(manifest_module, "CHUNK", 3)
    monkeypatch.setattr("audiointerp.dataset.manifest_clips.CHUNK", 3)
    (tmp_path / "dogs").mkdir()
    lines = ["path,label,recording"]
    for number in range(10):
        wav = torch.full((1, 1, 80 + number), 0.1)
        save_audio(tmp_path / "dogs" / f"{number}.wav", wav, 8000)
        lines.append(f"dogs/{number}.wav,{'cat' if number % 2 else 'dog'},{number // 2}")
    (tmp_path / "dogs" / "7.wav").write_bytes(b"no sound")
    return written(tmp_path, "\n".join(lines))


FORM = {"sample_rate": 8000, "duration": 0.02}


def test_clips_are_those_of_the_table(clips):
    one, other = ManifestClips(clips, **FORM), LabelledClips.open(clips, **FORM)
    assert len(one) == len(other)
    assert one.labels == other.labels
    for index in (9, 0, 5, *range(10)):
        loaded, same = load_clip(one, index), load_clip(other, index)
        assert loaded.sha256 == same.sha256
        assert (loaded.name, loaded.recording, loaded.label) == (
            same.name,
            same.recording,
            same.label,
        )
        assert str(loaded.error) == str(same.error)
        assert one.targets(index) == other.targets(index)
    recents = [RecentClips(data) for data in (one, other)]
    for index in range(10):
        assert recents[0].other_index(index) == recents[1].other_index(index)
    assert one.manifest.names_sha256 == ClipNames.of(names_of(other)).sha256
    with pytest.raises(IndexError, match="10 clips"):
        one.clip_id(10)


def test_few_rows_are_in_memory(clips):
    dataset = ManifestClips(clips, **FORM)
    for index in range(10):
        dataset.clip_id(index)
    assert sum(map(len, dataset._chunks.values())) <= 9


def test_urls_are_read_like_paths(clips, tmp_path):
    """Through fsspec's own file system, which is not the one of paths."""
    text = clips.read_text().replace("dogs/1.wav", f"file://{tmp_path}/dogs/1.wav")
    text = text.replace("path,label,recording", "path,label,recording,id")
    lines = text.splitlines()
    ids = [lines[0], *(f"{line},clip {number}" for number, line in enumerate(lines[1:]))]
    written(tmp_path, "\n".join(ids), "urls.csv")
    by_path = ManifestClips(clips, **FORM)
    by_url = ManifestClips(f"file://{tmp_path}/urls.csv", **FORM)
    for index in range(10):
        assert by_url.clip_id(index) == f"clip {index}"
        if index != 7:
            assert torch.equal(by_url[index][0], by_path[index][0])
    error = str(load_clip(by_url, 7).error)
    assert error.startswith(f"file://{tmp_path}/dogs/7.wav: ")
    assert "audiointerp-" not in error


def test_several_labels(tmp_path):
    path = written(tmp_path, "fname;labels\na.wav;Bark,Dog\nb.wav;Rain\n")
    dataset = ManifestClips(path)
    assert dataset.labels == ("Bark", "Dog", "Rain")
    assert [dataset.targets(index) for index in range(2)] == [(0, 1), (2,)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\n", "holds no clips"),
        ("path,label\na.wav,dog\na.wav,dog\n", r"rows 1 and 2: two clips are named 'a\.wav'"),
        ("path,label\na.wav,\n", "row 1: no value for label"),
        ("path,label\n,dog\n", "row 1: no value for path"),
        ("path,label\na.wav,dog,x\n", "byte 11: 3 cells, but the header has 2"),
        ("path,label\na.wav,owl\n", "row 1: unknown label 'owl'; choose among: cat, dog"),
        ("path\na.wav\n", "no column label"),
        ("path,path,label\n", "duplicate column names"),
        ('path,label\n"a.wav"x,dog\n', "byte 11: not a CSV row"),
        ("path,label\n" + "x" * 2**20, "byte 11: a line of more than"),
    ],
)
def test_each_fault_is_named(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(DatasetError, match=message):
        open_manifest(path, ("cat", "dog"))


@pytest.mark.parametrize("name", ["../a.wav", "/etc/passwd", "a\\b.wav"])
def test_a_file_outside_the_folder_is_an_error_row(tmp_path, name):
    dataset = ManifestClips(written(tmp_path, f"path,label\n{name},dog\n"))
    error = load_clip(dataset, 0).error
    assert isinstance(error, DatasetError)
    assert "is not a file name below" in str(error)


def test_a_manifest_that_is_changed_meanwhile_is_an_error(clips):
    dataset = ManifestClips(clips, **FORM)
    lines = clips.read_text().splitlines()
    clips.write_text("\n".join(lines[:-1]))
    with pytest.raises(DatasetError, match="was changed while it was read"):
        dataset.clip_id(9)

"""Tables of clips: which rows are refused, with what message, and that all others are read."""

import csv
import io
import os
import tempfile
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from conftest import torture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audiointerp.dataset import clip_table as table
from audiointerp.dataset.clips import LabelledClips
from audiointerp.dataset.esc50 import ESC50
from audiointerp.errors import DatasetError

pytestmark = pytest.mark.torture
GOOD = "filename,fold,target,category,esc10\na.wav,1,0,dog,True\nb.wav,5,1,cat,False\n"
NAMES = [
    *("../a.wav", "/etc/passwd", "C:a.wav", "c:/a.wav", "..", ".", "a/", "a\\b.wav"),
    *("..\\a.wav", "\\\\host\\a", "a\0.wav", "a\n.wav"),
    *("x/../../a.wav", "x/../a.wav", "//a.wav", "\x7f.wav"),
]


def written(root, text):
    (root / "meta").mkdir(exist_ok=True)
    path = root / "meta" / "esc50.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", [*NAMES, "x/a.wav", "./b.wav"])
def test_esc50_takes_bare_names_alone(name, tmp_path):
    written(tmp_path, GOOD.replace("b.wav", f'"{name}"'))
    with pytest.raises(DatasetError, match=r"esc50\.csv, line [34]: ") as error:
        ESC50(tmp_path)
    assert "\n" not in str(error.value)
    assert "\0" not in str(error.value)


@pytest.mark.parametrize("name", NAMES)
def test_clips_of_a_table_stay_in_its_folder(name, tmp_path):
    written(tmp_path, f'filename,label\nx/b.wav,dog\n"{name}",cat\n')
    with pytest.raises(DatasetError, match=r"line [34]: .* is not a file name below"):
        LabelledClips.from_csv(tmp_path / "meta" / "esc50.csv")


def test_links_out_of_the_folder(tmp_path):
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (tmp_path / "a.wav").write_bytes(b"")
    (inside / "out").symlink_to(tmp_path)
    (inside / "file.wav").symlink_to(tmp_path / "a.wav")
    (inside / "loop").symlink_to("loop")
    (inside / "near").symlink_to("sub")
    for name in ("out/a.wav", "file.wav", "near/../../a.wav", "out/inside/../a.wav"):
        (inside / "t.csv").write_text(f"filename,label\nsub/a.wav,dog\n{name},cat\n")
        with pytest.raises(DatasetError, match="line 3"):
            LabelledClips.from_csv(inside / "t.csv")
    (inside / "t.csv").write_text(
        "filename,label\nnear/a.wav,dog\nloop/b.wav,cat\nout/inside/c.wav,dog\n"
    )
    assert len(LabelledClips.from_csv(inside / "t.csv")) == 3
    (tmp_path / "elsewhere").symlink_to(inside)  # the folder itself may be reached by a link
    assert len(LabelledClips.from_csv(tmp_path / "elsewhere" / "t.csv")) == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("b.wav", "a.wav", r"lines 2 and 3: duplicate entry 'a\.wav'"),
        ("cat,False", "cat", "line 3: 4 cells, but the header has 5"),
        ("cat,False", "cat,False,x", "line 3: 6 cells, but the header has 5"),
        ("cat,False", '"cat\n",False,x', "line 4: 6 cells"),
        (",5,", ",6,", "fold is '6' for 'b.wav', not an integer from 1 to 5"),
        (",5,", ",0,", "fold is '0'"),
        (",5,", ",-5,", "fold is '-5'"),
        (",5,", ",5.0,", r"fold is '5\.0'"),
        (",5,", ",５,", "fold is '５'"),
        (",5,", ",1_0,", "fold is '1_0'"),
        (",1,cat", ",-1,cat", "target is '-1' .*not an integer of at least 0"),
        (",1,cat", f",{'9' * 5000},cat", "target is"),
        (",1,cat", ",1e3,cat", "target is '1e3'"),
        ("1,cat", "0,cat", "target 0 is both 'dog' and 'cat'"),
        (",cat,", ",dog,", "one category has two targets"),
        ("esc10", "fold", "duplicate column names"),
        (",cat", ',"cat', "not a CSV table"),
        (",cat", ',"cat"x', "not a CSV table"),
        ("cat", "c" * 200_000, "not a CSV table"),
    ],
)
def test_rows_that_are_not_whole(old, new, message, tmp_path):
    head, rest = GOOD.split("\n", 1)
    text = (
        (head.replace(old, new) + "\n" + rest)
        if old in head
        else head + "\n" + rest.replace(old, new)
    )
    written(tmp_path, text)
    with pytest.raises(DatasetError, match=message):
        ESC50(tmp_path)


def test_a_table_of_any_size_is_not_read(tmp_path):
    path = written(tmp_path, GOOD)
    with path.open("r+b") as file:
        file.truncate(table.LARGEST_TABLE + 1)
    with pytest.raises(DatasetError, match="the limit is"):
        ESC50(tmp_path)
    path.unlink()
    os.mkfifo(path)  # reading it would wait for ever
    with pytest.raises(DatasetError, match="missing"):
        ESC50(tmp_path)


def test_names_of_all_languages_and_other_columns_are_welcome(tmp_path):
    written(
        tmp_path, "\ufefffilename,label,\nчайка 1.wav,鳥,x\n\nd/é'.wav,oiseau,\r\n12:30.wav,鳥,\n"
    )
    clips = LabelledClips.from_csv(tmp_path / "meta" / "esc50.csv")
    assert [clip.name for clip in clips.clips] == ["чайка 1.wav", "d/é'.wav", "12:30.wav"]
    assert clips.labels == ("oiseau", "鳥")


HEADS = [
    ["filename", "fold", "target", "category", "esc10"],
    ["filename", "label"],
    ["filename", "label", "fold"],
    ["fold", "label", "filename"],
]
names = st.sampled_from(["a.wav", "b.wav", "./a.wav", "d/a.wav", "link/a.wav", *NAMES]) | st.text(
    max_size=12
)
cells = st.sampled_from(["0", "1", "5", "-1", "6", "True", "dog", "cat", "", "1.0", " 2 "]) | names
near = st.builds(
    lambda head, rows, end: end.join(",".join(map(quoted, row)) for row in (head, *rows)),
    st.sampled_from(HEADS) | st.lists(st.sampled_from([*HEADS[0], "label", ""]), max_size=6),
    st.lists(st.lists(cells, min_size=1, max_size=6), max_size=6),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
good_row = st.fixed_dictionaries(
    {
        "filename": st.from_regex(r"[a-zé]{1,3}[.]wav", fullmatch=True),
        "fold": st.sampled_from(["1", "2", "5"]),
        "target": st.just("0"),
        "category": st.just("dog"),
        "esc10": st.sampled_from(["True", "no"]),
        "label": st.text("xyz", min_size=1, max_size=2),
    }
)


def as_csv(head, rows):
    cells_of_rows = (map(row.get, head) for row in rows)
    return "\n".join(",".join(map(quoted, row)) for row in (head, *cells_of_rows))


right = st.builds(
    as_csv,
    st.sampled_from(HEADS),
    st.lists(good_row, min_size=1, max_size=3, unique_by=lambda row: row["filename"]),
)


def quoted(cell):
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow([cell, ""])
    return buffer.getvalue()[:-1]


@contextmanager
def folder():
    with tempfile.TemporaryDirectory() as name:
        root = Path(name, "root")
        (root / "meta").mkdir(parents=True)
        (root / "meta" / "link").symlink_to(name)
        yield root


def test_any_text_gives_clips_within_the_folder_or_a_dataset_error(figure):
    read = Counter()

    @settings(
        max_examples=torture(50, 2000), deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    @given(
        st.booleans().flatmap(
            lambda well: right if well else near | st.text(max_size=80) | st.binary(max_size=80)
        )
    )
    def law(text):
        content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        with folder() as root:
            path = root / "meta" / "esc50.csv"
            path.write_bytes(content)
            for make, home, folds in (
                (lambda: ESC50(root), root / "audio", range(1, 6)),
                (lambda: LabelledClips.from_csv(path), root / "meta", range(10**9)),
            ):
                read["tables"] += 1
                with suppress(DatasetError):
                    dataset = make()
                    read["clips"] += 1
                    check_clips(dataset, home, folds, content)

    law()
    assert (
        read["tables"] > read["clips"] > read["tables"] / 20
    )  # a generator of bad tables alone would prove nothing
    figure(
        "arbitrary tables of clips",
        f"{read['tables']:,} readings: {read['clips']:,} gave clips, the others a DatasetError",
    )


def check_clips(dataset, home, folds, content):
    paths = [os.path.normpath(clip.path) for clip in dataset.clips]
    assert len(set(paths)) == len(paths) > 0
    assert len(set(dataset.labels)) == len(dataset.labels)
    for clip in dataset.clips:
        assert 0 <= clip.target < len(dataset.labels)
        assert clip.fold in folds
        assert os.path.realpath(clip.path).startswith(os.path.realpath(home) + "/")
        assert not {"\0", "\\", "\n"} & set(str(clip.path))
        if home.name == "audio":
            assert clip.path.parent == home
            assert clip.path.name in content.decode("utf-8-sig")

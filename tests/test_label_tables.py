"""Tables of clips as published data sets have them: separators, column names, several labels."""

import re

import numpy as np
import pytest
import soundfile

from audiointerp.dataset import LabelledClips, as_dataset, targets_of
from audiointerp.errors import DatasetError
from audiointerp.processing import load_audio

RATE = {"sample_rate": 8000, "duration": None}


def sound(path, value=0.5):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(80, value), 8000)
    return path


def table(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators(tmp_path, separator):
    lines = ["filename|label|fold", 'a.wav|"dog, small; old"|1', "b.wav|cat|2"]
    path = table(tmp_path / "clips.csv", "\n".join(lines).replace("|", separator))
    clips = LabelledClips.from_csv(path, **RATE)
    assert clips.labels == ("cat", "dog, small; old")
    assert [clip.fold for clip in clips.clips] == [1, 2]
    assert [targets_of(clips, index) for index in range(2)] == [(1,), (0,)]
    table(path, "\n".join([*lines, "c.wav|owl"]).replace("|", separator))
    with pytest.raises(DatasetError, match=re.escape(f"quote values with {separator!r} in them")):
        LabelledClips.from_csv(path)


def test_urbansound8k(tmp_path):
    path = table(
        tmp_path / "metadata" / "UrbanSound8K.csv",
        "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
        "100032-3-0-0.wav,100032,0.0,0.3,1,5,3,dog_bark\n"
        "100263-2-0-117.wav,100263,58.5,62.5,1,2,1,car_horn\n"
        "100263-2-0-121.wav,100263,60.5,64.5,1,2,1,car_horn\n",
    )
    files = [
        sound(tmp_path / "audio" / name, level)
        for name, level in (
            ("fold5/100032-3-0-0.wav", 0.1),
            ("fold2/100263-2-0-117.wav", 0.2),
            ("fold2/100263-2-0-121.wav", 0.3),
        )
    ]
    for clips in (LabelledClips.from_csv(path, **RATE), as_dataset(tmp_path, 8000)):
        # In the order of classID; 1 and 3 are the only classes here.
        assert clips.labels == ("car_horn", "dog_bark")
        assert [clip.path for clip in clips.clips] == files
        assert [clip.fold for clip in clips.clips] == [5, 2, 2]
        assert [clips[index][1] for index in range(3)] == [1, 0, 0]
        assert [clips.recording(index) for index in range(3)] == ["100032", "100263", "100263"]
        assert clips.clip_id(1) == "100263-2-0-117.wav"
    raw = LabelledClips.from_csv(path, normalize="none", **RATE)
    assert raw[2][0].allclose(load_audio(files[2], 8000, normalize="none")[0])
    assert len(LabelledClips.from_csv(path, folds=[2])) == 2
    with pytest.raises(DatasetError, match="classID 3 is both"):
        LabelledClips.from_csv(table(path, path.read_text().replace(",1,car", ",3,car", 1)))


def test_fsd50k(tmp_path):
    path = table(
        tmp_path / "FSD50K.ground_truth" / "dev.csv",
        "fname,labels,mids,split\n"
        '64760,"Electric_guitar,Guitar,Music","/m/1,/m/2,/m/3",train\n'
        "16399,Rain,/m/4,val\n",
    )
    sound(tmp_path / "FSD50K.dev_audio" / "64760.wav")
    sound(tmp_path / "FSD50K.dev_audio" / "16399.wav")
    clips = LabelledClips.from_csv(path, **RATE)
    assert clips.labels == ("Electric_guitar", "Guitar", "Music", "Rain")
    assert [clips[index][1] for index in range(2)] == [(0, 1, 2), (3,)]
    assert [targets_of(clips, index) for index in range(2)] == [(0, 1, 2), (3,)]
    assert [clips.clip_id(index) for index in range(2)] == ["64760", "16399"]
    # Elsewhere, and with another ending.
    (tmp_path / "mine").mkdir()
    for name in ("64760", "16399"):
        sound(tmp_path / "mine" / f"{name}.flac")
    clips = LabelledClips.from_csv(path, audio=tmp_path / "mine", **RATE)
    assert clips[1][0].shape == (1, 80)


def test_esc50_as_a_table(tmp_path):
    path = table(
        tmp_path / "meta" / "esc50.csv",
        "filename,fold,target,category,esc10,src_file,take\n"
        "1-1-A-40.wav,1,40,helicopter,True,1,A\n1-2-A-0.wav,2,0,dog,True,2,A\n",
    )
    sound(tmp_path / "audio" / "1-1-A-40.wav")
    clips = LabelledClips.from_csv(path, **RATE)
    assert (clips.labels, clips[0][1]) == (("dog", "helicopter"), 1)
    assert clips.recording(0) == "1"


def test_other_names_for_the_columns(tmp_path):
    path = table(tmp_path / "t.csv", "clip,species,site\na.wav,owl,x\nb.wav,bat,x\n")
    message = (
        r"has no column filename \(or slice_file_name, fname, file_name, file, path\); its columns "
        r"are: clip, species, site \(separated by ','\); rename one, or give columns="
    )
    with pytest.raises(DatasetError, match=message):
        LabelledClips.from_csv(path)
    columns = {"filename": "clip", "label": "species", "recording": "site"}
    clips = LabelledClips.from_csv(path, columns=columns)
    assert (clips.labels, clips.recording(1)) == (("bat", "owl"), "x")
    with pytest.raises(DatasetError, match=r"does not fit.*its columns are: clip, species, site"):
        LabelledClips.from_csv(path, columns=columns | {"label": "genus"})
    with pytest.raises(DatasetError, match="does not fit"):
        LabelledClips.from_csv(path, columns=columns | {"lable": "species"})
    table(path, "file_name;text\na.wav;hello\n")
    with pytest.raises(DatasetError, match=r"no column label \(or labels, class, category\)"):
        LabelledClips.from_csv(path)


def test_one_file_in_several_rows(tmp_path):
    path = table(tmp_path / "t.csv", "filename,label\na.wav,dog\nb.wav,cat\n./a.wav,cat\n")
    clips = LabelledClips.from_csv(path, **RATE)
    assert len(clips) == 2
    assert [targets_of(clips, index) for index in range(2)] == [(0, 1), (0,)]
    table(path, "filename,onset,offset,label\na.wav,0,1,dog\nb.wav,0,1,cat\na.wav,2,3,dog\n")
    message = (
        r"lines 2 and 4: duplicate entry 'a\.wav' with the label 'dog'; delete one; its columns "
        "are: filename, onset, offset, label"
    )
    with pytest.raises(DatasetError, match=message):
        LabelledClips.from_csv(path)
    table(path, "filename,label,fold\na.wav,dog,1\na.wav,cat,2\n")
    with pytest.raises(DatasetError, match=r"line 3: fold of 'a\.wav' is '2', but '1' in line 2"):
        LabelledClips.from_csv(path)
    table(path, 'filename,labels\na.wav,"dog,"\n')
    with pytest.raises(DatasetError, match=r"line 2: labels is 'dog,', with an empty label"):
        LabelledClips.from_csv(path)


def test_a_column_of_labels_with_one_each_is_one_label_per_clip(tmp_path):
    path = table(tmp_path / "t.csv", "filename,labels\na.wav,dog\nb.wav,cat\n")
    sound(tmp_path / "a.wav")
    assert LabelledClips.from_csv(path, **RATE)[0][1] == 1


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a\\b", "x/../../a"])
def test_names_without_an_ending_stay_in_the_folder(tmp_path, name):
    sound(tmp_path / "a.wav")
    path = table(tmp_path / "in" / "t.csv", f"fname,label\n{name},dog\n")
    with pytest.raises(DatasetError, match="is not a file name below"):
        LabelledClips.from_csv(path)


def test_clips_in_deeper_folders_are_not_left_out(tmp_path):
    sound(tmp_path / "train" / "cat" / "a.wav")
    with pytest.raises(
        DatasetError, match=r"its subfolders are no classes.*train/cat; give .*train"
    ):
        LabelledClips.from_folder(tmp_path)
    sound(tmp_path / "dog" / "b.wav")
    with pytest.raises(DatasetError, match=r"train/cat: its sound files would be left out"):
        LabelledClips.from_folder(tmp_path)
    assert LabelledClips.from_folder(tmp_path / "train").labels == ("cat",)
